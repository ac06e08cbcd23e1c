//! A web server at every address of the namespace. It answers with a file, or with a redirect.

use std::{
    io::{Read, Write},
    mem,
    net::{IpAddr, Ipv6Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use bytes::Bytes;
use pipeline::ports::{Fetched, SourceFile};
use url::Url;

/// An address that anybody may ask.
pub(crate) const PUBLIC: &str = "93.184.215.14";
const PORTS: [u16; 3] = [80, 8080, 3128];
const CONTENT: &str = "a{}";

/// Notes the addresses at which it was asked.
#[derive(Clone, Default)]
pub(crate) struct Site {
    asked: Arc<Mutex<Vec<IpAddr>>>,
    location: Arc<Mutex<String>>,
}

impl Site {
    pub(crate) fn start() -> Self {
        let site = Self::default();
        for port in PORTS {
            // Takes IPv4, too.
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
            let site = site.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let site = site.clone();
                    thread::spawn(move || site.answer(stream.unwrap()));
                }
            });
        }
        site
    }

    /// Where it was asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<IpAddr> {
        mem::take(&mut self.asked.lock().unwrap())
    }

    /// A URL at a public address that redirects to `location`, byte by byte.
    pub(crate) fn redirect_to(&self, location: &str) -> Url {
        location.clone_into(&mut self.location.lock().unwrap());
        format!("http://{PUBLIC}/away").parse().unwrap()
    }

    /// What it has at every other path.
    pub(crate) fn file() -> Fetched {
        let body = Bytes::from_static(CONTENT.as_bytes());
        Fetched::Found(SourceFile { body, etag: None, last_modified: None })
    }

    fn answer(&self, mut stream: TcpStream) {
        let address = stream.local_addr().unwrap().ip().to_canonical();
        self.asked.lock().unwrap().push(address);
        let mut head = Vec::new();
        let mut part = [0; 1 << 12];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(length @ 1..) => head.extend_from_slice(&part[..length]),
                // It wanted to see only whether somebody listens.
                Ok(0) | Err(_) => return,
            }
        }
        let length = CONTENT.len();
        let answer = if head.starts_with(b"GET /away ") {
            let location = self.location.lock().unwrap();
            format!(
                "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        } else {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{CONTENT}")
        };
        stream.write_all(answer.as_bytes()).ok();
    }
}
