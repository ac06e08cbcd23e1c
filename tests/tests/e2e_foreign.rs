//! What `cargo xtask up --context` does on a cluster that is not ours: the local one, as a person's kubeconfig calls
//! it, whose current context leads nowhere. Its own operator rests meanwhile, since it works in all namespaces.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use cluster::{
    Cluster, KubeContext, command::capture, layout::REGION, moto, packages, packages::PUSHING,
    progress::Progress,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ObjectList};
use tempfile::TempDir;
use tests::{
    control::{OPERATOR, OPERATOR_NAMESPACE, OPERATOR_SELECTOR},
    places,
    registry::Registry,
};
use xtask::{
    aws::{Machine, RealAws},
    foreign::Foreign,
    images,
    operator::{Home, RELEASE},
    registry::Repository,
};

const CONTEXT: &str = "persons-cluster";
/// Namespace, pipeline and Service of the example.
const EXAMPLE: &str = "e2e-foreign";
const HOME: Home<'_> = Home {
    namespace: "e2e-foreign-operator",
    // Beside the local cluster's own release, which has the definitions.
    settings: &["crds.install=false", "watchNamespaces={e2e-foreign}"],
};

#[test]
fn example_is_served_from_another_cluster_by_images_of_a_registry_and_goes_as_told() -> Result<()> {
    let _places = places::take_all()?;
    let progress = Progress::start();
    let person = Person::new()?;
    packages::ensure(&PUSHING, &person.cluster.cache, &progress)?;
    let registry = Registry::start()?;
    let repository = Repository::parse(&format!("{}/assets", registry.name()))?;
    let kubeconfig = fs::read(&person.kubeconfig)?;

    let taken = Foreign::check(person.context()?, aws()?, Home::default(), EXAMPLE);
    let refused = taken.err().context("somebody's namespace was taken for ours")?.to_string();
    let begins =
        format!("namespace {OPERATOR_NAMESPACE} is there already, and `cargo xtask up --context` has not");
    ensure!(refused.starts_with(&begins), "{refused}");

    let _resting = Resting::begin(&person.cluster)?;
    let foreign = Foreign::check(person.context()?, aws()?, HOME, EXAMPLE)?;
    let _clean = Cleaned(&person);
    let images = images::latest(&person.cluster.cache)?;
    // It has visited every style sheet when it answers.
    foreign.install(&images, &repository, &progress)?;
    for namespace in [HOME.namespace, EXAMPLE] {
        person.check_images(namespace, &registry)?;
    }
    // A second time everything is found as it is to be.
    Foreign::check(person.context()?, aws()?, HOME, EXAMPLE)?.install(&images, &repository, &progress)?;

    let [pipeline, release, namespaces] = foreign.removal();
    for command in [pipeline, release, namespaces] {
        progress.say(&command);
        person.run(&command)?;
    }
    progress.say("looking for what is left");
    let left = "clusterroles,clusterrolebindings,namespaces,pods";
    let left = capture(person.cluster.kubectl().args(["get", left, "--all-namespaces", "--output=name"]))?;
    ensure!(!left.contains(EXAMPLE), "the commands leave {left}");
    assert_eq!(fs::read(&person.kubeconfig)?, kubeconfig, "the kubeconfig was written");
    Ok(())
}

/// The machine's keys, and the emulator in the place of AWS.
fn aws() -> Result<RealAws> {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "persons".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ENDPOINT_URL", moto::endpoint()),
    ];
    RealAws::find(&Machine::with(variables.map(|(name, value)| (name.to_owned(), value))))
}

/// Who knows the local cluster by a kubeconfig of their own.
struct Person {
    cluster: Cluster,
    kubeconfig: PathBuf,
    _folder: TempDir,
}

impl Person {
    fn new() -> Result<Self> {
        let cluster = Cluster::connect().context("run `cargo xtask test`")?;
        let folder = tempfile::tempdir().context("cannot make a folder for a kubeconfig")?;
        let kubeconfig = folder.path().join("config");
        fs::copy(cluster.kubeconfig(), &kubeconfig).context("cannot copy the kubeconfig")?;
        let person = Self { cluster, kubeconfig, _folder: folder };
        let current = person.config(&["current-context"])?;
        person.config(&["rename-context", current.trim(), CONTEXT])?;
        person.config(&["set-cluster", "nowhere", "--server=https://127.0.0.1:1"])?;
        person.config(&["set-context", "nowhere", "--cluster=nowhere"])?;
        person.config(&["use-context", "nowhere"])?;
        Ok(person)
    }

    fn config(&self, arguments: &[&str]) -> Result<String> {
        let mut kubectl = self.cluster.kubectl();
        capture(kubectl.env("KUBECONFIG", &self.kubeconfig).arg("config").args(arguments))
    }

    fn context(&self) -> Result<KubeContext> {
        let kubeconfig = Some(self.kubeconfig.clone());
        KubeContext::new(self.cluster.cache.clone(), CONTEXT.to_owned(), kubeconfig, &Progress::start())
    }

    /// As typed into a shell.
    fn run(&self, command: &str) -> Result<String> {
        let tools = self.cluster.cache.binaries().join("path");
        let path = format!("{}:/usr/bin:/bin", tools.display());
        let mut shell = Command::new("sh");
        capture(shell.args(["-c", command]).env("PATH", path).env("KUBECONFIG", &self.kubeconfig))
    }

    /// All that runs there does so by digest, and from that registry.
    fn check_images(&self, namespace: &str, registry: &Registry) -> Result<()> {
        let mut kubectl = self.cluster.kubectl();
        let pods = capture(kubectl.args(["get", "pods", "--namespace", namespace, "--output=json"]))?;
        let pods: ObjectList<Pod> = serde_json::from_str(&pods).context("kubectl printed no pods")?;
        ensure!(!pods.items.is_empty(), "no pod runs in {namespace}");
        let begins = format!("{}/assets/", registry.name());
        for pod in pods.items {
            for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
                let image = container.image.as_deref().unwrap_or_default();
                let is_right = image.starts_with(&begins) && image.contains("@sha256:");
                ensure!(is_right, "pod {} runs {image}", pod.name_any());
            }
        }
        Ok(())
    }
}

/// The local cluster's own operator without a pod, until dropped.
struct Resting<'c>(&'c Cluster);

impl<'c> Resting<'c> {
    fn begin(cluster: &'c Cluster) -> Result<Self> {
        let resting = Self(cluster);
        resting.scale(0)?;
        let pods = ["pod", "--selector", OPERATOR_SELECTOR, "--namespace", OPERATOR_NAMESPACE];
        capture(cluster.kubectl().args(["wait", "--for=delete", "--timeout=60s"]).args(pods))?;
        Ok(resting)
    }

    fn scale(&self, replicas: u8) -> Result<()> {
        let mut kubectl = self.0.kubectl();
        kubectl.args(["scale", "deployment", OPERATOR, "--namespace", OPERATOR_NAMESPACE]);
        capture(kubectl.arg(format!("--replicas={replicas}"))).map(drop)
    }

    fn end(&self) -> Result<()> {
        self.scale(2)?;
        let mut kubectl = self.0.kubectl();
        kubectl.args(["rollout", "status", "deployment", OPERATOR, "--namespace", OPERATOR_NAMESPACE]);
        capture(kubectl.arg("--timeout=2m")).map(drop)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the local cluster's operator could not be started again: {error:#}");
        }
    }
}

/// Takes away what a failed test leaves when dropped.
struct Cleaned<'p>(&'p Person);

impl Drop for Cleaned<'_> {
    fn drop(&mut self) {
        let kubectl = |arguments: &str| {
            let command = format!("kubectl --context {CONTEXT} {arguments}");
            if let Err(error) = self.0.run(&command) {
                eprintln!("{error:#}");
            }
        };
        let operator = HOME.namespace;
        kubectl(&format!("delete assetpipeline --all --namespace {EXAMPLE} --timeout=60s"));
        let release = format!("uninstall {RELEASE} --no-hooks --ignore-not-found --namespace {operator}");
        if let Err(error) = self.0.run(&format!("helm --kube-context {CONTEXT} {release}")) {
            eprintln!("{error:#}");
        }
        kubectl(&format!("delete namespace {EXAMPLE} {operator} --ignore-not-found --timeout=60s"));
    }
}
