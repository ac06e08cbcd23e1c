//! A connection's stream: its bytes move the pulse, and its simple requests are answered by the front.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    front::{Came, Front, parse},
    pulse::Pulse,
    whole::Whole,
};

/// The longest head that is put together from pieces, to learn where it ends.
const MAX_HEAD_BYTES: usize = 16 << 10;

pub(super) struct Felt {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    front: Option<Arc<dyn Front>>,
    engine: Engine,
    giving: Option<Giving>,
}

/// Where the HTTP engine behind this stream stands.
#[derive(Debug, PartialEq, Eq)]
enum Engine {
    /// Between two requests, with all written that it had to.
    AtRest,
    /// It has been given this beginning of a head.
    Reading(Vec<u8>),
    /// It has been given one whole request, and not yet written all of the answer.
    Busy,
    /// Only it knows, from now on.
    Alone,
}

/// An answer that is being sent by the front.
struct Giving {
    whole: Arc<Whole>,
    sent: usize,
}

impl Felt {
    /// Without a front, everything is the engine's.
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>, front: Option<Arc<dyn Front>>) -> Self {
        let engine = if front.is_some() { Engine::AtRest } else { Engine::Alone };
        Self { stream, pulse, front, engine, giving: None }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }

    /// What the engine has written, unasked or not.
    fn note(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        if self.engine == Engine::AtRest {
            // It says something that it was not asked for here.
            self.engine = Engine::Alone;
        }
        if written.is_ok() {
            self.pulse.note_write();
        }
        written
    }

    /// Whether what came is answered by the front, which then has begun to.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let engine = std::mem::replace(&mut self.engine, Engine::Alone);
        self.engine = match engine {
            Engine::AtRest => match parse(bytes) {
                Came::Simple(head) => {
                    if let Some(whole) = self.front.as_ref().and_then(|front| front.find(&head)) {
                        self.giving = Some(Giving { whole, sent: 0 });
                        self.pulse.end_head();
                        self.engine = Engine::AtRest;
                        return true;
                    }
                    Engine::Busy
                }
                Came::Plain => Engine::Busy,
                Came::Part => Engine::Reading(bytes.to_vec()),
                Came::Other => Engine::Alone,
            },
            Engine::Reading(mut head) if head.len() + bytes.len() <= MAX_HEAD_BYTES => {
                head.extend_from_slice(bytes);
                match parse(&head) {
                    Came::Simple(_) | Came::Plain => Engine::Busy,
                    Came::Part => Engine::Reading(head),
                    Came::Other => Engine::Alone,
                }
            }
            // More than the one request that it was given.
            Engine::Reading(_) | Engine::Busy | Engine::Alone => Engine::Alone,
        };
        self.pulse.owe();
        false
    }

    /// Sends what the front has to give.
    fn poll_give(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Giving { whole, sent }) = &mut self.giving else { return Poll::Ready(Ok(())) };
        let before = *sent;
        let given = whole.poll_send(&self.stream, sent, context);
        if *sent > before {
            self.pulse.note_write();
        }
        let given = ready!(given);
        self.giving = None;
        Poll::Ready(given)
    }
}

impl AsyncRead for Felt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_give(context))?;
            let before = buffer.filled().len();
            ready!(self.as_mut().stream().poll_read(context, buffer))?;
            let came = buffer.filled().get(before..).unwrap_or_default();
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.pulse.note_read();
            if !self.take(came) {
                return Poll::Ready(Ok(()));
            }
            // The engine's buffer is as if nothing had come.
            buffer.set_filled(before);
        }
    }
}

impl AsyncWrite for Felt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.as_mut().stream().poll_write(context, bytes));
        Poll::Ready(self.note(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.as_mut().stream().poll_write_vectored(context, slices));
        Poll::Ready(self.note(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The engine calls this when it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().stream().poll_flush(context))?;
        if self.engine == Engine::Busy && !self.pulse.is_owed() {
            self.engine = Engine::AtRest;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The engine knows of no answer that it would have to wait for.
        ready!(self.poll_give(context))?;
        self.stream().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
