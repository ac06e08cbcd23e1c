//! Policies that others have spelled anew, or have weakened.

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use operator::aws::ObservedBindings;
use serde_json::{Value, json};
use tests::moto::Moto;

use crate::stage::{Stage, clients};

/// The policies of bucket, queue and topic, as they stand.
fn policies(seen: &ObservedBindings) -> Result<[String; 3]> {
    let bucket = seen.bucket.found().and_then(|found| found.policy.clone()).context("bucket")?;
    let queue =
        seen.queue.found().and_then(|found| found.attributes.get("Policy").cloned()).context("queue")?;
    let topic =
        seen.topic.found().and_then(|found| found.attributes.get("Policy").cloned()).context("topic")?;
    Ok([bucket, queue, topic])
}

/// The one statement, as a person or another tool might write it.
fn respell(policy: &str, is_secure: &str) -> Result<String> {
    let policy: Value = serde_json::from_str(policy)?;
    let statement = &policy["Statement"][0];
    let list = |value: &Value| if value.is_array() { value.clone() } else { json!([value]) };
    let mut resources = list(&statement["Resource"]).as_array().cloned().context("no resources")?;
    resources.reverse();
    let action = statement["Action"].as_str().context("no action")?.to_uppercase();
    Ok(json!({
        "Version": "2008-10-17",
        "Id": "TlsOnly",
        "Statement": [{
            "Condition": {"Bool": {"aws:securetransport": [is_secure]}},
            "Resource": resources,
            "Action": [action],
            "Principal": {"AWS": "*"},
            "Effect": "Deny",
        }],
    })
    .to_string())
}

async fn write(stage: &Stage, [bucket, queue, topic]: &[String; 3]) -> Result<()> {
    let seen = stage.look().await?;
    let names = &stage.names;
    stage.clients.s3.put_bucket_policy().bucket(&names.bucket).policy(bucket).send().await?;
    let url = &seen.queue.found().context("there is no queue")?.url;
    let request = stage.clients.sqs.set_queue_attributes().queue_url(url);
    request.attributes(QueueAttributeName::Policy, queue).send().await?;
    let arn = &seen.topic.found().context("there is no topic")?.arn;
    let request = stage.clients.sns.set_topic_attributes().topic_arn(arn);
    request.attribute_name("Policy").attribute_value(topic).send().await?;
    Ok(())
}

#[tokio::test]
async fn policies_count_by_what_they_say() -> Result<()> {
    let moto = Moto::start()?;
    let stage = Stage::new(&clients(&moto).await, "spelled");
    let spec = stage.spec("Create", &json!({}));
    let settle = async || stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"));
    settle().await?;
    let written = policies(&stage.look().await?)?;
    let spell = |is_secure| -> Result<[String; 3]> {
        let [bucket, queue, topic] = &written;
        Ok([respell(bucket, is_secure)?, respell(queue, is_secure)?, respell(topic, is_secure)?])
    };
    write(&stage, &spell("false")?).await?;
    let before = stage.look().await?;
    ensure!(policies(&before)? != written, "the emulator spells policies as we do");
    assert_eq!((settle().await?.rounds, stage.look().await?), (0, before));
    write(&stage, &spell("true")?).await?;
    let rest = settle().await?;
    let plan = &rest.first;
    assert_eq!((plan.bucket.len(), plan.queue.len(), plan.topic.len()), (1, 1, 1), "{plan:?}");
    assert_eq!(policies(&stage.look().await?)?, written);
    Ok(())
}
