//! Every point of every scenario, in memory and in virtual time.

use std::{pin::pin, time::Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    process::Operator,
    scenario::Scenario,
    wire::Fault,
    world::{BYSTANDERS, World},
};

/// How a scenario went.
pub(crate) struct Played {
    pub(crate) state: Value,
    made: Option<Vec<String>>,
    /// The operator on whom something went wrong.
    pub(crate) disturbed: Operator,
}

/// What becomes of an operator that stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    Dies,
    /// It goes on once another one has brought everything to rest, as if it had slept.
    ComesBack,
}

/// Lets the person begin, and the operator with this fault work; where it stops another one takes over. At the end
/// a third one finds nothing to do.
pub(crate) async fn play(scenario: Scenario, world: &World, fault: Fault, victim: Victim) -> Result<Played> {
    let bystanders = world.bystanders().await?;
    scenario.begin(world).await?;
    world.take_made();
    let disturbed = Operator::start(world, fault).await?;
    let heir = Operator::start(world, Fault::Nothing).await?;
    {
        let mut rounds = pin!(disturbed.run(world));
        let is_stopped = tokio::select! {
            done = &mut rounds => done.map(|()| false)?,
            () = disturbed.wire.stopped() => true,
        };
        if is_stopped {
            heir.run(world).await.context("the one who took over")?;
        }
        if is_stopped && victim == Victim::ComesBack {
            disturbed.wire.go_on();
            rounds.await.context("the one who came back")?;
        }
    }
    let made = world.take_made();
    let idle = Operator::start(world, Fault::Nothing).await?;
    idle.run(world).await?;
    ensure!(idle.wire.write_count() == 0, "there was something left to do: {}", idle.wire.told(1));
    for operator in [&heir, &disturbed] {
        let named = operator.wire.writes_naming(&BYSTANDERS);
        ensure!(named.is_empty(), "writes name what is somebody else's: {named:?}");
    }
    ensure!(world.bystanders().await? == bystanders, "what is somebody else's was touched");
    Ok(Played { state: world.state().await?, made, disturbed })
}

/// A scenario as it goes without trouble, and the world in which it begins.
struct Stage {
    scenario: Scenario,
    world: World,
    state: Value,
    made: Option<Vec<String>>,
    undisturbed: Operator,
}

impl Stage {
    async fn set(scenario: Scenario) -> Result<Self> {
        let world = World::memory();
        scenario.given(&world).await.context("before it")?;
        let Played { state, made, disturbed } =
            Box::pin(play(scenario, &world.fork(), Fault::Nothing, Victim::Dies)).await?;
        scenario.check_end(&state)?;
        Ok(Self { scenario, world, state, made, undisturbed: disturbed })
    }

    async fn check(&self, fault: Fault, victim: Victim) -> Result<()> {
        let Played { state, made, disturbed } =
            Box::pin(play(self.scenario, &self.world.fork(), fault, victim)).await?;
        ensure!(made == self.made, "made {made:#?} and not {:#?}", self.made);
        ensure!(state == self.state, "{}", difference(&self.state, &state));
        let is_late = matches!(fault, Fault::StaleReads | Fault::LateWatches);
        ensure!(!is_late || disturbed.wire.late_count() > 0, "nothing was late");
        Ok(())
    }

    async fn check_each(&self, what: &str, points: Vec<(Fault, Victim)>) -> Result<()> {
        let started = Instant::now();
        let mut failures = Vec::new();
        for &(fault, victim) in &points {
            if let Err(error) = self.check(fault, victim).await {
                failures.push(format!("{fault:?}, {}: {error:#}", self.told(fault)));
            }
        }
        println!("{:?}, {what}: {} points in {:.1?}", self.scenario, points.len(), started.elapsed());
        ensure!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), points.len(), failures.join("\n"));
        Ok(())
    }

    fn told(&self, fault: Fault) -> String {
        match fault {
            Fault::StopAfter(number) | Fault::LoseReply(number) | Fault::LoseReplyOnce(number) => {
                self.undisturbed.wire.told(number)
            }
            Fault::Nothing | Fault::StaleReads | Fault::StaleRead(_) | Fault::LateWatches => String::new(),
        }
    }

    /// Of the cluster's API the client tries nothing again.
    fn is_tried_again(&self, number: usize) -> bool {
        !self.undisturbed.wire.told(number).contains(" /api")
    }
}

/// The lines that are only in one of them.
pub(crate) fn difference(expected: &Value, found: &Value) -> String {
    let (expected, found) = (format!("{expected:#}"), format!("{found:#}"));
    let only = |sign: char, these: &str, those: &str| -> String {
        let those: Vec<&str> = those.lines().collect();
        let only = these.lines().filter(|line| !those.contains(line));
        only.map(|line| format!("{sign} {line}\n")).collect::<Vec<_>>().concat()
    };
    format!("another end:\n{}{}", only('-', &expected, &found), only('+', &found, &expected))
}

/// A crash after every write, a lost reply of every write, all reads late, and watches that are later still.
async fn check_faults(scenario: Scenario) -> Result<()> {
    let stage = Stage::set(scenario).await?;
    let writes = stage.undisturbed.wire.write_count();
    let mut points = vec![Fault::StaleReads, Fault::LateWatches];
    points.extend((1..=writes).flat_map(|number| [Fault::StopAfter(number), Fault::LoseReply(number)]));
    stage.check_each("faults", points.into_iter().map(|fault| (fault, Victim::Dies)).collect()).await
}

/// Two operators at work on the same pipeline, one of which sleeps after each of its writes in turn.
async fn check_two(scenario: Scenario) -> Result<()> {
    let stage = Stage::set(scenario).await?;
    let writes = stage.undisturbed.wire.write_count();
    let points = (1..=writes).map(|number| (Fault::StopAfter(number), Victim::ComesBack));
    stage.check_each("two operators", points.collect()).await
}

/// What the client tries again after a lost reply is done twice, and each read is late for itself.
async fn check_more(scenario: Scenario) -> Result<()> {
    let stage = Stage::set(scenario).await?;
    let Operator { wire, .. } = &stage.undisturbed;
    let again =
        (1..=wire.write_count()).filter(|number| stage.is_tried_again(*number)).map(Fault::LoseReplyOnce);
    let late = (1..=wire.read_count()).map(Fault::StaleRead);
    stage.check_each("repeats", again.map(|fault| (fault, Victim::Dies)).collect()).await?;
    stage.check_each("late reads", late.map(|fault| (fault, Victim::Dies)).collect()).await
}

macro_rules! scenarios {
    ($($module:ident: $scenario:ident,)*) => {
        $(
            mod $module {
                use super::*;

                #[tokio::test(start_paused = true)]
                async fn crash_or_lost_reply_at_any_write_changes_nothing_in_the_end() -> Result<()> {
                    check_faults(Scenario::$scenario).await
                }

                #[tokio::test(start_paused = true)]
                #[ignore = "long: another life for each write"]
                async fn operator_that_comes_back_changes_nothing_in_the_end() -> Result<()> {
                    check_two(Scenario::$scenario).await
                }

                #[tokio::test(start_paused = true)]
                #[ignore = "long: another life for each write and read"]
                async fn repeated_write_or_late_read_changes_nothing_in_the_end() -> Result<()> {
                    check_more(Scenario::$scenario).await
                }
            }
        )*
    };
}

scenarios! {
    creation: Create,
    adoption: Adopt,
    adoption_of_what_is_there: AdoptOrCreate,
    update: Update,
    another_endpoint: UpdateEndpoint,
    other_policies: UpdatePolicies,
    deletion_that_retains: DeleteAndRetain,
    deletion_of_everything: DeleteAll,
    deletion_of_what_was_adopted: DeleteAdopted,
    second_creation: CreateAgain,
}
