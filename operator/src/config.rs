//! The operator's settings: flags and environment in, one resolved [`Config`] out.

mod endpoints;

use std::{net::SocketAddr, num::NonZeroU32};

use clap::Parser;
use crds::NetworkPolicies;
use ipnet::IpNet;
use pipeline::settings::OnOff;

pub use endpoints::{Endpoint, Endpoints, InvalidEndpoint};

use self::endpoints::EndpointOptions;
use crate::{aws::Adoptable, scope::Scope};

/// Reconciles `AssetPipeline` objects into workloads and AWS resources.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Image of the web pods.
    #[arg(long, env = "WEB_IMAGE")]
    web_image: String,
    /// Image of the worker pods.
    #[arg(long, env = "WORKER_IMAGE")]
    worker_image: String,
    /// When nodes pull the images of the web and worker pods.
    #[arg(long, env = "IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    image_pull_policy: String,
    /// Name of this cluster, unique in the AWS account; part of the tags on everything made there.
    #[arg(long, env = "CLUSTER_NAME")]
    cluster_name: String,
    /// DNS domain of the cluster.
    #[arg(long, env = "CLUSTER_DOMAIN", default_value = "cluster.local")]
    cluster_domain: String,
    /// AWS region of the queues, topics and buckets, and of the pods' clients.
    #[arg(long, env = "AWS_REGION")]
    aws_region: String,
    #[command(flatten)]
    endpoints: EndpointOptions,
    /// PEM of the certificate authorities that vouch for SNS's signer instead of the public ones, for an emulator.
    #[arg(long, env = "SNS_CERTIFICATE_AUTHORITY")]
    sns_certificate_authority: Option<String>,
    /// Where the certificate of SNS's signer is fetched instead of SNS's own host, for an emulator.
    #[arg(long, env = "SNS_CERTIFICATE_ENDPOINT")]
    sns_certificate_endpoint: Option<String>,
    /// Whether pipelines whose spec does not say so have network policies: `Managed` or `None`.
    #[arg(long, env = "NETWORK_POLICIES", default_value = "Managed", value_parser = parse_policies)]
    network_policies: NetworkPolicies,
    /// Networks (CIDR) that pods may reach at port 443 for AWS, where pipelines have network policies. The private
    /// addresses of VPC endpoints are among all addresses.
    #[arg(long, env = "AWS_NETWORKS", value_delimiter = ',', default_value = "0.0.0.0/0,::/0")]
    aws_networks: Vec<IpNet>,
    /// Networks (CIDR) from which pods' /health, /ready and /metrics may be asked beside the cluster's pods, where
    /// pipelines have network policies: kubelets and API servers.
    #[arg(long, env = "OPERATION_NETWORKS", value_delimiter = ',', default_value = PRIVATE_NETWORKS)]
    operation_networks: Vec<IpNet>,
    /// What pipelines may use on AWS though no tag there allows it: JSON, names of `buckets`, `queues` and
    /// `topics` by namespace.
    #[arg(long, env = "ADOPTABLE_BINDINGS", default_value = "{}", value_parser = parse_adoptable)]
    adoptable_bindings: Adoptable,
    /// Calls a second on AWS that looking for drift may cost, for all pipelines together: the time between two looks
    /// is five minutes, or longer where there are too many pipelines for that.
    #[arg(long, env = "DRIFT_CALLS_PER_SECOND", default_value = "10")]
    drift_calls_per_second: NonZeroU32,
    /// Namespaces in which the operator works, with commas between them; none means all. It lists, watches and writes
    /// nothing elsewhere, its Lease aside.
    #[arg(
        long,
        env = "WATCH_NAMESPACES",
        default_value = "",
        hide_default_value = true,
        value_name = "NAMES"
    )]
    watch_namespaces: Scope,
    /// Whether the cluster's nodes are watched, by which pods are counted zone by zone, and surplus ones moved to a
    /// zone that has come back.
    #[arg(long, env = "WATCH_NODES", default_value = "On")]
    watch_nodes: OnOff,
    /// Name of the Lease by which one of several operators leads.
    #[arg(long, env = "LEASE_NAME", default_value = "assetpipeline-operator")]
    lease_name: String,
    /// Namespace of the Lease; by default the one that the process runs in.
    #[arg(long, env = "LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// What the Lease calls this process, such as its pod's name; a suffix that is drawn makes it unique.
    #[arg(long, env = "IDENTITY", default_value = "operator")]
    identity: String,
    /// Where /health, /ready and /metrics are served.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
}

/// Where machines of clusters have their addresses, unless somebody says otherwise.
const PRIVATE_NETWORKS: &str = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7";

/// The resolved settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub workloads: WorkloadConfig,
    pub network: NetworkConfig,
    pub cluster_name: String,
    pub aws_region: String,
    pub adoptable: Adoptable,
    /// For looking for drift, of all pipelines together.
    pub drift_calls_per_second: NonZeroU32,
    pub scope: Scope,
    pub watch_nodes: OnOff,
    pub lease: LeaseConfig,
    pub listen: SocketAddr,
}

/// By which Lease one of several operators leads, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseConfig {
    pub name: String,
    /// Absent: the namespace that the process runs in.
    pub namespace: Option<String>,
    pub identity: String,
}

/// What the network policies of all pipelines have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Whether there are any where the spec does not say so.
    pub policies: NetworkPolicies,
    /// Where AWS is reached by TLS.
    pub aws_networks: Vec<IpNet>,
    /// From where, beside the cluster's pods, the operation port is asked.
    pub operation_networks: Vec<IpNet>,
}

/// What the pods of all pipelines have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadConfig {
    pub web_image: String,
    pub worker_image: String,
    pub image_pull_policy: String,
    pub cluster_domain: String,
    pub aws_region: String,
    /// Where the pods, and the operator, reach AWS.
    pub endpoints: Endpoints,
    /// PEM of the authorities of SNS's signer, where they are not the public ones.
    pub sns_certificate_authority: Option<String>,
    /// Where the signer's certificate is fetched, where that is not SNS's own host.
    pub sns_certificate_endpoint: Option<String>,
}

impl From<Options> for Config {
    fn from(options: Options) -> Self {
        let Options {
            web_image,
            worker_image,
            image_pull_policy,
            cluster_name,
            cluster_domain,
            aws_region,
            endpoints,
            sns_certificate_authority,
            sns_certificate_endpoint,
            network_policies,
            aws_networks,
            operation_networks,
            adoptable_bindings,
            drift_calls_per_second,
            watch_namespaces,
            watch_nodes,
            lease_name,
            lease_namespace,
            identity,
            listen,
        } = options;
        let is_set = |text: &String| !text.is_empty();
        let workloads = WorkloadConfig {
            web_image,
            worker_image,
            image_pull_policy,
            cluster_domain,
            aws_region: aws_region.clone(),
            endpoints: endpoints.into(),
            // Charts may set the variables to nothing where no emulator is used.
            sns_certificate_authority: sns_certificate_authority.filter(is_set),
            sns_certificate_endpoint: sns_certificate_endpoint.filter(is_set),
        };
        let lease = LeaseConfig { name: lease_name, namespace: lease_namespace, identity };
        Self {
            workloads,
            network: NetworkConfig { policies: network_policies, aws_networks, operation_networks },
            cluster_name,
            aws_region,
            adoptable: adoptable_bindings,
            drift_calls_per_second,
            scope: watch_namespaces,
            watch_nodes,
            lease,
            listen,
        }
    }
}

fn parse_policies(text: &str) -> Result<NetworkPolicies, serde_json::Error> {
    serde_json::from_value(text.into())
}

fn parse_adoptable(text: &str) -> Result<Adoptable, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
impl Config {
    /// Settings for tests; the images and endpoints do not exist.
    pub(crate) fn fixture() -> Self {
        Self {
            workloads: WorkloadConfig {
                web_image: "registry.test/web:1".into(),
                worker_image: "registry.test/worker:1".into(),
                image_pull_policy: "IfNotPresent".into(),
                cluster_domain: "cluster.local".into(),
                aws_region: "eu-west-1".into(),
                endpoints: Endpoints { all: "http://aws.test:5000".parse().ok(), ..Endpoints::default() },
                sns_certificate_authority: Some("-----BEGIN CERTIFICATE-----".into()),
                sns_certificate_endpoint: Some("http://aws.test:5000".into()),
            },
            network: NetworkConfig {
                policies: NetworkPolicies::Managed,
                aws_networks: ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap()).into(),
                operation_networks: vec!["10.0.0.0/8".parse().unwrap()],
            },
            cluster_name: "east".into(),
            aws_region: "eu-west-1".into(),
            adoptable: Adoptable::default(),
            drift_calls_per_second: NonZeroU32::MIN,
            scope: Scope::Cluster,
            watch_nodes: OnOff::On,
            lease: LeaseConfig {
                name: "operator".into(),
                namespace: Some("operators".into()),
                identity: "operator".into(),
            },
            listen: "127.0.0.1:8080".parse().unwrap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(adoptable: &[&str]) -> Result<Config, clap::Error> {
        let needed =
            ["operator", "--web-image=w", "--worker-image=w", "--cluster-name=east", "--aws-region=r"];
        Options::try_parse_from(needed.iter().chain(adoptable)).map(Config::from)
    }

    #[test]
    fn names_that_namespaces_may_adopt_are_read_whole_or_not_at_all() {
        assert_eq!(parse(&[]).unwrap().adoptable, Adoptable::default());
        let one = parse(&[r#"--adoptable-bindings={"shop": {"buckets": ["site"]}}"#]).unwrap();
        assert_ne!(one.adoptable, Adoptable::default());
        for wrong in ["", "shop", r#"{"shop": ["site"]}"#, r#"{"shop": {"bucket": ["site"]}}"#] {
            assert!(parse(&[&format!("--adoptable-bindings={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pipelines_have_network_policies_unless_the_settings_say_none() {
        assert_eq!(parse(&[]).unwrap().network.policies, NetworkPolicies::Managed);
        assert_eq!(parse(&["--network-policies=None"]).unwrap().network.policies, NetworkPolicies::None);
        for wrong in ["", "none", "Off"] {
            assert!(parse(&[&format!("--network-policies={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_read_from_a_list_and_never_none() {
        let network = parse(&[]).unwrap().network;
        let text =
            |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(text(&network.aws_networks), "0.0.0.0/0,::/0");
        assert_eq!(text(&network.operation_networks), PRIVATE_NETWORKS);
        let given =
            parse(&["--aws-networks=10.1.0.0/16,fd00::/8", "--operation-networks=10.2.0.0/16"]).unwrap();
        assert_eq!(text(&given.network.aws_networks), "10.1.0.0/16,fd00::/8");
        assert_eq!(text(&given.network.operation_networks), "10.2.0.0/16");
        for wrong in ["", "10.0.0.0", "intranet", "10.0.0.0/8,"] {
            for flag in ["--aws-networks", "--operation-networks"] {
                assert!(parse(&[&format!("{flag}={wrong}")]).is_err(), "{flag}={wrong}");
            }
        }
    }

    #[test]
    fn budget_of_drift_is_a_number_above_zero() {
        assert_eq!(parse(&[]).unwrap().drift_calls_per_second.get(), 10);
        assert_eq!(parse(&["--drift-calls-per-second=200"]).unwrap().drift_calls_per_second.get(), 200);
        for wrong in ["0", "-1", "1.5", "many", ""] {
            assert!(parse(&[&format!("--drift-calls-per-second={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn operator_works_everywhere_unless_namespaces_are_named() {
        let whole = parse(&[]).unwrap();
        assert_eq!((whole.scope, whole.watch_nodes), (Scope::Cluster, OnOff::On));
        assert_eq!(parse(&["--watch-namespaces="]).unwrap().scope, Scope::Cluster);
        let some = parse(&["--watch-namespaces=shop,blog", "--watch-nodes=Off"]).unwrap();
        assert_eq!((some.scope, some.watch_nodes), ("blog,shop".parse().unwrap(), OnOff::Off));
        for wrong in ["--watch-namespaces=shop,", "--watch-namespaces=*", "--watch-nodes=false"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}
