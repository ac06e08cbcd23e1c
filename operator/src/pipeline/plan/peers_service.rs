//! The headless Service whose DNS name resolves to all web pods, for what pods say to pods.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use pipeline::env;

use super::{metadata::build_metadata, pod::INTERNAL_PORT_NAME};
use crate::{
    names::{Tier, peers_service},
    pipeline::validate::ValidPipeline,
};

pub(super) fn build_peers_service(valid: &ValidPipeline) -> Service {
    let port = ServicePort {
        name: Some(INTERNAL_PORT_NAME.to_owned()),
        port: env::INTERNAL_PORT.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(INTERNAL_PORT_NAME.to_owned())),
        ..ServicePort::default()
    };
    Service {
        metadata: build_metadata(valid, peers_service(&valid.name), Tier::Web.labels(&valid.name)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            // A pod that drains is not ready and still waits for the notices of its last visitors.
            publish_not_ready_addresses: Some(true),
            selector: Some(Tier::Web.selector(&valid.name)),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
