//! The Ingress: one rule per tenant's host, and one for the notices of SNS.

use std::collections::BTreeMap;

use crds::{IngressScheme, IngressSpec as IngressSettings};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, ServiceBackendPort,
};
use url::Url;

use super::{metadata::build_metadata, service::HTTP_PORT_NAME};
use crate::{aws::subscription::NOTICE_PATH, names::Tier, pipeline::validate::ValidPipeline};

/// Prefix of the AWS Load Balancer Controller's annotations.
const ALB_PREFIX: &str = "alb.ingress.kubernetes.io";

/// `None` where the spec asks for no Ingress, or names no host that it could serve.
pub(super) fn build_ingress(valid: &ValidPipeline) -> Option<Ingress> {
    let settings = valid.ingress.as_ref()?;
    let tenants = valid.tenants.iter().map(|tenant| build_rule(valid, tenant.host.as_str(), "/", "Prefix"));
    let notices = valid.endpoint.as_ref().and_then(Url::domain);
    let notices = notices.map(|host| build_rule(valid, host, NOTICE_PATH, "Exact"));
    let rules: Vec<IngressRule> = tenants.chain(notices).collect();
    if rules.is_empty() {
        return None;
    }
    let mut metadata = build_metadata(valid, valid.name.clone(), Tier::Web.labels(&valid.name));
    metadata.annotations = Some(build_annotations(valid, settings));
    Some(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: Some(settings.class_name.clone()),
            rules: Some(rules),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    })
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

/// Annotations of <https://kubernetes-sigs.github.io/aws-load-balancer-controller/>; other classes ignore them.
fn build_annotations(valid: &ValidPipeline, settings: &IngressSettings) -> BTreeMap<String, String> {
    let IngressSettings { class_name: _, certificate_arn, scheme } = settings;
    let scheme = match scheme {
        IngressScheme::Internal => "internal",
        IngressScheme::InternetFacing => "internet-facing",
    };
    let timeouts = &valid.timeouts;
    let mut annotations = vec![
        ("scheme", scheme.to_owned()),
        // Straight to the pods: no second hop, and a pod's readiness is the target's.
        ("target-type", "ip".to_owned()),
        ("healthcheck-path", "/health".to_owned()),
        ("load-balancer-attributes", format!("idle_timeout.timeout_seconds={}", timeouts.idle_timeout)),
        (
            "target-group-attributes",
            format!("deregistration_delay.timeout_seconds={}", timeouts.deregistration_delay),
        ),
    ];
    match certificate_arn {
        Some(arn) => annotations.extend([
            ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#.to_owned()),
            ("certificate-arn", arn.clone()),
            ("ssl-redirect", "443".to_owned()),
        ]),
        None => annotations.push(("listen-ports", r#"[{"HTTP":80}]"#.to_owned())),
    }
    annotations.into_iter().map(|(name, value)| (format!("{ALB_PREFIX}/{name}"), value)).collect()
}
