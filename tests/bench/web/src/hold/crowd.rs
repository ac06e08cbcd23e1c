//! Visitors who ask for one style sheet and wait.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, ensure};

use super::servers::PATH;
use crate::site::HOST;

/// Their connections; they leave when this is dropped.
#[derive(Default)]
pub(super) struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// So many more of them ask.
    pub(super) fn join(&mut self, address: SocketAddr, count: usize) -> anyhow::Result<()> {
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0\r\n\
             Accept: text/css,*/*;q=0.1\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
             Referer: https://www.shop.example/\r\n\r\n"
        );
        for _ in 0..count {
            let mut stream = TcpStream::connect(address).context("cannot connect to a server")?;
            stream.write_all(request.as_bytes()).context("cannot ask a server")?;
            self.0.push(stream);
        }
        Ok(())
    }

    /// Nobody was answered, and nobody sent away.
    pub(super) fn check_silence(&self) -> anyhow::Result<()> {
        for stream in &self.0 {
            stream.set_nonblocking(true)?;
            let waits = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
            ensure!(waits, "a visitor was not held");
        }
        Ok(())
    }
}
