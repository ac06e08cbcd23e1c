//! Rules of the Ingress's fields in CEL, and the names that they and the operator's own check go by.

use serde_json::{Value, json};

use crate::spec::pod_template::KEY;

/// Seconds by which the load balancer outwaits a held visitor.
pub const IDLE_TIMEOUT_MARGIN_SECONDS: u32 = 5;

/// The shortest slow start of a target group.
pub const MIN_SLOW_START_SECONDS: u32 = 30;

/// The attribute of a target group with which slow start must go.
pub const ALGORITHM_ATTRIBUTE: &str = "load_balancing.algorithm.type";

/// The annotation by which the controller makes no security group, and so looks at no `inboundCidrs`.
pub const SECURITY_GROUPS_ANNOTATION: &str = "alb.ingress.kubernetes.io/security-groups";

/// Attributes of the load balancer that fields set.
pub const OWN_LOAD_BALANCER_ATTRIBUTES: [&str; 4] = [
    "access_logs.s3.bucket",
    "access_logs.s3.enabled",
    "access_logs.s3.prefix",
    "idle_timeout.timeout_seconds",
];

/// Attributes of the target group that fields set.
pub const OWN_TARGET_GROUP_ATTRIBUTES: [&str; 2] =
    ["deregistration_delay.timeout_seconds", "slow_start.duration_seconds"];

/// Annotations that the operator or a field sets, or that say the same by another name.
pub const OWN_INGRESS_ANNOTATIONS: [&str; 19] = [
    "alb.ingress.kubernetes.io/certificate-arn",
    "alb.ingress.kubernetes.io/group.name",
    "alb.ingress.kubernetes.io/group.order",
    "alb.ingress.kubernetes.io/healthcheck-path",
    "alb.ingress.kubernetes.io/inbound-cidrs",
    "alb.ingress.kubernetes.io/listen-ports",
    "alb.ingress.kubernetes.io/load-balancer-attributes",
    "alb.ingress.kubernetes.io/scheme",
    "alb.ingress.kubernetes.io/ssl-policy",
    "alb.ingress.kubernetes.io/ssl-redirect",
    "alb.ingress.kubernetes.io/subnets",
    "alb.ingress.kubernetes.io/target-group-attributes",
    "alb.ingress.kubernetes.io/target-type",
    "alb.ingress.kubernetes.io/wafv2-acl-arn",
    "alb.ingress.kubernetes.io/wafv2-acl-name",
    "external-dns.alpha.kubernetes.io/alias",
    "external-dns.alpha.kubernetes.io/hostname",
    "external-dns.alpha.kubernetes.io/ingress-hostname-source",
    "kubernetes.io/ingress.class",
];

/// A DNS name, perhaps with a wildcard as its first label.
const HOST: &str = "^([*][.])?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";

/// For a list of hosts.
pub(super) fn host_rules(field: &str) -> Value {
    json!([{
        "rule": format!("self.all(host, host.matches('{HOST}'))"),
        "message": format!(
            "every entry of {field} must be a DNS name in lower case without a port, or one behind *., such as \
             assets.example or *.assets.example"
        ),
    }, {
        "rule": "!self.exists(host, host.matches('^([*][.])?[0-9]+([.][0-9]+){3}$'))",
        "message": format!("every entry of {field} must be a DNS name and not an IP address, which no Ingress takes"),
    }])
}

/// For a map of attributes, of which those that fields set are refused.
pub(super) fn attribute_rules(field: &str, own: &[&str], instead: &str) -> Value {
    let name = "size(key) <= 256 && key.matches('^[A-Za-z0-9_.]+$')";
    json!([
        of_keys(
            name,
            &format!(
                "a key of {field} must be the name of an attribute, such as load_balancing.cross_zone.enabled: change it"
            )
        ),
        of_keys(
            &format!("!(key in {})", list(own)),
            &format!(
                "what it sets in {field} is set by a field of spec.ingress: leave it out, and set {instead}"
            ),
        ),
    ])
}

/// For the free annotations.
pub(super) fn annotation_rules() -> Value {
    let field = "spec.ingress.annotations";
    json!([
        of_keys(
            &format!("size(key) <= 317 && key.matches('{KEY}')"),
            &format!("a key of {field} must be a name such as example.com/team: change it"),
        ),
        of_keys(
            &format!("!key.startsWith('assetpipeline.dev/') && !(key in {})", list(&OWN_INGRESS_ANNOTATIONS)),
            &format!(
                "what it says in {field} is said by the operator or by a field of spec.ingress: leave it out, and set \
                 the field"
            ),
        ),
        of_keys(
            "!key.endsWith('-snippet')",
            &format!(
                "{field} cannot hold snippets, which change a controller that serves others, too: leave it out, or \
                 make an Ingress of your own"
            ),
        ),
    ])
}

/// For the Ingress as a whole.
pub(super) fn ingress_rules() -> Value {
    json!([{
        "rule": "!has(self.certificateArn) || !has(self.tls) || !has(self.tls.secretName)",
        "message": "spec.ingress.certificateArn and spec.ingress.tls.secretName are two certificates: leave one of \
                    them out",
    }, {
        "rule": "!has(self.tls) || !has(self.tls.secretName) || self.className != 'alb'",
        "message": "spec.ingress.tls.secretName is for other classes than alb, which takes certificates of ACM: \
                    leave it out, and set spec.ingress.certificateArn or have them found by the hosts, or set another \
                    className",
    }, {
        "rule": format!(
            "!has(self.slowStartSeconds) || self.slowStartSeconds == 0 || !has(self.targetGroupAttributes) || \
             !('{ALGORITHM_ATTRIBUTE}' in self.targetGroupAttributes) || \
             self.targetGroupAttributes['{ALGORITHM_ATTRIBUTE}'] == 'round_robin'"
        ),
        "message": format!(
            "spec.ingress.slowStartSeconds goes with the algorithm round_robin alone: set 0, or leave \
             {ALGORITHM_ATTRIBUTE} out of spec.ingress.targetGroupAttributes"
        ),
    }, {
        "rule": format!(
            "!has(self.inboundCidrs) || size(self.inboundCidrs) == 0 || !has(self.annotations) || \
             !('{SECURITY_GROUPS_ANNOTATION}' in self.annotations)"
        ),
        "message": format!(
            "spec.ingress.inboundCidrs counts for the security group that the controller makes, and none is made with \
             the annotation {SECURITY_GROUPS_ANNOTATION}: leave one of them out"
        ),
    }])
}

/// For the Ingress beside other parts of the spec.
pub(in crate::spec) fn spec_rules() -> Value {
    json!([{
        "rule": format!(
            "!has(self.ingress) || !has(self.ingress.idleTimeoutSeconds) || \
             self.ingress.idleTimeoutSeconds >= self.web.holdSeconds + {IDLE_TIMEOUT_MARGIN_SECONDS}"
        ),
        "message": format!(
            "spec.ingress.idleTimeoutSeconds must be at least spec.web.holdSeconds + {IDLE_TIMEOUT_MARGIN_SECONDS}, \
             since the load balancer gives up whoever waits longer: raise the one or lower the other"
        ),
    }, {
        "rule": "!has(self.ingress) || !has(self.ingress.deregistrationDelaySeconds) || \
                 self.ingress.deregistrationDelaySeconds >= self.web.holdSeconds",
        "message": "spec.ingress.deregistrationDelaySeconds must not be below spec.web.holdSeconds, since the load \
                    balancer cuts off whoever a pod that goes holds longer: raise the one or lower the other",
    }, {
        "rule": "!has(self.ingress) || !has(self.ingress.tls) || has(self.ingress.tls.secretName) || \
                 !self.ingress.tls.redirect || !has(self.notifications.endpoint) || \
                 !self.notifications.endpoint.matches('^http://[^/:]*[^/:0-9.][^/:]*(:80)?/')",
        "message": "spec.notifications.endpoint must be https where spec.ingress.tls redirects http, since SNS follows \
                    no redirect: make it https, or set spec.ingress.tls.redirect to false",
    }, {
        "rule": "!has(self.ingress) || !has(self.ingress.hosts) || !has(self.notifications.endpoint) || \
                 !self.ingress.hosts.exists(host, ['http://', 'https://'].exists(scheme, \
                 self.notifications.endpoint.startsWith(scheme + host + '/') || \
                 self.notifications.endpoint.startsWith(scheme + host + ':')))",
        "message": "the host of spec.notifications.endpoint stands in spec.ingress.hosts, too, which are for visitors: \
                    give notifications a host of their own",
    }])
}

/// Refuses a map by the first of its keys that is not as it should be, which the message names.
fn of_keys(is_right: &str, message: &str) -> Value {
    json!({
        "rule": format!("self.all(key, {is_right})"),
        "message": message,
        "messageExpression": format!("'key ' + self.filter(key, !({is_right}))[0] + ': {message}'"),
    })
}

fn list(texts: &[&str]) -> String {
    format!("['{}']", texts.join("', '"))
}
