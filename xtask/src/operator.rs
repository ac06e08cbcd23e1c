//! Installing the operator with Helm.

use anyhow::Result;
use cluster::command::{capture, logged};
use cluster::progress::Progress;
use cluster::signer::Signer;
use cluster::{Cluster, Target};

use crate::aws::Access;
use crate::namespace;

pub const RELEASE: &str = "assetpipeline";
const CHART: &str = "charts/assetpipeline-operator";

/// Where a release of the operator goes, and what else it is told.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    pub namespace: &'a str,
    /// Helm values that are no texts.
    pub settings: &'a [&'a str],
}

impl Home<'_> {
    /// The namespace that the README's commands name.
    pub const HERE: &'static str = "assetpipeline-system";
}

impl Default for Home<'_> {
    fn default() -> Self {
        Self { namespace: Self::HERE, settings: &[] }
    }
}

/// Installs or upgrades the operator and waits until it is ready. `images` are Helm values.
pub fn install(
    target: &Target,
    home: Home<'_>,
    images: Vec<String>,
    aws: &Access,
    progress: &Progress,
) -> Result<()> {
    let Home { namespace, settings } = home;
    create_credentials(target, aws, namespace)?;
    forget_interrupted(target, namespace)?;
    let mut helm = target.helm();
    helm.args(["upgrade", "--install", RELEASE]).arg(target.cache().checkout.join(CHART));
    helm.args(["--namespace", namespace, "--create-namespace", "--wait", "--timeout", "3m"]);
    for value in images.into_iter().chain(aws.values()) {
        helm.args(["--set-string", &value]);
    }
    for value in settings {
        helm.args(["--set", value]);
    }
    if *aws == Access::Emulator {
        let authority = Signer::in_state(&target.cache().state()).authority();
        helm.arg("--set-file").arg(format!("aws.sns.certificateAuthority={}", authority.display()));
    }
    progress.say("installing the operator with Helm");
    logged(
        &mut helm,
        &target.cache().root.join("log/helm.log"),
        "waiting for the operator to be ready",
        progress,
    )
}

/// Makes the operator look at everything at once, instead of at its next round.
pub fn restart(cluster: &Cluster, progress: &Progress) -> Result<()> {
    progress.say("restarting the operator, so that it makes its AWS resources again");
    let namespace = Home::default().namespace;
    let deployments =
        ["--namespace", namespace, "deployment", "--selector", "app.kubernetes.io/instance=assetpipeline"];
    capture(cluster.kubectl().args(["rollout", "restart"]).args(deployments))?;
    capture(cluster.kubectl().args(["rollout", "status", "--timeout=90s"]).args(deployments)).map(drop)
}

/// Helm refuses to go on where an earlier run was interrupted: the record of that run is removed, and
/// the next one repairs what it did.
fn forget_interrupted(target: &Target, namespace: &str) -> Result<()> {
    let interrupted = format!(
        "owner=helm,name={RELEASE},status in \
         (pending-install,pending-upgrade,pending-rollback,uninstalling)"
    );
    let mut delete = target.kubectl();
    capture(delete.args(["delete", "secret", "--namespace", namespace, "--selector", &interrupted])).map(drop)
}

/// Creates a namespace unless it is there, and the credentials for AWS in it.
pub fn create_credentials(target: &Target, aws: &Access, namespace: &str) -> Result<()> {
    namespace::ensure(target, namespace, None)?;
    target.apply(&aws.secret(namespace).to_string())
}
