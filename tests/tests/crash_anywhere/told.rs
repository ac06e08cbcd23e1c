//! What events tell of resources on AWS: what stays when a pipeline goes, and what somebody removed.

use anyhow::{Context as _, Result, ensure};

use crate::{
    links::Cluster,
    scenario::{Scenario, settle},
    world::World,
};

/// The events of this reason, by words that are the same in every run.
fn notes(world: &World, reason: &str) -> Vec<String> {
    let Cluster::Memory(server) = &world.cluster else { return Vec::new() };
    let told = server.events().into_iter().filter(|(told, _)| told == reason);
    told.map(|(_, note)| world.normalise(&note)).collect()
}

async fn after(scenario: Scenario) -> Result<World> {
    let world = World::memory();
    scenario.given(&world).await?;
    scenario.begin(&world).await?;
    settle(&world).await?;
    Ok(world)
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_told_with_the_reason_once_for_each_resource() -> Result<()> {
    let world = after(Scenario::DeleteAndRetain).await?;
    let notes = notes(&world, "Kept");
    let part = |kind: &str, field: &str, count: usize| {
        let (begin, end) = (format!("{kind} "), format!(" stays: {field}.deletionPolicy is Retain"));
        let found = notes.iter().filter(|note| note.starts_with(&begin) && note.ends_with(&end)).count();
        ensure!(found == count, "{found} of {kind}: {notes:?}");
        Ok(())
    };
    part("bucket", "spec.bindings.bucket", 1)?;
    part("queue", "spec.bindings.queues", 3)?;
    part("topic", "spec.bindings.topic", 1)?;
    ensure!(notes.len() == 5, "{notes:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_told_to_stay_and_what_was_deleted_is_not() -> Result<()> {
    let notes_of = async |scenario| Ok::<_, anyhow::Error>(notes(&after(scenario).await?, "Kept"));
    let adopted = notes_of(Scenario::DeleteAdopted).await?;
    ensure!(
        adopted.len() == 5 && adopted.iter().all(|note| note.ends_with(": it was adopted")),
        "{adopted:?}"
    );
    assert_eq!(notes_of(Scenario::DeleteAll).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_somebody_removed_on_aws_is_made_anew_and_told() -> Result<()> {
    let world = after(Scenario::Create).await?;
    let before = world.state().await?;
    assert_eq!(notes(&world, "MadeAnew"), Vec::<String>::new());
    world.hands().await.remove_bindings(&world).await.context("by hand")?;
    settle(&world).await?;
    let notes = notes(&world, "MadeAnew");
    ensure!(notes.len() == 5, "{notes:?}");
    for (kind, count, lost) in [
        ("bucket", 1, "every file is compiled again at its next visit"),
        ("queue", 3, "what was in it is lost"),
        ("topic", 1, "others who subscribed must do so again"),
    ] {
        let is_one = |note: &&String| note.starts_with(kind) && note.contains(" was gone and is made anew; ");
        let found = notes.iter().filter(is_one).filter(|note| note.ends_with(lost)).count();
        ensure!(found == count, "{found} of {kind}: {notes:?}");
    }
    assert_eq!(world.state().await?, before);
    Ok(())
}
