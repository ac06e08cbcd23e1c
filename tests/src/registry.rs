//! A registry of a test's own on a free port of loopback, where the local cluster's nodes reach it without TLS. Gone
//! with the test.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::http;
use serde_json::json;
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// A running registry without images. Killed when dropped.
pub struct Registry {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// Starts the one that `cargo xtask test` has installed, and waits until it answers.
    pub fn start() -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = free.local_addr()?;
        drop(free);
        let folder = tempfile::tempdir().context("cannot make a folder for a registry")?;
        // JSON is YAML.
        let settings = json!({
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("images")}},
            "http": {"addr": address},
        });
        let file = folder.path().join("registry.yaml");
        fs::write(&file, settings.to_string()).context("cannot write the registry's settings")?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start docker-registry: `cargo xtask test` installs it")?;
        let registry = Self { process, address, _folder: folder };
        let patience = Instant::now();
        while !registry.is_ready() {
            ensure!(patience.elapsed() < STARTS_WITHIN, "the registry does not answer at {address}");
            thread::sleep(POLL);
        }
        Ok(registry)
    }

    /// Host and port, as references begin.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    fn is_ready(&self) -> bool {
        let host = self.name();
        let answer = http::get(self.address, &host, "/v2/", &[], ANSWERS_WITHIN);
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
