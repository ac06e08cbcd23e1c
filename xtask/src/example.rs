//! The example: applied, waited for, and asked for its style sheets as a visitor would ask.

mod elsewhere;
mod forward;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cluster::command::{capture, logged};
use cluster::http::{self, Answer};
use cluster::progress::Progress;
use cluster::{Cache, Target};

use crate::aws::Access;
use crate::npm::EXAMPLE;
use crate::operator::create_credentials;

use forward::Forward;

const MANIFEST: &str = "examples/storefront.yaml";
/// Name of its namespace, pipeline and Service in the manifest.
pub const NAME: &str = "storefront";
const READY_WITHIN: &str = "--timeout=180s";
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

/// The example on one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    pub target: &'a Target,
    /// [`NAME`], or another for an example beside that one.
    pub name: &'a str,
}

/// Where a visitor of this machine reaches the example.
#[derive(Debug)]
pub struct Front {
    pub host: String,
    pub address: SocketAddr,
    /// Open for as long as the front is there, where the address is its.
    _forward: Option<Forward>,
}

impl Example<'_> {
    /// Applies the example to the local cluster and waits until its pipeline is ready.
    pub fn apply(&self, aws: &Access, progress: &Progress) -> Result<Front> {
        create_credentials(self.target, aws, self.name)?;
        self.target.apply(&self.read_manifests(aws, progress)?)?;
        self.wait("condition=Available", "deployment/origin", progress)?;
        self.wait_until_ready(progress)?;
        let port = self.read_field(&self.service(), "{.spec.ports[0].nodePort}")?;
        let port = port.parse().with_context(|| format!("the Service {} has no NodePort", self.name))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Front { host: self.fetch_host()?, address, _forward: None })
    }

    /// Deletes the example's pipeline, and waits until nothing is left of it on AWS.
    pub fn delete_pipeline(&self) -> Result<()> {
        let mut delete = self.target.kubectl();
        delete.args(["delete", "--namespace", self.name, &self.pipeline()]);
        capture(delete.args(["--ignore-not-found", READY_WITHIN])).map(drop)
    }

    fn pipeline(&self) -> String {
        format!("assetpipeline/{}", self.name)
    }

    fn service(&self) -> String {
        format!("service/{}", self.name)
    }

    fn read_manifests(&self, aws: &Access, progress: &Progress) -> Result<String> {
        progress.say(format!("applying {MANIFEST}"));
        let manifests = fs::read_to_string(self.target.cache().checkout.join(MANIFEST));
        let manifests = aws.adapt(&manifests.with_context(|| format!("cannot read {MANIFEST}"))?)?;
        Ok(manifests.replace(NAME, self.name))
    }

    fn wait_until_ready(&self, progress: &Progress) -> Result<()> {
        self.wait("condition=Ready", &self.pipeline(), progress).with_context(|| self.state_of_pipeline())
    }

    fn wait(&self, condition: &str, object: &str, progress: &Progress) -> Result<()> {
        let mut wait = self.target.kubectl();
        wait.args(["wait", "--namespace", self.name, &format!("--for={condition}"), READY_WITHIN, object]);
        let log = self.target.cache().root.join("log/example.log");
        logged(&mut wait, &log, &format!("waiting for {object}"), progress)
    }

    fn fetch_host(&self) -> Result<String> {
        self.read_field(&self.pipeline(), "{.spec.tenants[0].host}")
    }

    fn read_field(&self, object: &str, path: &str) -> Result<String> {
        let output = format!("jsonpath={path}");
        capture(self.target.kubectl().args(["get", "--namespace", self.name, object, "--output", &output]))
    }

    fn state_of_pipeline(&self) -> String {
        let mut describe = self.target.kubectl();
        describe.args(["describe", "--namespace", self.name, &self.pipeline()]);
        format!(
            "the example is not ready; the pipeline says:\n{}",
            capture(&mut describe).unwrap_or_default()
        )
    }
}

/// Asks for every style sheet of the site twice, and once more with its entity tag, and prints what
/// came back and how fast.
pub fn visit(cache: &Cache, front: &Front, progress: &Progress) -> Result<()> {
    // The packet filter's rules follow the ready pods by a moment.
    let what = format!("{} to answer", front.address);
    progress.wait(&what, ANSWER_WITHIN, POLL, || Ok(TcpStream::connect(front.address).is_ok()))?;
    for path in style_sheets(cache)? {
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
fn style_sheets(cache: &Cache) -> Result<Vec<String>> {
    let site = cache.checkout.join(EXAMPLE.folder);
    let entries = fs::read_dir(&site).with_context(|| format!("cannot read {}", site.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut paths: Vec<_> = names
        .filter(|name| !name.starts_with('_'))
        .filter_map(|name| name.strip_suffix(".scss").map(|stem| format!("/{stem}.css")))
        .collect();
    paths.sort();
    Ok(paths)
}
