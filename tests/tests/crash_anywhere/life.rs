//! Hours of a pipeline's life, in virtual time: what is written while nothing happens, and what becomes of a
//! subscription.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use kube::core::DeserializeGuard;
use operator::pipeline::reconcile;
use pipeline::reach::Unreached;
use serde_json::Value;

use crate::{
    process::Operator,
    scenario::{Scenario, settle},
    wire::Fault,
    world::World,
};

/// Rounds come far more often than they must: whatever wakes the operator changes nothing.
const TICK: Duration = Duration::from_secs(30);
const MINUTE: usize = 2;

/// An operator whose every call is seen, and who may be replaced.
struct Life {
    world: World,
    operator: Operator,
    /// What earlier operators asked of SNS.
    before: usize,
    seen: usize,
}

impl Life {
    /// With a settled pipeline whose endpoint nobody has subscribed.
    async fn begin() -> Result<Self> {
        let world = World::memory();
        world.endpoint.fall_silent(Unreached::Foreign(404));
        Scenario::Create.begin(&world).await?;
        settle(&world).await?;
        world.endpoint.take_asked();
        let operator = Operator::start(&world, Fault::Nothing).await?;
        Ok(Self { world, operator, before: 0, seen: 0 })
    }

    async fn restart(&mut self) -> Result<()> {
        self.before += self.operator.wire.count_told("SNS Subscribe");
        self.operator = Operator::start(&self.world, Fault::Nothing).await?;
        Ok(())
    }

    /// Lets that much time go by, with a round for every tick. Nobody confirms anything meanwhile.
    async fn pass(&self, minutes: usize) -> Result<()> {
        for _ in 0..minutes * MINUTE {
            tokio::time::advance(TICK).await;
            let object = self.operator.pipeline(&self.world).await?.context("the pipeline is gone")?;
            self.operator.hear(&self.world).await?;
            Box::pin(reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(&self.operator.context)))
                .await?;
            // Whatever becomes of the subscription, nothing else hangs on it.
            for type_ in ["Ready", "BindingsReady", "DriftFree"] {
                let told = self.condition(type_).await?;
                ensure!(told["status"] == "True", "{told}");
            }
        }
        Ok(())
    }

    /// How often SNS was asked to subscribe since the last call.
    fn take_subscribed(&mut self) -> usize {
        let all = self.before + self.operator.wire.count_told("SNS Subscribe");
        all - std::mem::replace(&mut self.seen, all)
    }

    async fn condition(&self, type_: &str) -> Result<Value> {
        let object = self.operator.pipeline(&self.world).await?.context("the pipeline is gone")?;
        let conditions = object.status.map(|status| status.conditions).unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition.type_ == type_);
        Ok(serde_json::to_value(found.with_context(|| format!("no {type_}"))?)?)
    }

    async fn check(&self, reason: &str) -> Result<()> {
        let told = self.condition("SubscriptionReady").await?;
        ensure!(told["reason"] == reason, "not {reason} but {told}");
        let ready = self.condition("Ready").await?;
        ensure!(ready["status"] == "True", "{ready}");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn operator_that_starts_cold_writes_nothing_for_hours_where_nothing_happens() -> Result<()> {
    let world = World::memory();
    Scenario::Create.begin(&world).await?;
    settle(&world).await?;
    let operator = Operator::start(&world, Fault::Nothing).await?;
    let life = Life { world, operator, before: 0, seen: 0 };
    life.pass(6 * 60).await?;
    let wire = &life.operator.wire;
    ensure!(wire.write_count() == 0, "{} writes, the first of them {}", wire.write_count(), wire.told(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn subscription_is_asked_for_once_it_can_be_confirmed_and_again_until_it_is() -> Result<()> {
    let mut life = Life::begin().await?;
    // Nobody answers at the endpoint: SNS is asked for nothing, and the endpoint ever more seldom.
    life.pass(30).await?;
    life.check("Unreachable").await?;
    let told = life.condition("SubscriptionReady").await?["message"].to_string();
    ensure!(
        told.contains("https://hooks.example.com/work_complete") && told.contains("status 404"),
        "{told}"
    );
    assert_eq!(life.take_subscribed(), 0);
    let asked = life.world.endpoint.take_asked();
    ensure!((8..=14).contains(&asked), "asked {asked} times");

    // Somebody does, and is found within five minutes. Nobody confirms.
    life.world.endpoint.answer();
    life.pass(6).await?;
    life.check("PendingConfirmation").await?;
    assert_eq!(life.take_subscribed(), 1);
    assert_eq!(life.world.endpoint.take_asked(), 1);

    // Every ten minutes SNS is asked for another token, whoever the operator is.
    life.pass(10).await?;
    assert_eq!(life.take_subscribed(), 1);
    life.pass(4).await?;
    life.restart().await?;
    life.pass(6).await?;
    assert_eq!(life.take_subscribed(), 1);
    // Who starts again and again asks for none of its own accord.
    for _ in 0..4 {
        life.restart().await?;
        life.pass(1).await?;
    }
    assert_eq!(life.take_subscribed(), 0);
    life.pass(6).await?;
    assert_eq!(life.take_subscribed(), 1);
    ensure!(life.world.endpoint.take_asked() == 3, "it was asked in between");

    // Where nobody answers any more, there is no use in another one; once somebody does, there is.
    life.world.endpoint.fall_silent(Unreached::TimedOut);
    life.pass(12).await?;
    life.check("Unreachable").await?;
    assert_eq!(life.take_subscribed(), 0);
    life.world.endpoint.answer();
    life.pass(5).await?;
    life.check("PendingConfirmation").await?;
    assert_eq!(life.take_subscribed(), 1);

    // Confirmed: neither SNS nor the endpoint is asked for anything, whatever becomes of it.
    ensure!(life.world.confirm(), "nothing waits");
    life.pass(6).await?;
    life.check("AsSpecified").await?;
    life.world.endpoint.fall_silent(Unreached::Broken);
    life.world.endpoint.take_asked();
    life.pass(60).await?;
    life.check("AsSpecified").await?;
    assert_eq!((life.take_subscribed(), life.world.endpoint.take_asked()), (0, 0));

    // Somebody takes it away.
    life.world.endpoint.answer();
    life.world.hands().await.unsubscribe(&life.world).await?;
    life.pass(6).await?;
    life.check("PendingConfirmation").await?;
    assert_eq!(life.take_subscribed(), 1);
    Ok(())
}
