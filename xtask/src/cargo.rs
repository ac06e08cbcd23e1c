//! Calling cargo from within: with the cache's target directory, so that every call shares one build.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use cluster::Cache;
use cluster::cache::write_whole;
use cluster::command::{capture, logged};
use cluster::progress::Progress;

/// The checker of licenses, sources and duplicate crates.
const CARGO_DENY: &str = "0.20.2";

/// `cargo` in the checkout.
pub fn cargo(cache: &Cache) -> Result<Command> {
    let temporary = Cache::ensure(cache.root.join("tmp"))?;
    let mut command = Command::new("cargo");
    command
        .current_dir(&cache.checkout)
        .env("CARGO_TARGET_DIR", cache.cargo_target())
        .env("TMPDIR", temporary);
    // What cargo told this process about its own package would confuse the next call.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name.as_ref());
        }
    }
    Ok(command)
}

/// The target triple of this machine.
pub fn host_triple() -> Result<String> {
    let version = capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// Builds cargo-deny unless it is there, and answers its program.
pub fn ensure_cargo_deny(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let root = cache.root.join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let done = root.join("done");
    if !done.exists() {
        progress.say(format!("building cargo-deny {CARGO_DENY} (minutes the first time, then kept)"));
        let mut install = cargo(cache)?;
        install.args(["install", "--locked", "--version", CARGO_DENY, "cargo-deny", "--root"]).arg(&root);
        install.env("CARGO_TARGET_DIR", cache.root.join("tools/build"));
        logged(&mut install, &cache.root.join("log/build-cargo-deny.log"), "building cargo-deny", progress)?;
        std::fs::remove_dir_all(cache.root.join("tools/build"))
            .context("cannot remove cargo-deny's build")?;
        write_whole(&done, "")?;
    }
    Ok(root.join("bin/cargo-deny"))
}
