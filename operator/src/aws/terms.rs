//! On which terms a pipeline has each of its resources: name, mode, who allows it, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    BindingMode, BindingsSpec, BucketSpec, BucketVersioning, DeletionPolicy, QueuesSpec, TopicSpec,
    WhenNotEmpty,
};
use serde::Deserialize;

use super::{BindingNames, ending::Disposal, subscription::ToldSubscription};

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Bucket,
    Queue,
    Topic,
}

/// Who found the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Naming {
    /// The operator drew it: nobody else has it by chance.
    Drawn,
    /// The spec says it.
    Given,
}

/// The terms of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub kind: Kind,
    pub name: String,
    pub naming: Naming,
    pub mode: BindingMode,
    pub disposal: Disposal,
    /// Whether the Helm values allow the name for the pipeline's namespace.
    pub is_allowed_by_values: bool,
    /// The tags that the spec has on it.
    pub tags: BTreeMap<String, String>,
}

/// The terms of all resources of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingsTerms {
    pub bucket: Terms,
    pub bucket_settings: BucketSettings,
    pub dead_letter_queue: Terms,
    pub queue: Terms,
    pub refresh_queue: Terms,
    pub topic: Terms,
    pub subscription: ToldSubscription,
}

/// How the spec has the bucket set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettings {
    /// The KMS key by which it encrypts. Absent: keys of S3's own.
    pub kms_key_arn: Option<String>,
    /// Whether it keeps versions. Absent: as it is.
    pub versioning: Option<BucketVersioning>,
    /// Days for which a version is kept that is no longer current.
    pub noncurrent_version_days: i32,
}

/// What pipelines may use though no tag allows it, by namespace: the operator's Helm values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Adoptable(BTreeMap<String, AdoptableNames>);

/// Names of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AdoptableNames {
    buckets: BTreeSet<String>,
    queues: BTreeSet<String>,
    topics: BTreeSet<String>,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Queue => "queue",
            Self::Topic => "topic",
        }
    }

    /// As the Helm values call them.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Bucket => "buckets",
            Self::Queue => "queues",
            Self::Topic => "topics",
        }
    }

    /// Where the spec speaks of it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Bucket => "spec.bindings.bucket",
            Self::Queue => "spec.bindings.queues",
            Self::Topic => "spec.bindings.topic",
        }
    }
}

impl Adoptable {
    fn allows(&self, namespace: &str, kind: Kind, name: &str) -> bool {
        self.0.get(namespace).is_some_and(|names| {
            let AdoptableNames { buckets, queues, topics } = names;
            match kind {
                Kind::Bucket => buckets,
                Kind::Queue => queues,
                Kind::Topic => topics,
            }
            .contains(name)
        })
    }
}

impl BindingsTerms {
    /// `names` are those that the spec gives, and drawn ones for the rest.
    pub fn new(names: &BindingNames, spec: &BindingsSpec, namespace: &str, adoptable: &Adoptable) -> Self {
        let BindingsSpec { bucket, queues, topic, tags } = spec;
        let BucketSpec {
            mode,
            name,
            deletion_policy,
            when_not_empty,
            encryption,
            versioning,
            noncurrent_version_days,
        } = bucket;
        let disposal = match (deletion_policy, when_not_empty) {
            (DeletionPolicy::Delete, WhenNotEmpty::DeleteAllObjects) => Disposal::EmptyAndDelete,
            (policy, _) => disposal_of(*policy),
        };
        let terms = |kind, name: &str, is_given: bool, mode, disposal| Terms {
            kind,
            name: name.to_owned(),
            naming: if is_given { Naming::Given } else { Naming::Drawn },
            mode,
            disposal,
            is_allowed_by_values: adoptable.allows(namespace, kind, name),
            tags: tags.clone(),
        };
        let QueuesSpec { mode: queue_mode, names: queue_names, deletion_policy: queue_policy } = queues;
        let queue = |name: &str| {
            terms(Kind::Queue, name, queue_names.is_some(), *queue_mode, disposal_of(*queue_policy))
        };
        let TopicSpec { mode: topic_mode, name: topic_name, deletion_policy: topic_policy } = topic;
        Self {
            bucket: terms(Kind::Bucket, &names.bucket, name.is_some(), *mode, disposal),
            bucket_settings: BucketSettings {
                kms_key_arn: encryption.as_ref().map(|encryption| encryption.kms_key_arn.clone()),
                versioning: *versioning,
                noncurrent_version_days: *noncurrent_version_days,
            },
            dead_letter_queue: queue(&names.dead_letter_queue),
            queue: queue(&names.queue),
            refresh_queue: queue(&names.refresh_queue),
            topic: terms(
                Kind::Topic,
                &names.topic,
                topic_name.is_some(),
                *topic_mode,
                disposal_of(*topic_policy),
            ),
            subscription: ToldSubscription::default(),
        }
    }

    /// These, for a pipeline whose object tells this of its subscription.
    pub fn told(self, subscription: ToldSubscription) -> Self {
        Self { subscription, ..self }
    }
}

#[cfg(test)]
impl BindingsTerms {
    /// The terms of shop/storefront by this part of its spec, with nothing in the Helm values.
    pub(crate) fn fixture(spec: serde_json::Value) -> Self {
        let spec: BindingsSpec = serde_json::from_value(spec).unwrap();
        let drawn = BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap());
        Self::new(&drawn.given(&spec), &spec, "shop", &Adoptable::default())
    }
}

fn disposal_of(policy: DeletionPolicy) -> Disposal {
    match policy {
        DeletionPolicy::Retain => Disposal::Retain,
        DeletionPolicy::Delete => Disposal::Delete,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_allow_a_name_for_its_kind_and_namespace_alone() {
        let adoptable: Adoptable =
            serde_json::from_value(json!({"shop": {"buckets": ["site"], "topics": ["notices"]}})).unwrap();
        assert!(adoptable.allows("shop", Kind::Bucket, "site"));
        assert!(adoptable.allows("shop", Kind::Topic, "notices"));
        for (namespace, kind, name) in
            [("blog", Kind::Bucket, "site"), ("shop", Kind::Queue, "site"), ("shop", Kind::Bucket, "site2")]
        {
            assert!(!adoptable.allows(namespace, kind, name), "{namespace} {kind:?} {name}");
        }
        assert!(serde_json::from_value::<Adoptable>(json!({"shop": {"bucket": ["site"]}})).is_err());
    }

    #[test]
    fn terms_follow_the_spec() {
        let names = BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap());
        let spec: BindingsSpec = serde_json::from_value(json!({
            "bucket": {"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"},
            "queues": {"mode": "ReadOnly", "names": {"visits": "v", "refreshes": "r", "deadLetters": "d"}},
            "topic": {"mode": "Adopt", "name": "notices", "deletionPolicy": "Retain"},
        }))
        .unwrap();
        let adoptable = serde_json::from_value(json!({"shop": {"queues": ["r"]}})).unwrap();
        let terms = BindingsTerms::new(&names.given(&spec), &spec, "shop", &adoptable);
        let told = |terms: &Terms| {
            (terms.name.clone(), terms.naming, terms.mode, terms.disposal, terms.is_allowed_by_values)
        };
        let (given, drawn) = (Naming::Given, Naming::Drawn);
        let read_only = |name: &str, is_allowed| {
            (name.to_owned(), given, BindingMode::ReadOnly, Disposal::Delete, is_allowed)
        };
        let bucket = (names.bucket.clone(), drawn, BindingMode::Create, Disposal::EmptyAndDelete, false);
        assert_eq!(told(&terms.bucket), bucket);
        assert_eq!(told(&terms.queue), read_only("v", false));
        assert_eq!(told(&terms.refresh_queue), read_only("r", true));
        assert_eq!(told(&terms.dead_letter_queue), read_only("d", false));
        let topic = ("notices".to_owned(), given, BindingMode::Adopt, Disposal::Retain, false);
        assert_eq!(told(&terms.topic), topic);
    }
}
