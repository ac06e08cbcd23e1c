//! Names that outlive a process: labels, annotations, field managers, children. Changing one is a migration.

use std::collections::BTreeMap;

/// Field manager of everything but replicas and status.
pub const OPERATOR_MANAGER: &str = "assetpipeline-operator";
/// Field manager of the worker Deployment's replicas, and of nothing else.
pub const SCALER_MANAGER: &str = "assetpipeline-scaler";
/// Field manager of a pipeline's or tenant's status.
pub const STATUS_MANAGER: &str = "assetpipeline-status";
/// Field manager of our finalizers, and of a pipeline's annotation.
pub const CLAIM_MANAGER: &str = "assetpipeline-claim";

/// Holds a deleted pipeline until its AWS resources are gone.
pub const FINALIZER: &str = "assetpipeline.dev/bindings";
/// Holds a deleted tenant until its hosts are nobody's.
pub const TENANT_FINALIZER: &str = "assetpipeline.dev/registrations";
/// The random end of the names of a pipeline's AWS resources; written before the first of them is made.
pub const SUFFIX_ANNOTATION: &str = "assetpipeline.dev/binding-suffix";
/// On a pipeline: another text than before has the key that signs what pods say to pods replaced now. On
/// the Secret of the keys: the text that was last followed.
pub const ROTATE_ANNOTATION: &str = "assetpipeline.dev/rotate-notice-key";
/// On the Secret of the keys: how far their replacement has come, and since when.
pub const KEY_PROGRESS_ANNOTATION: &str = "assetpipeline.dev/notice-key-progress";
/// On a pipeline or tenant that goes: with [`LET_GO_WISH`] as its text nothing more is done on AWS for it.
pub const LET_GO_ANNOTATION: &str = "assetpipeline.dev/let-go";
/// Long, so that nobody writes it by chance, or without knowing what it means.
pub const LET_GO_WISH: &str = "leave-everything-on-aws";
/// On every child: the digest of what was last applied. A difference means that it must be applied again.
pub const APPLIED_ANNOTATION: &str = "assetpipeline.dev/applied";

/// Name of the pipeline that a child belongs to.
pub const PIPELINE_LABEL: &str = "assetpipeline.dev/pipeline";
/// `web` or `worker`.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// [`OPERATOR_MANAGER`] on everything that we make.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The namespace's own name, which the API server sets on each of them.
pub const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// On the operator's own pods, by its chart.
pub const OPERATOR_LABELS: [(&str, &str); 1] = [("app.kubernetes.io/name", "assetpipeline-operator")];

/// Selects all that we make and watch.
pub fn ours() -> String {
    format!("{MANAGED_BY_LABEL}={OPERATOR_MANAGER}")
}

/// Which tier of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    Web,
    Worker,
}

impl Tier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Worker => "worker",
        }
    }

    /// Name of the tier's Deployment, `ServiceAccount`, disruption budget and network policy.
    pub fn child_name(self, pipeline: &str) -> String {
        format!("{pipeline}-{}", self.as_str())
    }

    /// The labels that select the tier's pods. Immutable in a Deployment.
    pub fn selector(self, pipeline: &str) -> BTreeMap<String, String> {
        labels([(PIPELINE_LABEL, pipeline), (COMPONENT_LABEL, self.as_str())])
    }

    /// All labels of the tier's objects.
    pub fn labels(self, pipeline: &str) -> BTreeMap<String, String> {
        let mut all = shared_labels(pipeline);
        all.extend(self.selector(pipeline));
        all
    }
}

/// The labels of every child.
pub fn shared_labels(pipeline: &str) -> BTreeMap<String, String> {
    labels([
        ("app.kubernetes.io/name", "assetpipeline"),
        ("app.kubernetes.io/instance", pipeline),
        (MANAGED_BY_LABEL, OPERATOR_MANAGER),
        (PIPELINE_LABEL, pipeline),
    ])
}

/// Name of the headless Service whose members are all web pods.
pub fn peers_service(pipeline: &str) -> String {
    format!("{pipeline}-peers")
}

/// Name of the Secret with the key that signs what pods say to pods.
pub fn notice_secret(pipeline: &str) -> String {
    format!("{pipeline}-notice-key")
}

/// Name of the `ConfigMap` that tells other people's pods how the bindings are called.
pub fn bindings_config_map(pipeline: &str) -> String {
    format!("{pipeline}-bindings")
}

/// What distinguishes this pipeline from all others of the cluster, in logs and AWS tags.
pub fn qualified(namespace: &str, pipeline: &str) -> String {
    format!("{namespace}/{pipeline}")
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
