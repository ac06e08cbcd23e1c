//! One connection, from its first byte to its end.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{BoxError, body::HttpBody};
use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use pin_project_lite::pin_project;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    Front, Ping, Place, ServeSettings,
    felt::Felt,
    pulse::{Answering, Heads, Owed, Pulse},
    seldom::Seldom,
    watch::{End, Watch},
};

/// What every HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between looks at a preface that has come in part only, which no real client sends.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);

/// What a connection needs to be served.
pub(super) struct Connection<S> {
    pub(super) service: S,
    pub(super) listener: Arc<Listener>,
}

/// What all connections of one listener share.
pub(super) struct Listener {
    pub(super) settings: ServeSettings,
    pub(super) stop: CancellationToken,
    pub(super) front: Option<Arc<dyn Front>>,
}

enum Version {
    Http1,
    Http2,
}

impl<S, B> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Serves the connection to its end, and then gives its place back. What goes wrong on it is its
    /// client's business, not an event.
    #[expect(clippy::manual_async_fn, reason = "an async fn has room for each of its arguments twice")]
    pub(super) fn run(self, stream: TcpStream, place: Place) -> impl Future<Output = ()> + Send {
        async move {
            let Listener { settings, stop, front } = &*self.listener;
            let accepted = Instant::now();
            let version = tokio::select! {
                version = timeout(settings.head_timeout, find_version(&stream)) => version,
                () = stop.cancelled() => return,
            };
            let Ok(Ok(version)) = version else { return };
            // Whole answers are written at once; waiting for more would only delay their last packet.
            if stream.set_nodelay(true).is_err() {
                return;
            }
            match version {
                Version::Http1 => {
                    let pulse = Arc::new(Pulse::new(accepted, Heads::Timed));
                    let (io, service) = counted(stream, self.service, &pulse, front.clone());
                    let connection = pin!(http1_builder(settings).serve_connection(io, service));
                    drive(connection, &pulse, &self.listener).await;
                }
                // Apart, so that the many connections of HTTP/1.1 are not as large as the few of HTTP/2.
                Version::Http2 => {
                    let pulse = Arc::new(Pulse::new(accepted, Heads::Untimed));
                    let (io, service) = counted(stream, self.service, &pulse, None);
                    let connection = http2_builder(settings).serve_connection(io, service);
                    drive(Box::pin(connection).as_mut(), &pulse, &self.listener).await;
                }
            }
            drop(place);
        }
    }
}

/// Both sides of a connection, as its pulse feels them.
fn counted<S>(
    stream: TcpStream,
    service: S,
    pulse: &Arc<Pulse>,
    front: Option<Arc<dyn Front>>,
) -> (TokioIo<Felt>, Counted<S>) {
    (TokioIo::new(Felt::new(stream, pulse.clone(), front)), Counted { service, pulse: pulse.clone() })
}

fn http1_builder(settings: &ServeSettings) -> http1::Builder {
    let head_bytes = usize::from(settings.max_head_bytes);
    let mut builder = http1::Builder::new();
    // The pulse times heads; the buffer bounds those that never end.
    builder.header_read_timeout(None).max_header_size(head_bytes).max_buf_size(2 * head_bytes.max(8 << 10));
    builder
}

fn http2_builder(settings: &ServeSettings) -> http2::Builder<TokioExecutor> {
    let ServeSettings { max_head_bytes, max_streams, ping, .. } = *settings;
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
    builder
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
async fn drive<C: GracefulConnection>(mut connection: Pin<&mut C>, pulse: &Pulse, listener: &Listener) {
    let mut watch = pin!(Seldom::new(Watch::new(pulse, listener)));
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            end = watch.as_mut() => match end {
                End::Graceful => connection.as_mut().graceful_shutdown(),
                End::Cut => return,
            },
        }
    }
}

/// A service whose answers under way the pulse knows.
struct Counted<S> {
    service: S,
    pulse: Arc<Pulse>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<OwedBody<B>>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answering = self.pulse.begin_answer();
        // What is served here is always ready: routers and what stands before them.
        Answer { answer: self.service.clone().call(request), answering }
    }
}

pin_project! {
    struct Answer<F> {
        #[pin]
        answer: F,
        answering: Answering,
    }
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<OwedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.answer.poll(context));
        let owed = Owed(this.answering.0.clone());
        Poll::Ready(Ok(response.map(|body| OwedBody { body, owed })))
    }
}

pin_project! {
    /// A body whose end the pulse knows.
    struct OwedBody<B> {
        #[pin]
        body: B,
        owed: Owed,
    }
}

impl<B: HttpBody> HttpBody for OwedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
