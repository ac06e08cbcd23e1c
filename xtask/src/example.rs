//! The example: applied, waited for, and asked for its style sheets as a visitor would ask.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cluster::Cluster;
use cluster::command::{capture, logged};
use cluster::http;
use cluster::progress::Progress;

use crate::npm::SITE;
use crate::operator::create_credentials;

const MANIFEST: &str = "examples/storefront.yaml";
pub(crate) const NAMESPACE: &str = "storefront";
const PIPELINE: &str = "storefront";
const SERVICE: &str = "storefront";
const READY_WITHIN: &str = "--timeout=180s";
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Where a visitor of this machine reaches the example.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
}

/// Applies the example and waits until its pipeline is ready.
pub(crate) fn apply(cluster: &Cluster, progress: &Progress) -> Result<Front> {
    create_credentials(cluster, NAMESPACE)?;
    progress.say(format!("applying {MANIFEST}"));
    capture(cluster.kubectl().args(["apply", "--filename"]).arg(cluster.cache.checkout.join(MANIFEST)))?;
    wait(cluster, "condition=Available", "deployment/origin", progress)?;
    wait(cluster, "condition=Ready", &format!("assetpipeline/{PIPELINE}"), progress)
        .with_context(|| state_of_pipeline(cluster))?;
    find_front(cluster)
}

fn wait(cluster: &Cluster, condition: &str, object: &str, progress: &Progress) -> Result<()> {
    let mut wait = cluster.kubectl();
    wait.args(["wait", "--namespace", NAMESPACE, &format!("--for={condition}"), READY_WITHIN, object]);
    logged(&mut wait, &cluster.cache.root.join("log/example.log"), &format!("waiting for {object}"), progress)
}

fn find_front(cluster: &Cluster) -> Result<Front> {
    let pipeline = format!("assetpipeline/{PIPELINE}");
    let host = read_field(cluster, &pipeline, "{.spec.tenants[0].host}")?;
    let port = read_field(cluster, &format!("service/{SERVICE}"), "{.spec.ports[0].nodePort}")?;
    let port = port.parse().with_context(|| format!("the Service {SERVICE} has no NodePort"))?;
    Ok(Front { host, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
}

fn read_field(cluster: &Cluster, object: &str, path: &str) -> Result<String> {
    let output = format!("jsonpath={path}");
    capture(cluster.kubectl().args(["get", "--namespace", NAMESPACE, object, "--output", &output]))
}

fn state_of_pipeline(cluster: &Cluster) -> String {
    let mut describe = cluster.kubectl();
    describe.args(["describe", "--namespace", NAMESPACE, &format!("assetpipeline/{PIPELINE}")]);
    format!("the example is not ready; the pipeline says:\n{}", capture(&mut describe).unwrap_or_default())
}

/// Asks for every style sheet of the site twice, and prints what came back and how fast.
pub(crate) fn visit(cluster: &Cluster, front: &Front, progress: &Progress) -> Result<()> {
    for path in style_sheets(cluster)? {
        let mut entity_tag = None;
        for visit in ["first ", "second"] {
            let started = Instant::now();
            let answer = http::get(front.address, &front.host, &path, &[], ANSWER_WITHIN)?;
            let took = started.elapsed();
            let header = |name: &str| answer.header(name).unwrap_or("-").to_owned();
            progress.say(format!(
                "{visit} GET {path}: {} in {:.0} ms, {} bytes, {}, etag {}, cache-status {}",
                answer.status,
                took.as_secs_f64() * 1000.0,
                answer.body.len(),
                header("content-type"),
                header("etag"),
                header("cache-status"),
            ));
            if answer.status != 200 {
                bail!("{path} was not served: {}", String::from_utf8_lossy(&answer.body));
            }
            entity_tag = answer.header("etag").map(str::to_owned);
        }
        if let Some(tag) = entity_tag {
            let answer =
                http::get(front.address, &front.host, &path, &[("If-None-Match", &tag)], ANSWER_WITHIN)?;
            progress.say(format!("again with its etag: {}", answer.status));
        }
    }
    Ok(())
}

/// The paths of the site's style sheets: each Sass file at its top that is not a partial.
fn style_sheets(cluster: &Cluster) -> Result<Vec<String>> {
    let site = cluster.cache.checkout.join(SITE);
    let entries = fs::read_dir(&site).with_context(|| format!("cannot read {}", site.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut paths: Vec<_> = names
        .filter(|name| !name.starts_with('_'))
        .filter_map(|name| name.strip_suffix(".scss").map(|stem| format!("/{stem}.css")))
        .collect();
    paths.sort();
    Ok(paths)
}
