//! What becomes of a pipeline's resources when it goes, by how it came to them and what the spec says.

use anyhow::{Context, Result, ensure};
use operator::aws::{
    Clients, Transport,
    bucket::ObservedBucket,
    ending::{Contents, Disposal, Ending, Origin, decide_ending},
};
use serde_json::{Value, json};
use tests::moto::Moto;

use crate::stage::{Stage, clients, tags_of};

#[tokio::test]
async fn every_cell_of_the_table_of_endings_holds_on_the_wire() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    for origin in [Origin::Made, Origin::Adopted, Origin::ReadOnly] {
        for disposal in [Disposal::Retain, Disposal::Delete, Disposal::EmptyAndDelete] {
            for contents in [Contents::Empty, Contents::Something] {
                let cell = format!("{origin:?}-{disposal:?}-{contents:?}");
                let stage = stage(&clients, &cell);
                check_cell(&stage, origin, disposal, contents).await.context(cell)?;
            }
        }
    }
    Ok(())
}

/// The emulator would let nobody delete objects under the policy that denies what comes without TLS.
fn stage(clients: &Clients, name: &str) -> Stage {
    let mut stage = Stage::new(clients, &name.to_lowercase());
    stage.transport = Transport::Plaintext;
    stage
}

pub(crate) fn policies(disposal: Disposal) -> Value {
    let (policy, when_not_empty) = match disposal {
        Disposal::Retain => ("Retain", "Keep"),
        Disposal::Delete => ("Delete", "Keep"),
        Disposal::EmptyAndDelete => ("Delete", "DeleteAllObjects"),
    };
    json!({
        "bucket": {"deletionPolicy": policy, "whenNotEmpty": when_not_empty},
        "queues": {"deletionPolicy": policy},
        "topic": {"deletionPolicy": policy},
    })
}

async fn check_cell(stage: &Stage, origin: Origin, disposal: Disposal, contents: Contents) -> Result<()> {
    let mode = match origin {
        Origin::Made => "Create",
        Origin::Adopted => "Adopt",
        Origin::ReadOnly => "ReadOnly",
    };
    if origin != Origin::Made {
        stage.make_theirs(&stage.consent()).await?;
        if contents == Contents::Empty {
            stage.clients.s3.delete_object().bucket(&stage.names.bucket).key("theirs").send().await?;
        }
    }
    let theirs = stage.look().await?;
    let spec = stage.spec(mode, &policies(disposal));
    stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    if contents == Contents::Something {
        stage.put_object().await?;
    }
    let kept = stage.release(&spec).await?;
    let left = stage.look().await?;
    match decide_ending(origin, disposal, contents) {
        Ending::Release => {
            // Queues and topic count as empty.
            let count = if disposal == Disposal::Retain { 5 } else { 1 };
            assert_eq!(tags_of(&left), vec![stage.owner.released_tags(); count]);
            assert_eq!(kept.len(), count, "{kept:?}");
            let why =
                if disposal == Disposal::Retain { "deletionPolicy is Retain" } else { "it is not empty" };
            ensure!(kept.iter().all(|text| text.contains(why)), "{kept:?}");
        }
        Ending::Delete | Ending::Empty => {
            assert_eq!((&left.bucket, tags_of(&left)), (&ObservedBucket::Missing, vec![]));
            assert_eq!(kept, Vec::<String>::new());
        }
        Ending::GiveBack => {
            assert_eq!(tags_of(&left), tags_of(&theirs));
            assert_eq!((left.subscriptions.len(), &left.subscriptions), (1, &theirs.subscriptions));
            ensure!(kept.len() == 5 && kept.iter().all(|text| text.contains("it was adopted")), "{kept:?}");
        }
        Ending::Leave => {
            assert_eq!(tags_of(&left), tags_of(&theirs));
            check_read_only(&kept)?;
        }
    }
    if contents == Contents::Something && left.bucket != ObservedBucket::Missing {
        ensure!(stage.has_object().await?, "the files are gone");
    }
    Ok(())
}

fn check_read_only(kept: &[String]) -> Result<()> {
    ensure!(kept.len() == 5 && kept.iter().all(|text| text.ends_with("mode is ReadOnly")), "{kept:?}");
    Ok(())
}

#[tokio::test]
async fn read_only_at_the_end_leaves_none_of_our_tags_and_deletes_nothing() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    let read_only = policies(Disposal::EmptyAndDelete);
    for is_theirs in [true, false] {
        let stage = stage(&clients, &format!("late-{is_theirs}"));
        if is_theirs {
            stage.make_theirs(&stage.consent()).await?;
        }
        let theirs = stage.look().await?;
        let settled = stage.settle(&stage.spec("AdoptOrCreate", &read_only)).await?;
        settled.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let kept = stage.release(&stage.spec("ReadOnly", &read_only)).await?;
        let left = tags_of(&stage.look().await?);
        if is_theirs {
            assert_eq!(left, tags_of(&theirs));
        } else {
            assert_eq!(left, vec![stage.owner.released_tags(); 5]);
        }
        ensure!(kept.iter().all(|text| text.ends_with("mode is ReadOnly")), "{kept:?}");
    }
    Ok(())
}

/// S3 deletes no bucket that has old versions or marks of deletion.
#[tokio::test]
async fn old_versions_keep_a_bucket_unless_the_spec_says_that_they_go() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    for (disposal, is_left) in [(Disposal::Delete, true), (Disposal::EmptyAndDelete, false)] {
        let stage = stage(&clients, &format!("versions-{disposal:?}"));
        let spec = stage.spec("Create", &policies(disposal));
        stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        stage.put_old_versions().await?;
        stage.release(&spec).await?;
        let left = stage.look().await?.bucket;
        assert_eq!(left != ObservedBucket::Missing, is_left, "{disposal:?}: {left:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_of_others_is_touched_by_a_pipeline_that_goes() -> Result<()> {
    let moto = Moto::start()?;
    let stage = stage(&clients(&moto).await, "foreign");
    stage.make_theirs(&[("team".to_owned(), "web".to_owned())].into()).await?;
    let before = stage.look().await?;
    for mode in ["Create", "Adopt", "AdoptOrCreate", "ReadOnly"] {
        let kept = stage.release(&stage.spec(mode, &policies(Disposal::EmptyAndDelete))).await?;
        assert_eq!((kept, &stage.look().await?), (vec![], &before), "{mode}");
    }
    ensure!(stage.has_object().await?, "the files are gone");
    Ok(())
}
