//! The Ingress: one rule per tenant's host, one for the notices of SNS, and those for further hosts.

mod annotations;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use url::Url;

use self::annotations::build_annotations;
use super::{metadata::build_metadata, service::HTTP_PORT_NAME};
use crate::{
    aws::subscription::NOTICE_PATH,
    names::Tier,
    pipeline::validate::{Tls, ValidPipeline},
};

/// `None` where the spec asks for no Ingress, or names no host that it could serve.
pub(super) fn build_ingress(valid: &ValidPipeline) -> Option<Ingress> {
    let settings = valid.ingress.as_ref()?;
    let rules = build_rules(valid, &settings.hosts);
    if rules.is_empty() {
        return None;
    }
    let tls = match &settings.tls {
        Tls::Secret(secret) => Some(vec![IngressTLS {
            hosts: Some(rules.iter().filter_map(|rule| rule.host.clone()).collect()),
            secret_name: Some(secret.clone()),
        }]),
        Tls::Acm { .. } | Tls::None => None,
    };
    let mut metadata = build_metadata(valid, valid.name.clone(), Tier::Web.labels(&valid.name));
    metadata.annotations = Some(build_annotations(valid, settings));
    Some(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: Some(settings.class_name.clone()),
            rules: Some(rules),
            tls,
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    })
}

/// All lead to the web pods. Those of further hosts come last: an ALB goes by the order, and a wildcard before it would
/// take the host of a rule.
fn build_rules(valid: &ValidPipeline, hosts: &[String]) -> Vec<IngressRule> {
    let build = |host: &str| build_rule(valid, host, "/", "Prefix");
    let tenants = valid.tenants.iter().map(|tenant| build(tenant.host.as_str()));
    let notices = valid.endpoint.as_ref().and_then(Url::domain);
    let notices = notices.map(|host| build_rule(valid, host, NOTICE_PATH, "Exact"));
    let is_tenants = |host: &str| valid.tenants.iter().any(|tenant| tenant.host.as_str() == host);
    let (wildcards, names): (Vec<&String>, Vec<&String>) =
        hosts.iter().filter(|host| !is_tenants(host)).partition(|host| host.starts_with("*."));
    let further = names.into_iter().chain(wildcards).map(|host| build(host));
    tenants.chain(notices).chain(further).collect()
}

fn build_rule(valid: &ValidPipeline, host: &str, path: &str, path_type: &str) -> IngressRule {
    let backend = IngressServiceBackend {
        name: valid.name.clone(),
        port: Some(ServiceBackendPort { name: Some(HTTP_PORT_NAME.to_owned()), number: None }),
    };
    let path = HTTPIngressPath {
        path: Some(path.to_owned()),
        path_type: path_type.to_owned(),
        backend: IngressBackend { service: Some(backend), resource: None },
    };
    IngressRule { host: Some(host.to_owned()), http: Some(HTTPIngressRuleValue { paths: vec![path] }) }
}
