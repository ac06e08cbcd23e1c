//! What people do: resources of their own, and pipelines that they make, change and delete.

use anyhow::{Context, Result};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging},
};
use crds::AssetPipeline;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    aws::REGION,
    world::{Hands, World},
};

/// Tags by key.
type Tags = Vec<(String, String)>;

impl Hands {
    /// What is there before the pipeline, looks as if it were the pipeline's, and is not.
    pub(crate) async fn make_bystanders(&self, world: &World) -> Result<()> {
        let World { namespace, name, .. } = world;
        let mut released = world.owner().released_tags();
        released.insert("assetpipeline.dev/cluster".to_owned(), "west".to_owned());
        let other = operator::aws::Owner { name: format!("{name}-two"), ..world.owner() };
        for (at, tags) in [
            (format!("ap-{namespace}-{name}-b000000000"), Tags::new()),
            (format!("ap-{namespace}-{name}-b000000001"), released.into_iter().collect()),
            (format!("ap-{namespace}-{name}-two-b000000002"), other.owned_tags().into_iter().collect()),
        ] {
            self.make_bucket(&at, &tags).await?;
            self.make_queue(&at, &tags).await?;
            self.make_topic(world, &at, &tags).await?;
        }
        let labels = json!({
            "app.kubernetes.io/managed-by": "assetpipeline-operator", "assetpipeline.dev/pipeline": name,
        });
        let metadata = json!({"name": format!("bystander-{name}"), "labels": labels});
        let map: ConfigMap = serde_json::from_value(json!({"metadata": metadata, "data": {"its": "own"}}))?;
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        maps.create(&PostParams::default(), &map).await?;
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": metadata}))?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        accounts.create(&PostParams::default(), &account).await?;
        Ok(())
    }

    /// What the pipeline is to adopt: somebody's, with the tag that says so.
    pub(crate) async fn make_given(&self, world: &World, with_queues: WithQueues) -> Result<()> {
        let (key, value) = world.owner().consent_tag();
        let tags = vec![("team".to_owned(), "web".to_owned()), (key.to_owned(), value)];
        let [bucket, visits, refreshes, dead, topic] = world.given();
        self.make_bucket(&bucket, &tags).await?;
        if with_queues == WithQueues::Yes {
            for queue in [visits, refreshes, dead] {
                self.make_queue(&queue, &tags).await?;
            }
        }
        self.make_topic(world, &topic, &tags).await
    }

    async fn make_bucket(&self, name: &str, tags: &Tags) -> Result<()> {
        let s3 = &self.aws.s3;
        let place = BucketLocationConstraint::from(REGION);
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        s3.create_bucket().bucket(name).create_bucket_configuration(place).send().await?;
        if !tags.is_empty() {
            let set = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
            let set = Tagging::builder().set_tag_set(Some(set.collect::<Result<_, _>>()?)).build()?;
            s3.put_bucket_tagging().bucket(name).tagging(set).send().await?;
        }
        let body = ByteStream::from_static(b"somebody's file");
        s3.put_object().bucket(name).key("theirs").body(body).send().await?;
        Ok(())
    }

    async fn make_queue(&self, name: &str, tags: &Tags) -> Result<()> {
        let request = self.aws.sqs.create_queue().queue_name(name);
        request.set_tags(Some(tags.iter().cloned().collect())).send().await?;
        Ok(())
    }

    async fn make_topic(&self, world: &World, name: &str, tags: &Tags) -> Result<()> {
        let set =
            tags.iter().map(|(key, value)| aws_sdk_sns::types::Tag::builder().key(key).value(value).build());
        let request = self.aws.sns.create_topic().name(name).set_tags(Some(set.collect::<Result<_, _>>()?));
        let arn = request.send().await?.topic_arn.context("a topic without an ARN")?;
        let request = self.aws.sns.subscribe().topic_arn(arn).protocol("http");
        request.endpoint("http://audit.invalid/work_complete").send().await?;
        // Whoever listens there confirms at once.
        world.work().await.map(drop)
    }

    pub(crate) async fn create_pipeline(&self, world: &World, spec: &Value) -> Result<()> {
        let object = json!({"metadata": {"name": world.name}, "spec": spec});
        let mut object: AssetPipeline = serde_json::from_value(object)?;
        object.metadata.namespace = Some(world.namespace.clone());
        self.pipelines(world).create(&PostParams::default(), &object).await?;
        Ok(())
    }

    pub(crate) async fn change_pipeline(&self, world: &World, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.pipelines(world).patch(&world.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub(crate) async fn delete_pipeline(&self, world: &World) -> Result<()> {
        self.pipelines(world).delete(&world.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Takes away bucket, queues and topic of the pipeline, with all that they hold.
    pub(crate) async fn remove_bindings(&self, world: &World) -> Result<()> {
        let object = self.pipelines(world).get(&world.name).await?;
        let bindings = object.status.and_then(|status| status.bindings).context("there are no bindings")?;
        let bucket = bindings.bucket.context("there is no bucket")?;
        for object in self.aws.s3.list_objects_v2().bucket(&bucket).send().await?.contents() {
            self.aws.s3.delete_object().bucket(&bucket).set_key(object.key.clone()).send().await?;
        }
        self.aws.s3.delete_bucket().bucket(bucket).send().await?;
        for url in [bindings.queue_url, bindings.refresh_queue_url, bindings.dead_letter_queue_url] {
            self.aws.sqs.delete_queue().set_queue_url(url).send().await?;
        }
        self.aws.sns.delete_topic().set_topic_arn(bindings.topic_arn).send().await?;
        Ok(())
    }

    /// Takes away every subscription of the pipeline's topic.
    pub(crate) async fn unsubscribe(&self, world: &World) -> Result<()> {
        let object = self.pipelines(world).get(&world.name).await?;
        let bindings = object.status.and_then(|status| status.bindings).context("there are no bindings")?;
        let listed =
            self.aws.sns.list_subscriptions_by_topic().set_topic_arn(bindings.topic_arn).send().await?;
        for subscription in listed.subscriptions() {
            let request =
                self.aws.sns.unsubscribe().set_subscription_arn(subscription.subscription_arn.clone());
            request.send().await?;
        }
        Ok(())
    }

    fn pipelines(&self, world: &World) -> Api<AssetPipeline> {
        Api::namespaced(self.client.clone(), &world.namespace)
    }
}

/// Whether queues are among what people made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithQueues {
    Yes,
    No,
}
