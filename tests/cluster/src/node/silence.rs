//! Cutting pods off from the network without a word.
//!
//! Owns a rule in each pod's own network namespace: what comes is dropped before anybody could refuse it, and
//! what would go out is dropped, too. Deliberately leaves the machine's own namespace alone, and needs no
//! undoing: a namespace ends with its pod, which a started node takes away. The pods' addresses are still
//! answered for on the bridge, as a VPC's router answers for a machine that is gone: packets vanish.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::feed;
use crate::process::ProcessId;

/// Declared before it is filled, so that it may be there already.
const RULES: &str = "table inet assetpipeline_silence
delete table inet assetpipeline_silence
table inet assetpipeline_silence {
  chain in { type filter hook input priority raw; policy drop; }
  chain out { type filter hook output priority raw; policy drop; }
}
";

/// Drops every packet to and from the network namespaces of these processes, the machine's own excepted.
pub(super) fn cut_off(processes: &[ProcessId]) -> Result<()> {
    let own =
        namespace(std::process::id().try_into()?).context("cannot read the machine's network namespace")?;
    let namespaces: BTreeMap<PathBuf, &ProcessId> = processes
        .iter()
        .filter_map(|process| Some((namespace(process.pid)?, process)))
        .filter(|(namespace, _)| *namespace != own)
        .collect();
    // Side by side: a power cut hits all at once.
    std::thread::scope(|scope| {
        let cuts: Vec<_> = namespaces.values().map(|process| scope.spawn(|| cut_off_one(process))).collect();
        for cut in cuts {
            cut.join().map_err(|_| anyhow::anyhow!("cutting a pod off panicked"))??;
        }
        Ok(())
    })
}

fn cut_off_one(process: &ProcessId) -> Result<()> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/ns/net", process.pid)).args(["nft", "--file", "-"]);
    match feed(&mut command, RULES) {
        // Its pod has ended by itself.
        Err(_) if !process.is_alive() => Ok(()),
        cut => cut.map(drop).with_context(|| format!("cannot cut off the pod of process {}", process.pid)),
    }
}

/// Names a network namespace; none where the process has ended.
fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}
