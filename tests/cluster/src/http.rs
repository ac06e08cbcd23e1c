//! The smallest HTTP/1.1 client that health checks and the first look at a style sheet need: plain
//! text over loopback and the bridge, one request per connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Sends `GET path` with the given `Host` and more headers, and reads the answer to its end.
pub fn get(
    server: SocketAddr,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    timeout: Duration,
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)
        .with_context(|| format!("cannot connect to {server}"))?;
    stream.set_read_timeout(Some(timeout)).context("cannot set a timeout")?;
    stream.set_write_timeout(Some(timeout)).context("cannot set a timeout")?;
    let more: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).with_context(|| format!("cannot write to {server}"))?;
    let bytes = read(BufReader::new(stream)).with_context(|| format!("no whole answer from {server}"))?;
    parse(&bytes).with_context(|| format!("{server} does not answer in HTTP"))
}

/// To the end of the connection, or of a body that tells its length: who stands between may be slow to close.
fn read(mut connection: impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(END_OF_HEAD) && connection.read_until(b'\n', &mut bytes)? > 0 {}
    let length = parse(&bytes).and_then(|head| match head.status {
        // They tell the length of what they do not send.
        204 | 304 => Some(0),
        _ => head.header("content-length")?.parse().ok(),
    });
    connection.take(length.unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)?;
    let head = String::from_utf8_lossy(bytes.get(..end)?);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = bytes.get(end + END_OF_HEAD.len()..)?;
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { join_chunks(rest)? } else { rest.to_vec() };
    Some(Answer { status, headers, body })
}

fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(str::from_utf8(rest.get(..end)?).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_plain_and_chunked_answers() {
        let plain = parse(b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\n\r\nbody").unwrap();
        assert_eq!(
            (plain.status, plain.header("etag"), plain.body.as_slice()),
            (200, Some("\"x\""), &b"body"[..])
        );
        let chunked = parse(
            b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        );
        assert_eq!(chunked.unwrap().body, b"abc");
        assert!(parse(b"SSH-2.0").is_none());
    }

    #[test]
    fn answer_ends_with_its_length_or_else_with_the_connection() {
        let told = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"[..];
        let bodiless = &b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"[..];
        let chunked = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"[..];
        let untold = &b"HTTP/1.1 200 OK\r\n\r\nto the end"[..];
        for (answer, more) in [(told, &b"later"[..]), (bodiless, b"later"), (chunked, b""), (untold, b"")] {
            assert_eq!(read(answer.chain(more)).unwrap(), answer);
        }
    }
}
