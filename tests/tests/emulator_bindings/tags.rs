//! The tags that the spec has on all resources, beside those of others: set, changed, taken away, kept.

use anyhow::{Context, Result, ensure};
use operator::aws::ObservedBindings;
use serde_json::{Value, json};
use tests::moto::Moto;

use crate::stage::{Pace, Rest, Stage, Tags, clients, tags_of};

/// Where the operator keeps which keys it set.
const RECORD: &str = "assetpipeline.dev/tags";

async fn settle(stage: &Stage, spec: &Value) -> Result<Rest> {
    stage.settle(spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))
}

/// Of each resource, the tags that are not the operator's own.
fn plain(seen: &ObservedBindings) -> Vec<Tags> {
    let mut all = tags_of(seen);
    for tags in &mut all {
        tags.retain(|key, _| !key.starts_with("assetpipeline.dev/"));
    }
    all
}

fn of(pairs: &[(&str, &str)]) -> Vec<Tags> {
    let tags: Tags = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    vec![tags; 5]
}

/// Somebody else sets a tag on every resource.
async fn tag_as_others(stage: &Stage, key: &str, value: &str) -> Result<()> {
    let seen = stage.look().await?;
    let found = seen.bucket.found().context("the bucket is gone")?;
    let set = found.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let set = set.filter(|(known, _)| *known != key).chain([(key, value)]);
    let set = set.map(|(key, value)| aws_sdk_s3::types::Tag::builder().key(key).value(value).build());
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(set.collect::<Result<_, _>>()?));
    let request = stage.clients.s3.put_bucket_tagging().bucket(&stage.names.bucket);
    request.tagging(tagging.build()?).send().await?;
    for queue in [&seen.queue, &seen.refresh_queue, &seen.dead_letter_queue] {
        let url = &queue.found().context("a queue is gone")?.url;
        stage.clients.sqs.tag_queue().queue_url(url).tags(key, value).send().await?;
    }
    let arn = &seen.topic.found().context("the topic is gone")?.arn;
    let tag = aws_sdk_sns::types::Tag::builder().key(key).value(value).build()?;
    stage.clients.sns.tag_resource().resource_arn(arn).tags(tag).send().await?;
    Ok(())
}

#[tokio::test]
async fn tags_of_the_spec_come_and_go_and_those_of_others_stay() -> Result<()> {
    let moto = Moto::start()?;
    for pace in [Pace::Whole, Pace::OneWrite] {
        let mut stage = Stage::new(&clients(&moto).await, "tags");
        stage.pace = pace;
        let spec = |tags: Value| stage.spec("Create", &json!({"tags": tags}));
        settle(&stage, &spec(json!({"cost-center": "42", "a site": "shop@example.com"}))).await?;
        assert_eq!(plain(&stage.look().await?), of(&[("a site", "shop@example.com"), ("cost-center", "42")]));
        tag_as_others(&stage, "team", "web").await?;
        tag_as_others(&stage, "cost-center", "7").await?;
        let changed = spec(json!({"cost-center": "43", "team": "shop"}));
        let rest = settle(&stage, &changed).await?;
        assert_eq!(plain(&stage.look().await?), of(&[("cost-center", "43"), ("team", "web")]));
        assert_eq!(rest.drift.len(), 5, "{:?}", rest.drift);
        ensure!(rest.drift.iter().all(|told| told.ends_with("has otherwise: team")), "{:?}", rest.drift);
        assert_eq!(settle(&stage, &changed).await?.rounds, 0);
        let rest = settle(&stage, &spec(json!({}))).await?;
        assert_eq!((plain(&stage.look().await?), rest.drift), (of(&[("team", "web")]), vec![]));
        ensure!(tags_of(&stage.look().await?).iter().all(|tags| !tags.contains_key(RECORD)));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_kept_keeps_them_and_what_was_adopted_loses_them() -> Result<()> {
    let moto = Moto::start()?;
    let tags = json!({"cost-center": "42"});
    let retain = json!({"deletionPolicy": "Retain"});
    let changed = json!({"tags": tags, "bucket": retain, "queues": retain, "topic": retain});
    let made = Stage::new(&clients(&moto).await, "made");
    let spec = made.spec("Create", &changed);
    settle(&made, &spec).await?;
    made.release(&spec).await?;
    assert_eq!(plain(&made.look().await?), of(&[("cost-center", "42")]));
    // The next pipeline of the name knows which of them are to go.
    settle(&made, &made.spec("Create", &json!({}))).await?;
    assert_eq!(plain(&made.look().await?), of(&[]));

    let theirs = Stage::new(&clients(&moto).await, "theirs");
    let mut their_tags = theirs.consent();
    their_tags.insert("team".to_owned(), "web".to_owned());
    theirs.make_theirs(&their_tags).await?;
    let read_only = settle(&theirs, &theirs.spec("ReadOnly", &changed)).await?;
    let lacks = read_only.drift.iter().filter(|told| told.ends_with("of spec.bindings.tags: cost-center"));
    assert_eq!(lacks.count(), 5, "{:?}", read_only.drift);
    assert_eq!(plain(&theirs.look().await?), of(&[("team", "web")]));
    let spec = theirs.spec("Adopt", &changed);
    settle(&theirs, &spec).await?;
    assert_eq!(plain(&theirs.look().await?), of(&[("cost-center", "42"), ("team", "web")]));
    theirs.release(&spec).await?;
    assert_eq!(tags_of(&theirs.look().await?), vec![their_tags; 5]);
    Ok(())
}
