//! The listener for those who run the pods, apart from visitors: `/health`, `/ready`, `/metrics`, and what a
//! tier adds.
//!
//! Served by a thread of its own: however busy the process's other threads are, a probe is answered, and
//! no pod is killed for its load.

use std::{io, sync::Arc, thread};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};
use tokio_util::sync::CancellationToken;

/// The media type of what `/metrics` answers.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process tells about itself.
#[derive(Default)]
pub struct Operation {
    pub registry: Registry,
    /// What else is served there.
    pub more: Router,
    /// Cancelled when the process has finished its work; ends the listener.
    pub stopped: CancellationToken,
}

impl Operation {
    /// Serves until [`Operation::stopped`]. `/ready` answers 503 as soon as `draining` is cancelled.
    pub async fn serve(self, listener: TcpListener, draining: CancellationToken) -> io::Result<()> {
        let listener = listener.into_std()?;
        let (ended, end) = oneshot::channel();
        let thread = thread::Builder::new().name("operation".to_owned());
        thread.spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            // Nobody listens any more where the whole process ends.
            let _ = ended.send(runtime.and_then(|runtime| runtime.block_on(self.run(listener, draining))));
        })?;
        end.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    async fn run(self, listener: std::net::TcpListener, draining: CancellationToken) -> io::Result<()> {
        let Self { registry, more, stopped } = self;
        let registry = Arc::new(registry);
        let ready = async move || {
            if draining.is_cancelled() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        };
        let router = Router::new()
            .route("/health", get(async || StatusCode::OK))
            .route("/ready", get(ready))
            .route("/metrics", get(async move || metrics(&registry)))
            .merge(more);
        let listener = TcpListener::from_std(listener)?;
        axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await
    }
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => (StatusCode::OK, [(CONTENT_TYPE, OPENMETRICS)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
        sync::mpsc,
        time::Duration,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Blocks its thread, as its caller does not mind.
    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: pod\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn probes_are_answered_while_every_thread_of_the_process_is_busy() {
        let operation = Operation::default();
        let (stopped, draining) = (operation.stopped.clone(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(operation.serve(listener, draining.clone()));
        let (busy, is_busy) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        // The runtime has one worker, and it does nothing else from now on.
        let work = tokio::spawn(async move {
            busy.send(()).unwrap();
            released.recv_timeout(PATIENCE).unwrap();
        });
        is_busy.recv_timeout(PATIENCE).unwrap();
        assert_eq!(get(address, "/health"), "HTTP/1.1 200 OK");
        assert_eq!(get(address, "/ready"), "HTTP/1.1 200 OK");
        draining.cancel();
        assert_eq!(get(address, "/ready"), "HTTP/1.1 503 Service Unavailable");
        assert_eq!(get(address, "/health"), "HTTP/1.1 200 OK", "a draining pod is not to be killed");
        release.send(()).unwrap();
        work.await.unwrap();
        stopped.cancel();
        served.await.unwrap().unwrap();
    }
}
