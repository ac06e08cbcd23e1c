//! A hundred pipelines on an emulator of AWS, beside as many on the one in memory: whether what is counted there is what
//! an AWS that is not ours is asked.

use std::time::Duration;

use anyhow::Context;
use cluster::progress::Progress;
use tests::{control_plane::ControlPlane, moto::Moto};

use crate::{
    calls::{CountedAws, Counts},
    fleet::{BATCH, Fleet},
    idle::{self, Idle},
    programs::Operator,
};

/// A batch of pipelines, made and then left alone.
pub(crate) struct Small {
    /// Calls until all of them were ready.
    pub(crate) made: Counts,
    pub(crate) idle: Idle,
}

pub(crate) struct OnMoto {
    pub(crate) in_memory: Small,
    pub(crate) on_moto: Small,
}

/// Each on a control plane of its own.
pub(crate) async fn compare(lasts: Duration, progress: &Progress) -> anyhow::Result<OnMoto> {
    let in_memory = run(&CountedAws::serve().await?, lasts, progress).await.context("in memory")?;
    let on_moto = run(&CountedAws::relay(Moto::start()?).await?, lasts, progress).await.context("on moto")?;
    Ok(OnMoto { in_memory, on_moto })
}

async fn run(aws: &CountedAws, lasts: Duration, progress: &Progress) -> anyhow::Result<Small> {
    let plane = ControlPlane::start_bare().await?;
    let fleet = Fleet::open(&plane).await?;
    let mut operator = Operator::start(&plane, aws).await?;
    fleet.create_batch(0).await?;
    fleet.settle_batch(0).await?;
    let made = aws.counts();
    operator.await_rounds(BATCH, progress)?;
    let idle = idle::watch(&plane, aws, &operator, lasts, BATCH, progress).await?;
    operator.stop()?;
    Ok(Small { made, idle })
}
