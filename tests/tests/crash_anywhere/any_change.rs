//! Any change equals a fresh start: whatever a pipeline was, once its spec has changed and all is at rest, children,
//! AWS and status are those of a pipeline that was made with that spec, and nothing is left to do.
//!
//! What is retained by the API's own words is told by `history`. The scaler has no part in it: its decisions follow
//! from the spec, and from queues, alone.

mod history;
mod on_the_cluster;
mod shrink;
mod specs;

use std::{collections::HashMap, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use self::{
    history::History,
    shrink::shrink,
    specs::{Ground, Specs, differing, is_change_refused, patch},
};
use crate::{
    every_point::difference,
    hands::WithQueues,
    process::{Operator, Rest},
    schema::set,
    wire::Fault,
    world::World,
};

/// Each run on each ground has one that comes so far behind it.
const SEED: u64 = 20_261_127;
/// More differences than these help nobody.
const MOST_FAILURES: usize = 2;
const GROUNDS: [Ground; 3] = [Ground::Drawn, Ground::Named, Ground::Given];

/// How many specs there are, and to how many others each of them is changed. Runs of other numbers have other specs.
#[derive(Debug, Clone, Copy)]
struct Extent {
    number: u64,
    specs: usize,
    changes: usize,
}

/// A little more than 400 changes on all grounds together.
const SHORT: Extent = Extent { number: 0, specs: 15, changes: 9 };
/// More than 2,000; two runs are two tests, side by side on two cores.
const LONG: [Extent; 2] =
    [Extent { number: 1, specs: 20, changes: 17 }, Extent { number: 2, specs: 20, changes: 17 }];

impl Extent {
    /// Of each spec to others, and those of a long life.
    const fn count(self) -> usize {
        self.specs * self.changes + self.specs - 1
    }
}

/// Specs, and pairs of them by their numbers.
struct Course {
    specs: Vec<Value>,
    changes: Vec<(usize, usize)>,
}

impl Course {
    fn draw(ground: Ground, extent: Extent) -> Result<Self> {
        let mut drawn = Specs::new(seed(ground, extent.number), ground)?;
        let specs = (0..extent.specs).map(|_| drawn.draw()).collect::<Result<Vec<_>>>()?;
        let mut changes = Vec::new();
        for from in 0..extent.specs {
            let others = (0..extent.specs).filter(|to| *to != from);
            changes.extend(drawn.choose(others, extent.changes).into_iter().map(|to| (from, to)));
        }
        Ok(Self { specs, changes })
    }
}

fn seed(ground: Ground, number: u64) -> u64 {
    let first = SEED + number * GROUNDS.len() as u64;
    match ground {
        Ground::Drawn => first,
        Ground::Named => first + 1,
        Ground::Given => first + 2,
    }
}

/// A pipeline at rest.
#[derive(Clone)]
struct Rested {
    world: World,
    state: Value,
}

/// A world in which what this ground has is there, with a pipeline of this spec at rest.
async fn begin(world: World, ground: Ground, spec: &Value) -> Result<Rested> {
    let hands = world.hands().await;
    if ground == Ground::Given {
        hands.make_given(&world, WithQueues::Yes).await?;
    }
    hands.create_pipeline(&world, spec).await?;
    let operator = Operator::start(&world, Fault::Nothing).await?;
    operator.run_until(&world, Rest::Quiet).await.context("the fresh one")?;
    let state = world.state().await?;
    let objects = state["cluster"].as_array().into_iter().flatten();
    let tiers = objects.filter(|object| object["kind"] == "Deployment").count();
    let expected = if spec["suspend"] == true { 0 } else { 2 };
    ensure!(tiers == expected, "there are {tiers} Deployments: {state:#}");
    Ok(Rested { world, state })
}

/// What was begun so far in memory, by spec.
struct Fresh {
    ground: Ground,
    known: HashMap<String, Rested>,
}

impl Fresh {
    fn new(ground: Ground) -> Self {
        Self { ground, known: HashMap::new() }
    }

    async fn of(&mut self, spec: &Value) -> Result<Rested> {
        let key = spec.to_string();
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let begun = begin(World::memory(), self.ground, spec).await?;
        self.known.insert(key, begun.clone());
        Ok(begun)
    }

    /// A fresh pipeline gets another spec, from an operator who starts then: how its end differs from a fresh one.
    async fn check(&mut self, from: &Value, to: &Value) -> Result<Option<String>> {
        let world = self.of(from).await?.world.fork();
        let operator = Operator::start(&world, Fault::Nothing).await?;
        let mut history = History::new(self.ground);
        history.note(from);
        let found = change(&world, &operator, from, to).await?;
        let to = resumed(to);
        let expected = self.of(&history.carried(&to)).await?.state;
        compare(&history, &to, &expected, &found)
    }
}

/// Changes the spec and waits until nothing is left to do, nor for an operator that starts then and looks at all of
/// it. A pipeline that is suspended must stay as it is, and goes on then.
async fn change(world: &World, operator: &Operator, from: &Value, to: &Value) -> Result<Value> {
    let hands = world.hands().await;
    let mut from = from.clone();
    if to["suspend"] == true {
        let before = without_pipeline(world.state().await?);
        hands.change_pipeline(world, &patch(&from, to)).await?;
        operator.run_until(world, Rest::Quiet).await?;
        let after = without_pipeline(world.state().await?);
        ensure!(before == after, "it is suspended, and {}", difference(&before, &after));
        from = to.clone();
    }
    hands.change_pipeline(world, &patch(&from, &resumed(to))).await?;
    operator.run_until(world, Rest::Quiet).await?;
    let idle = Operator::start(world, Fault::Nothing).await?;
    idle.run_until(world, Rest::Quiet).await?;
    ensure!(idle.wire.write_count() == 0, "there was something left to do: {}", idle.wire.told(1));
    world.state().await
}

fn resumed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    set(&mut spec, "suspend", &json!(false));
    spec
}

fn without_pipeline(mut state: Value) -> Value {
    if let Some(objects) = state["cluster"].as_array_mut() {
        objects.retain(|object| object["kind"] != "AssetPipeline");
    }
    state
}

/// How the end of a change to this spec differs from that of a fresh start.
fn compare(history: &History, spec: &Value, expected: &Value, found: &Value) -> Result<Option<String>> {
    let spec = history.carried(spec);
    let [expected, found] = [expected, found].map(|state| history.compared(state, &spec).map(without_spec));
    let (expected, found) = (expected?, found?);
    Ok((expected != found).then(|| difference(&expected, &found)))
}

/// What it says of a setting that stays is another thing than what stays.
fn without_spec(mut state: Value) -> Value {
    for object in state["cluster"].as_array_mut().into_iter().flatten() {
        if object["kind"] == "AssetPipeline" {
            object["spec"] = Value::Null;
        }
    }
    state
}

/// Each change from a fresh pipeline, and a long life: one operator carries a pipeline through all specs in turn.
async fn run(ground: Ground, extent: Extent) -> Result<()> {
    let started = Instant::now();
    let seed = seed(ground, extent.number);
    let Course { specs, changes } = Course::draw(ground, extent)?;
    let mut fresh = Fresh::new(ground);
    let mut failures = Vec::new();
    for &(from, to) in &changes {
        let (from, to) = (&specs[from], &specs[to]);
        let failure =
            Box::pin(fresh.check(from, to)).await.unwrap_or_else(|error| Some(format!("{error:#}")));
        if failure.is_some() {
            failures.push(Box::pin(shrink(&mut fresh, from, to)).await?);
        }
        if failures.len() == MOST_FAILURES {
            break;
        }
    }
    if failures.is_empty() {
        let life = live_through(&mut fresh, &specs);
        Box::pin(life).await.with_context(|| format!("seed {seed}, {ground:?}"))?;
    }
    let (count, fresh) = (extent.count(), fresh.known.len());
    println!("{ground:?}: {count} changes, {fresh} fresh starts in {:.1?}", started.elapsed());
    ensure!(failures.is_empty(), "seed {seed}, {ground:?}:\n{}", failures.join("\n"));
    Ok(())
}

async fn live_through(fresh: &mut Fresh, specs: &[Value]) -> Result<()> {
    let [first, rest @ ..] = specs else { bail!("there are no specs") };
    let world = fresh.of(first).await?.world.fork();
    let operator = Operator::start(&world, Fault::Nothing).await?;
    let mut history = History::new(fresh.ground);
    let mut from = first.clone();
    for (number, to) in rest.iter().enumerate() {
        history.note(&from);
        let place = || format!("change {number} of a long life");
        let found = change(&world, &operator, &from, to).await.with_context(place)?;
        let place = place();
        from = resumed(to);
        let expected = fresh.of(&history.carried(&from)).await?.state;
        if let Some(difference) = compare(&history, &from, &expected, &found)? {
            bail!("{place}: {difference}");
        }
    }
    Ok(())
}

macro_rules! grounds {
    ($($module:ident: $ground:ident,)*) => {
        $(
            mod $module {
                use super::*;

                #[tokio::test(start_paused = true)]
                async fn change_equals_a_fresh_start() -> Result<()> {
                    run(Ground::$ground, SHORT).await
                }

                #[tokio::test(start_paused = true)]
                #[ignore = "long: a life for each of more than three hundred changes"]
                async fn any_change_equals_a_fresh_start() -> Result<()> {
                    run(Ground::$ground, LONG[0]).await
                }

                #[tokio::test(start_paused = true)]
                #[ignore = "long: a life for each of more than three hundred changes"]
                async fn any_other_change_equals_a_fresh_start() -> Result<()> {
                    run(Ground::$ground, LONG[1]).await
                }
            }
        )*
    };
}

grounds! {
    drawn_bindings: Drawn,
    named_bindings: Named,
    given_bindings: Given,
}

#[test]
fn short_runs_change_every_field() -> Result<()> {
    check_every_field(&[SHORT]).map(drop)
}

#[test]
fn long_runs_change_every_field_in_more_than_two_thousand_changes() -> Result<()> {
    let count = check_every_field(&LONG)?;
    ensure!(count > 2000, "{count} changes");
    Ok(())
}

/// On all grounds together, every field that may be changed is. How many changes there are.
fn check_every_field(extents: &[Extent]) -> Result<usize> {
    let drawn = Specs::new(SEED, Ground::Drawn)?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut all = 0;
    for (ground, extent) in
        GROUNDS.into_iter().flat_map(|ground| extents.iter().map(move |extent| (ground, *extent)))
    {
        let Course { specs, changes } = Course::draw(ground, extent)?;
        let is_refused = specs.iter().position(|to| is_change_refused(&specs[0], to));
        ensure!(is_refused.is_none(), "{ground:?}: the first to {is_refused:?} is refused");
        all += extent.count();
        for (from, to) in changes {
            for path in differing(drawn.fields(), &specs[from], &specs[to]) {
                *counts.entry(path).or_default() += 1;
            }
        }
    }
    println!("{all} changes");
    println!("the fewest changes: {:?}", counts.iter().min_by_key(|(_, count)| **count));
    let never: Vec<&str> = drawn
        .fields()
        .iter()
        .map(|field| field.path.as_str())
        .filter(|path| !counts.contains_key(*path))
        .collect();
    // Names are for ever.
    let names = ["bindings.bucket.name", "bindings.queues.names", "bindings.topic.name"];
    let changeable: Vec<_> =
        never.into_iter().filter(|path| !names.iter().any(|name| path.starts_with(name))).collect();
    ensure!(changeable.is_empty(), "no change changes {changeable:?}: draw more specs");
    Ok(all)
}

#[test]
fn what_is_left_behind_anywhere_is_a_difference() -> Result<()> {
    let state = |child: &str, tag: &str, reason: &str, generation: u8| {
        let body = json!({"generation": generation, "id": format!("LABEL-g{generation}")}).to_string();
        json!({
            "cluster": [
                {"kind": "AssetPipeline", "spec": {}, "status": {
                    "observedGeneration": generation, "conditions": [{"type": "Ready", "reason": reason}],
                }},
                {"kind": "Service", "metadata": {"annotations": {"a": child}}},
            ],
            "aws": {"buckets": {"site-NAME": {"settings": {"tagging": tag}, "objects": {"o": {"body": body}}}}},
        })
    };
    let spec = |mode: &str| json!({"bindings": {"bucket": {"name": "site-storefront", "mode": mode}}});
    let mut history = History::new(Ground::Given);
    history.note(&spec("Adopt"));
    let fresh = state("a", "a", "a", 1);
    let differs =
        |spec: &Value, found: &Value| compare(&history, spec, &fresh, found).map(|told| told.is_some());
    let adopted = spec("Adopt");
    assert!(differs(&adopted, &state("b", "a", "a", 1))?);
    assert!(differs(&adopted, &state("a", "b", "a", 1))?);
    assert!(differs(&adopted, &state("a", "a", "b", 1))?);
    assert!(!differs(&adopted, &state("a", "a", "a", 2))?);
    // What may only be read keeps what was set before.
    assert!(!differs(&spec("ReadOnly"), &state("a", "b", "a", 1))?);
    Ok(())
}
