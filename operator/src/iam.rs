//! The least that a role must be allowed on AWS for one pipeline, as an IAM policy: the operator's role, that of
//! the web pods, that of the workers. Pure.
//!
//! It follows the spec: modes, deletion policies, the endpoint. Resources are the pipeline's own; before their
//! names are drawn, a pattern that fits these alone. Every action says why nothing less does, and the tests on the
//! emulator hold the policies against the calls that are made. [`trust`] says who may take the role.

mod operator_role;
mod pod_roles;
pub mod trust;

use crds::{AssetPipeline, AssetPipelineSpec};
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use crate::{
    aws::{BindingNames, partition_of},
    names::qualified,
    pipeline::observe::binding_names,
};

/// Whose role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Role {
    Operator,
    Web,
    Worker,
}

/// What a pipeline's object does not say, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub account_id: Option<String>,
    pub region: Option<String>,
    /// As the Helm values have it (`clusterName`).
    pub cluster_name: Option<String>,
}

/// One action and why nothing less does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub action: &'static str,
    pub reason: &'static str,
}

/// These actions on these resources, where all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub sid: &'static str,
    pub grants: &'static [Grant],
    pub resources: Vec<String>,
    pub conditions: Vec<Condition>,
}

/// What a request's context must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// IAM's condition operator.
    pub test: &'static str,
    pub key: String,
    pub values: Vec<String>,
}

/// What one role may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamPolicy {
    pub statements: Vec<Statement>,
}

impl Known {
    /// Completed from what the pipeline's status tells.
    pub fn or_told_by(self, object: &AssetPipeline) -> Self {
        let told = object.status.as_ref().and_then(|status| status.bindings.as_ref()?.topic_arn.as_deref());
        let mut parts = told.into_iter().flat_map(|arn| arn.split(':').skip(3)).map(str::to_owned);
        let (region, account_id) = (parts.next(), parts.next());
        Self { account_id: self.account_id.or(account_id), region: self.region.or(region), ..self }
    }
}

/// The policy of the role, for this pipeline alone.
pub fn build_iam_policy(role: Role, object: &AssetPipeline, known: &Known) -> IamPolicy {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let pattern = BindingNames::pattern(&namespace, &name);
    let given = || pattern.given(&object.spec.bindings);
    let arns = Arns::new(&binding_names(object).unwrap_or_else(given), known);
    let statements = match role {
        Role::Operator => {
            let left_behind = Arns::new(&pattern, known);
            let pipeline = qualified(&namespace, &name);
            operator_role::build_statements(&object.spec, &arns, &left_behind, (&pipeline, known))
        }
        Role::Web => pod_roles::build_web_statements(&object.spec, &arns),
        Role::Worker => pod_roles::build_worker_statements(&object.spec, &arns),
    };
    IamPolicy { statements }
}

impl IamPolicy {
    /// As IAM takes it.
    pub fn to_json(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::to_json).collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}

impl Statement {
    fn new(sid: &'static str, grants: &'static [Grant], resources: Vec<String>) -> Self {
        Self { sid, grants, resources, conditions: Vec::new() }
    }

    fn when(mut self, conditions: impl IntoIterator<Item = Condition>) -> Self {
        self.conditions.extend(conditions);
        self
    }

    fn to_json(&self) -> Value {
        let Self { sid, grants, resources, conditions } = self;
        let actions: Vec<&str> = grants.iter().map(|grant| grant.action).collect();
        let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources});
        if let Some(statement) = statement.as_object_mut()
            && !conditions.is_empty()
        {
            statement.insert("Condition".to_owned(), to_block(conditions));
        }
        statement
    }
}

/// IAM's block: keys and values below each operator.
fn to_block(conditions: &[Condition]) -> Value {
    let mut block: Map<String, Value> = Map::new();
    for Condition { test, key, values } in conditions {
        let keys = block.entry(*test).or_insert_with(|| json!({}));
        if let Some(keys) = keys.as_object_mut() {
            keys.insert(key.clone(), json!(values));
        }
    }
    Value::Object(block)
}

/// The use of the key that the bucket encrypts by, through S3 alone.
fn use_key(spec: &AssetPipelineSpec, grants: &'static [Grant]) -> Option<Statement> {
    let key = &spec.bindings.bucket.encryption.as_ref()?.kms_key_arn;
    let mut parts = key.split(':').skip(1);
    let (partition, region) = (parts.next()?, parts.nth(1)?);
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let through_s3 = Condition {
        test: "StringEquals",
        key: "kms:ViaService".to_owned(),
        values: vec![format!("s3.{region}.{domain}")],
    };
    Some(Statement::new("UseKey", grants, vec![key.clone()]).when([through_s3]))
}

/// S3 makes these calls in the caller's name where the bucket encrypts by a key in KMS.
const DECRYPT: Grant = grant("kms:Decrypt", "S3 decrypts by the bucket's key what is read from it");
const ENCRYPT: Grant = grant("kms:GenerateDataKey", "S3 encrypts by the bucket's key what is stored in it");

const fn grant(action: &'static str, reason: &'static str) -> Grant {
    Grant { action, reason }
}

/// The ARNs of a pipeline's resources.
struct Arns {
    bucket: String,
    queue: String,
    refresh_queue: String,
    dead_letter_queue: String,
    topic: String,
}

impl Arns {
    fn new(names: &BindingNames, known: &Known) -> Self {
        let partition = partition_of(known.region.as_deref().unwrap_or_default());
        let region = known.region.as_deref().unwrap_or("*");
        let account = known.account_id.as_deref().unwrap_or("*");
        let of = |service: &str, name: &str| format!("arn:{partition}:{service}:{region}:{account}:{name}");
        let BindingNames { bucket, queue, refresh_queue, dead_letter_queue, topic } = names;
        Self {
            bucket: format!("arn:{partition}:s3:::{bucket}"),
            queue: of("sqs", queue),
            refresh_queue: of("sqs", refresh_queue),
            dead_letter_queue: of("sqs", dead_letter_queue),
            topic: of("sns", topic),
        }
    }

    fn bucket(&self) -> Vec<String> {
        vec![self.bucket.clone()]
    }

    /// All objects of the bucket that begin with one of these, or have that name.
    fn objects<const N: usize>(&self, prefixes: [&str; N]) -> Vec<String> {
        let all = |prefix: &str| if prefix.is_empty() || prefix.ends_with('/') { "*" } else { "" };
        prefixes.map(|prefix| format!("{}/{prefix}{}", self.bucket, all(prefix))).into()
    }

    fn job_queues(&self) -> Vec<String> {
        vec![self.queue.clone(), self.refresh_queue.clone()]
    }

    fn queues(&self) -> Vec<String> {
        vec![self.queue.clone(), self.refresh_queue.clone(), self.dead_letter_queue.clone()]
    }

    fn topic(&self) -> Vec<String> {
        vec![self.topic.clone()]
    }
}

#[cfg(test)]
mod tests;
