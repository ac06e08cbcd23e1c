//! Starts the operator, or answers a question of its chart.

use std::process::ExitCode;

use operator::{Config, Order, check_uninstall};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Order::parse() {
        Order::Run(options) => {
            pipeline::telemetry::init("info,kube_runtime=warn");
            Box::pin(operator::run(Config::from(*options))).await?;
            Ok(ExitCode::SUCCESS)
        }
        Order::CheckUninstall(asked) => check_uninstall(&asked).await,
    }
}
