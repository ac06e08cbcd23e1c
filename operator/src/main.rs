//! Starts the operator.

use clap::Parser;
use operator::{Config, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    pipeline::telemetry::init("info,kube_runtime=warn");
    operator::run(Config::from(Options::parse())).await
}
