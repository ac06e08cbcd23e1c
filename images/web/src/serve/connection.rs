//! One connection, from its first byte to its end.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::response::Response;
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use pin_project_lite::pin_project;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    Ping, ServeSettings,
    pulse::{Answering, Felt, Heads, Judgement, Pulse},
};

/// What every HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between looks at a preface that has come in part only, which no real client sends.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);

/// What a connection needs to be served.
pub(super) struct Connection<S> {
    pub(super) service: S,
    pub(super) settings: ServeSettings,
    pub(super) stop: CancellationToken,
}

enum Version {
    Http1,
    Http2,
}

impl<S> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Serves the connection to its end. What goes wrong on it is its client's business, not an event.
    pub(super) async fn run(self, stream: TcpStream) {
        let accepted = Instant::now();
        let version = tokio::select! {
            version = timeout(self.settings.head_timeout, find_version(&stream)) => version,
            () = self.stop.cancelled() => return,
        };
        let Ok(Ok(version)) = version else { return };
        // Whole answers are written at once; waiting for more would only delay their last packet.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match version {
            Version::Http1 => self.run_http1(stream, Pulse::new(accepted, Heads::Timed)).await,
            Version::Http2 => self.run_http2(stream, Pulse::new(accepted, Heads::Untimed)).await,
        }
    }

    async fn run_http1(self, stream: TcpStream, pulse: Pulse) {
        let pulse = Arc::new(pulse);
        let head_bytes = usize::from(self.settings.max_head_bytes);
        let mut builder = http1::Builder::new();
        // The pulse times heads; the buffer bounds those that never end.
        builder
            .header_read_timeout(None)
            .max_header_size(head_bytes)
            .max_buf_size(2 * head_bytes.max(8 << 10));
        let io = TokioIo::new(Felt { stream, pulse: pulse.clone() });
        let service = Counted { service: self.service, pulse: pulse.clone() };
        drive(builder.serve_connection(io, service), &pulse, &self.settings, &self.stop).await;
    }

    async fn run_http2(self, stream: TcpStream, pulse: Pulse) {
        let pulse = Arc::new(pulse);
        let ServeSettings { max_head_bytes, max_streams, ping, .. } = self.settings;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(max_streams)
            // All visitors of a pod may leave at the same time, which is no attack.
            .max_pending_accept_reset_streams(max_streams as usize)
            .max_header_list_size(max_head_bytes.into());
        if let Some(Ping { interval, timeout }) = ping {
            builder.keep_alive_interval(interval).keep_alive_timeout(timeout);
        }
        let io = TokioIo::new(Felt { stream, pulse: pulse.clone() });
        let service = Counted { service: self.service, pulse: pulse.clone() };
        drive(builder.serve_connection(io, service), &pulse, &self.settings, &self.stop).await;
    }
}

/// Looks at the first bytes and leaves them where they are.
async fn find_version(stream: &TcpStream) -> io::Result<Version> {
    let mut start = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        let seen = start.get(..length).unwrap_or_default();
        if seen == PREFACE {
            return Ok(Version::Http2);
        }
        if seen.is_empty() || !PREFACE.starts_with(seen) {
            return Ok(Version::Http1);
        }
        sleep(PREFACE_PAUSE).await;
    }
}

/// Polls the connection until it ends, is cut for the client's slowness, or has given its last answer
/// after `stop`.
async fn drive<C: GracefulConnection>(
    connection: C,
    pulse: &Pulse,
    settings: &ServeSettings,
    stop: &CancellationToken,
) {
    let mut connection = pin!(connection);
    let mut look = pin!(sleep_until(Instant::now() + settings.head_timeout));
    let mut stopped = pin!(stop.cancelled());
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = stopped.as_mut(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = look.as_mut() => match pulse.judge(settings, Instant::now()) {
                Judgement::LookAgain(at) => look.as_mut().reset(at),
                Judgement::Cut => return,
            },
        }
    }
}

/// A service whose answers under way the pulse knows.
struct Counted<S> {
    service: S,
    pulse: Arc<Pulse>,
}

impl<S> hyper::service::Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answering = self.pulse.begin_answer();
        // What is served here is always ready: routers and what stands before them.
        Answer { answer: self.service.clone().call(request), _answering: answering }
    }
}

pin_project! {
    struct Answer<F> {
        #[pin]
        answer: F,
        _answering: Answering,
    }
}

impl<F: Future> Future for Answer<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(context)
    }
}
