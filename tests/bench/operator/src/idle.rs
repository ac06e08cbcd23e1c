//! What happens while nothing happens: writes as the API server counts them, and calls of AWS.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use bench_report::thread_seconds;
use cluster::progress::Progress;
use http::Request;
use tests::control_plane::ControlPlane;

use crate::{
    calls::{CountedAws, Counts, since},
    programs::Operator,
};

/// The API server's own count of requests.
const REQUESTS: &str = "apiserver_request_total{";
/// Of the operator, and of the API server itself; it alone writes the endpoints of its own Service, again and again where
/// nothing but loopback leads to it.
const LEFT_OUT: [&str; 2] = ["leases", "endpoints"];

/// Requests that changed something, by what they did to which resource.
type Writes = BTreeMap<String, u64>;

#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) lasted: Duration,
    /// Of anything but what is left out.
    pub(crate) writes: Writes,
    pub(crate) calls: Counts,
    /// Of a core.
    pub(crate) cpu: f64,
}

pub(crate) async fn watch(
    plane: &ControlPlane,
    aws: &CountedAws,
    operator: &Operator,
    lasts: Duration,
    pipelines: usize,
    progress: &Progress,
) -> anyhow::Result<Idle> {
    progress.say(format!("{pipelines} pipelines idle for {} s", lasts.as_secs()));
    let (writes, calls, cpu) = (count_writes(plane).await?, aws.counts(), thread_seconds(operator.id()));
    tokio::time::sleep(lasts).await;
    let after = count_writes(plane).await?;
    let written = after.iter().map(|(what, count)| (what.clone(), count - writes.get(what).unwrap_or(&0)));
    let idle = Idle {
        lasted: lasts,
        writes: written.filter(|(_, count)| *count > 0).collect(),
        calls: since(&calls, &aws.counts()),
        cpu: (thread_seconds(operator.id()) - cpu) / lasts.as_secs_f64(),
    };
    Ok(idle)
}

async fn count_writes(plane: &ControlPlane) -> anyhow::Result<Writes> {
    let text = plane.client.request_text(Request::get("/metrics").body(Vec::new())?).await;
    let text = text.context("the API server tells no metrics")?;
    let mut writes = Writes::new();
    for line in text.lines().filter(|line| line.starts_with(REQUESTS)) {
        let label = |name: &str| line.split(&format!("{name}=\"")).nth(1)?.split('"').next();
        let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else { continue };
        let is_write = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"].contains(&verb);
        if !is_write || LEFT_OUT.contains(&resource) {
            continue;
        }
        let sub = label("subresource").filter(|sub| !sub.is_empty());
        let what = sub.map_or_else(|| format!("{verb} {resource}"), |sub| format!("{verb} {resource}/{sub}"));
        let count = line.rsplit(' ').next().and_then(|count| count.parse::<f64>().ok()).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = count as u64;
        *writes.entry(what).or_default() += count;
    }
    Ok(writes)
}
