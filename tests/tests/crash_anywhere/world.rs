//! What an operator works on: a cluster and an AWS account, with people's hands on both.

use anyhow::{Context, Result};
use kube::Client;
use operator::{
    aws::{Clients, Owner},
    names::SUFFIX_ANNOTATION,
};
use serde_json::{Value, json};

use crate::{
    apiserver::MemoryApiServer,
    aws::MemoryAws,
    endpoint::{Clock, Endpoint},
    links::{Aws, Cluster, kube_client},
    process::aws_clients,
    real,
    wire::{Fault, Wire},
};

/// Words that are in the names of what is none of the pipeline's, and in nothing else.
pub(crate) const BYSTANDERS: [&str; 3] = ["bystander", "b00000000", "audit.invalid"];

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) aws: Aws,
    pub(crate) namespace: String,
    /// The pipeline's.
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) clock: Clock,
}

/// Clients on which nothing goes wrong.
pub(crate) struct Hands {
    pub(crate) client: Client,
    pub(crate) aws: Clients,
}

impl World {
    pub(crate) fn memory() -> Self {
        Self {
            cluster: Cluster::Memory(MemoryApiServer::default()),
            aws: Aws::Memory(MemoryAws::default()),
            namespace: "shop".to_owned(),
            name: "storefront".to_owned(),
            endpoint: Endpoint::default(),
            clock: Clock::default(),
        }
    }

    /// Another world that is now as this one. A real one cannot be forked.
    pub(crate) fn fork(&self) -> Self {
        let mut fork = self.clone();
        if let Cluster::Memory(server) = &self.cluster {
            fork.cluster = Cluster::Memory(server.fork());
        }
        if let Aws::Memory(aws) = &self.aws {
            fork.aws = Aws::Memory(aws.fork());
        }
        fork
    }

    /// The cluster's controllers, and whoever confirms subscriptions, do their part. Whether there was anything.
    pub(crate) async fn work(&self) -> Result<bool> {
        let has_cluster_worked = match &self.cluster {
            Cluster::Memory(server) => server.work(),
            Cluster::Real(client) => real::until_deployments_are_gone(client, self).await?,
        };
        Ok(self.confirm() || has_cluster_worked)
    }

    /// Whoever is behind the endpoint confirms. Whether there was anything.
    pub(crate) fn confirm(&self) -> bool {
        match &self.aws {
            Aws::Memory(aws) => aws.confirm(),
            // Nobody takes what it asks for: there it stays pending.
            Aws::Real(..) => false,
        }
    }

    pub(crate) async fn hands(&self) -> Hands {
        let wire = Wire::new(Fault::Nothing);
        Hands {
            client: kube_client(&self.cluster, &wire, &self.namespace),
            aws: aws_clients(self, &wire, Fault::Nothing).await,
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner { cluster: "east".into(), namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// The names of what people made: bucket, the three queues, and topic.
    pub(crate) fn given(&self) -> [String; 5] {
        ["site", "visits", "refreshes", "dead", "notices"].map(|name| format!("{name}-{}", self.name))
    }

    /// What was made since the last call, in the order of names; `None` where nobody counts.
    pub(crate) fn take_made(&self) -> Option<Vec<String>> {
        let (Cluster::Memory(server), Aws::Memory(aws)) = (&self.cluster, &self.aws) else { return None };
        let mut made = server.take_made();
        made.extend(aws.take_made());
        made.sort();
        Some(made.iter().map(|made| self.normalise(made)).collect())
    }

    /// Everything as it is, without what chance and time decide.
    pub(crate) async fn state(&self) -> Result<Value> {
        let (mut objects, aws) = self.raw().await?;
        for object in &mut objects {
            if object["kind"] != "AssetPipeline" {
                object.as_object_mut().context("an object without fields")?.remove("status");
            }
            // Keys are drawn; what a ConfigMap tells of names follows from the rest.
            let is_drawn = object["kind"] != "ConfigMap";
            if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut).filter(|_| is_drawn) {
                data.values_mut().for_each(|value| *value = json!("…"));
            }
            if let Some(arn) = object.pointer_mut("/status/bindings/subscriptionArn") {
                *arn = json!("…");
            }
            if let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
                conditions.sort_by_key(|condition| condition["type"].to_string());
            }
            strip(object, &self.passing());
        }
        let text = self.normalise(&json!({"cluster": objects, "aws": aws}).to_string());
        serde_json::from_str(&text).context("it is no JSON any more")
    }

    /// What is none of the pipeline's, to the byte.
    pub(crate) async fn bystanders(&self) -> Result<Value> {
        let (objects, aws) = self.raw().await?;
        let is_one = |text: &str| BYSTANDERS.iter().any(|word| text.contains(word));
        let objects: Vec<Value> =
            objects.into_iter().filter(|object| is_one(&object["metadata"]["name"].to_string())).collect();
        let mut found = Vec::new();
        for (kind, all) in aws.as_object().into_iter().flatten() {
            let all = all.as_object().into_iter().flatten();
            found.extend(all.filter(|(name, _)| is_one(name)).map(|(name, one)| json!([kind, name, one])));
        }
        Ok(json!({"cluster": objects, "aws": found}))
    }

    /// Fields that say nothing of what became of a pipeline.
    fn passing(&self) -> Vec<&'static str> {
        let mut names = vec![
            "assetpipeline.dev/applied",
            "assetpipeline.dev/notice-key-progress",
            "clusterIP",
            "clusterIPs",
            "creationTimestamp",
            "deployment.kubernetes.io/revision",
            "generation",
            "lastTransitionTime",
            "managedFields",
            "resourceVersion",
            "uid",
        ];
        // A real one picks a port where the spec gives none.
        if matches!(self.cluster, Cluster::Real(_)) {
            names.push("nodePort");
        }
        names
    }

    async fn raw(&self) -> Result<(Vec<Value>, Value)> {
        let objects = match &self.cluster {
            Cluster::Memory(server) => server.objects(),
            Cluster::Real(client) => real::objects(client, self).await?,
        };
        let aws = match &self.aws {
            Aws::Memory(aws) => aws.dump(),
            Aws::Real(..) => real::dump(&self.hands().await.aws, self).await?,
        };
        Ok((objects, aws))
    }

    /// Drawn names and labels, and the pipeline's own name, by words that are the same in every run. Each suffix
    /// that was drawn has a word of its own.
    pub(crate) fn normalise(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let in_names = format!("ap-{}-{}-", self.namespace, self.name);
        let in_annotations = format!("\"{SUFFIX_ANNOTATION}\":\"");
        let mut suffixes: Vec<String> = Vec::new();
        let places = [&in_names, &in_annotations]
            .map(|before| text.match_indices(before).map(|(at, _)| at + before.len()));
        for at in places.into_iter().flatten() {
            let suffix: String = text[at..].chars().take(10).collect();
            if is_hex(&suffix) && !suffix.starts_with(BYSTANDERS[1]) && !suffixes.contains(&suffix) {
                suffixes.push(suffix);
            }
        }
        for (number, suffix) in suffixes.iter().enumerate() {
            text = text.replace(suffix, &format!("SUFFIX{number}"));
        }
        let labels: Vec<String> = text
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| word.len() == 17 && word.starts_with('t') && is_hex(&word[1..]))
            .map(str::to_owned)
            .collect();
        for label in labels {
            text = text.replace(&label, "LABEL");
        }
        text.replace(&self.name, "NAME")
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without what every write changes, or every start draws anew.
fn strip(value: &mut Value, passing: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !passing.contains(&name.as_str()));
            fields.values_mut().for_each(|value| strip(value, passing));
        }
        Value::Array(entries) => entries.iter_mut().for_each(|value| strip(value, passing)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
