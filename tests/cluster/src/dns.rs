//! The cluster's DNS: two `CoreDNS` pods in different zones, and a question to see that they answer.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::layout::{API_SERVICE_ADDRESS, DNS_ADDRESS, DNS_DOMAIN};

const NAMESPACE: &str = "kube-system";

/// Everything to apply. `forward` is whether names outside the cluster can be asked elsewhere.
pub fn manifests(image: &str, forward: Forward) -> Value {
    let labels = json!({"k8s-app": "kube-dns"});
    let meta = |name: &str| json!({"name": name, "namespace": NAMESPACE, "labels": labels});
    let items = json!([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("coredns")},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
         "metadata": {"name": "system:coredns"},
         "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "system:coredns"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
         "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}]},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("coredns"),
         "data": {"Corefile": corefile(forward)}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta("kube-dns"),
         "spec": {"clusterIP": DNS_ADDRESS, "selector": labels, "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("coredns"),
         "spec": {"replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(image, &labels)}}},
    ]);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// Whether the machine has a name server that pods can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    ToMachine,
    Nowhere,
}

fn corefile(forward: Forward) -> String {
    let forward = match forward {
        Forward::ToMachine => "    forward . /etc/resolv.conf\n",
        Forward::Nowhere => "",
    };
    format!(
        ".:53 {{\n    errors\n    health\n    ready\n    cache 5\n    \
         kubernetes {DNS_DOMAIN} in-addr.arpa {{\n        pods insecure\n    }}\n{forward}}}\n"
    )
}

fn pod(image: &str, labels: &Value) -> Value {
    json!({
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        // A lost zone must not take the cluster's DNS along for longer than the node's grace period.
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
             "tolerationSeconds": 5}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": labels}}],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
        "containers": [{
            "name": "coredns", "image": image, "imagePullPolicy": "Never",
            "args": ["-conf", "/config/Corefile"],
            "volumeMounts": [{"name": "config", "mountPath": "/config"}],
            "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}],
    })
}

/// Whether the cluster's DNS knows the API server's Service.
pub fn answers() -> bool {
    let name = format!("kubernetes.default.svc.{DNS_DOMAIN}");
    ask(SocketAddr::from((DNS_ADDRESS, 53)), &name).is_ok_and(|address| address == API_SERVICE_ADDRESS)
}

/// Asks a server for a name's IPv4 address (RFC 1035, one question over UDP).
pub fn ask(server: SocketAddr, name: &str) -> Result<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("cannot open a UDP socket")?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).context("cannot set a timeout")?;
    let question = question(name)?;
    socket.send_to(&question, server).with_context(|| format!("cannot send to {server}"))?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).with_context(|| format!("no answer from {server}"))?;
    address_in(answer.get(..length).unwrap_or_default(), question.len())
        .with_context(|| format!("{server} does not know {name}"))
}

fn question(name: &str) -> Result<Vec<u8>> {
    // Id, flags (recursion desired), one question, nothing else.
    let mut bytes = vec![0x41, 0x50, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).context("label too long")?);
        bytes.extend_from_slice(label.as_bytes());
    }
    // End of name, type A, class IN.
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    Ok(bytes)
}

/// The first answer's address: after its name come two octets of type, two of class, four of
/// lifetime, two of length, and the address.
fn address_in(answer: &[u8], question_length: usize) -> Option<Ipv4Addr> {
    let answers = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let record = after_name(answer.get(question_length..)?)?.get(..14)?;
    let (&[0, 1, 0, 1, _, _, _, _, 0, 4], address) = record.split_first_chunk::<10>()? else { return None };
    let octets: [u8; 4] = address.try_into().ok()?;
    (answers > 0).then(|| Ipv4Addr::from(octets))
}

/// Skips a name: labels up to an empty one, or up to a pointer to a name elsewhere.
fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match usize::from(*bytes.first()?) {
            0 => return bytes.get(1..),
            192.. => return bytes.get(2..),
            length => bytes = bytes.get(1 + length..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: [u8; 14] = [0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 1];

    fn answer(name: &[u8]) -> (Vec<u8>, usize) {
        let mut bytes = question("a.b").unwrap();
        let length = bytes.len();
        bytes[7] = 1;
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&RECORD);
        (bytes, length)
    }

    #[test]
    fn reads_the_first_address_after_a_pointer_or_a_whole_name() {
        for name in [&[0xc0, 12][..], b"\x01a\x01b\x00"] {
            let (bytes, length) = answer(name);
            assert_eq!(address_in(&bytes, length), Some(Ipv4Addr::new(10, 96, 0, 1)));
        }
    }

    #[test]
    fn an_answer_without_records_has_no_address() {
        let (mut bytes, length) = answer(&[0xc0, 12]);
        bytes[7] = 0;
        assert_eq!(address_in(&bytes, length), None);
        assert_eq!(address_in(&bytes[..length], length), None);
    }
}
