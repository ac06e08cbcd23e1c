//! Installing the operator with Helm.

use anyhow::Result;
use cluster::Cluster;
use cluster::command::{capture, logged, output};
use cluster::progress::Progress;
use cluster::signer::Signer;
use xtask::aws::Access;

use crate::images::Images;

pub(crate) const NAMESPACE: &str = "assetpipeline-system";
const RELEASE: &str = "assetpipeline";
const CHART: &str = "charts/assetpipeline-operator";

/// Installs or upgrades the operator and waits until it is ready.
pub(crate) fn install(cluster: &Cluster, images: &Images, aws: &Access, progress: &Progress) -> Result<()> {
    create_credentials(cluster, aws, NAMESPACE)?;
    forget_interrupted(cluster)?;
    let mut helm = cluster.helm();
    helm.args(["upgrade", "--install", RELEASE]).arg(cluster.cache.checkout.join(CHART));
    helm.args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "3m"]);
    let images = [
        format!("image.repository={}", images.operator.repository),
        format!("image.tag={}", images.operator.tag),
        format!("web.image={}", images.web.reference()),
        format!("worker.image={}", images.worker.reference()),
    ];
    for value in images.into_iter().chain(aws.values()) {
        helm.args(["--set-string", &value]);
    }
    if *aws == Access::Emulator {
        let authority = Signer::in_state(&cluster.cache.state()).authority();
        helm.arg("--set-file").arg(format!("aws.sns.certificateAuthority={}", authority.display()));
    }
    progress.say("installing the operator with Helm");
    logged(
        &mut helm,
        &cluster.cache.root.join("log/helm.log"),
        "waiting for the operator to be ready",
        progress,
    )
}

/// Makes the operator look at everything at once, instead of at its next round.
pub(crate) fn restart(cluster: &Cluster, progress: &Progress) -> Result<()> {
    progress.say("restarting the operator, so that it makes its AWS resources again");
    let deployments =
        ["--namespace", NAMESPACE, "deployment", "--selector", "app.kubernetes.io/instance=assetpipeline"];
    capture(cluster.kubectl().args(["rollout", "restart"]).args(deployments))?;
    capture(cluster.kubectl().args(["rollout", "status", "--timeout=90s"]).args(deployments)).map(drop)
}

/// Helm refuses to go on where an earlier run was interrupted: the record of that run is removed, and
/// the next one repairs what it did.
fn forget_interrupted(cluster: &Cluster) -> Result<()> {
    let interrupted = format!(
        "owner=helm,name={RELEASE},status in \
         (pending-install,pending-upgrade,pending-rollback,uninstalling)"
    );
    let mut delete = cluster.kubectl();
    capture(delete.args(["delete", "secret", "--namespace", NAMESPACE, "--selector", &interrupted])).map(drop)
}

/// Creates a namespace unless it is there, and the credentials for AWS in it.
pub(crate) fn create_credentials(cluster: &Cluster, aws: &Access, namespace: &str) -> Result<()> {
    let phase =
        output(cluster.kubectl().args(["get", "namespace", namespace, "-o", "jsonpath={.status.phase}"]))?;
    if phase.stdout == b"Terminating" {
        let mut gone = cluster.kubectl();
        capture(gone.args(["wait", "--for=delete", "--timeout=90s", &format!("namespace/{namespace}")]))?;
    }
    // Not applied: the namespace's labels belong to the manifest that it comes from.
    if phase.stdout != b"Active" {
        capture(cluster.kubectl().args(["create", "namespace", namespace]))?;
    }
    cluster.apply(&aws.secret(namespace).to_string())
}
