//! The Ingress's annotations: for the AWS Load Balancer Controller, for external-dns, and what else the spec says.
//!
//! Names, forms of lists (`s1,s2`) and of maps (`k1=v1,k2=v2`) are those of
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/> and
//! <https://kubernetes-sigs.github.io/external-dns/latest/docs/annotations/annotations/>. Other classes ignore them.

use std::collections::BTreeMap;

use crds::{ExternalDnsSpec, IngressGroupSpec, IngressScheme};

use crate::pipeline::validate::{
    AccessLogs, Certificate, Policy, Redirect, Timeouts, Tls, ValidIngress, ValidPipeline,
};

const ALB_PREFIX: &str = "alb.ingress.kubernetes.io";
const EXTERNAL_DNS_PREFIX: &str = "external-dns.alpha.kubernetes.io";

/// What AWS recommends, and its console's default; that of its API, which the controller leaves as it is, speaks
/// TLS 1.0 and not 1.3: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>.
const DEFAULT_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09";

pub(super) fn build_annotations(valid: &ValidPipeline, settings: &ValidIngress) -> BTreeMap<String, String> {
    let ValidIngress {
        // Of the Ingress's spec.
        class_name: _,
        hosts: _,
        scheme,
        tls,
        waf_acl_arn,
        group,
        subnets,
        inbound_cidrs,
        access_logs,
        slow_start_seconds,
        load_balancer_attributes,
        target_group_attributes,
        annotations,
        external_dns,
    } = settings;
    let scheme = match scheme {
        IngressScheme::Internal => "internal",
        IngressScheme::InternetFacing => "internet-facing",
    };
    let mut alb = vec![
        ("scheme", scheme.to_owned()),
        // Straight to the pods: no second hop, and a pod's readiness is the target's.
        ("target-type", "ip".to_owned()),
        ("healthcheck-path", "/health".to_owned()),
        (
            "load-balancer-attributes",
            build_load_balancer_attributes(&valid.timeouts, access_logs.as_ref(), load_balancer_attributes),
        ),
        (
            "target-group-attributes",
            build_target_group_attributes(&valid.timeouts, *slow_start_seconds, target_group_attributes),
        ),
    ];
    alb.extend(build_tls(tls));
    alb.extend(waf_acl_arn.iter().map(|arn| ("wafv2-acl-arn", arn.clone())));
    if let Some(IngressGroupSpec { name, order }) = group {
        alb.push(("group.name", name.clone()));
        alb.extend(order.map(|order| ("group.order", order.to_string())));
    }
    if !subnets.is_empty() {
        alb.push(("subnets", subnets.join(",")));
    }
    if !inbound_cidrs.is_empty() {
        let networks: Vec<String> = inbound_cidrs.iter().map(ToString::to_string).collect();
        alb.push(("inbound-cidrs", networks.join(",")));
    }
    let alb = alb.into_iter().map(|(name, value)| (format!("{ALB_PREFIX}/{name}"), value));
    let dns = external_dns.iter().flat_map(build_external_dns);
    let dns = dns.map(|(name, value)| (format!("{EXTERNAL_DNS_PREFIX}/{name}"), value));
    annotations.clone().into_iter().chain(alb).chain(dns).collect()
}

/// The controller changes the attributes that it is told and no others, so each of our own that the spec speaks of is
/// told with every value that it may have had.
fn build_load_balancer_attributes(
    timeouts: &Timeouts,
    access_logs: Option<&AccessLogs>,
    further: &BTreeMap<String, String>,
) -> String {
    let mut attributes = vec![("idle_timeout.timeout_seconds", timeouts.idle_timeout.to_string())];
    match access_logs {
        Some(AccessLogs::To { bucket, prefix }) => attributes.extend([
            ("access_logs.s3.enabled", "true".to_owned()),
            ("access_logs.s3.bucket", bucket.clone()),
            ("access_logs.s3.prefix", prefix.clone().unwrap_or_default()),
        ]),
        Some(AccessLogs::Off) => attributes.push(("access_logs.s3.enabled", "false".to_owned())),
        None => {}
    }
    join(attributes, further)
}

fn build_target_group_attributes(
    timeouts: &Timeouts,
    slow_start_seconds: Option<u32>,
    further: &BTreeMap<String, String>,
) -> String {
    let delay = ("deregistration_delay.timeout_seconds", timeouts.deregistration_delay.to_string());
    let slow = slow_start_seconds.map(|seconds| ("slow_start.duration_seconds", seconds.to_string()));
    join([delay].into_iter().chain(slow), further)
}

fn join(own: impl IntoIterator<Item = (&'static str, String)>, further: &BTreeMap<String, String>) -> String {
    let own = own.into_iter().map(|(name, value)| format!("{name}={value}"));
    let further = further.iter().map(|(name, value)| format!("{name}={value}"));
    own.chain(further).collect::<Vec<_>>().join(",")
}

fn build_tls(tls: &Tls) -> Vec<(&'static str, String)> {
    let (certificate, policy, redirect) = match tls {
        Tls::None | Tls::Secret(_) => return vec![("listen-ports", r#"[{"HTTP":80}]"#.to_owned())],
        Tls::Acm { certificate, policy, redirect } => (certificate, policy, redirect),
    };
    let mut annotations = vec![("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#.to_owned())];
    match certificate {
        Certificate::Arn(arn) => annotations.push(("certificate-arn", arn.clone())),
        // The controller looks for certificates where a port speaks HTTPS and none is named.
        Certificate::Discovered => {}
    }
    match policy {
        // Whoever had an Ingress before there was a policy keeps it as it was.
        Policy::Unsaid => {}
        Policy::Default => annotations.push(("ssl-policy", DEFAULT_POLICY.to_owned())),
        Policy::Named(name) => annotations.push(("ssl-policy", name.clone())),
    }
    match redirect {
        // For each port of HTTP, in place of every rule.
        Redirect::ToHttps => annotations.push(("ssl-redirect", "443".to_owned())),
        Redirect::None => {}
    }
    annotations
}

/// Of the hosts of rules external-dns knows by itself.
fn build_external_dns(dns: &ExternalDnsSpec) -> Vec<(&'static str, String)> {
    let ExternalDnsSpec { hosts } = dns;
    // Also where its own settings prefer CNAMEs, which an apex cannot have.
    let mut annotations = vec![("alias", "true".to_owned())];
    if !hosts.is_empty() {
        annotations.push(("hostname", hosts.join(",")));
        annotations.push(("ingress-hostname-source", "annotation-only".to_owned()));
    }
    annotations
}
