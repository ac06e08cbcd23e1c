//! Who may take a role: the pods of one `ServiceAccount`, by either of EKS's two ways, and nobody else. Pure.

use std::fmt;

use crds::AssetPipeline;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{Condition, Known, Role, to_block};
use crate::{aws::partition_of, names::Tier};

/// What a `ServiceAccount`'s token must be meant for, as EKS has it everywhere.
const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// Who takes roles for pods in EKS Pod Identity.
const POD_IDENTITY: &str = "pods.eks.amazonaws.com";

/// By which way pods take their role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// EKS Pod Identity: an association at EKS says which `ServiceAccount` has which role.
    PodIdentity {
        /// The name at EKS of the only cluster that counts; absent: each one of the account.
        eks_cluster: Option<String>,
    },
    /// IAM roles for service accounts: an annotation of the `ServiceAccount` names the role.
    WebIdentity(OidcProvider),
}

/// The cluster's issuer of tokens, as IAM knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    arn: String,
    /// Host and path.
    issuer: String,
}

/// Why a text names no provider.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidProvider {
    #[error(
        "{0} is neither an ARN such as arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123 \
         nor the URL of the cluster's issuer, which begins with https://"
    )]
    Neither(String),
    #[error("the issuer's URL tells no account: say --account-id, or name the provider by its ARN")]
    NoAccount,
}

/// A `ServiceAccount` by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountName {
    pub namespace: String,
    pub name: String,
}

impl ServiceAccountName {
    /// Those of a pipeline's pods follow from its name; the operator's is its release's matter.
    pub fn of_pods(role: Role, object: &AssetPipeline) -> Option<Self> {
        let tier = match role {
            Role::Operator => return None,
            Role::Web => Tier::Web,
            Role::Worker => Tier::Worker,
        };
        let name = tier.child_name(&object.name_any());
        Some(Self { namespace: object.namespace().unwrap_or_default(), name })
    }
}

impl fmt::Display for ServiceAccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl OidcProvider {
    /// By its ARN, or by the issuer's URL as EKS tells it, which leaves the account to what is known otherwise.
    pub fn parse(text: &str, known: &Known) -> Result<Self, InvalidProvider> {
        let neither = || InvalidProvider::Neither(text.to_owned());
        let issuer = if text.starts_with("arn:") {
            let (head, issuer) = text.split_once(":oidc-provider/").ok_or_else(neither)?;
            if head.split(':').count() != 5 || head.split(':').nth(2) != Some("iam") {
                return Err(neither());
            }
            issuer
        } else {
            text.strip_prefix("https://").ok_or_else(neither)?.trim_end_matches('/')
        };
        if issuer.is_empty() || issuer.contains(|c: char| c.is_whitespace() || "*?:@".contains(c)) {
            return Err(neither());
        }
        if text.starts_with("arn:") {
            return Ok(Self { arn: text.to_owned(), issuer: issuer.to_owned() });
        }
        let account = known.account_id.as_deref().ok_or(InvalidProvider::NoAccount)?;
        let partition = partition_of(known.region.as_deref().unwrap_or_default());
        let arn = format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}");
        Ok(Self { arn, issuer: issuer.to_owned() })
    }
}

/// The role's trust policy, as IAM takes it.
pub fn build_trust_policy(trust: &Trust, account: &ServiceAccountName) -> Value {
    let statement = match trust {
        Trust::PodIdentity { eks_cluster } => trust_agent(account, eks_cluster.as_deref()),
        Trust::WebIdentity(provider) => trust_issuer(account, provider),
    };
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// EKS sets these tags on the session, so that it must be allowed to; they are what tells one pod from another.
fn trust_agent(account: &ServiceAccountName, eks_cluster: Option<&str>) -> Value {
    let ServiceAccountName { namespace, name } = account;
    let of_pod = [("kubernetes-namespace", namespace.as_str()), ("kubernetes-service-account", name)];
    let of_cluster = eks_cluster.map(|cluster| ("eks-cluster-name", cluster));
    let conditions: Vec<Condition> = of_pod
        .into_iter()
        .chain(of_cluster)
        .map(|(tag, value)| is(format!("aws:RequestTag/{tag}"), value.to_owned()))
        .collect();
    json!({
        "Sid": "TakeByPodIdentity", "Effect": "Allow",
        "Principal": {"Service": POD_IDENTITY},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": to_block(&conditions),
    })
}

fn trust_issuer(account: &ServiceAccountName, provider: &OidcProvider) -> Value {
    let ServiceAccountName { namespace, name } = account;
    let OidcProvider { arn, issuer } = provider;
    let conditions = [
        is(format!("{issuer}:aud"), STS_AUDIENCE.to_owned()),
        is(format!("{issuer}:sub"), format!("system:serviceaccount:{namespace}:{name}")),
    ];
    json!({
        "Sid": "TakeByWebIdentity", "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": to_block(&conditions),
    })
}

fn is(key: String, value: String) -> Condition {
    Condition { test: "StringEquals", key, values: vec![value] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/0123ABCD";

    fn web() -> ServiceAccountName {
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline",
            "metadata": {"namespace": "shop", "name": "store"}, "spec": {},
        });
        let object = serde_json::from_value(object).unwrap();
        assert_eq!(ServiceAccountName::of_pods(Role::Operator, &object), None);
        let worker = ServiceAccountName::of_pods(Role::Worker, &object).unwrap();
        assert_eq!(worker.to_string(), "shop/store-worker");
        ServiceAccountName::of_pods(Role::Web, &object).unwrap()
    }

    fn known(region: &str) -> Known {
        Known {
            account_id: Some("111122223333".to_owned()),
            region: Some(region.to_owned()),
            cluster_name: None,
        }
    }

    #[test]
    fn pod_identity_is_held_to_one_service_account_and_cluster() {
        let policy = |eks_cluster: Option<&str>| {
            let trust = Trust::PodIdentity { eks_cluster: eks_cluster.map(str::to_owned) };
            build_trust_policy(&trust, &web())
        };
        let mut tags = json!({
            "aws:RequestTag/kubernetes-namespace": ["shop"],
            "aws:RequestTag/kubernetes-service-account": ["store-web"],
        });
        let expected = |tags: &Value| {
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "TakeByPodIdentity", "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {"StringEquals": tags},
            }]})
        };
        assert_eq!(policy(None), expected(&tags));
        tags["aws:RequestTag/eks-cluster-name"] = json!(["east"]);
        assert_eq!(policy(Some("east")), expected(&tags));
    }

    #[test]
    fn web_identity_is_held_to_one_service_account_and_audience() {
        let arn = format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}");
        for provider in [arn.clone(), format!("https://{ISSUER}"), format!("https://{ISSUER}/")] {
            let provider = OidcProvider::parse(&provider, &known("eu-west-1")).unwrap();
            let expected = json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "TakeByWebIdentity", "Effect": "Allow",
                "Principal": {"Federated": arn},
                "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Condition": {"StringEquals": {
                    format!("{ISSUER}:aud"): ["sts.amazonaws.com"],
                    format!("{ISSUER}:sub"): ["system:serviceaccount:shop:store-web"],
                }},
            }]});
            assert_eq!(build_trust_policy(&Trust::WebIdentity(provider), &web()), expected);
        }
    }

    #[test]
    fn provider_is_an_arn_or_a_url_with_an_account() {
        let china = OidcProvider::parse("https://oidc.example/id/1", &known("cn-north-1")).unwrap();
        assert_eq!(china.arn, "arn:aws-cn:iam::111122223333:oidc-provider/oidc.example/id/1");
        let unknown = OidcProvider::parse("https://oidc.example/id/1", &Known::default());
        assert_eq!(unknown, Err(InvalidProvider::NoAccount));
        for wrong in [
            "",
            "oidc.example/id/1",
            "http://oidc.example/id/1",
            "https://",
            "https://*",
            "arn:aws:iam::111122223333:role/web",
            "arn:aws:sts::111122223333:oidc-provider/oidc.example",
            "arn:aws:iam::111122223333:oidc-provider/",
        ] {
            let refused = OidcProvider::parse(wrong, &known("eu-west-1"));
            assert_eq!(refused, Err(InvalidProvider::Neither(wrong.to_owned())));
        }
    }
}
