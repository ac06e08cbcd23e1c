//! What the spec says of the Ingress, put into types that cannot contradict themselves.

use std::collections::BTreeMap;

use crds::{
    ALGORITHM_ATTRIBUTE, AccessLogsSpec, ExternalDnsSpec, IngressGroupSpec, IngressScheme, IngressSpec,
    IngressTlsSpec, MIN_SLOW_START_SECONDS, OWN_INGRESS_ANNOTATIONS, OWN_LOAD_BALANCER_ATTRIBUTES,
    OWN_TARGET_GROUP_ATTRIBUTES, SECURITY_GROUPS_ANNOTATION,
};
use ipnet::IpNet;
use url::Url;

use super::{InvalidSpec, invalid, unsigned, validate_host};

/// The class whose certificates are ACM's.
const ALB_CLASS: &str = "alb";
/// Where load balancers and Ingress controllers listen for HTTP.
const HTTP_PORT: u16 = 80;

/// An Ingress whose every part is known to go with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidIngress {
    pub class_name: String,
    pub scheme: IngressScheme,
    pub tls: Tls,
    /// Beside the tenants'; one may begin with `*.`.
    pub hosts: Vec<String>,
    pub waf_acl_arn: Option<String>,
    pub group: Option<IngressGroupSpec>,
    pub subnets: Vec<String>,
    pub inbound_cidrs: Vec<IpNet>,
    /// Absent: nothing is said of them.
    pub access_logs: Option<AccessLogs>,
    pub slow_start_seconds: Option<u32>,
    pub load_balancer_attributes: BTreeMap<String, String>,
    pub target_group_attributes: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub external_dns: Option<ExternalDnsSpec>,
}

/// How HTTPS is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    None,
    /// By a load balancer of AWS.
    Acm {
        certificate: Certificate,
        policy: Policy,
        redirect: Redirect,
    },
    /// By whatever the class is, with this Secret.
    Secret(String),
}

/// Which certificates of ACM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    Arn(String),
    /// Those that the controller finds by the hosts.
    Discovered,
}

/// Which protocols and ciphers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// The controller's.
    Unsaid,
    /// Ours.
    Default,
    Named(String),
}

/// What becomes of HTTP beside HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    ToHttps,
    None,
}

/// Where the load balancer stores its access logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogs {
    Off,
    To { bucket: String, prefix: Option<String> },
}

pub(super) fn validate(ingress: &IngressSpec) -> Result<ValidIngress, InvalidSpec> {
    let IngressSpec {
        class_name,
        certificate_arn,
        scheme,
        tls,
        hosts,
        waf_acl_arn,
        group,
        subnets,
        inbound_cidrs,
        access_logs,
        // Of the chain of timeouts.
        idle_timeout_seconds: _,
        deregistration_delay_seconds: _,
        slow_start_seconds,
        load_balancer_attributes,
        target_group_attributes,
        annotations,
        external_dns,
    } = ingress;
    refuse_attributes("loadBalancerAttributes", load_balancer_attributes, &OWN_LOAD_BALANCER_ATTRIBUTES)?;
    refuse_attributes("targetGroupAttributes", target_group_attributes, &OWN_TARGET_GROUP_ATTRIBUTES)?;
    check_annotations(annotations)?;
    if !inbound_cidrs.is_empty() && annotations.contains_key(SECURITY_GROUPS_ANNOTATION) {
        let problem = format!(
            "it counts for the security group that the controller makes, and none is made with the annotation \
             {SECURITY_GROUPS_ANNOTATION}; leave one of them out"
        );
        return Err(invalid("spec.ingress.inboundCidrs", &inbound_cidrs.join(", "), &problem));
    }
    let named_in_dns = external_dns.iter().flat_map(|dns| &dns.hosts);
    check_hosts("spec.ingress.hosts", hosts)?;
    check_hosts("spec.ingress.externalDns.hosts", named_in_dns)?;
    Ok(ValidIngress {
        class_name: class_name.clone(),
        scheme: *scheme,
        tls: validate_tls(class_name, certificate_arn.as_deref(), tls.as_ref())?,
        hosts: hosts.clone(),
        waf_acl_arn: waf_acl_arn.clone(),
        group: group.clone(),
        subnets: subnets.clone(),
        inbound_cidrs: inbound_cidrs.iter().map(|text| validate_cidr(text)).collect::<Result<_, _>>()?,
        access_logs: access_logs.as_ref().map(validate_access_logs).transpose()?,
        slow_start_seconds: validate_slow_start(*slow_start_seconds, target_group_attributes)?,
        load_balancer_attributes: load_balancer_attributes.clone(),
        target_group_attributes: target_group_attributes.clone(),
        annotations: annotations.clone(),
        external_dns: external_dns.clone(),
    })
}

impl ValidIngress {
    /// Whether SNS could reach a URL through this Ingress; what is wrong and what to do where it cannot.
    pub(super) fn check_endpoint(&self, url: &Url) -> Result<(), &'static str> {
        let Some(host) = url.domain() else { return Ok(()) };
        if self.hosts.iter().any(|visitors| visitors == host) {
            return Err(
                "its host stands in spec.ingress.hosts, too, which are for visitors; give notifications a host of \
                 their own",
            );
        }
        // An ALB that redirects has no rule at its port 80, and SNS follows no redirect. Where certificateArn alone
        // says so, pipelines may live whose endpoint is reached by another way: of them SubscriptionReady tells.
        match &self.tls {
            Tls::Acm { policy: Policy::Default | Policy::Named(_), redirect: Redirect::ToHttps, .. }
                if url.scheme() == "http" && url.port_or_known_default() == Some(HTTP_PORT) =>
            {
                Err(
                    "spec.ingress.tls redirects http to https, and SNS follows no redirect; make it https, or set \
                     spec.ingress.tls.redirect to false",
                )
            }
            Tls::Acm { .. } | Tls::Secret(_) | Tls::None => Ok(()),
        }
    }
}

fn validate_tls(class: &str, arn: Option<&str>, tls: Option<&IngressTlsSpec>) -> Result<Tls, InvalidSpec> {
    let arn = arn.map(|arn| Certificate::Arn(arn.to_owned()));
    let Some(IngressTlsSpec { secret_name, ssl_policy, redirect }) = tls else {
        let of_acm =
            |certificate| Tls::Acm { certificate, policy: Policy::Unsaid, redirect: Redirect::ToHttps };
        return Ok(arn.map_or(Tls::None, of_acm));
    };
    let Some(secret) = secret_name else {
        return Ok(Tls::Acm {
            certificate: arn.unwrap_or(Certificate::Discovered),
            policy: ssl_policy.clone().map_or(Policy::Default, Policy::Named),
            redirect: if *redirect { Redirect::ToHttps } else { Redirect::None },
        });
    };
    let problem = if arn.is_some() {
        "spec.ingress.certificateArn is another certificate; leave one of them out"
    } else if class == ALB_CLASS {
        "class alb takes certificates of ACM; leave it out, and set spec.ingress.certificateArn or have them found by \
         the hosts, or set another className"
    } else if ssl_policy.is_some() || !redirect {
        "sslPolicy, and redirect false, need a certificate of ACM; leave them out beside secretName, and say in \
         spec.ingress.annotations what the class is to do"
    } else {
        return Ok(Tls::Secret(secret.clone()));
    };
    Err(invalid("spec.ingress.tls.secretName", secret, problem))
}

fn validate_access_logs(logs: &AccessLogsSpec) -> Result<AccessLogs, InvalidSpec> {
    let AccessLogsSpec { bucket, prefix } = logs;
    match (bucket, prefix) {
        (Some(bucket), prefix) => Ok(AccessLogs::To { bucket: bucket.clone(), prefix: prefix.clone() }),
        (None, None) => Ok(AccessLogs::Off),
        (None, Some(prefix)) => {
            let problem = "it needs a bucket; name it, or leave the prefix out";
            Err(invalid("spec.ingress.accessLogs.prefix", prefix, problem))
        }
    }
}

/// With another algorithm, targets have their full share at once:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>.
fn validate_slow_start(
    seconds: Option<i32>,
    attributes: &BTreeMap<String, String>,
) -> Result<Option<u32>, InvalidSpec> {
    let field = "spec.ingress.slowStartSeconds";
    let Some(seconds) = seconds.map(|seconds| unsigned(field, seconds)).transpose()? else { return Ok(None) };
    if seconds > 0 && seconds < MIN_SLOW_START_SECONDS {
        return Err(invalid(field, &seconds, "it must be 0, or lie between 30 and 900"));
    }
    if seconds > 0 && attributes.get(ALGORITHM_ATTRIBUTE).is_some_and(|algorithm| algorithm != "round_robin")
    {
        let problem = format!(
            "it goes with the algorithm round_robin alone; set 0, or leave {ALGORITHM_ATTRIBUTE} out of \
             spec.ingress.targetGroupAttributes"
        );
        return Err(invalid(field, &seconds, &problem));
    }
    Ok(Some(seconds))
}

/// Without host bits: EC2 stores networks so, and the controller would find a difference again and again.
fn validate_cidr(text: &str) -> Result<IpNet, InvalidSpec> {
    let problem = "it must be a network with its prefix length, such as 203.0.113.0/24";
    let network: IpNet = text.parse().map_err(|_| invalid("spec.ingress.inboundCidrs", &text, problem))?;
    Ok(network.trunc())
}

fn check_hosts<'a>(field: &str, hosts: impl IntoIterator<Item = &'a String>) -> Result<(), InvalidSpec> {
    hosts
        .into_iter()
        .try_for_each(|host| validate_host(field, host.strip_prefix("*.").unwrap_or(host)).map(drop))
}

fn refuse_attributes(
    field: &str,
    attributes: &BTreeMap<String, String>,
    own: &[&str],
) -> Result<(), InvalidSpec> {
    let field = format!("spec.ingress.{field}");
    match attributes.iter().find(|(key, value)| own.contains(&key.as_str()) || value.contains(',')) {
        Some((key, value)) if value.contains(',') => {
            let problem = "a value cannot hold a comma, at which the controller splits them; change it";
            Err(invalid(&format!("{field}[{key}]"), value, problem))
        }
        Some((key, _)) => {
            Err(invalid(&field, key, "a field of spec.ingress sets it; leave it out, and set the field"))
        }
        None => Ok(()),
    }
}

fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), InvalidSpec> {
    let field = "spec.ingress.annotations";
    let is_own = |key: &str| key.starts_with("assetpipeline.dev/") || OWN_INGRESS_ANNOTATIONS.contains(&key);
    if let Some(key) = annotations.keys().find(|key| is_own(key)) {
        let problem = "the operator or a field of spec.ingress says it; leave it out, and set the field";
        return Err(invalid(field, key, problem));
    }
    // By them whoever may write a pipeline would configure a controller that serves others.
    if let Some(key) = annotations.keys().find(|key| key.ends_with("-snippet")) {
        let problem = "snippets change a controller that serves others, too; leave it out, or make an Ingress of your own";
        return Err(invalid(field, key, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
