//! The chart from its linting to its removal, on the cluster's own release, which is there again in the end.

use std::fs;

use anyhow::{Context, Result, ensure};
use cluster::{
    Cluster,
    command::{capture, feed, output},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ObjectList};
use serde_json::Value;
use tempfile::NamedTempFile;
use tests::{
    control::{OPERATOR, OPERATOR_NAMESPACE, OPERATOR_SELECTOR},
    places,
};

const CHART: &str = "charts/assetpipeline-operator";
const RELEASE: &str = "assetpipeline";
const DEFINITION: &str = "customresourcedefinition.apiextensions.k8s.io/assetpipelines.assetpipeline.dev";
const TENANTS: &str = "customresourcedefinition.apiextensions.k8s.io/assettenants.assetpipeline.dev";
const PIPELINE: &str = r"
apiVersion: assetpipeline.dev/v1alpha1
kind: AssetPipeline
metadata: {name: e2e-chart, namespace: default}
spec: {web: {replicas: 1}}
";

#[test]
fn chart_is_clean_under_strict_linting() -> Result<()> {
    let release = Release::find()?;
    release.helm(&["lint", "--strict", &release.chart, "--values", &release.values()]).map(drop)
}

#[test]
fn unknown_and_malformed_values_are_refused_by_name() -> Result<()> {
    let release = Release::find()?;
    for (value, names) in [
        ("replica=2", "replica"),
        ("replicas=0", "replicas"),
        ("image.digest=latest", "digest"),
        ("aws.regoin=eu-west-1", "regoin"),
        ("aws.endpointUrl=sqs.example.internal", "endpointUrl"),
        ("aws.endpointUrls.sqs=https://sqs.example.internal/queues", "sqs"),
        ("aws.endpointUrls.ec2=https://ec2.example.internal", "ec2"),
        ("networkPolicies.default=Off", "default"),
        ("networkPolicies.awsNetworks={intranet}", "awsNetworks"),
        ("networkPolicies.awsNetwork={10.0.0.0/8}", "awsNetwork"),
        ("watchNamespaces=shop", "watchNamespaces"),
        ("watchNamespaces={Shop}", "watchNamespaces"),
        ("watchNamespaces={shop,shop}", "watchNamespaces"),
        ("watchNodes=perhaps", "watchNodes"),
        ("crds.keep=perhaps", "keep"),
        ("uninstallCheck.enabled=perhaps", "enabled"),
        ("adoptable.shop.bucket={site}", "bucket"),
        ("adoptable.shop.buckets=site", "buckets"),
        ("aws.region=", "aws.region must be set"),
        ("clusterName=", "clusterName must be set"),
    ] {
        let mut template = release.cluster.helm();
        template.args(["template", &release.chart, "--values", &release.values(), "--set", value]);
        let refused = output(&mut template)?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(!refused.status.success() && said.contains(names), "{value}: {said}");
    }
    Ok(())
}

#[test]
fn release_is_upgraded_uninstalled_and_installed_again() -> Result<()> {
    let _places = places::take_all()?;
    let release = Release::find()?;
    let kept = KeptInstalled(&release);
    release.apply_pipeline()?;
    let before = release.identities()?;

    release.helm(&[
        "upgrade",
        RELEASE,
        &release.chart,
        "--values",
        &release.values(),
        "--set",
        "logFilter=info\\,operator=debug",
        "--wait",
        "--timeout=2m",
    ])?;
    let after = release.identities()?;
    ensure!(after.operator_pods != before.operator_pods, "the operator was not rolled: {after:?}");
    assert_eq!((&after.definition, &after.pipeline), (&before.definition, &before.pipeline));

    let manifest = release.helm(&["get", "manifest", RELEASE])?;
    let whole = release.list(&manifest)?;
    ensure!(whole.len() > 3, "the release holds {manifest}");
    release.check_refusal()?;
    assert_eq!(release.list(&manifest)?, whole);
    assert_eq!(release.identities()?.operator_pods, after.operator_pods);

    release.delete_pipeline()?;
    // What others have on this cluster stays, and would be a reason to refuse again.
    let hooks: &[&str] = if release.is_needed()? { &["--no-hooks"] } else { &[] };
    release.helm(&[&["uninstall", RELEASE, "--wait", "--timeout=2m"][..], hooks].concat())?;
    assert_eq!(release.list(&manifest)?, [DEFINITION, TENANTS]);
    assert_eq!(release.uid(DEFINITION)?, before.definition);

    drop(kept);
    release.check_installed()
}

/// The operator's release as it was found.
struct Release {
    cluster: Cluster,
    chart: String,
    /// What it was installed with.
    values: NamedTempFile,
}

/// What must survive an upgrade, and what must not.
#[derive(Debug)]
struct Identities {
    definition: String,
    pipeline: String,
    operator_pods: Vec<String>,
}

impl Release {
    fn find() -> Result<Self> {
        let cluster = Cluster::connect().context("run `cargo xtask test`")?;
        let chart = cluster.cache.checkout.join(CHART).to_string_lossy().into_owned();
        let release = Self { cluster, chart, values: NamedTempFile::with_suffix(".yaml")? };
        let values = release.helm(&["get", "values", RELEASE, "--output=yaml"]);
        fs::write(&release.values, values.context("the operator is not installed: run `cargo xtask test`")?)?;
        Ok(release)
    }

    fn values(&self) -> String {
        self.values.path().to_string_lossy().into_owned()
    }

    fn helm(&self, arguments: &[&str]) -> Result<String> {
        capture(self.cluster.helm().args(["--namespace", OPERATOR_NAMESPACE]).args(arguments))
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        capture(self.cluster.kubectl().args(arguments))
    }

    /// One that is looked at while the operator comes and goes.
    fn apply_pipeline(&self) -> Result<()> {
        self.cluster.apply(PIPELINE)?;
        let has_finalizer = "--for=jsonpath={.metadata.finalizers}";
        self.kubectl(&["wait", "assetpipeline/e2e-chart", has_finalizer, "--timeout=60s"]).map(drop)
    }

    fn delete_pipeline(&self) -> Result<()> {
        self.kubectl(&["delete", "assetpipeline/e2e-chart", "--ignore-not-found", "--timeout=120s"]).map(drop)
    }

    fn identities(&self) -> Result<Identities> {
        Ok(Identities {
            definition: self.uid(DEFINITION)?,
            pipeline: self.uid("assetpipeline/e2e-chart")?,
            operator_pods: self.operator_pods()?,
        })
    }

    /// Those of earlier revisions may still be ending.
    fn operator_pods(&self) -> Result<Vec<String>> {
        let all = ["get", "pods", "--namespace", OPERATOR_NAMESPACE, "--selector", OPERATOR_SELECTOR];
        let pods = self.kubectl(&[&all[..], &["--output=json"]].concat())?;
        let pods: ObjectList<Pod> = serde_json::from_str(&pods).context("kubectl printed no pods")?;
        let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        Ok(pods.items.into_iter().filter(stays).map(|pod| pod.name_any()).collect())
    }

    fn uid(&self, object: &str) -> Result<String> {
        self.kubectl(&["get", object, "--output=jsonpath={.metadata.uid}"])
    }

    /// Which objects of a manifest there are.
    fn list(&self, manifest: &str) -> Result<Vec<String>> {
        let mut kubectl = self.cluster.kubectl();
        kubectl.args(["get", "--ignore-not-found", "--output=name", "--filename=-"]);
        Ok(feed(&mut kubectl, manifest)?.lines().map(str::to_owned).collect())
    }

    /// Helm names the pipeline and stops. It takes the release for half uninstalled then, which the way out that it
    /// has printed mends.
    fn check_refusal(&self) -> Result<()> {
        let revision = self.revision()?;
        let mut uninstall = self.cluster.helm();
        uninstall.args(["--namespace", OPERATOR_NAMESPACE, "uninstall", RELEASE, "--wait", "--timeout=2m"]);
        let refused = output(&mut uninstall)?;
        let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
        ensure!(!refused.status.success(), "the release was uninstalled: {said}");
        let rollback = format!("helm rollback {RELEASE} {revision} --namespace {OPERATOR_NAMESPACE}");
        for told in ["kubectl delete assetpipeline e2e-chart --namespace default", rollback.as_str()] {
            ensure!(said.contains(told), "{told:?} is not in: {said}");
        }
        self.helm(&["rollback", RELEASE, &revision, "--wait", "--timeout=2m"]).map(drop)
    }

    fn revision(&self) -> Result<String> {
        let status = self.helm(&["status", RELEASE, "--output=json"])?;
        let status: Value = serde_json::from_str(&status).context("Helm's status is no JSON")?;
        Ok(status.get("version").context("Helm tells no revision")?.to_string())
    }

    /// Whether anything on the cluster still needs the operator.
    fn is_needed(&self) -> Result<bool> {
        let all = ["get", "assettenants,assetpipelines", "--all-namespaces", "--output=name"];
        Ok(!self.kubectl(&all)?.trim().is_empty())
    }

    fn install(&self) -> Result<()> {
        let wait = ["--wait", "--timeout=3m"];
        let values = self.values();
        let arguments = ["upgrade", "--install", RELEASE, &self.chart, "--values", &values];
        self.helm(&[&arguments[..], &wait].concat()).map(drop)
    }

    fn check_installed(&self) -> Result<()> {
        let values = self.helm(&["get", "values", RELEASE, "--output=yaml"])?;
        assert_eq!(values, fs::read_to_string(&self.values)?);
        let path = "--output=jsonpath={.status.availableReplicas} of {.spec.replicas}";
        let deployment = format!("deployment/{OPERATOR}");
        let available = self.kubectl(&["get", &deployment, "--namespace", OPERATOR_NAMESPACE, path])?;
        assert_eq!(available, "2 of 2");
        Ok(())
    }
}

/// Installs the release as it was found when dropped, so that a failure here is not everybody's.
struct KeptInstalled<'r>(&'r Release);

impl Drop for KeptInstalled<'_> {
    fn drop(&mut self) {
        let installed = self.0.install().and_then(|()| self.0.delete_pipeline());
        if let Err(error) = installed {
            eprintln!("the operator could not be installed again: {error:#}");
        }
    }
}
