//! The chart from its linting to its removal, on the cluster's own release, which is there again in the end.

use anyhow::{Context, Result, ensure};
use cluster::command::{capture, feed, output};
use serde_json::Value;
use tests::{
    control::OPERATOR_NAMESPACE,
    places,
    release::{KeptInstalled, RELEASE, Release},
};

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
    let mut lint = release.cluster.helm();
    lint.args(["lint", "--strict"]).arg(&release.chart).arg("--values").arg(release.values());
    capture(&mut lint).map(drop)
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
        template.arg("template").arg(&release.chart).arg("--values").arg(release.values());
        template.args(["--set", value]);
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
    let pipeline = Pipeline(&release);
    let kept = KeptInstalled(&release);
    pipeline.apply()?;
    let before = identities(&release)?;

    capture(&mut release.upgrade(&release.chart, &["logFilter=info\\,operator=debug".to_owned()]))?;
    let after = identities(&release)?;
    ensure!(after.operator_pods != before.operator_pods, "the operator was not rolled: {after:?}");
    assert_eq!((&after.definition, &after.pipeline), (&before.definition, &before.pipeline));

    let manifest = release.helm(&["get", "manifest", RELEASE])?;
    let whole = list(&release, &manifest)?;
    ensure!(whole.len() > 3, "the release holds {manifest}");
    check_refusal(&release)?;
    assert_eq!(list(&release, &manifest)?, whole);
    assert_eq!(identities(&release)?.operator_pods, after.operator_pods);

    pipeline.delete()?;
    // What others have on this cluster stays, and would be a reason to refuse again.
    let hooks: &[&str] = if is_needed(&release)? { &["--no-hooks"] } else { &[] };
    release.helm(&[&["uninstall", RELEASE, "--wait", "--timeout=2m"][..], hooks].concat())?;
    assert_eq!(list(&release, &manifest)?, [DEFINITION, TENANTS]);
    assert_eq!(uid(&release, DEFINITION)?, before.definition);

    drop(kept);
    release.check_installed()
}

/// One that is looked at while the operator comes and goes, and is taken away once it is there again.
struct Pipeline<'r>(&'r Release);

impl Pipeline<'_> {
    fn apply(&self) -> Result<()> {
        self.0.cluster.apply(PIPELINE)?;
        let has_finalizer = "--for=jsonpath={.metadata.finalizers}";
        self.0.kubectl(&["wait", "assetpipeline/e2e-chart", has_finalizer, "--timeout=60s"]).map(drop)
    }

    fn delete(&self) -> Result<()> {
        let gone = ["--ignore-not-found", "--timeout=120s"];
        self.0.kubectl(&[&["delete", "assetpipeline/e2e-chart"][..], &gone].concat()).map(drop)
    }
}

impl Drop for Pipeline<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            eprintln!("the pipeline is left: {error:#}");
        }
    }
}

/// What must survive an upgrade, and what must not.
#[derive(Debug)]
struct Identities {
    definition: String,
    pipeline: String,
    operator_pods: Vec<String>,
}

fn identities(release: &Release) -> Result<Identities> {
    Ok(Identities {
        definition: uid(release, DEFINITION)?,
        pipeline: uid(release, "assetpipeline/e2e-chart")?,
        operator_pods: release.pods()?,
    })
}

fn uid(release: &Release, object: &str) -> Result<String> {
    release.kubectl(&["get", object, "--output=jsonpath={.metadata.uid}"])
}

/// Which objects of a manifest there are.
fn list(release: &Release, manifest: &str) -> Result<Vec<String>> {
    let mut kubectl = release.cluster.kubectl();
    kubectl.args(["get", "--ignore-not-found", "--output=name", "--filename=-"]);
    Ok(feed(&mut kubectl, manifest)?.lines().map(str::to_owned).collect())
}

/// Helm names the pipeline and stops. It takes the release for half uninstalled then, which the way out that it has
/// printed mends.
fn check_refusal(release: &Release) -> Result<()> {
    let revision = revision(release)?;
    let mut uninstall = release.cluster.helm();
    uninstall.args(["--namespace", OPERATOR_NAMESPACE, "uninstall", RELEASE, "--wait", "--timeout=2m"]);
    let refused = output(&mut uninstall)?;
    let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    ensure!(!refused.status.success(), "the release was uninstalled: {said}");
    let rollback = format!("helm rollback {RELEASE} {revision} --namespace {OPERATOR_NAMESPACE}");
    for told in ["kubectl delete assetpipeline e2e-chart --namespace default", rollback.as_str()] {
        ensure!(said.contains(told), "{told:?} is not in: {said}");
    }
    release.helm(&["rollback", RELEASE, &revision, "--wait", "--timeout=2m"]).map(drop)
}

fn revision(release: &Release) -> Result<String> {
    let status = release.helm(&["status", RELEASE, "--output=json"])?;
    let status: Value = serde_json::from_str(&status).context("Helm's status is no JSON")?;
    Ok(status.get("version").context("Helm tells no revision")?.to_string())
}

/// Whether anything on the cluster still needs the operator.
fn is_needed(release: &Release) -> Result<bool> {
    let all = ["get", "assettenants,assetpipelines", "--all-namespaces", "--output=name"];
    Ok(!release.kubectl(&all)?.trim().is_empty())
}
