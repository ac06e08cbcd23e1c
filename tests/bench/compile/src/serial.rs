//! The plain way to read a site over HTTP: a file system for the engine that asks for each path when the engine
//! does, one after the other on one connection, and remembers the answers.

use std::{
    collections::HashMap,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

pub(crate) struct SerialSite {
    asked: Mutex<Asked>,
}

struct Asked {
    connection: BufReader<TcpStream>,
    answers: HashMap<String, Option<Vec<u8>>>,
}

impl SerialSite {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        let asked = Asked { connection: BufReader::new(connection), answers: HashMap::new() };
        Ok(Self { asked: Mutex::new(asked) })
    }

    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).answers.len()
    }

    fn get(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        // The engine puts `./` before what it is given.
        let path = format!("/{}", path.to_string_lossy().trim_start_matches(['.', '/']));
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = asked.answers.get(&path) {
            return Ok(known.clone());
        }
        let answer = ask(&mut asked.connection, &path)?;
        asked.answers.insert(path, answer.clone());
        Ok(answer)
    }
}

/// The body, or `None` for any status but 200.
fn ask(connection: &mut BufReader<TcpStream>, path: &str) -> io::Result<Option<Vec<u8>>> {
    write!(connection.get_mut(), "GET {path} HTTP/1.1\r\nhost: site.example\r\n\r\n")?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let is_found = line.contains(" 200 ");
    let mut length = 0;
    while line.trim_end() != "" {
        line.clear();
        connection.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(is_found.then_some(body))
}

impl fmt::Debug for SerialSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SerialSite")
    }
}

impl grass::Fs for SerialSite {
    fn is_dir(&self, _path: &Path) -> bool {
        true
    }

    fn is_file(&self, path: &Path) -> bool {
        self.get(path).is_ok_and(|answer| answer.is_some())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.get(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}
