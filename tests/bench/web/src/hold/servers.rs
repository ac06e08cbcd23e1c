//! The two servers that hold visitors, and tell how many.

use std::{
    convert::Infallible,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pipeline::embedded::MemoryStore;
use prometheus_client::{encoding::text::encode, registry::Registry};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;
use web::{ServeSettings, public_service, serve};

use crate::site::{announce, register, web};

/// What everybody waits for.
pub(super) const PATH: &str = "/theme/cold.css";

/// Longer than a run lasts.
const HOLD: Duration = Duration::from_mins(10);
const BETWEEN_COUNTS: Duration = Duration::from_millis(20);
/// The web tier's own count.
const HELD: &str = "assets_web_visitors_held ";

/// The web tier, whose workers never answer. Serves until it is killed.
#[tokio::main]
pub(crate) async fn ours() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::default());
    register(&store).await?;
    let mut registry = Registry::default();
    let web = web(store, HOLD, &mut registry);
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    announce(&listener)?;
    tell(move || {
        let mut text = String::new();
        encode(&mut text, &registry).ok()?;
        text.lines().find_map(|line| line.strip_prefix(HELD))?.parse().ok()
    });
    serve(listener, public_service(web), ServeSettings::PUBLIC, CancellationToken::new()).await?;
    Ok(())
}

/// Hyper with a handler that sleeps. Serves until it is killed.
#[tokio::main]
pub(crate) async fn bare() -> anyhow::Result<()> {
    let held = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    announce(&listener)?;
    let counted = held.clone();
    tell(move || Some(counted.load(Ordering::Relaxed)));
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true)?;
        let held = held.clone();
        tokio::spawn(async move {
            let service = service_fn(move |_request| {
                held.fetch_add(1, Ordering::Relaxed);
                async {
                    sleep(HOLD).await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                }
            });
            // A client that goes away is no event.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Writes how many visitors are held, again and again, for as long as somebody reads it.
fn tell(count: impl Fn() -> Option<usize> + Send + 'static) {
    thread::spawn(move || {
        loop {
            let held = count().unwrap_or_default();
            if writeln!(std::io::stdout(), "{held}").is_err() {
                return;
            }
            thread::sleep(BETWEEN_COUNTS);
        }
    });
}

/// Lets this process, and those that it starts, have so many files open.
pub(super) fn allow_open_files(count: usize) -> anyhow::Result<()> {
    let count = u64::try_from(count)?;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < count) {
        ensure!(
            maximum.is_none_or(|maximum| maximum >= count),
            "a process may have {maximum:?} files open here, and {count} are needed: raise its hard limit"
        );
        setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum })
            .context("cannot raise the limit of open files")?;
    }
    Ok(())
}
