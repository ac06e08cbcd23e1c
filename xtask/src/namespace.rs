//! The namespaces that are made. On a cluster that is not ours they are marked: what has no mark is somebody's, and
//! stays as it is.

use anyhow::{Context, Result, bail};
use cluster::Target;
use cluster::command::{capture, feed, output};
use serde_json::{Value, json};

/// Annotation: the AWS on which works what is in the namespace.
const MARK: &str = "assetpipeline.dev/made-by-xtask-for";
/// An API server that does not answer within it is not there.
const ANSWERS_WITHIN: &str = "--request-timeout=20s";

/// Creates a namespace unless it is there, with the mark of this place on AWS; one that is going is waited for.
pub fn ensure(target: &Target, name: &str, place: Option<&str>) -> Result<()> {
    let mut phase = target.kubectl();
    let phase = output(phase.args(["get", "namespace", name, "--output=jsonpath={.status.phase}"]))?;
    if phase.stdout == b"Terminating" {
        let mut gone = target.kubectl();
        capture(gone.args(["wait", "--for=delete", "--timeout=90s", &format!("namespace/{name}")]))?;
    }
    // Not applied: the namespace's labels belong to the manifest that it comes from.
    if phase.stdout != b"Active" {
        let marks = place.map(|place| json!({MARK: place}));
        let metadata = json!({"name": name, "annotations": marks});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        feed(target.kubectl().args(["create", "--filename=-"]), &namespace.to_string())?;
    }
    Ok(())
}

/// Fails where the namespace is there without our mark, or with that of another place on AWS.
pub fn check_ours(target: &Target, name: &str, place: &str) -> Result<()> {
    let mut get = target.kubectl();
    get.args(["get", "namespace", name, "--ignore-not-found", "--output=json", ANSWERS_WITHIN]);
    let found = capture(&mut get)?;
    if found.trim().is_empty() {
        return Ok(());
    }
    let found: Value = serde_json::from_str(&found).context("kubectl printed no namespace")?;
    let mark = found.pointer("/metadata/annotations").and_then(|annotations| annotations.get(MARK));
    match mark.and_then(Value::as_str) {
        None => bail!(
            "namespace {name} is there already, and `cargo xtask up --context` has not made it: what is in it stays \
             as it is; install with Helm what is to be beside it"
        ),
        Some(before) if before != place => bail!(
            "what is in namespace {name} works on {before}, and not on {place}: set the same, or take it away first"
        ),
        Some(_) => Ok(()),
    }
}

/// What tells a cluster from all others: the name that the API server has drawn for a namespace that each has.
pub fn fetch_cluster_id(target: &Target) -> Result<String> {
    let mut get = target.kubectl();
    capture(get.args([
        "get",
        "namespace",
        "kube-system",
        "--output=jsonpath={.metadata.uid}",
        ANSWERS_WITHIN,
    ]))
}
