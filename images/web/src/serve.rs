//! A listener's loop: accepting, bounding and draining connections (HTTP/1.1, and HTTP/2 by prior knowledge).
//!
//! Knows nothing of what is answered: that is the service's business. TLS ends before us, at the load
//! balancer.

mod connection;
mod felt;
mod front;
mod pulse;
mod seldom;
mod watch;
mod whole;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{BoxError, body::HttpBody};
use bytes::Bytes;
use connection::{Connection, Listener};
pub use front::{Front, Fronted, Head};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tower::Service;
pub(crate) use whole::KernelCopy;
pub use whole::Whole;

/// After a failure to accept that is the process's own, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// What one listener allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct ServeSettings {
    /// Connections open at the same time; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// From the first byte of a request's head to its last, and from connecting to the first head's end.
    pub head_timeout: Duration,
    /// Without a byte either way while nothing is being answered: kept-alive connections, and clients who
    /// stop reading. Longer than load balancers keep theirs, so that they never use one that we close.
    pub idle_timeout: Duration,
    /// Bytes of a request's head.
    pub max_head_bytes: u16,
    /// Requests under way at the same time on one HTTP/2 connection.
    pub max_streams: u32,
    /// Whether HTTP/2 clients are asked for signs of life; `None` leaves it to the idle timeout.
    pub ping: Option<Ping>,
}

/// HTTP/2 pings that find out about a client's loss before anything has to be sent to it.
#[derive(Debug, Clone, Copy)]
pub struct Ping {
    pub interval: Duration,
    /// How long an answer to a ping may take before the connection is given up.
    pub timeout: Duration,
}

impl ServeSettings {
    /// For visitors, by way of a load balancer.
    pub const PUBLIC: Self = Self {
        max_connections: 20_000,
        head_timeout: Duration::from_secs(15),
        idle_timeout: Duration::from_mins(2),
        max_head_bytes: 16 << 10,
        max_streams: 256,
        ping: None,
    };

    /// For pods of this pipeline: few connections, each with as many requests as a pod holds visitors.
    pub const INTERNAL: Self = Self {
        max_connections: 1_024,
        head_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_mins(2),
        max_head_bytes: 16 << 10,
        max_streams: 16_384,
        ping: Some(Ping { interval: Duration::from_secs(1), timeout: Duration::from_secs(1) }),
    };
}

/// Serves until `stop`; then accepts nothing more, lets every answer that was begun be given to its end,
/// and returns. Dropped, it cuts all its connections.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    settings: ServeSettings,
    stop: CancellationToken,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Fronted
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let shared = Arc::new(Listener { settings, stop, front: service.front() });
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            // Reaped as they end, so that the set holds open connections only.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = Connection { service: service.clone(), listener: shared.clone() };
                connections.spawn(connection.run(stream, place));
            }
            // The client has gone again, which is its own business.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
