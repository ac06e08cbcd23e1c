//! One pipeline's bindings on an emulator, and the hands of the people who own other things there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Tag, Tagging,
        VersioningConfiguration,
    },
};
use aws_sdk_sqs::types::QueueAttributeName;
use operator::aws::{
    Adoptable, BindingNames, BindingSuffix, BindingsPlan, BindingsTerms, BindingsWant, Clients,
    ObservedBindings, Owner, Refusal, ReleasePlan, Transport, Transports, apply_bindings, apply_release,
    bucket::Written, observe_bindings, plan_bindings, plan_release, subscription::SubscriptionWant,
    topic::TopicStep,
};
use pipeline::aws::{s3_client, sns_client, sqs_client};
use serde_json::{Value, json};
use tests::moto::Moto;

pub(crate) const REGION: &str = "eu-central-1";
/// A key in KMS.
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
/// The object that somebody has put into a bucket.
const THEIRS: &str = "theirs";
/// Where somebody takes a topic's notices, under a path as our own.
const THEIR_ENDPOINT: &str = "http://audit.invalid/work_complete";
/// More than any pipeline needs to come to rest.
const MOST_ROUNDS: usize = 40;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// The bindings of one pipeline, whose names are its own.
pub(crate) struct Stage {
    pub(crate) clients: Clients,
    pub(crate) owner: Owner,
    pub(crate) names: BindingNames,
    pub(crate) pace: Pace,
    pub(crate) transport: Transport,
    pub(crate) subscription: SubscriptionWant,
    adoptable: Adoptable,
}

/// How much of a plan is carried out before the next look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Whole,
    /// As if the operator crashed after each write.
    OneWrite,
}

/// How it came to rest.
#[derive(Debug)]
pub(crate) struct Rest {
    /// The first round's writes.
    pub(crate) first: BindingsPlan,
    /// Rounds that wrote something.
    pub(crate) rounds: usize,
    pub(crate) drift: Vec<String>,
}

pub(crate) async fn clients(moto: &Moto) -> Clients {
    let sdk = moto.sdk_config().await;
    Clients { s3: s3_client(&sdk), sns: sns_client(&sdk), sqs: sqs_client(&sdk), region: REGION.to_owned() }
}

impl Stage {
    pub(crate) fn new(clients: &Clients, name: &str) -> Self {
        let suffix = BindingSuffix::from_random(rand::random());
        Self {
            clients: clients.clone(),
            owner: Owner { cluster: "east".into(), namespace: "shop".into(), name: name.into() },
            names: BindingNames::new("shop", name, &suffix),
            pace: Pace::Whole,
            // So that policies are written, too.
            transport: Transport::Tls,
            subscription: SubscriptionWant::None,
            adoptable: Adoptable::default(),
        }
    }

    /// The spec in which every resource has this mode, and these names where the mode takes any.
    pub(crate) fn spec(&self, mode: &str, changed: &Value) -> Value {
        let BindingNames { bucket, queue, refresh_queue, dead_letter_queue, topic } = &self.names;
        let mut spec = match mode {
            "Create" => json!({"bucket": {}, "queues": {}, "topic": {}}),
            _ => json!({
                "bucket": {"name": bucket},
                "queues": {"names": {
                    "visits": queue, "refreshes": refresh_queue, "deadLetters": dead_letter_queue,
                }},
                "topic": {"name": topic},
            }),
        };
        for part in ["bucket", "queues", "topic"] {
            spec[part]["mode"] = json!(mode);
            for (field, value) in changed[part].as_object().into_iter().flatten() {
                spec[part][field] = value.clone();
            }
        }
        if let Some(tags) = changed.get("tags") {
            spec["tags"] = tags.clone();
        }
        spec
    }

    /// The Helm values from now on.
    pub(crate) fn allow_by_values(&mut self) -> Result<()> {
        let BindingNames { bucket, queue, refresh_queue, dead_letter_queue, topic } = &self.names;
        let names = json!({"buckets": [bucket], "queues": [queue, refresh_queue, dead_letter_queue], "topics": [topic]});
        self.adoptable = serde_json::from_value(json!({"shop": names}))?;
        Ok(())
    }

    pub(crate) fn terms(&self, spec: &Value) -> Result<BindingsTerms> {
        let spec = serde_json::from_value(spec.clone())?;
        Ok(BindingsTerms::new(&self.names, &spec, "shop", &self.adoptable))
    }

    fn want(&self, spec: &Value) -> Result<BindingsWant> {
        Ok(BindingsWant {
            names: self.names.clone(),
            terms: self.terms(spec)?,
            owner: self.owner.clone(),
            region: REGION.to_owned(),
            transports: Transports::all(self.transport),
            visibility_seconds: 8,
            subscription: self.subscription.clone(),
        })
    }

    pub(crate) async fn look(&self) -> Result<ObservedBindings> {
        observe_bindings(&self.clients, &self.names).await.context("cannot look at the bindings")
    }

    /// Rounds until one has nothing to write, or the first refusal.
    pub(crate) async fn settle(&self, spec: &Value) -> Result<Result<Rest, Refusal>> {
        let want = self.want(spec)?;
        let mut first = None;
        let mut set: Vec<TopicStep> = Vec::new();
        for rounds in 0..MOST_ROUNDS {
            let (mut plan, drift) = match plan_bindings(&self.look().await?, &want) {
                Ok(planned) => planned,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let first = first.get_or_insert_with(|| plan.clone());
            if plan.is_empty() {
                return Ok(Ok(Rest { first: first.clone(), rounds, drift }));
            }
            let plan = match self.pace {
                Pace::Whole => plan,
                Pace::OneWrite => {
                    // SNS need not tell what was set, and it is set anew then: the next crash is one write later.
                    plan.topic.retain(|step| !set.contains(step));
                    let plan = first_write(plan);
                    set.extend(plan.topic.clone());
                    plan
                }
            };
            ensure!(apply_bindings(&self.clients, &self.names, plan).await? == Written::Done);
        }
        anyhow::bail!("{} does not come to rest", self.owner.name)
    }

    /// The end of the pipeline, to where nothing is left to do. What stays, and why.
    pub(crate) async fn release(&self, spec: &Value) -> Result<Vec<String>> {
        let terms = self.terms(spec)?;
        let mut kept = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let plan = plan_release(&self.look().await?, &terms, &self.owner);
            if plan.is_empty() {
                kept.extend(plan.left);
                return Ok(kept);
            }
            kept.extend(plan.kept.clone());
            let plan = match self.pace {
                Pace::Whole => plan,
                Pace::OneWrite => first_removal(plan),
            };
            apply_release(&self.clients, &self.names, plan).await?;
        }
        anyhow::bail!("{} does not go", self.owner.name)
    }

    /// What somebody else has made under the names, with these tags and an object in the bucket.
    pub(crate) async fn make_theirs(&self, tags: &Tags) -> Result<()> {
        let place = BucketLocationConstraint::from(REGION);
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        let s3 = &self.clients.s3;
        s3.create_bucket().bucket(&self.names.bucket).create_bucket_configuration(place).send().await?;
        let set = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tagging = Tagging::builder().set_tag_set(Some(set.collect::<Result<_, _>>()?)).build()?;
        s3.put_bucket_tagging().bucket(&self.names.bucket).tagging(tagging).send().await?;
        self.put_object().await?;
        let BindingNames { queue, refresh_queue, dead_letter_queue, .. } = &self.names;
        for name in [queue, refresh_queue, dead_letter_queue] {
            let request = self.clients.sqs.create_queue().queue_name(name);
            request.set_tags(Some(tags.clone().into_iter().collect())).send().await?;
        }
        let set =
            tags.iter().map(|(key, value)| aws_sdk_sns::types::Tag::builder().key(key).value(value).build());
        let set = set.collect::<Result<_, _>>()?;
        let sns = &self.clients.sns;
        let made = sns.create_topic().name(&self.names.topic).set_tags(Some(set)).send().await?;
        let request = sns.subscribe().topic_arn(made.topic_arn().unwrap_or_default());
        request.protocol("http").endpoint(THEIR_ENDPOINT).send().await?;
        Ok(())
    }

    /// The emulator applies a bucket's policy to writes of objects, and takes every condition for met: the policy
    /// is away meanwhile.
    pub(crate) async fn put_object(&self) -> Result<()> {
        let (s3, bucket) = (&self.clients.s3, &self.names.bucket);
        let policy = s3.get_bucket_policy().bucket(bucket).send().await.ok().and_then(|answer| answer.policy);
        s3.delete_bucket_policy().bucket(bucket).send().await?;
        let body = ByteStream::from_static(b"a file");
        s3.put_object().bucket(bucket).key(THEIRS).body(body).send().await?;
        if let Some(policy) = policy {
            s3.put_bucket_policy().bucket(bucket).policy(policy).send().await?;
        }
        Ok(())
    }

    /// An old version and a mark of deletion: nothing that a listing of objects shows.
    pub(crate) async fn put_old_versions(&self) -> Result<()> {
        let (s3, bucket) = (&self.clients.s3, &self.names.bucket);
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        s3.put_bucket_versioning().bucket(bucket).versioning_configuration(on).send().await?;
        self.put_object().await?;
        s3.delete_object().bucket(bucket).key(THEIRS).send().await?;
        let listed = s3.list_objects_v2().bucket(bucket).send().await?;
        ensure!(listed.contents().is_empty(), "the bucket shows objects");
        Ok(())
    }

    pub(crate) async fn has_object(&self) -> Result<bool> {
        let listed = self.clients.s3.list_objects_v2().bucket(&self.names.bucket).send().await?;
        Ok(listed.contents().iter().any(|object| object.key() == Some(THEIRS)))
    }

    /// Sets one thing otherwise on each resource.
    pub(crate) async fn disturb(&self) -> Result<()> {
        self.clients.s3.delete_public_access_block().bucket(&self.names.bucket).send().await?;
        let seen = self.look().await?;
        for queue in [&seen.queue, &seen.refresh_queue, &seen.dead_letter_queue] {
            let found = queue.found().context("the queue is gone")?;
            // The emulator forgets a policy that does not come along.
            let policy = found.attributes.get("Policy").context("the queue has no policy")?;
            let request = self.clients.sqs.set_queue_attributes().queue_url(&found.url);
            let request = request.attributes(QueueAttributeName::Policy, policy);
            request.attributes(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "1").send().await?;
        }
        let arn = &seen.topic.found().context("the topic is gone")?.arn;
        let request = self.clients.sns.set_topic_attributes().topic_arn(arn);
        let nothing = json!({"Version": "2012-10-17", "Statement": []}).to_string();
        request.attribute_name("Policy").attribute_value(nothing).send().await?;
        Ok(())
    }

    /// The tag by which people allow that the pipeline has a resource.
    pub(crate) fn consent(&self) -> Tags {
        let (key, value) = self.owner.consent_tag();
        Tags::from([(key.to_owned(), value)])
    }
}

fn first_write(plan: BindingsPlan) -> BindingsPlan {
    let BindingsPlan { bucket, dead_letter_queue, queue, refresh_queue, topic, subscription } = plan;
    let mut first = BindingsPlan::default();
    if let Some(step) = bucket.into_iter().next() {
        first.bucket.push(step);
    } else if let Some(step) = dead_letter_queue.into_iter().chain(queue).chain(refresh_queue).next() {
        first.queue.push(step);
    } else if let Some(step) = topic.into_iter().next() {
        first.topic.push(step);
    } else {
        first.subscription.extend(subscription.into_iter().take(1));
    }
    first
}

fn first_removal(plan: ReleasePlan) -> ReleasePlan {
    let ReleasePlan {
        subscription,
        topic,
        queue,
        refresh_queue,
        dead_letter_queue,
        bucket,
        kept: _,
        left: _,
    } = plan;
    let mut first = ReleasePlan::default();
    let queue = queue.or(refresh_queue).or(dead_letter_queue);
    if let Some(step) = subscription.into_iter().next() {
        first.subscription.push(step);
    } else if topic.is_some() {
        first.topic = topic;
    } else if queue.is_some() {
        first.queue = queue;
    } else {
        first.bucket = bucket;
    }
    first
}

/// The tags of each resource that is there.
pub(crate) fn tags_of(seen: &ObservedBindings) -> Vec<Tags> {
    tags_by_place(seen).into_iter().flatten().collect()
}

/// The tags of dead letters, visits, refreshes, bucket and topic, where they are there.
pub(crate) fn tags_by_place(seen: &ObservedBindings) -> [Option<Tags>; 5] {
    let ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions: _ } = seen;
    let [dead, visits, refreshes] =
        [dead_letter_queue, queue, refresh_queue].map(|queue| Some(queue.found()?.tags.clone()));
    let bucket = bucket.found().map(|found| found.tags.clone());
    [dead, visits, refreshes, bucket, topic.found().map(|found| found.tags.clone())]
}
