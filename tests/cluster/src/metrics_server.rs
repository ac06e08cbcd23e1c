//! metrics-server: what `kubectl top` and autoscalers ask for CPU and memory.
//!
//! One process of the host, like the control plane: a zone that is lost does not take it along. It serves behind
//! the API server, by a Service that leads to the host. Nodes share the machine, so each tells the use of all of it;
//! what it tells of pods is theirs alone.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::binaries::Binaries;
use crate::cgroup::HOST;
use crate::layout::{HOST_ADDRESS, METRICS_PORT};
use crate::process::{Daemon, Start};
use crate::progress::Progress;
use crate::sandbox::Sandbox;

/// Whom the API server and the kubelets know it as.
pub(crate) const USER: &str = "system:metrics-server";
/// What answers once the API server has found it.
pub const API: &str = "/apis/metrics.k8s.io/v1beta1";

const NAMESPACE: &str = "kube-system";
const NAME: &str = "metrics-server";

/// Starts it unless it runs.
pub fn ensure(state: &Path, sandbox: &Sandbox, binaries: &Binaries) -> Result<bool> {
    let kubeconfig = state.join(format!("{NAME}.kubeconfig")).display().to_string();
    let arguments = vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--bind-address={HOST_ADDRESS}"),
        format!("--secure-port={METRICS_PORT}"),
        format!("--cert-dir={}", state.join(NAME).display()),
        // The kubelets make their own certificates, and each has a port of its own.
        "--kubelet-insecure-tls".to_owned(),
        "--kubelet-use-node-status-port".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        // The least that it takes, and a time for each kubelet that is shorter.
        "--metric-resolution=10s".to_owned(),
        "--kubelet-request-timeout=5s".to_owned(),
    ];
    daemon(state).ensure(&Start { sandbox, group: HOST, program: &binaries.metrics_server, arguments })
}

/// Waits until the API server passes questions on, though there may be no measurements yet: until then whoever
/// lists all kinds of objects, as for the deletion of a namespace, is kept waiting.
pub fn wait(state: &Path, progress: &Progress, mut is_served: impl FnMut() -> bool) -> Result<()> {
    let limit = Duration::from_mins(1);
    daemon(state).wait(progress, "metrics-server to be served", limit, || Ok(is_served())).map(drop)
}

fn daemon(state: &Path) -> Daemon {
    Daemon::new(NAME, state)
}

/// Everything to apply: its rights, and the way to it.
pub fn manifests() -> Value {
    let meta = json!({"name": NAME, "namespace": NAMESPACE});
    let role =
        |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    let bind = |kind: &str, metadata: Value, role: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "roleRef": role,
            "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}]})
    };
    let delegator = json!({"name": format!("{NAME}:system:auth-delegator")});
    let items = json!([
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": USER},
         "rules": [
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}]},
        bind("ClusterRoleBinding", json!({"name": USER}), role("ClusterRole", USER)),
        bind("ClusterRoleBinding", delegator, role("ClusterRole", "system:auth-delegator")),
        bind("RoleBinding", meta.clone(), role("Role", "extension-apiserver-authentication-reader")),
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"ports": [{"name": "https", "port": 443, "targetPort": METRICS_PORT, "protocol": "TCP"}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
         "addressType": "IPv4", "endpoints": [{"addresses": [HOST_ADDRESS], "conditions": {"ready": true}}],
         "ports": [{"name": "https", "port": METRICS_PORT, "protocol": "TCP"}]},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
         "metadata": {"name": "v1beta1.metrics.k8s.io"},
         "spec": {"service": {"name": NAME, "namespace": NAMESPACE}, "group": "metrics.k8s.io", "version": "v1beta1",
            "insecureSkipTLSVerify": true, "groupPriorityMinimum": 100, "versionPriority": 100}},
    ]);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
