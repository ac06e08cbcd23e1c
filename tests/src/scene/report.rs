//! What a person needs to see of a scene on which a test failed.

use cluster::command::output;

use super::{PIPELINE, Scene};
use crate::control::{OPERATOR_NAMESPACE, OPERATOR_SELECTOR};

/// Lines of each log.
const TAIL: &str = "--tail=60";

/// Prints the pipeline, its pods, their last words and the operator's.
pub(super) fn print_report(scene: &Scene) {
    let own = ["--namespace", &scene.namespace];
    let operators = ["--namespace", OPERATOR_NAMESPACE];
    let selector = format!("assetpipeline.dev/pipeline={PIPELINE}");
    print(scene, own, &["describe", "assetpipeline", PIPELINE]);
    print(scene, own, &["get", "deployments,pods,services,endpointslices", "--output", "wide"]);
    print(scene, own, &["get", "events", "--sort-by", ".lastTimestamp"]);
    print(scene, own, &["logs", "--selector", &selector, "--prefix", TAIL]);
    print(scene, operators, &["logs", "--selector", OPERATOR_SELECTOR, "--prefix", TAIL]);
}

fn print(scene: &Scene, namespace: [&str; 2], arguments: &[&str]) {
    eprintln!("--- kubectl {} {}", namespace.join(" "), arguments.join(" "));
    match output(scene.control.cluster.kubectl().args(namespace).args(arguments)) {
        Ok(shown) => {
            eprint!("{}{}", String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
        }
        Err(error) => eprintln!("{error:#}"),
    }
}
