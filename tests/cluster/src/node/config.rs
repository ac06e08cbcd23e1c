//! The configuration of a node's programs: network plugins, containerd, kubelet.

use serde_json::json;

use crate::layout::{BRIDGE, DNS_ADDRESS, DNS_DOMAIN, POD_GATEWAY, POD_NETWORK};
use crate::node::{NodeRun, NodeStart};

impl NodeRun<'_> {
    /// The bridge has its addresses already, the pods' gateway among them; the plugin would refuse to
    /// add one beside others (`isGateway`).
    pub(super) fn network(&self) -> String {
        let index = self.node.index;
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge", "bridge": BRIDGE, "isGateway": false, "ipMasq": false, "hairpinMode": true,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": self.folder().join("addresses"),
                        "ranges": [[{
                            "subnet": POD_NETWORK,
                            "rangeStart": format!("10.244.{index}.2"),
                            "rangeEnd": format!("10.244.{index}.250"),
                            "gateway": POD_GATEWAY,
                        }]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": true}},
            ],
        })
        .to_string()
    }

    pub(super) fn containerd_config(&self, pause_image: &str) -> String {
        let folder = self.folder().display().to_string();
        // The two switches under `cri`: a pod's processes may get no lower OOM score than containerd
        // has, and no huge pages; neither is to be had on every machine.
        format!(
            r#"version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-run"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"#
        )
    }

    pub(super) fn kubelet_config(&self, start: &NodeStart<'_>) -> serde_json::Value {
        let folder = self.folder();
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.node.address(),
            "port": self.node.kubelet_port(),
            "healthzPort": self.node.kubelet_health_port(),
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": start.keys.certificate("ca")},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": format!("unix://{}", self.socket().display()),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{}", self.pods_group()),
            "enforceNodeAllocatable": [],
            "failCgroupV1": false,
            "failSwapOn": false,
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": DNS_DOMAIN,
            "resolvConf": self.state.join("resolv.conf"),
            "podLogsDir": folder.join("pod-logs"),
            "volumePluginDir": folder.join("volume-plugins"),
            "maxPods": 100,
            // Renewed at a quarter of this; with the default grace period the kubelet's own default.
            "nodeLeaseDurationSeconds": start.node_grace.as_secs() * 4 / 5,
            "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
            // There is no registry to fetch a deleted image from.
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": false,
        })
    }
}
