//! Whether the models answer as the real ones: the same script is played to both, and what each tells is compared.
//!
//! The scripts hold what the operator and the hands of the scenarios do, and what they rely on. AWS's part is
//! compared with the emulator's.

mod cloud;
mod objects;

use anyhow::{Result, bail, ensure};
use serde_json::json;
use tests::{control::Control, moto::Moto};

use crate::{
    apiserver::MemoryApiServer,
    aws::MemoryAws,
    every_point::difference,
    links::{Aws, Cluster},
    real,
    world::World,
};

const NAME: &str = "front-conformance";

/// Steps with their outcomes, in order.
type Told = Vec<String>;

#[tokio::test]
async fn memory_and_emulator_answer_alike() -> Result<()> {
    let moto = Moto::start()?;
    let emulated = Aws::Real(moto.endpoint().parse()?, reqwest::Client::new());
    let mut told = Vec::new();
    for aws in [Aws::Memory(MemoryAws::default()), emulated] {
        let world = World { aws, ..World::memory() };
        told.push(cloud::tell(&world.hands().await.aws).await?);
    }
    compare(&told)
}

#[tokio::test]
async fn memory_and_api_server_answer_alike() -> Result<()> {
    let control = Control::connect().await?;
    let _stage = real::prepare(&control.client).await?;
    let mut told = Vec::new();
    for cluster in [Cluster::Memory(MemoryApiServer::default()), Cluster::Real(control.client.clone())] {
        let namespace = real::NAMESPACE.to_owned();
        let world = World { cluster, namespace, name: NAME.to_owned(), ..World::memory() };
        told.push(objects::tell(&world).await?);
    }
    real::clean(&control.client).await?;
    compare(&told)
}

fn compare(told: &[Told]) -> Result<()> {
    let [memory, real] = told else { bail!("not two of them") };
    ensure!(!real.is_empty(), "nothing was asked");
    let (memory, real) = (json!(memory), json!(real));
    ensure!(memory == real, "the real one (-) and memory (+) differ, {}", difference(&real, &memory));
    Ok(())
}
