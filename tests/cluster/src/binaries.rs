//! The pinned Go programs of the cluster, built once and kept by version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, key_of_files, write_whole};
use crate::command::{capture, is_installed, logged};
use crate::progress::Progress;

pub const KUBERNETES: &str = "1.34.4";
pub const HELM: &str = "4.3.1";
pub const METRICS_SERVER: &str = "0.8.0";
/// The oldest Go that builds all of it (CoreDNS asks for it).
const GO_MINOR: u32 = 26;

/// Where the programs lie.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// All of Kubernetes in one file; the first argument names the component.
    pub kube: PathBuf,
    pub coredns: PathBuf,
    pub pause: PathBuf,
    pub helm: PathBuf,
    pub metrics_server: PathBuf,
    /// A folder with `kubectl` and `helm` for a person's PATH: they talk to the local cluster unless
    /// `KUBECONFIG` says otherwise, and keep what they write with it.
    pub path: PathBuf,
}

impl Binaries {
    /// Builds what is missing, which takes minutes the first time.
    pub fn ensure(cache: &Cache, progress: &Progress) -> Result<Self> {
        let Clients { kube, helm } = Clients::ensure(cache, progress)?;
        let metrics_server = Published {
            name: "metrics-server",
            package: "sigs.k8s.io/metrics-server/cmd/metrics-server",
            version: METRICS_SERVER,
            version_symbol: "k8s.io/client-go/pkg/version.gitVersion",
        };
        let built = Self {
            kube,
            coredns: build_module(cache, "coredns", "", progress)?,
            pause: build_module(cache, "pause", "", progress)?,
            helm,
            metrics_server: install(cache, &metrics_server, progress)?,
            path: Cache::ensure(cache.binaries().join("path"))?,
        };
        let state = cache.state().display().to_string();
        let wrapped = |program: &Path, more: &str| {
            format!(
                "#!/bin/sh\nexport KUBECONFIG=\"${{KUBECONFIG:-{state}/admin.kubeconfig}}\"\n\
                 export KUBECACHEDIR='{state}/tmp/kubectl' HELM_CACHE_HOME='{state}/tmp/helm' \
                 HELM_CONFIG_HOME='{state}/tmp/helm' HELM_DATA_HOME='{state}/tmp/helm'\n\
                 exec '{}'{more} \"$@\"\n",
                program.display()
            )
        };
        write_program(&built.path.join("kubectl"), &wrapped(&built.kube, " kubectl"))?;
        write_program(&built.path.join("helm"), &wrapped(&built.helm, ""))?;
        Ok(built)
    }
}

/// Those of the programs that talk to a cluster.
#[derive(Debug, Clone)]
pub struct Clients {
    /// All of Kubernetes, as in [`Binaries`]: `kubectl` is its first argument.
    pub kube: PathBuf,
    pub helm: PathBuf,
}

impl Clients {
    /// As [`Binaries::ensure`].
    pub fn ensure(cache: &Cache, progress: &Progress) -> Result<Self> {
        let version = format!("-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}");
        let mut numbers = KUBERNETES.split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let flags = format!(
            "{version} -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor}"
        );
        let helm = Published {
            name: "helm",
            package: "helm.sh/helm/v4/cmd/helm",
            version: HELM,
            version_symbol: "helm.sh/helm/v4/internal/version.version",
        };
        let kube = build_module(cache, "kube", &flags, progress)?;
        Ok(Self { kube, helm: install(cache, &helm, progress)? })
    }
}

fn build_module(cache: &Cache, name: &str, flags: &str, progress: &Progress) -> Result<PathBuf> {
    let source = cache.checkout.join("tests/cluster").join(name);
    let sources: Vec<_> = ["go.mod", "go.sum", "main.go"].map(|file| source.join(file)).into();
    let sources: Vec<_> = sources.into_iter().filter(|file| file.exists()).collect();
    let target = cache.binaries().join(format!("{name}-{}", key_of_files(&sources)?));
    build(cache, name, &target, progress, |go, part| {
        go.current_dir(&source)
            .args(["build", "-trimpath", "-ldflags", &format!("-s -w {flags}"), "-o"])
            .arg(part);
        go.arg(".");
    })?;
    Ok(target)
}

/// A program that is built as its own module pins it.
struct Published {
    /// Also the last part of the package's path, by which Go names the program.
    name: &'static str,
    package: &'static str,
    version: &'static str,
    /// The variable from which it tells its version.
    version_symbol: &'static str,
}

fn install(cache: &Cache, published: &Published, progress: &Progress) -> Result<PathBuf> {
    let Published { name, package, version, version_symbol } = published;
    let target = cache.binaries().join(format!("{name}-{version}"));
    let folder = cache.binaries().join("go-install");
    build(cache, name, &target, progress, |go, _| {
        go.current_dir(&cache.root).env("GOBIN", &folder).args(["install", "-trimpath", "-ldflags"]);
        go.arg(format!("-s -w -X {version_symbol}=v{version}")).arg(format!("{package}@v{version}"));
    })?;
    Ok(target)
}

/// Runs Go so that it writes either to the path that `arrange` is given or to `bin/go-install`.
fn build(
    cache: &Cache,
    short: &str,
    target: &Path,
    progress: &Progress,
    arrange: impl FnOnce(&mut Command, &Path),
) -> Result<()> {
    if target.is_file() {
        return Ok(());
    }
    check_go()?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    progress.say(format!("building {name} (minutes the first time, then kept)"));
    let folder = Cache::ensure(cache.binaries().join("go-install"))?;
    let part = folder.join(short);
    let mut go = Command::new("go");
    go.env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-modcacherw -buildvcs=false")
        .env("GOCACHE", cache.root.join("go/build"))
        .env("GOMODCACHE", cache.root.join("go/mod"));
    arrange(&mut go, &part);
    logged(
        &mut go,
        &cache.root.join(format!("log/build-{short}.log")),
        &format!("building {short}"),
        progress,
    )?;
    fs::rename(&part, target).with_context(|| format!("cannot put {} in place", target.display()))
}

fn check_go() -> Result<()> {
    let advice = format!("install Go 1.{GO_MINOR} or newer and put it on the PATH");
    if !is_installed("go") {
        bail!("Go is missing: {advice}");
    }
    let version = capture(Command::new("go").args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"))?;
    let minor =
        version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if minor.is_some_and(|minor| minor < GO_MINOR) {
        bail!("Go is too old ({}): {advice}", version.trim());
    }
    Ok(())
}

fn write_program(path: &Path, script: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|now| now == script) {
        return Ok(());
    }
    write_whole(path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", path.display()))
}
