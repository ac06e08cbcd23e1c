//! Many who wait at the same time.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, header::HOST};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    origin::Gate,
    scene::{Scene, Tier},
};

/// Less than a worker's patience with an origin.
const GATE_CLOSED: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than any hold.
const PATIENCE: Duration = Duration::from_secs(40);

/// Allows this process that many connections.
pub fn allow_connections(wanted: u64) -> Result<()> {
    let limit = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(limit > wanted, "{wanted} connections need more open files than {limit}: raise `ulimit -Hn`");
    Ok(())
}

/// A visit on a connection of its own, and with nothing else around it: status and body. Thousands begin
/// within seconds, be the tests built without optimization.
pub async fn visit(address: SocketAddr, host: &str, path: &str) -> Result<(u16, String)> {
    let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new())?;
    let visited = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let asked = async move {
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, String::from_utf8(body.to_vec())?))
        };
        let (answer, _) = tokio::join!(asked, connection);
        answer
    };
    timeout(PATIENCE, visited)
        .await
        .context("no answer")?
        .with_context(|| format!("no answer from {address}"))
}

/// Opens the gates one after the other: as soon as so many visitors wait, or else when a worker that stands
/// before the gate would give the origin up. Gives the most visitors who were ever seen to wait.
pub async fn open_slowly(scene: &Scene, gates: impl IntoIterator<Item = Gate>, wanted: u64) -> u64 {
    let most = AtomicU64::new(0);
    // Apart from the gates: on a busy machine a count takes longer than a gate may stay closed.
    let counting = async {
        while most.load(Ordering::Relaxed) < wanted {
            if let Ok(samples) = scene.metrics(Tier::Web).await {
                most.fetch_max(samples.sum("assets_web_visitors_held"), Ordering::Relaxed);
            }
            sleep(PAUSE).await;
        }
        std::future::pending::<()>().await;
    };
    let opening = async {
        for gate in gates {
            let (begun, mut met): (_, Option<Instant>) = (Instant::now(), None);
            let is_to_stay_closed = |met: Option<Instant>| match met {
                Some(met) => met.elapsed() < GATE_CLOSED,
                // Nobody comes any more: the job has ended otherwise.
                None => begun.elapsed() < PATIENCE,
            };
            while most.load(Ordering::Relaxed) < wanted && is_to_stay_closed(met) {
                if gate.is_met() {
                    met.get_or_insert_with(Instant::now);
                }
                sleep(PAUSE).await;
            }
            gate.open();
        }
    };
    tokio::select! {
        () = opening => {}
        () = counting => {}
    }
    most.into_inner()
}
