//! What a pipeline does to what it finds, by its mode.

use anyhow::{Context, Result, ensure};
use crds::BindingMode;
use operator::aws::{
    BindingsPlan,
    bucket::BucketStep,
    mode::{Outcome, Refused, State, decide},
    queue::QueueStep,
    topic::TopicStep,
};
use serde_json::{Value, json};
use tests::moto::Moto;

use crate::stage::{Pace, Rest, Stage, Tags, clients, tags_of};

const MODES: [BindingMode; 4] =
    [BindingMode::Create, BindingMode::Adopt, BindingMode::AdoptOrCreate, BindingMode::ReadOnly];
const STATES: [State; 7] = [
    State::Missing,
    State::Ours,
    State::Drifted,
    State::Released,
    State::Foreign,
    State::AllowedByTag,
    State::AllowedByValues,
];

#[tokio::test]
async fn every_cell_of_the_table_of_modes_holds_on_the_wire() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    for mode in MODES {
        for found in STATES {
            let name = format!("{mode:?}-{found:?}").to_lowercase();
            let mut stage = Stage::new(&clients, &name);
            check_cell(&mut stage, mode, found).await.with_context(|| format!("{mode:?}, {found:?}"))?;
        }
    }
    Ok(())
}

fn theirs() -> Tags {
    Tags::from([("team".to_owned(), "web".to_owned())])
}

/// Has the pipeline's resources found in this state, before the pipeline of that mode comes.
pub(crate) async fn prepare(stage: &mut Stage, mode: BindingMode, found: State) -> Result<()> {
    // An earlier pipeline of the same name has made them.
    let maker = if mode == BindingMode::Create { "Create" } else { "AdoptOrCreate" };
    let earlier = stage.spec(maker, &retained());
    let ours =
        async |stage: &Stage| stage.settle(&earlier).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"));
    match found {
        State::Missing => {}
        State::Ours => drop(ours(stage).await?),
        State::Drifted => {
            ours(stage).await?;
            stage.put_object().await?;
            stage.disturb().await?;
        }
        State::Released => {
            ours(stage).await?;
            stage.put_object().await?;
            stage.release(&earlier).await?;
        }
        State::Foreign => stage.make_theirs(&theirs()).await?,
        State::AllowedByTag => {
            let tags = theirs().into_iter().chain(stage.consent()).collect();
            stage.make_theirs(&tags).await?;
        }
        State::AllowedByValues => {
            stage.make_theirs(&theirs()).await?;
            stage.allow_by_values()?;
        }
    }
    Ok(())
}

fn retained() -> Value {
    json!({"queues": {"deletionPolicy": "Retain"}, "topic": {"deletionPolicy": "Retain"}})
}

async fn check_cell(stage: &mut Stage, mode: BindingMode, found: State) -> Result<()> {
    prepare(stage, mode, found).await?;
    let before = stage.look().await?;
    let settled = stage.settle(&stage.spec(&format!("{mode:?}"), &json!({}))).await?;
    let after = stage.look().await?;
    let outcome = decide(mode, found);
    let rest = match (outcome, settled) {
        (Outcome::Refuse(refused), Err(refusal)) => {
            assert_eq!(after, before, "something was written");
            return check_refusal(stage, refused, refusal.reason, &refusal.message);
        }
        (_, Ok(rest)) => rest,
        (_, Err(refusal)) => anyhow::bail!("{refusal:?}"),
    };
    match outcome {
        Outcome::Use | Outcome::ReportDrift => {
            assert_eq!((rest.rounds, &after), (0, &before), "something was written");
            assert_eq!(
                rest.drift.is_empty(),
                found == State::Ours || found == State::Released,
                "{:?}",
                rest.drift
            );
            if found != State::Ours && found != State::Released {
                check_drift(stage, &rest)?;
            }
        }
        Outcome::Create => assert_eq!(tags_of(&after), vec![stage.owner.owned_tags(); 5]),
        Outcome::TakeBack => {
            assert_eq!(tags_of(&after), vec![stage.owner.owned_tags(); 5]);
            ensure!(stage.has_object().await?, "the files are gone");
        }
        Outcome::Adopt => {
            let tags = tags_of(&before).into_iter();
            let expected =
                tags.map(|theirs| theirs.into_iter().chain(stage.owner.adopted_tags()).collect::<Tags>());
            assert_eq!(tags_of(&after), expected.collect::<Vec<_>>());
            assert_eq!((after.subscriptions.len(), &after.subscriptions), (1, &before.subscriptions));
            ensure!(stage.has_object().await?, "the files are gone");
        }
        Outcome::CorrectDrift => {
            check_corrections(&rest.first);
            // A second one, since the emulator forgets a queue's policy when other attributes are set.
            ensure!(rest.rounds <= 2, "it took {} rounds", rest.rounds);
            assert_eq!(tags_of(&after), tags_of(&before));
            ensure!(stage.has_object().await?, "the files are gone");
        }
        Outcome::Refuse(_) => anyhow::bail!("it was not refused"),
    }
    if !matches!(outcome, Outcome::Use | Outcome::ReportDrift) {
        assert_eq!(rest.drift, Vec::<String>::new());
    }
    Ok(())
}

fn check_refusal(stage: &Stage, refused: Refused, reason: &str, message: &str) -> Result<()> {
    let (expected, way_out) = match refused {
        Refused::Missing => ("ResourceMissing", "make it, or set mode AdoptOrCreate".to_owned()),
        Refused::InTheWay => (
            "ForeignResource",
            format!(
                "changed its tags, write assetpipeline.dev/cluster=east, assetpipeline.dev/pipeline=shop/{}, ",
                stage.owner.name
            ),
        ),
        Refused::NotAllowed => (
            "AdoptionNotAllowed",
            format!("tag it assetpipeline.dev/adoptable-by=shop/{}, or allow the name in", stage.owner.name),
        ),
    };
    assert_eq!(reason, expected);
    ensure!(message.contains(&way_out), "{message}");
    let names = &stage.names;
    let kinds = [("bucket", &names.bucket), ("queue", &names.queue), ("queue", &names.dead_letter_queue)];
    for (kind, name) in kinds {
        ensure!(message.contains(&format!("{kind} {name} ")), "{kind} {name} is not in: {message}");
    }
    Ok(())
}

fn check_drift(stage: &Stage, rest: &Rest) -> Result<()> {
    let names = &stage.names;
    for lack in [
        format!("bucket {} should block all public access", names.bucket),
        format!("queue {} should have ", names.queue),
        format!("queue {} should have ", names.refresh_queue),
        format!("queue {} should have ", names.dead_letter_queue),
        format!("topic {} should have a policy that denies access without TLS", names.topic),
    ] {
        ensure!(rest.drift.iter().any(|told| told.starts_with(&lack)), "{lack} is not in {:?}", rest.drift);
    }
    Ok(())
}

/// One write for what was disturbed on each resource, and nothing else.
fn check_corrections(plan: &BindingsPlan) {
    let BindingsPlan { bucket, dead_letter_queue, queue, refresh_queue, topic, subscription } = plan;
    assert_eq!(*bucket, [BucketStep::BlockPublicAccess]);
    for steps in [dead_letter_queue, queue, refresh_queue] {
        let [QueueStep::SetAttributes { url: _, changed }] = &steps[..] else { panic!("{steps:?}") };
        let expected = ("ReceiveMessageWaitTimeSeconds".to_owned(), "20".to_owned());
        assert_eq!(*changed, [expected].into());
    }
    let [TopicStep::SetAttribute { arn: _, name, value }] = &topic[..] else { panic!("{topic:?}") };
    assert!(name == "Policy" && value.contains("DenyWithoutTls"), "{name} {value}");
    assert!(subscription.is_empty());
}

#[tokio::test]
async fn every_write_may_be_the_last_before_a_crash() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    for found in [State::Missing, State::Drifted, State::Released, State::AllowedByTag] {
        let mut stage = Stage::new(&clients, &format!("crash-{found:?}").to_lowercase());
        prepare(&mut stage, BindingMode::AdoptOrCreate, found).await?;
        let theirs = tags_of(&stage.look().await?);
        let spec = stage.spec("AdoptOrCreate", &retained());
        stage.pace = Pace::OneWrite;
        let rest = stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        ensure!(rest.rounds >= 5, "{found:?} took {} writes", rest.rounds);
        let in_use = tags_of(&stage.look().await?);
        stage.release(&spec).await?;
        let left = tags_of(&stage.look().await?);
        if found == State::AllowedByTag {
            ensure!(in_use.iter().all(|tags| tags["assetpipeline.dev/state"] == "adopted"), "{in_use:?}");
            assert_eq!(left, theirs);
        } else {
            assert_eq!(in_use, vec![stage.owner.owned_tags(); 5], "{found:?}");
            assert_eq!(left, vec![stage.owner.released_tags(); 5], "{found:?}");
        }
    }
    Ok(())
}

/// An empty bucket without tags may be what a crash left, or somebody's who has just made it.
#[tokio::test]
async fn empty_bucket_of_a_given_name_is_not_taken_without_consent() -> Result<()> {
    let moto = Moto::start()?;
    let stage = Stage::new(&clients(&moto).await, "empty");
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(crate::stage::REGION.into())
        .build();
    let s3 = &stage.clients.s3;
    s3.create_bucket().bucket(&stage.names.bucket).create_bucket_configuration(place).send().await?;
    let before = stage.look().await?;
    let refusal = stage.settle(&stage.spec("AdoptOrCreate", &json!({}))).await?.unwrap_err();
    assert_eq!((refusal.reason, stage.look().await?), ("AdoptionNotAllowed", before));
    Ok(())
}
