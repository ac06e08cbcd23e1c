//! Where pods run: which zones of the cluster take pods, and how many of a pipeline's are in each.
//!
//! Memory only, kept by two watches; of each pod and node only what is asked here is held. Until both have been
//! listed nothing is known, and nothing is told; where nodes cannot be seen at all, that is told.

mod nodes;
mod pods;
mod watch;
mod zones;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use crds::AssetPipeline;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, PodSpec},
};
use kube::{
    ResourceExt,
    runtime::{reflector::ObjectRef, watcher::Event},
};

use crate::{names::Tier, pipeline::observe::Workloads, scope::Told};
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
    /// Nothing is known, and nothing will be, since the operator cannot see nodes.
    pub are_unseen: bool,
}

/// The pods of all pipelines, and all nodes.
#[derive(Debug, Default)]
pub struct Placement {
    pods: PodBoard,
    nodes: NodeBoard,
    /// The operator does not watch nodes, or has no right to.
    is_without_nodes: AtomicBool,
}

impl Placement {
    /// The zones that take a tier's pods, and those that have some, in the order of their names.
    pub fn zones(&self, object: &AssetPipeline, workloads: &Workloads) -> TierZones {
        let Workloads { web, worker } = workloads;
        if self.is_without_nodes() {
            return TierZones { are_unseen: true, ..TierZones::default() };
        }
        TierZones {
            are_unseen: false,
            web: web.as_ref().and_then(|web| self.zones_of(object, Tier::Web, web)),
            worker: worker.as_ref().and_then(|worker| self.zones_of(object, Tier::Worker, worker)),
        }
    }

    fn zones_of(&self, object: &AssetPipeline, tier: Tier, deployment: &Deployment) -> Option<Vec<Zone>> {
        let pods = self.pods.of(&object.namespace()?, &object.name_any(), tier)?;
        let template = deployment.spec.as_ref().and_then(|spec| spec.template.spec.clone());
        self.nodes.zones(&template.unwrap_or_default(), pods)
    }

    /// From now on nodes cannot be seen, and zones not be told.
    fn go_without_nodes(&self) {
        self.is_without_nodes.store(true, Ordering::Relaxed);
    }

    fn is_without_nodes(&self) -> bool {
        self.is_without_nodes.load(Ordering::Relaxed)
    }

    /// Whether both were listed, or cannot be.
    fn is_decided(&self) -> bool {
        self.is_without_nodes() || (self.pods.is_known() && self.nodes.is_known())
    }

    /// The pipelines that this concerns.
    fn note_nodes(&self, told: Told<Node>) -> Vec<ObjectRef<AssetPipeline>> {
        let has_changed = match told {
            Told::Refused(_) => !self.is_without_nodes.swap(true, Ordering::Relaxed),
            Told::Event(event) => {
                let are_seen_again =
                    matches!(event, Event::InitDone) && self.is_without_nodes.swap(false, Ordering::Relaxed);
                self.nodes.note(event) || are_seen_again
            }
            Told::Allowed(_) => false,
        };
        if has_changed { self.pods.pipelines() } else { Vec::new() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Part;

    #[test]
    fn nodes_that_may_not_be_seen_are_told_and_seen_once_they_may() {
        let placement = Placement::default();
        let object = AssetPipeline::new("site", crds::AssetPipelineSpec::default());
        let are_unseen = || placement.zones(&object, &Workloads::default()).are_unseen;
        for event in [Event::Init, Event::InitDone] {
            placement.pods.note(event);
        }
        assert_eq!((placement.is_decided(), are_unseen()), (false, false));
        placement.note_nodes(Told::Refused(Part::all()));
        assert_eq!((placement.is_decided(), are_unseen()), (true, true));
        placement.note_nodes(Told::Event(Event::Init));
        assert!(are_unseen());
        placement.note_nodes(Told::Event(Event::InitDone));
        assert_eq!((placement.is_decided(), are_unseen()), (true, false));
    }
}
