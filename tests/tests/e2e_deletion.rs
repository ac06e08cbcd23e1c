//! What is left of a pipeline that was deleted.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::Tag;
use cluster::command::capture;
use crds::{AssetPipeline, BindingsStatus};
use futures::future::try_join;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use operator::names::{LET_GO_ANNOTATION, LET_GO_WISH};
use pipeline::aws::{s3_client, sns_client, sqs_client};
use serde_json::json;
use tests::{
    control::Control,
    patience::eventually,
    sass,
    scene::{PIPELINE, Scene, Setting, Tier, play},
};

const SASS: &str = "a { b: 1px + 1px; }\n";
/// A worker's start, and a round of the operator.
const HELD_WITHIN: Duration = Duration::from_secs(20);
/// The cluster's garbage collector works behind the API server's back.
const COLLECTED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn deleted_pipeline_leaves_nothing_but_its_bucket() -> Result<()> {
    play("deletion", Setting::default(), async |scene| {
        scene.origin.put("/app.scss", SASS);
        let answer = scene.visitor.get("/app.css").await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(SASS)?));
        let bindings = scene.bindings().await?;
        assert_eq!(count_on_aws(&scene.control, &bindings).await?, (3, 1, 1));
        ensure!(list_objects(scene)?.len() > 5, "the operator made {:?}", list_objects(scene)?);

        // Who is held while the pipeline goes still gets the file. The rest waits until the finalizer has let go.
        scene.origin.put("/late.scss", SASS);
        let gate = scene.origin.close_gate("/late.scss");
        let held = scene.visitor.get("/late.css");
        let end = async {
            eventually(HELD_WITHIN, "the worker to ask the origin", async || {
                ensure!(gate.is_met(), "it was not asked");
                Ok(())
            })
            .await?;
            scene.ask_for_deletion().await?;
            eventually(HELD_WITHIN, "the web pods to be told to end", async || {
                let deletion = scene.deployment(Tier::Web).await?.metadata.deletion_timestamp;
                ensure!(deletion.is_some(), "they were not");
                Ok(())
            })
            .await?;
            let worker = scene.deployment(Tier::Worker).await?;
            ensure!(worker.metadata.deletion_timestamp.is_none(), "the workers end before the web pods");
            gate.open();
            scene.delete_pipeline().await
        };
        let (answer, ()) = try_join(held, end).await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(SASS)?));

        assert_eq!(count_on_aws(&scene.control, &bindings).await?, (0, 0, 0));
        let bucket = bindings.bucket.context("the status named no bucket")?;
        assert_eq!(state_tag(&scene.control, &bucket).await?, "released");
        ensure!(holds_files(&scene.control, &bucket).await?, "the bucket is empty");
        eventually(COLLECTED_WITHIN, "the namespace to be as it was", async || {
            let left = list_objects(scene)?;
            ensure!(left.is_empty(), "{left:?} is left");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn pipeline_that_is_applied_again_takes_its_bucket_back() -> Result<()> {
    play("again", Setting::default(), async |scene| {
        scene.origin.put("/app.scss", SASS);
        assert_eq!(scene.visitor.get("/app.css").await?.status, 200);
        let bucket = scene.bindings().await?.bucket.context("the status named no bucket")?;
        let renamed = json!({"spec": {"bindings": {"bucket": {"mode": "Adopt", "name": "another"}}}});
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        let refused = scene.pipelines().patch(PIPELINE, &parameters, &Patch::Merge(&renamed)).await;
        let message = refused.err().context("the bucket was given another name")?.to_string();
        ensure!(message.contains("spec.bindings.bucket.name cannot be set, changed or removed"), "{message}");

        let backup = build_backup(scene.pipeline().await?);
        for restore in [Restore::ByItsManifest, Restore::FromABackup] {
            scene.delete_pipeline().await?;
            assert_eq!(state_tag(&scene.control, &bucket).await?, "released");
            match restore {
                Restore::ByItsManifest => scene.set_again(&Setting::default()).await?,
                Restore::FromABackup => {
                    scene.pipelines().create(&PostParams::default(), &backup).await?;
                    scene.wait_until_ready(&Setting::default()).await?;
                }
            }
            assert_eq!(scene.bindings().await?.bucket.as_ref(), Some(&bucket), "{restore:?}");
            assert_eq!(state_tag(&scene.control, &bucket).await?, "owned");
            ensure!(holds_files(&scene.control, &bucket).await?, "the bucket is empty");
            assert_eq!(scene.visitor.get("/app.css").await?.status, 200);
        }
        Ok(())
    })
    .await
}

#[derive(Debug, Clone, Copy)]
enum Restore {
    ByItsManifest,
    FromABackup,
}

/// What backup tools keep of an object: annotations and finalizers, and nothing that the API server gave it.
fn build_backup(mut pipeline: AssetPipeline) -> AssetPipeline {
    let kept = pipeline.metadata;
    pipeline.metadata = ObjectMeta {
        name: kept.name,
        namespace: kept.namespace,
        labels: kept.labels,
        annotations: kept.annotations,
        finalizers: kept.finalizers,
        ..ObjectMeta::default()
    };
    pipeline
}

#[tokio::test]
async fn pipeline_that_is_let_go_leaves_all_of_it_on_aws_and_events_name_it() -> Result<()> {
    play("let-go", Setting::default(), async |scene| {
        let bindings = scene.bindings().await?;
        let bucket = bindings.bucket.clone().context("the status named no bucket")?;
        let before = count_on_aws(&scene.control, &bindings).await?;
        let wish = json!({"metadata": {"annotations": {LET_GO_ANNOTATION: LET_GO_WISH}}});
        scene.pipelines().patch(PIPELINE, &PatchParams::default(), &Patch::Merge(&wish)).await?;
        scene.delete_pipeline().await?;

        assert_eq!(count_on_aws(&scene.control, &bindings).await?, before);
        assert_eq!(state_tag(&scene.control, &bucket).await?, "owned");
        let mut events = scene.control.cluster.kubectl();
        events.args(["get", "events", "--namespace", &scene.namespace, "--field-selector=reason=LeftBehind"]);
        let told = capture(events.arg("--output=jsonpath={.items[*].message}"))?;
        let topic = bindings.topic_arn.context("the status named no topic")?;
        for name in [format!("arn:aws:s3:::{bucket}"), format!("queue {bucket}-refresh"), topic] {
            ensure!(told.contains(&name), "{name} is not in: {told}");
        }

        // The next one of the name takes all of it back, and along when it goes.
        scene.set_again(&Setting::default()).await?;
        assert_eq!(scene.bindings().await?.bucket, Some(bucket));
        Ok(())
    })
    .await
}

/// Everything in the namespace that was not there before the pipeline; events tell of it for an hour.
fn list_objects(scene: &Scene) -> Result<BTreeSet<String>> {
    let kubectl = || scene.control.cluster.kubectl();
    let kinds = capture(kubectl().args(["api-resources", "--namespaced", "--verbs=list", "--output=name"]))?;
    let kinds: Vec<_> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let names =
        capture(kubectl().args(["get", "--namespace", &scene.namespace, "--output=name", &kinds.join(",")]))?;
    let was_there = ["configmap/kube-root-ca.crt", "serviceaccount/default", "secret/aws-emulator"];
    Ok(names.lines().filter(|name| !was_there.contains(name)).map(str::to_owned).collect())
}

/// How many queues, topics and subscriptions of this pipeline there are.
async fn count_on_aws(control: &Control, bindings: &BindingsStatus) -> Result<(usize, usize, usize)> {
    let (sqs, sns) = (sqs_client(&control.aws().await), sns_client(&control.aws().await));
    // All of them begin with the bucket's name.
    let prefix = bindings.bucket.as_deref().context("the status named no bucket")?;
    let queues = sqs.list_queues().queue_name_prefix(prefix).send().await?;
    let topics = sns.list_topics().send().await?;
    let subscriptions = sns.list_subscriptions().send().await?;
    let is_ours = |arn: Option<&str>| arn.is_some_and(|arn| arn.contains(prefix));
    Ok((
        queues.queue_urls().len(),
        topics.topics().iter().filter(|topic| is_ours(topic.topic_arn())).count(),
        subscriptions.subscriptions().iter().filter(|one| is_ours(one.topic_arn())).count(),
    ))
}

async fn state_tag(control: &Control, bucket: &str) -> Result<String> {
    let s3 = s3_client(&control.aws().await);
    let tags = s3.get_bucket_tagging().bucket(bucket).send().await?.tag_set;
    let state = tags.into_iter().find(|tag: &Tag| tag.key == "assetpipeline.dev/state");
    state.map(|tag| tag.value).context("the bucket has no state tag")
}

async fn holds_files(control: &Control, bucket: &str) -> Result<bool> {
    let s3 = s3_client(&control.aws().await);
    Ok(!s3.list_objects_v2().bucket(bucket).prefix("b/").send().await?.contents().is_empty())
}
