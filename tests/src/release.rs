//! The operator's release on the local cluster: found, changed by Helm, and installed again as it was found.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, command::capture};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ObjectList};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::control::{OPERATOR, OPERATOR_NAMESPACE, OPERATOR_SELECTOR};

pub const RELEASE: &str = "assetpipeline";
const CHART: &str = "charts/assetpipeline-operator";

/// The operator's release as it was found.
pub struct Release {
    pub cluster: Cluster,
    /// This checkout's.
    pub chart: PathBuf,
    /// What it was installed with.
    values: NamedTempFile,
}

impl Release {
    pub fn find() -> Result<Self> {
        let cluster = Cluster::connect().context("run `cargo xtask test`")?;
        let chart = cluster.cache.checkout.join(CHART);
        let release = Self { cluster, chart, values: NamedTempFile::with_suffix(".yaml")? };
        let values = release.helm(&["get", "values", RELEASE, "--output=json"]);
        // Which Helm reads as YAML.
        fs::write(&release.values, values.context("the operator is not installed: run `cargo xtask test`")?)?;
        Ok(release)
    }

    pub fn values(&self) -> &Path {
        self.values.path()
    }

    /// The image that it gives to the pods of a tier, which is named as in the chart's values.
    pub fn image(&self, tier: &str) -> Result<String> {
        let values: Value = serde_json::from_str(&fs::read_to_string(&self.values)?)?;
        let image = values.pointer(&format!("/{tier}/image")).and_then(Value::as_str);
        Ok(image.with_context(|| format!("the operator is installed without {tier}.image"))?.to_owned())
    }

    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        capture(self.cluster.helm().args(["--namespace", OPERATOR_NAMESPACE]).args(arguments))
    }

    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        capture(self.cluster.kubectl().args(arguments))
    }

    /// The command that upgrades to this chart, with these values beside those that were found, and waits.
    pub fn upgrade(&self, chart: &Path, values: &[String]) -> Command {
        let mut helm = self.cluster.helm();
        helm.args([
            "upgrade",
            "--install",
            RELEASE,
            "--namespace",
            OPERATOR_NAMESPACE,
            "--wait",
            "--timeout=3m",
        ]);
        helm.arg(chart).arg("--values").arg(self.values());
        for value in values {
            helm.args(["--set-string", value]);
        }
        helm
    }

    /// As it was found.
    pub fn install(&self) -> Result<()> {
        capture(&mut self.upgrade(&self.chart, &[])).map(drop)
    }

    pub fn check_installed(&self) -> Result<()> {
        let values = self.helm(&["get", "values", RELEASE, "--output=json"])?;
        ensure!(values == fs::read_to_string(&self.values)?, "it has other values: {values}");
        let path = "--output=jsonpath={.status.availableReplicas} of {.spec.replicas}";
        let deployment = format!("deployment/{OPERATOR}");
        let available = self.kubectl(&["get", &deployment, "--namespace", OPERATOR_NAMESPACE, path])?;
        ensure!(available == "2 of 2", "{available} are available");
        Ok(())
    }

    /// The operator's. Those of earlier revisions may still be ending.
    pub fn pods(&self) -> Result<Vec<String>> {
        let all = ["get", "pods", "--namespace", OPERATOR_NAMESPACE, "--selector", OPERATOR_SELECTOR];
        let pods = self.kubectl(&[&all[..], &["--output=json"]].concat())?;
        let pods: ObjectList<Pod> = serde_json::from_str(&pods).context("kubectl printed no pods")?;
        let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        Ok(pods.items.into_iter().filter(stays).map(|pod| pod.name_any()).collect())
    }
}

/// Installs the release as it was found when dropped, so that a failure here is not everybody's.
pub struct KeptInstalled<'r>(pub &'r Release);

impl Drop for KeptInstalled<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.install() {
            eprintln!("the operator could not be installed again: {error:#}");
        }
    }
}
