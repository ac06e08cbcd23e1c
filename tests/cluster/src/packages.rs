//! Debian packages that the cluster is made of: installed when missing, the versions left to Debian.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::command::{is_installed, logged};
use crate::progress::Progress;

/// Debian package and a file that shows that it is there.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    pub name: &'static str,
    pub shown_by: Shown,
}

/// What a package brings.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    Program(&'static str),
    File(&'static str),
}

const fn program(name: &'static str, program: &'static str) -> Package {
    Package { name, shown_by: Shown::Program(program) }
}

const fn file(name: &'static str, path: &'static str) -> Package {
    Package { name, shown_by: Shown::File(path) }
}

const BUILDAH: Package = program("buildah", "buildah");
const BUSYBOX: Package = file("busybox-static", "/bin/busybox");
const AUTHORITIES: Package = file("ca-certificates", "/etc/ssl/certs/ca-certificates.crt");

/// What the cluster, the emulator and the images need.
pub const NEEDED: [Package; 13] = [
    BUILDAH,
    BUSYBOX,
    AUTHORITIES,
    program("containerd", "containerd"),
    file("containernetworking-plugins", "/usr/lib/cni/bridge"),
    program("etcd-server", "etcd"),
    program("iproute2", "ip"),
    program("iptables", "iptables"),
    program("kmod", "modprobe"),
    program("nftables", "nft"),
    program("openssl", "openssl"),
    program("runc", "runc"),
    program("util-linux", "nsenter"),
];

/// What building images and pushing them to a registry needs.
pub const PUSHING: [Package; 4] = [BUILDAH, BUSYBOX, AUTHORITIES, program("skopeo", "skopeo")];

/// The registry that tests push to.
pub const REGISTRY: [Package; 1] = [program("docker-registry", "docker-registry")];

/// What fetches npm packages.
pub const NODE: [Package; 2] = [program("nodejs", "node"), program("npm", "npm")];

/// What the tests of pages need: a browser without a screen.
pub const BROWSER: [Package; 1] = [program("chromium", "chromium")];

/// What `cargo xtask bench` compares with, and asks with.
pub const BENCH_WEB: [Package; 3] =
    [file("nginx-light", "/usr/sbin/nginx"), program("util-linux", "taskset"), program("wrk", "wrk")];

impl Package {
    fn is_there(&self) -> bool {
        match self.shown_by {
            Shown::Program(program) => is_installed(program),
            Shown::File(path) => std::path::Path::new(path).exists(),
        }
    }
}

/// Installs those packages that are missing.
pub fn ensure(packages: &[Package], cache: &Cache, progress: &Progress) -> Result<()> {
    let missing: Vec<_> =
        packages.iter().filter(|package| !package.is_there()).map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_installed("apt-get") {
        bail!("missing programs, and no apt-get to install them with: install what Debian calls {names}");
    }
    progress.say(format!("installing Debian packages: {names}"));
    let log = cache.root.join("log/apt.log");
    let install = || {
        let mut command = apt();
        command.args(["install", "-y", "--no-install-recommends"]).args(&missing);
        without_services(|| logged(&mut command, &log, "installing packages", progress))
    };
    // The package lists of a fresh machine are absent or old.
    if install().is_err() {
        logged(apt().arg("update"), &log, "reading Debian's package lists", progress)?;
        install().with_context(|| format!("run `apt-get install {names}` by hand"))?;
    }
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Runs `install` while no package may start its service: we run the programs ourselves. Debian asks
/// this program before it starts one; where the machine has its own, that one decides.
fn without_services<T>(install: impl FnOnce() -> Result<T>) -> Result<T> {
    let policy = Path::new("/usr/sbin/policy-rc.d");
    if policy.exists() {
        return install();
    }
    fs::write(policy, "#!/bin/sh\nexit 101\n")
        .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}: run this as root", policy.display()))?;
    let done = install();
    fs::remove_file(policy).with_context(|| format!("cannot remove {}", policy.display()))?;
    done
}
