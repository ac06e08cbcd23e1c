//! An origin on loopback, and a proxy that makes it far away.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::material::Site;

/// Read at once by the proxy, and chunks on their way.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS_ON_THE_WAY: usize = 1_000;
/// The runtime's timers end at the next whole millisecond of theirs, or the one after.
const TIMERS_ARE_LATE: Duration = Duration::from_millis(1);

/// Serves the site until the process ends.
pub(crate) async fn serve(site: Arc<Site>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().fallback(answer).with_state(site);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn answer(State(site): State<Arc<Site>>, uri: Uri) -> impl IntoResponse {
    match site.file(uri.path()) {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, Bytes::new()),
    }
}

/// A proxy in front of `target` through which each byte takes so long, in both directions.
pub(crate) async fn delay(target: SocketAddr, by: Duration) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(target).await else { return };
                if near.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_ok() {
                    let ((near_in, near_out), (far_in, far_out)) = (split(near), split(far));
                    tokio::join!(carry(near_in, far_out, by), carry(far_in, near_out, by));
                }
            });
        }
    });
    Ok(address)
}

/// Until either end is closed.
async fn carry(mut from: ReadHalf<TcpStream>, mut to: WriteHalf<TcpStream>, by: Duration) {
    let (sender, mut way) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_ON_THE_WAY);
    let read = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            let bytes = chunk.get(..length).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + by, bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = way.recv().await {
            sleep_until(due.checked_sub(TIMERS_ARE_LATE).unwrap_or(due)).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        to.shutdown().await.ok();
    };
    tokio::join!(read, write);
}
