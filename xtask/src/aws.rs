//! Which AWS a cluster works on: the emulator, or the real one by the credentials and endpoints that this
//! machine's environment names, in the order in which AWS's own tools read them.
//!
//! What pods are given is what they can have: keys, temporary ones for as long as these last. A profile that is a way to
//! keys and has none (SSO, a role, a process) is turned into them by AWS's own command.

mod machine;
mod profile;

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result, bail};
use cluster::cache::write_whole;
use cluster::layout::{HOST_ADDRESS, REGION};
use cluster::moto;
use serde_json::{Map, Value, json};

pub use machine::Machine;

use machine::identify;
use profile::Profile;

use crate::loopback::is_loopback;

/// The Secret with the emulator's credentials, in each namespace whose pods call it.
const EMULATOR_SECRET: &str = "aws-emulator";
/// The same with the machine's own.
const REAL_SECRET: &str = "aws-credentials";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// In the cluster's state: where on AWS it works.
const REMEMBERED: &str = "aws-place";
/// In the order in which they count.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The variable for all services, and each service's own, with the Helm value that says the same.
const ENDPOINTS: [(&str, &str); 5] = [
    ("AWS_ENDPOINT_URL", "aws.endpointUrl"),
    ("AWS_ENDPOINT_URL_S3", "aws.endpointUrls.s3"),
    ("AWS_ENDPOINT_URL_SQS", "aws.endpointUrls.sqs"),
    ("AWS_ENDPOINT_URL_SNS", "aws.endpointUrls.sns"),
    ("AWS_ENDPOINT_URL_STS", "aws.endpointUrls.sts"),
];

/// What operator and pods are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Emulator,
    Real(RealAws),
}

/// The real AWS, as this machine reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealAws {
    keys: Keys,
    region: String,
    /// Variables that are set, and what they say.
    endpoints: Vec<(&'static str, String)>,
    /// Unique in the account, as far as machines' ids are.
    cluster_name: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Keys {
    id: String,
    secret: String,
    /// Of temporary ones.
    token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

impl RealAws {
    /// Reads the machine's environment and AWS's two files. An error names, in one line, all that is missing.
    pub fn find(machine: &Machine) -> Result<Self> {
        let profile = Profile::read(machine)?;
        let keys = find_keys(machine, &profile);
        let region = REGIONS.iter().find_map(|name| machine.variable(name)).or(profile.region);
        let (keys, region) = match (keys, region) {
            (Ok(keys), Some(region)) => (keys, region),
            (keys, region) => {
                let no_region = "no region: set AWS_REGION, such as eu-west-1";
                let keys = keys.err().map(|error| error.to_string());
                let missing: Vec<String> =
                    keys.into_iter().chain(region.is_none().then(|| no_region.to_owned())).collect();
                bail!("--aws real: {}", missing.join("; "));
            }
        };
        let set = ENDPOINTS.iter().filter_map(|(name, _)| Some((*name, machine.variable(name)?)));
        Ok(Self { keys, region, endpoints: set.collect(), cluster_name: format!("local-{}", identify()?) })
    }

    /// Whether the keys end by themselves, hours from now at the most.
    pub fn is_temporary(&self) -> bool {
        self.keys.token.is_some()
    }

    /// The same for a cluster that is not the local one, by what tells it from all others.
    pub fn of_cluster(self, id: &str) -> Self {
        Self { cluster_name: format!("xtask-{id}"), ..self }
    }

    /// Fails where an endpoint is on this machine's loopback, where each pod has one of its own.
    pub fn check_reached_by_pods(&self) -> Result<()> {
        for (name, url) in &self.endpoints {
            let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            if is_loopback(host.split(['/', '?']).next().unwrap_or_default()) {
                bail!(
                    "--aws real: {name} is {url}, which pods cannot reach: name an address of this machine that they \
                     can, such as {HOST_ADDRESS}"
                );
            }
        }
        Ok(())
    }
}

impl RealAws {
    /// Fails where the cluster of this state works on another region or by other endpoints: its pipelines would lose
    /// what they have there. Keys may change; whose account they are of nobody asks.
    pub fn check_same(&self, state: &Path) -> Result<()> {
        let (file, ours) = (state.join(REMEMBERED), self.tell_place());
        match fs::read_to_string(&file) {
            Ok(before) if before != ours => bail!(
                "--aws real: the local cluster that runs works on {before}, and not on {ours}: set the same, or \
                 `cargo xtask down` first"
            ),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot read {}", file.display()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// For as long as the cluster of this state is there.
    pub fn remember(&self, state: &Path) -> Result<()> {
        write_whole(&state.join(REMEMBERED), self.tell_place())
    }

    /// Region and endpoints, on one line.
    pub fn tell_place(&self) -> String {
        let set = self.endpoints.iter().map(|(name, url)| format!(", {name}={url}"));
        format!("{}{}", self.region, set.collect::<String>())
    }
}

/// Keys of the environment count before those of the profile.
fn find_keys(machine: &Machine, profile: &Profile) -> Result<Keys> {
    let set = [KEY_ID, SECRET_KEY].map(|name| machine.variable(name));
    match set {
        [Some(id), Some(secret)] => Ok(Keys { id, secret, token: machine.variable(SESSION_TOKEN) }),
        [Some(_), None] => bail!("{KEY_ID} is set, but not {SECRET_KEY}: set both"),
        [None, Some(_)] => bail!("{SECRET_KEY} is set, but not {KEY_ID}: set both"),
        [None, None] => match (&profile.key_id, &profile.secret_key) {
            (Some(id), Some(secret)) => {
                let token = profile.session_token.clone();
                Ok(Keys { id: id.clone(), secret: secret.clone(), token })
            }
            (None, None) if profile.is_there => bail!(
                "profile {name} has no keys: if it is a way to them (SSO, a role, a process), \
                 `eval \"$(aws configure export-credentials --profile {name} --format env)\"` sets those that it gives",
                name = profile.name
            ),
            (None, None) => bail!(
                "no credentials: set {KEY_ID} and {SECRET_KEY}, or AWS_PROFILE to a profile of {} that has keys",
                profile.file.display()
            ),
            _ => bail!(
                "profile {} has one of aws_access_key_id and aws_secret_access_key: give it both",
                profile.name
            ),
        },
    }
}

impl Access {
    /// The Helm values that say it.
    pub fn values(&self) -> Vec<String> {
        let secret = format!("aws.credentialsSecretName={}", self.secret_name());
        match self {
            Self::Emulator => vec![
                "clusterName=local".to_owned(),
                format!("aws.region={REGION}"),
                format!("aws.endpointUrl={}", moto::endpoint()),
                format!("aws.sns.certificateEndpoint={}", moto::endpoint()),
                secret,
            ],
            Self::Real(RealAws { keys: _, region, endpoints, cluster_name }) => {
                let said = |name: &str| endpoints.iter().find(|(set, _)| *set == name).map(|(_, url)| url);
                // What an earlier run set is taken back where nothing is said.
                let urls = ENDPOINTS.iter().map(|(name, value)| {
                    let url = said(name).map(String::as_str).unwrap_or_default();
                    format!("{value}={url}")
                });
                let own = [format!("clusterName={cluster_name}"), format!("aws.region={region}"), secret];
                own.into_iter().chain(urls).collect()
            }
        }
    }

    /// The Secret of operator and pods, for a namespace. The emulator asks for keys, whatever they are.
    pub fn secret(&self, namespace: &str) -> Value {
        let (id, secret, token) = match self {
            Self::Emulator => ("test", "test", None),
            Self::Real(RealAws { keys: Keys { id, secret, token }, .. }) => {
                (id.as_str(), secret.as_str(), token.as_deref())
            }
        };
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": self.secret_name(), "namespace": namespace},
            // An empty one is none, and takes the place of what an earlier run has left there.
            "stringData": {KEY_ID: id, SECRET_KEY: secret, SESSION_TOKEN: token.unwrap_or_default()},
        })
    }

    fn secret_name(&self) -> &'static str {
        match self {
            Self::Emulator => EMULATOR_SECRET,
            Self::Real(_) => REAL_SECRET,
        }
    }

    /// The manifests of the example, which are written for the emulator. On the real AWS nothing reaches this machine,
    /// so there is no endpoint for notifications; and what the example has stored goes with it.
    pub fn adapt(&self, manifests: &str) -> Result<String> {
        let Self::Real(_) = self else { return Ok(manifests.to_owned()) };
        let documents = serde_yaml_ng::Deserializer::from_str(manifests).map(serde::Deserialize::deserialize);
        let mut documents: Vec<Value> =
            documents.collect::<Result<_, _>>().context("the example is no YAML")?;
        for document in documents.iter_mut().filter(|document| document["kind"] == "AssetPipeline") {
            let spec = document["spec"].as_object_mut().context("the example's pipeline has no spec")?;
            spec.remove("notifications");
            object(spec, "aws")?.insert("credentialsSecretName".to_owned(), REAL_SECRET.into());
            let ending = json!({"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"});
            object(spec, "bindings")?.insert("bucket".to_owned(), ending);
        }
        Ok(json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string())
    }
}

/// The object under that name, made where there is none.
fn object<'a>(parent: &'a mut Map<String, Value>, name: &str) -> Result<&'a mut Map<String, Value>> {
    let child = parent.entry(name).or_insert_with(|| json!({}));
    child.as_object_mut().with_context(|| format!("the example's {name} is no object"))
}

#[cfg(test)]
mod tests;
