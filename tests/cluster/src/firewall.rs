//! The packet filter rules that the cluster's programs add, and their removal.
//!
//! kube-proxy, the kubelets and the network plugins name all their chains `KUBE-…` or `CNI-…`, and
//! our own rules carry a comment; everything else belongs to others and stays.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{capture, is_installed};
use crate::layout::BRIDGE;

const FAMILIES: [&str; 2] = ["iptables", "ip6tables"];
const OURS: [&str; 4] = ["KUBE-", "CNI-", "cni-", COMMENT];
const COMMENT: &str = "assetpipeline-cluster";

/// Lets pods talk to pods also where another program has made the machine drop what it forwards.
pub fn allow_pod_traffic() -> Result<()> {
    let rule = ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"];
    if Command::new("iptables")
        .arg("-C")
        .args(rule)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|done| done.success())
    {
        return Ok(());
    }
    capture(Command::new("iptables").arg("-I").args(rule)).map(drop)
}

/// All rules and chains of both families as lines `family: table: rule`, without counters and
/// without what is there in every empty table.
pub fn rules() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for family in FAMILIES.into_iter().filter(|family| is_installed(family)) {
        let saved = capture(Command::new(format!("{family}-save")).stdin(Stdio::null()))?;
        found.extend(rules_of(&saved).into_iter().map(|rule| format!("{family}: {rule}")));
    }
    Ok(found)
}

/// Removes our rules and chains in one step per family.
pub fn clear() -> Result<()> {
    for family in FAMILIES.into_iter().filter(|family| is_installed(family)) {
        let saved = capture(Command::new(format!("{family}-save")).arg("--counters"))?;
        if saved.lines().any(is_ours) {
            restore(family, &without_ours(&saved))?;
        }
    }
    Ok(())
}

fn is_ours(line: &str) -> bool {
    !line.starts_with('#') && OURS.iter().any(|name| line.contains(name))
}

fn without_ours(saved: &str) -> String {
    saved.lines().filter(|line| !is_ours(line)).flat_map(|line| [line, "\n"]).collect()
}

fn rules_of(saved: &str) -> Vec<String> {
    let mut table = "";
    let mut found = Vec::new();
    for line in saved.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            let words: Vec<_> = chain.split(' ').take(2).collect();
            if words.get(1) != Some(&"ACCEPT") {
                found.push(format!("{table}: chain {}", words.join(" ")));
            }
        } else if line.starts_with("-A") {
            found.push(format!("{table}: {line}"));
        }
    }
    found
}

fn restore(family: &str, rules: &str) -> Result<()> {
    let mut child = Command::new(format!("{family}-restore"))
        .arg("--counters")
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {family}-restore"))?;
    child.stdin.take().context("no input")?.write_all(rules.as_bytes()).context("cannot write the rules")?;
    let status = child.wait().with_context(|| format!("cannot wait for {family}-restore"))?;
    if !status.success() {
        bail!("{family}-restore failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "# Generated\n*filter\n:INPUT ACCEPT [1:2]\n:DOCKER - [0:0]\n:KUBE-FORWARD - [0:0]\n\
        -A INPUT -j DOCKER\n-A FORWARD -m comment --comment x -j KUBE-FORWARD\nCOMMIT\n";

    #[test]
    fn clearing_keeps_the_rules_of_others() {
        let kept = without_ours(SAVED);
        assert_eq!(
            kept,
            "# Generated\n*filter\n:INPUT ACCEPT [1:2]\n:DOCKER - [0:0]\n-A INPUT -j DOCKER\nCOMMIT\n"
        );
    }

    #[test]
    fn rules_leave_out_counters_and_empty_tables() {
        assert_eq!(rules_of(&without_ours(SAVED)), ["filter: chain DOCKER -", "filter: -A INPUT -j DOCKER"]);
        assert!(rules_of("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n").is_empty());
    }
}
