//! The bridge that joins host, nodes and pods, and the kernel settings that it needs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{capture, output};
use crate::firewall;
use crate::layout::{BRIDGE, HOST_ADDRESS, NODES, POD_GATEWAY, POD_NETWORK_BITS};

const BRIDGE_MAC: &str = "0a:58:0a:f4:00:01";

/// Creates what is missing of the bridge, its addresses and the kernel settings.
pub fn ensure() -> Result<()> {
    if !Path::new("/proc/sys/net/bridge").is_dir() {
        // Fails where it is built in; the check below decides.
        output(Command::new("modprobe").arg("br_netfilter")).ok();
    }
    if !exists() {
        // A fixed address: otherwise it changes with the bridge's ports, and neighbours lose it.
        ip(&["link", "add", BRIDGE, "address", BRIDGE_MAC, "type", "bridge"])?;
    }
    let addresses = capture(Command::new("ip").args(["-o", "-4", "address", "show", "dev", BRIDGE]))?;
    let wanted = std::iter::once(HOST_ADDRESS).chain(NODES.iter().map(crate::layout::Node::address));
    let gateway = format!("{POD_GATEWAY}/{POD_NETWORK_BITS}");
    for address in wanted.map(|address| format!("{address}/32")).chain([gateway]) {
        if !addresses.contains(&format!(" {address} ")) {
            ip(&["address", "add", &address, "dev", BRIDGE])?;
        }
    }
    ip(&["link", "set", BRIDGE, "up"])?;
    set_kernel_value("net/ipv4/ip_forward", "1")?;
    // Without this a pod's answer to a Service's client on the same bridge is not translated back.
    set_kernel_value("net/bridge/bridge-nf-call-iptables", "1")?;
    firewall::allow_pod_traffic()
}

/// Removes the bridge with its addresses and routes, and before it all that hangs on it: connections of a pod
/// that was cut off keep its namespace, and so its link, for minutes after its last process.
pub fn remove() -> Result<()> {
    if !exists() {
        return Ok(());
    }
    for port in fs::read_dir(Path::new("/sys/class/net").join(BRIDGE).join("brif"))?.flatten() {
        // Those of other namespaces end by themselves meanwhile.
        output(Command::new("ip").args(["link", "delete"]).arg(port.file_name())).ok();
    }
    ip(&["link", "delete", BRIDGE])
}

fn exists() -> bool {
    Path::new("/sys/class/net").join(BRIDGE).exists()
}

fn ip(arguments: &[&str]) -> Result<()> {
    capture(Command::new("ip").args(arguments)).map(drop)
}

fn set_kernel_value(name: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(name);
    let now = fs::read_to_string(&path).with_context(|| {
        format!("the kernel lacks {name}: load br_netfilter, or use a kernel that has it")
    })?;
    if now.trim() == value {
        return Ok(());
    }
    fs::write(&path, value).with_context(|| format!("cannot set {name}"))?;
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        Ok(())
    } else {
        bail!("{name} stays unset")
    }
}
