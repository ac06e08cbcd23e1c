//! A hundred of the changes on the cluster's API server and an emulator of AWS.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tests::{control::Control, moto::Moto};

use super::{
    Rested, begin, change, compare,
    history::History,
    resumed, seed,
    specs::{Ground, Specs, read, write},
};
use crate::{
    process::Operator,
    real::{clean, prepare, worlds},
    schema::set,
    wire::Fault,
    world::World,
};

/// Other runs in memory have others.
const NUMBER: u64 = 0;
/// Changes on each ground.
const SAMPLE: [(Ground, usize); 3] = [(Ground::Drawn, 34), (Ground::Named, 33), (Ground::Given, 33)];

/// Each spec's fresh pipeline is what the one before is compared with, and gets the next spec then.
#[tokio::test]
#[ignore = "long: a hundred pipelines on the cluster"]
async fn hundred_changes_equal_fresh_starts_on_the_real_api_server() -> Result<()> {
    let started = Instant::now();
    let control = Control::connect().await?;
    let moto = Moto::start()?;
    let _stage = prepare(&control.client).await?;
    let mut fresh = worlds(&control.client, &moto);
    for (ground, changes) in SAMPLE {
        sample(ground, changes, &mut fresh)
            .await
            .with_context(|| format!("seed {}, {ground:?}", seed(ground, NUMBER)))?;
    }
    println!("100 changes on the real API server in {:.1?}", started.elapsed());
    clean(&control.client).await
}

async fn sample(ground: Ground, changes: usize, fresh: &mut impl FnMut() -> Result<World>) -> Result<()> {
    let mut specs = Specs::new(seed(ground, NUMBER), ground)?;
    let mut from = fit(&specs.draw()?)?;
    let mut rested = begin_as(fresh()?, ground, &from).await?;
    for number in 0..changes {
        let place = || format!("change {number}");
        let to = fit(&specs.draw()?)?;
        let mut history = History::new(ground);
        history.note(&from);
        let Rested { world, .. } = &rested;
        let operator = Operator::start(world, Fault::Nothing).await?;
        let (before, after) = (called(&from, world)?, called(&to, world)?);
        let found = Box::pin(change(world, &operator, &before, &after)).await.with_context(place)?;
        from = history.carried(&resumed(&to));
        let next = begin_as(fresh()?, ground, &from).await.with_context(place)?;
        if let Some(difference) = compare(&history, &from, &next.state, &found)? {
            bail!("{}: {difference}from {before}\nto {after}", place());
        }
        rested = next;
    }
    Ok(())
}

async fn begin_as(world: World, ground: Ground, spec: &Value) -> Result<Rested> {
    let spec = called(spec, &world)?;
    Box::pin(begin(world, ground, &spec)).await
}

/// Nobody confirms subscriptions there, and a port of the nodes can be had by one Service only.
fn fit(spec: &Value) -> Result<Value> {
    let mut spec = spec.clone();
    set(&mut spec, "notifications", &json!({}));
    set(&mut spec, "service.nodePort", &Value::Null);
    write(&read(&spec)?)
}

/// With the names of what people made in that world.
fn called(spec: &Value, world: &World) -> Result<Value> {
    Ok(serde_json::from_str(&spec.to_string().replace(&World::memory().name, &world.name))?)
}
