//! What the local cluster promises to everything that runs on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::command::{capture, output};
use cluster::layout::{DNS_ADDRESS, NODES};
use cluster::{Cluster, dns, http, moto};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn each_zone_has_a_ready_node_with_its_own_address() -> Result<()> {
    let cluster = Cluster::connect()?;
    let nodes: Value =
        serde_json::from_str(&capture(cluster.kubectl().args(["get", "nodes", "-o", "json"]))?)?;
    for node in NODES {
        let items = nodes["items"].as_array().context("no nodes")?;
        let found = items.iter().find(|item| item["metadata"]["name"] == node.name).context(node.name)?;
        assert_eq!(found["metadata"]["labels"]["topology.kubernetes.io/zone"], node.zone);
        assert_eq!(found["status"]["addresses"][0]["address"], node.address().to_string());
    }
    Ok(())
}

#[test]
fn nodes_and_pods_have_their_use_measured() -> Result<()> {
    let cluster = Cluster::connect()?;
    let top = |arguments: &[&str], names: &[&str]| {
        let shown = eventually(|| {
            output(cluster.kubectl().arg("top").args(arguments)).is_ok_and(|shown| {
                let text = String::from_utf8_lossy(&shown.stdout);
                // CPU in thousandths of a core, and memory.
                names.iter().all(|name| {
                    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
                    line.contains("m ") && line.contains("Mi")
                })
            })
        });
        ensure!(shown, "`kubectl top` of {arguments:?} does not tell of {names:?}");
        Ok(())
    };
    top(&["nodes"], &NODES.map(|node| node.name))?;
    top(&["pods", "--namespace", "kube-system"], &["coredns"])
}

#[test]
fn a_node_port_answers_on_loopback() -> Result<()> {
    let cluster = Cluster::connect()?;
    let name = "e2e-node-port";
    cluster.apply(
        &json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"type": "NodePort", "selector": {"k8s-app": "kube-dns"},
                "ports": [{"port": 80, "targetPort": 8080}]},
        })
        .to_string(),
    )?;
    let path = "jsonpath={.spec.ports[0].nodePort}";
    let port = capture(cluster.kubectl().args(["get", "service", "-n", "kube-system", name, "-o", path]))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let answered = eventually(|| {
        http::get(address, "dns", "/health", &[], Duration::from_secs(2))
            .is_ok_and(|answer| answer.body == b"OK")
    });
    capture(cluster.kubectl().args(["delete", "service", "-n", "kube-system", name]))?;
    ensure!(answered, "no answer from the NodePort {address}");
    Ok(())
}

#[test]
fn services_have_names_for_the_host_and_for_pods() -> Result<()> {
    let cluster = Cluster::connect()?;
    let server = SocketAddr::from((DNS_ADDRESS, 53));
    assert_eq!(dns::ask(server, "kube-dns.kube-system.svc.cluster.local")?, DNS_ADDRESS);
    let seen = run_in_pod(&cluster, "e2e-names", &["nslookup", "kube-dns.kube-system.svc.cluster.local"])?;
    ensure!(seen.contains(&DNS_ADDRESS.to_string()), "the pod saw {seen}");
    Ok(())
}

#[test]
fn a_pod_reaches_the_emulator_and_the_api_server() -> Result<()> {
    let cluster = Cluster::connect()?;
    let emulator = format!("{}{}", moto::endpoint(), moto::HEALTH_PATH);
    let seen = run_in_pod(&cluster, "e2e-emulator", &["wget", "-q", "-O", "-", &emulator])?;
    ensure!(seen.starts_with('{'), "the pod saw {seen}");
    let seen = run_in_pod(&cluster, "e2e-api-server", &["nc", "-w", "5", "kubernetes.default", "443"])?;
    ensure!(seen.is_empty(), "the pod saw {seen}");
    Ok(())
}

/// Runs a busybox command in a pod of its own and answers what it printed.
fn run_in_pod(cluster: &Cluster, name: &str, command: &[&str]) -> Result<String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [{
            "name": "main", "image": "localhost/assetpipeline/origin:latest", "imagePullPolicy": "Never",
            "command": ["/busybox"], "args": command}]},
    });
    let kubectl = |arguments: &[&str]| -> Command {
        let mut kubectl = cluster.kubectl();
        kubectl.args(arguments).arg(name);
        kubectl
    };
    cluster.apply(&pod.to_string())?;
    let phase = |kubectl: &mut Command| capture(kubectl.args(["-o", "jsonpath={.status.phase}"]));
    let ended = eventually(|| {
        phase(&mut kubectl(&["get", "pod"])).is_ok_and(|phase| phase == "Succeeded" || phase == "Failed")
    });
    let phase = phase(&mut kubectl(&["get", "pod"]))?;
    let printed = capture(&mut kubectl(&["logs"]));
    output(&mut kubectl(&["delete", "pod", "--now"]))?;
    let printed = printed?;
    ensure!(ended && phase == "Succeeded", "pod {name} is {phase}, printed {printed}");
    Ok(printed)
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if started.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
