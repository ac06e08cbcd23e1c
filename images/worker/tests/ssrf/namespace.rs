//! A network namespace for one test: the test's program runs itself anew inside it.

use std::{
    env, fs,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// Set in the process inside.
const MARK: &str = "ASSETPIPELINE_SSRF_NAMESPACE";
/// What serves names inside: an address that is public outside.
pub(crate) const NAME_SERVER: &str = "9.9.9.9";
/// A proxy that nobody may use, in a blocked network.
const PROXY: &str = "http://10.9.8.7:3128";

/// Every address is this machine's. The system's resolver finds our files and no daemon.
const SET_UP: &str = "
set -eu
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 address add 2620:fe::1/128 dev lo nodad
ip -6 route add local ::/0 dev lo
mount -t tmpfs guard /run
mount -t overlay guard -o lowerdir=\"$1\":/etc /etc
nft --version > /dev/null
";

/// Runs `body` as the test of this name in a namespace of its own.
pub(crate) fn run(test: &str, body: impl Future<Output = ()>) {
    if env::var_os(MARK).is_none() {
        return start(test);
    }
    let _etc = set_up();
    tokio::runtime::Runtime::new().unwrap().block_on(body);
}

fn start(test: &str) {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--propagation", "private", "--"]).arg(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--include-ignored"]).env(MARK, "1");
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(variable, PROXY);
    }
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start unshare of util-linux: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    print!("{stdout}");
    eprint!("{stderr}");
    // Also where no test has this name, so that none is left out unseen.
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{test} failed in its network namespace. To make one takes root and the packages iproute2, nftables \
         and util-linux, which `cargo xtask test` installs"
    );
}

fn set_up() -> TempDir {
    let etc = tempfile::tempdir().unwrap();
    for (file, content) in [
        ("resolv.conf", format!("nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n")),
        ("nsswitch.conf", "hosts: files dns\n".to_owned()),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
    ] {
        fs::write(etc.path().join(file), content).unwrap();
    }
    let done = Command::new("sh").args(["-c", SET_UP, "sh"]).arg(etc.path()).output().unwrap();
    assert!(
        done.status.success(),
        "cannot set up the network namespace: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    etc
}
