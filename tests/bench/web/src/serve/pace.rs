//! A client at a constant rate, whatever the server does: latency is counted from when a request was due,
//! so that a stall counts for everybody who would have come meanwhile (no coordinated omission).
//!
//! Our own, because nothing packaged keeps up: a server gives about 70,000 answers a second from one core,
//! and a client with the same core's worth of time may spend no more than a server does on each. wrk has no
//! constant rate, wrk2 is not in Debian, and clients on hyper need several cores for it. One thread, one
//! poll loop that never sleeps, no parsing beyond the first head of each connection.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

/// What is asked of whom, and how often.
#[derive(Debug, Args)]
pub(crate) struct Pace {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    /// Requests due in a second
    pub(crate) rate: f64,
    /// Seconds that count, after a tenth as long that does not
    pub(crate) seconds: f64,
    pub(crate) connections: usize,
}

/// Latencies in microseconds, and whether the client kept its pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Answers that came, of those that were due in the time.
    pub(crate) kept: f64,
}

impl Latency {
    pub(crate) fn to_line(self) -> String {
        format!("{} {} {}", self.p50, self.p99, self.kept)
    }

    pub(crate) fn from_line(line: &str) -> anyhow::Result<Self> {
        let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match numbers.as_slice() {
            [p50, p99, kept] => Ok(Self { p50: *p50, p99: *p99, kept: *kept }),
            _ => bail!("the client at a constant rate said {line:?}"),
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// When the request under way was due; `None` while idle.
    due: Option<Instant>,
    /// Bytes of the answer that have come.
    read: usize,
}

struct Client {
    poll: Poll,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    request: Vec<u8>,
    buffer: Vec<u8>,
    /// Every answer is as long as the first: head and body.
    answer_bytes: usize,
}

/// Keeps the pace and gives what came of it.
pub(crate) fn keep(pace: &Pace) -> anyhow::Result<Latency> {
    let mut client = Client::connect(pace)?;
    let warm_up = Duration::from_secs_f64(pace.seconds / 10.0);
    let (begin, gap) = (Instant::now(), 1.0 / pace.rate);
    let (counted, end) = (begin + warm_up, begin + warm_up + Duration::from_secs_f64(pace.seconds));
    let mut due = (0_u32..).map(|number| begin + Duration::from_secs_f64(f64::from(number) * gap)).peekable();
    let mut latencies = Vec::new();
    while Instant::now() < end {
        while let Some(index) = client.idle.front().copied()
            && let Some(due) = due.next_if(|due| *due <= Instant::now())
        {
            client.idle.pop_front();
            client.send(index, due)?;
        }
        client.receive(|due, came| {
            if due >= counted {
                latencies.push(u32::try_from((came - due).as_micros()).unwrap_or(u32::MAX));
            }
        })?;
    }
    summarize(latencies, pace.rate * pace.seconds)
}

fn summarize(mut latencies: Vec<u32>, expected: f64) -> anyhow::Result<Latency> {
    latencies.sort_unstable();
    let at = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).copied().map(f64::from).context("no answer came in the time that counts")
    };
    let kept = f64::from(u32::try_from(latencies.len())?) / expected;
    Ok(Latency { p50: at(50)?, p99: at(99)?, kept })
}

impl Client {
    fn connect(pace: &Pace) -> anyhow::Result<Self> {
        let Pace { address, host, path, connections, .. } = pace;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n");
        let poll = Poll::new()?;
        let mut opened = Vec::new();
        let mut answer_bytes = 0;
        let mut buffer = vec![0; 512 << 10];
        for index in 0..*connections {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            // Asked once before it counts: every connection is warm, and the answer's length known.
            stream.write_all(request.as_bytes())?;
            let length = read_answer(&mut stream, &mut buffer)?;
            ensure!(answer_bytes == 0 || answer_bytes == length, "two answers differ in length");
            answer_bytes = length;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            opened.push(Connection { stream, due: None, read: 0 });
        }
        let idle = (0..*connections).collect();
        Ok(Self { poll, connections: opened, idle, request: request.into_bytes(), buffer, answer_bytes })
    }

    fn send(&mut self, index: usize, due: Instant) -> anyhow::Result<()> {
        let connection = self.connections.get_mut(index).context("no such connection")?;
        connection.due = Some(due);
        connection.read = 0;
        let written = connection.stream.write(&self.request).context("cannot send a request")?;
        ensure!(written == self.request.len(), "a request did not fit into an idle connection");
        Ok(())
    }

    /// Takes what has come, and tells of each whole answer when it was due and when it came.
    fn receive(&mut self, mut answered: impl FnMut(Instant, Instant)) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(256);
        self.poll.poll(&mut events, Some(Duration::ZERO))?;
        for event in &events {
            let index = event.token().0;
            let connection = self.connections.get_mut(index).context("no such connection")?;
            loop {
                match connection.stream.read(&mut self.buffer) {
                    Ok(0) => bail!("the server closed a connection"),
                    Ok(length) => connection.read += length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("cannot read an answer"),
                }
            }
            ensure!(connection.read <= self.answer_bytes, "an answer is longer than the first one");
            if connection.read == self.answer_bytes
                && let Some(due) = connection.due.take()
            {
                answered(due, Instant::now());
                self.idle.push_back(index);
            }
        }
        Ok(())
    }
}

/// Reads one whole answer and gives its length, head included.
fn read_answer(stream: &mut std::net::TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let mut read = 0;
    let mut wanted = usize::MAX;
    while read < wanted {
        let rest = buffer.get_mut(read..).context("an answer is larger than the buffer")?;
        let length = stream.read(rest).context("cannot read the first answer")?;
        ensure!(length > 0, "the server closed a connection");
        read += length;
        if wanted == usize::MAX {
            wanted = length_of(buffer.get(..read).unwrap_or_default()).unwrap_or(usize::MAX);
        }
    }
    ensure!(read == wanted, "more came than one answer");
    Ok(read)
}

/// The length of the whole answer, once its head is there.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(end + 4 + length.trim().parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_is_of_the_sorted_latencies_and_tells_what_is_missing() {
        let latency = summarize((1..=100).rev().collect(), 200.0).unwrap();
        assert_eq!(latency, Latency { p50: 51.0, p99: 100.0, kept: 0.5 });
        assert_eq!(Latency::from_line(&latency.to_line()).unwrap(), latency);
        assert!(summarize(Vec::new(), 1.0).is_err());
    }

    #[test]
    fn answer_ends_where_its_head_says() {
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"), Some(41));
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\nContent-Le"), None);
    }
}
