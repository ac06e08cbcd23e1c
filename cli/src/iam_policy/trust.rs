//! `iam-policy --trust`: who may take the role, in place of what it may do.

use anyhow::Context;
use clap::{Args, ValueEnum};
use crds::AssetPipeline;
use operator::iam::{
    Known, Role,
    trust::{OidcProvider, ServiceAccountName, Trust, build_trust_policy},
};
use serde_json::Value;

#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// Print who may take the role instead of what it may do: the pods of one `ServiceAccount`, by this way
    #[arg(long, value_enum)]
    trust: Option<Way>,
    /// For irsa: ARN of the cluster's OIDC provider in IAM, or the URL of its issuer
    #[arg(long, requires = "trust", required_if_eq("trust", "irsa"), value_name = "ARN|URL")]
    oidc_provider: Option<String>,
    /// For pod-identity: name of the cluster at EKS; without it pods of each cluster of the account may take the role
    #[arg(long, requires = "trust", value_name = "NAME")]
    eks_cluster: Option<String>,
    /// The operator's own `ServiceAccount`, as namespace and name
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        default_value = "assetpipeline-system/assetpipeline-operator",
        value_parser = parse_account
    )]
    operator_account: ServiceAccountName,
}

/// By which of EKS's ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    PodIdentity,
    Irsa,
}

/// The policy, and what is to be done beside it.
#[derive(Debug, PartialEq)]
pub(super) struct Trusted {
    pub(super) policy: Value,
    pub(super) next: String,
}

impl TrustArguments {
    /// Where it is asked for.
    pub(super) fn build(
        self,
        role: Role,
        object: &AssetPipeline,
        known: &Known,
    ) -> anyhow::Result<Option<Trusted>> {
        let Self { trust, oidc_provider, eks_cluster, operator_account } = self;
        let Some(way) = trust else { return Ok(None) };
        let account = ServiceAccountName::of_pods(role, object).unwrap_or(operator_account);
        let (trust, next) = match way {
            Way::PodIdentity => {
                let next = tell_association(&account, eks_cluster.as_deref());
                (Trust::PodIdentity { eks_cluster }, next)
            }
            Way::Irsa => {
                let provider = oidc_provider.context("say --oidc-provider")?;
                (Trust::WebIdentity(OidcProvider::parse(&provider, known)?), tell_annotation(role, &account))
            }
        };
        Ok(Some(Trusted { policy: build_trust_policy(&trust, &account), next }))
    }
}

fn tell_association(account: &ServiceAccountName, eks_cluster: Option<&str>) -> String {
    let ServiceAccountName { namespace, name } = account;
    let cluster = eks_cluster.unwrap_or("<cluster>");
    format!(
        "pods that start after this have the role: aws eks create-pod-identity-association --cluster-name {cluster} \
         --namespace {namespace} --service-account {name} --role-arn <the role's ARN>"
    )
}

fn tell_annotation(role: Role, account: &ServiceAccountName) -> String {
    let place = match role {
        Role::Operator => "the Helm value serviceAccount.annotations.\"eks\\.amazonaws\\.com/role-arn\"",
        Role::Web => "spec.aws.webRoleArn of the pipeline",
        Role::Worker => "spec.aws.workerRoleArn of the pipeline",
    };
    format!("ServiceAccount {account} has the role once its ARN is {place}")
}

fn parse_account(text: &str) -> Result<ServiceAccountName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ServiceAccountName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("it must be <namespace>/<name>".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        trust: TrustArguments,
    }

    fn parse(words: &str) -> Result<TrustArguments, String> {
        let line = Line::try_parse_from(["iam-policy"].into_iter().chain(words.split_whitespace()));
        line.map(|line| line.trust).map_err(|error| error.to_string())
    }

    fn build(role: Role, words: &str) -> Option<Trusted> {
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline",
            "metadata": {"namespace": "shop", "name": "store"}, "spec": {},
        });
        let object = serde_json::from_value(object).unwrap();
        parse(words).unwrap().build(role, &object, &Known::default()).unwrap()
    }

    #[test]
    fn trust_is_printed_only_where_it_is_asked_for() {
        assert_eq!(build(Role::Web, ""), None);
    }

    #[test]
    fn either_way_names_the_service_account_and_what_is_left_to_do() {
        let pods = build(Role::Worker, "--trust pod-identity --eks-cluster east").unwrap();
        let tags = &pods.policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(tags["aws:RequestTag/kubernetes-service-account"], json!(["store-worker"]));
        let command = "--cluster-name east --namespace shop --service-account store-worker";
        assert!(pods.next.contains(command), "{}", pods.next);

        let arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/1";
        let web = build(Role::Web, &format!("--trust irsa --oidc-provider {arn}")).unwrap();
        let statement = &web.policy["Statement"][0];
        assert_eq!(statement["Principal"], json!({"Federated": arn}));
        assert!(web.next.contains("spec.aws.webRoleArn"), "{}", web.next);

        let own = build(Role::Operator, "--trust pod-identity").unwrap().next;
        assert!(own.contains("--namespace assetpipeline-system --service-account assetpipeline-operator"));
        let named = build(Role::Operator, "--trust pod-identity --operator-account ops/mine").unwrap().next;
        assert!(named.contains("--namespace ops --service-account mine"), "{named}");
    }

    #[test]
    fn arguments_that_say_too_little_are_refused_by_name() {
        for (words, name) in [
            ("--trust irsa", "--oidc-provider"),
            ("--oidc-provider https://oidc.example", "--trust"),
            ("--eks-cluster east", "--trust"),
            ("--trust kiam", "--trust"),
            ("--trust pod-identity --operator-account mine", "--operator-account"),
        ] {
            let refused = parse(words).unwrap_err();
            assert!(refused.contains(name), "{words}: {refused}");
        }
    }
}
