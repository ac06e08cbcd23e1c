//! The Service that visitors' requests come through.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{metadata::build_metadata, pod::PUBLIC_PORT_NAME};
use crate::{
    names::Tier,
    pipeline::validate::{Exposure, ValidPipeline},
};

/// Name of the Service's only port.
pub(super) const HTTP_PORT_NAME: &str = "http";
const HTTP_PORT: i32 = 80;

pub(super) fn build_service(valid: &ValidPipeline) -> Service {
    let (type_, node_port) = match valid.exposure {
        Exposure::ClusterIp => ("ClusterIP", None),
        Exposure::NodePort { port } => ("NodePort", port),
    };
    let port = ServicePort {
        name: Some(HTTP_PORT_NAME.to_owned()),
        port: HTTP_PORT,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(PUBLIC_PORT_NAME.to_owned())),
        node_port,
        ..ServicePort::default()
    };
    Service {
        metadata: build_metadata(valid, valid.name.clone(), Tier::Web.labels(&valid.name)),
        spec: Some(ServiceSpec {
            type_: Some(type_.to_owned()),
            selector: Some(Tier::Web.selector(&valid.name)),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
