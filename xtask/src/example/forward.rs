//! A way from this machine to a Service of any cluster: `kubectl port-forward`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// What kubectl prints once it listens, before and after the address.
const LISTENS: (&str, &str) = ("Forwarding from ", " -> ");

/// Open until dropped.
#[derive(Debug)]
pub(super) struct Forward {
    process: Child,
    /// kubectl tells here of each connection, and would end where nobody listened.
    said: BufReader<ChildStdout>,
}

impl Forward {
    /// Opens a port of loopback that the kernel chooses; `kubectl` knows the cluster already.
    pub(super) fn open(
        mut kubectl: Command,
        namespace: &str,
        service: &str,
        port: &str,
    ) -> Result<(Self, SocketAddr)> {
        kubectl.args(["port-forward", "--namespace", namespace, "--address=127.0.0.1", service]);
        kubectl.arg(format!(":{port}")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = kubectl.spawn().context("cannot start kubectl")?;
        let said = process.stdout.take().context("kubectl has no output")?;
        let mut forward = Self { process, said: BufReader::new(said) };
        let mut line = String::new();
        forward.said.read_line(&mut line).context("cannot read what kubectl says")?;
        let address = line.strip_prefix(LISTENS.0).and_then(|rest| rest.split_once(LISTENS.1));
        let address = address.and_then(|(address, _)| address.parse().ok());
        let address = address.with_context(|| format!("no way to {service}: kubectl says {line:?}"))?;
        Ok((forward, address))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
