//! The example: applied, waited for, and asked for its style sheets as a visitor would ask.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cluster::Cluster;
use cluster::command::{capture, logged};
use cluster::http::{self, Answer};
use cluster::progress::Progress;
use xtask::aws::Access;

use crate::npm::EXAMPLE;
use crate::operator::create_credentials;

const MANIFEST: &str = "examples/storefront.yaml";
pub(crate) const NAMESPACE: &str = "storefront";
const PIPELINE: &str = "storefront";
const SERVICE: &str = "storefront";
const READY_WITHIN: &str = "--timeout=180s";
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

/// Where a visitor of this machine reaches the example.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
}

/// Applies the example and waits until its pipeline is ready.
pub(crate) fn apply(cluster: &Cluster, aws: &Access, progress: &Progress) -> Result<Front> {
    create_credentials(cluster, aws, NAMESPACE)?;
    progress.say(format!("applying {MANIFEST}"));
    let manifests = fs::read_to_string(cluster.cache.checkout.join(MANIFEST));
    cluster.apply(&aws.adapt(&manifests.with_context(|| format!("cannot read {MANIFEST}"))?)?)?;
    wait(cluster, "condition=Available", "deployment/origin", progress)?;
    wait(cluster, "condition=Ready", &format!("assetpipeline/{PIPELINE}"), progress)
        .with_context(|| state_of_pipeline(cluster))?;
    find_front(cluster)
}

/// Deletes the example's pipeline, and waits until nothing is left of it on AWS.
pub(crate) fn delete_pipeline(cluster: &Cluster) -> Result<()> {
    let mut delete = cluster.kubectl();
    delete.args(["delete", "--namespace", NAMESPACE, &format!("assetpipeline/{PIPELINE}")]);
    capture(delete.args(["--ignore-not-found", READY_WITHIN])).map(drop)
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

/// Asks for every style sheet of the site twice, and once more with its entity tag, and prints what
/// came back and how fast.
pub(crate) fn visit(cluster: &Cluster, front: &Front, progress: &Progress) -> Result<()> {
    // The packet filter's rules follow the ready pods by a moment.
    let what = format!("{} to answer", front.address);
    progress.wait(&what, ANSWER_WITHIN, POLL, || Ok(TcpStream::connect(front.address).is_ok()))?;
    for path in style_sheets(cluster)? {
        ask("first ", front, &path, &[], progress)?;
        let answer = ask("second", front, &path, &[], progress)?;
        if let Some(tag) = answer.header("etag") {
            ask("third, with its etag,", front, &path, &[("If-None-Match", tag)], progress)?;
        }
    }
    Ok(())
}

/// Asks once, and again where the answer is to come back later, as a browser's user would.
fn ask(
    visit: &str,
    front: &Front,
    path: &str,
    headers: &[(&str, &str)],
    progress: &Progress,
) -> Result<Answer> {
    let patience = Instant::now();
    loop {
        let started = Instant::now();
        let answer = http::get(front.address, &front.host, path, headers, ANSWER_WITHIN)?;
        let took = started.elapsed();
        progress.say(format!("{visit} GET {path}: {}", describe(&answer, took)));
        match answer.status {
            200 | 304 => return Ok(answer),
            503 if patience.elapsed() < ANSWER_WITHIN => std::thread::sleep(Duration::from_secs(1)),
            _ => bail!("{path} was not served: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

fn describe(answer: &Answer, took: Duration) -> String {
    let shown = ["content-type", "etag", "cache-status"];
    let headers: String =
        shown.iter().filter_map(|name| Some([", ", name, " ", answer.header(name)?])).flatten().collect();
    format!(
        "{} in {:.0} ms, {} bytes{headers}",
        answer.status,
        took.as_secs_f64() * 1000.0,
        answer.body.len()
    )
}

/// The paths of the site's style sheets: each Sass file at its top that is not a partial.
fn style_sheets(cluster: &Cluster) -> Result<Vec<String>> {
    let site = cluster.cache.checkout.join(EXAMPLE.folder);
    let entries = fs::read_dir(&site).with_context(|| format!("cannot read {}", site.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut paths: Vec<_> = names
        .filter(|name| !name.starts_with('_'))
        .filter_map(|name| name.strip_suffix(".scss").map(|stem| format!("/{stem}.css")))
        .collect();
    paths.sort();
    Ok(paths)
}
