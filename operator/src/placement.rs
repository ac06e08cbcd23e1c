//! Where pods run: which zones of the cluster take pods, and how many of a pipeline's are in each.
//!
//! Memory only, kept by two watches; of each pod and node only what is asked here is held. Until both have been
//! listed nothing is known, and nothing is told.

mod nodes;
mod pods;
mod watch;
mod zones;

use std::collections::BTreeMap;

use crds::AssetPipeline;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::PodSpec};
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use crate::{names::Tier, pipeline::observe::Workloads};
use nodes::NodeBoard;
use pods::PodBoard;

pub use pods::PlacedPod;
pub use watch::watch_placement;
pub use zones::{Zone, skew};

/// Label of a node: the zone that it is in.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// How a pipeline's pods lie over the zones, tier by tier. `None` is what is not known, or not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TierZones {
    pub web: Option<Vec<Zone>>,
    pub worker: Option<Vec<Zone>>,
}

/// The pods of all pipelines, and all nodes.
#[derive(Debug, Default)]
pub struct Placement {
    pods: PodBoard,
    nodes: NodeBoard,
}

impl Placement {
    /// The zones that take a tier's pods, and those that have some, in the order of their names.
    pub fn zones(&self, object: &AssetPipeline, workloads: &Workloads) -> TierZones {
        let Workloads { web, worker } = workloads;
        TierZones {
            web: web.as_ref().and_then(|web| self.zones_of(object, Tier::Web, web)),
            worker: worker.as_ref().and_then(|worker| self.zones_of(object, Tier::Worker, worker)),
        }
    }

    fn zones_of(&self, object: &AssetPipeline, tier: Tier, deployment: &Deployment) -> Option<Vec<Zone>> {
        let pods = self.pods.of(&object.namespace()?, &object.name_any(), tier)?;
        let template = deployment.spec.as_ref().and_then(|spec| spec.template.spec.clone());
        self.nodes.zones(&template.unwrap_or_default(), pods)
    }

    /// Whether both were listed.
    pub fn is_known(&self) -> bool {
        self.pods.is_known() && self.nodes.is_known()
    }

    /// The pipelines that have pods, as far as they are known.
    fn pipelines(&self) -> Vec<ObjectRef<AssetPipeline>> {
        self.pods.pipelines()
    }
}

/// What a pod's template asks of nodes.
#[derive(Debug, Default)]
struct Demand<'a> {
    selector: Option<&'a BTreeMap<String, String>>,
    tolerations: &'a [k8s_openapi::api::core::v1::Toleration],
}

impl<'a> Demand<'a> {
    fn of(template: &'a PodSpec) -> Self {
        Self {
            selector: template.node_selector.as_ref(),
            tolerations: template.tolerations.as_deref().unwrap_or_default(),
        }
    }
}
