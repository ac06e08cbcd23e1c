//! The web pod's program.

use std::{future::IntoFuture, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use clap::Parser;
use pipeline::{
    aws::{S3Store, SqsQueue, s3_client, sdk_config, sqs_client},
    direct::DirectNotices,
    operation::Operation,
    peers::Peers,
    registry::StoreTenants,
    shutdown,
    signature::SigningKeys,
    telemetry,
};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use web::{
    SnsTopic, Web, WebPorts, WebSettings, internal_router, metrics::WebMetrics, public_router,
    settings::Settings,
};

/// After the last held visitor's deadline, until connections that are still open are cut.
const DRAIN_SLACK: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let settings = Settings::parse();
    telemetry::init("info");
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the web tier cannot go on");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(settings: &Settings) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal().context("could not listen for signals")?;
    let mut operation = Operation::default();
    let metrics = WebMetrics::register(&mut operation.registry);
    let keys = SigningKeys::from_file(&settings.pod.notice_key_file)?;
    let web = Arc::new(connect(settings, keys.clone(), metrics).await?);
    let stopped = operation.stopped.clone();
    let operation = tokio::spawn(operation.serve(settings.pod.operation_listen, shutdown.clone()));
    let internal = serve(settings.internal_listen, internal_router(web.clone(), keys), stopped.clone());
    let internal = tokio::spawn(internal);
    let hold = web.hold();
    let public = serve(settings.listen, public_router(web), shutdown.clone());
    tracing::info!(listen = %settings.listen, "web started");
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(hold + DRAIN_SLACK).await;
    };
    tokio::select! {
        served = public => served.context("could not serve visitors")?,
        () = drained => tracing::warn!("connections are cut that were still open after the longest hold"),
    }
    stopped.cancel();
    timeout(DRAIN_SLACK, internal).await.ok().transpose()?.transpose().context("could not serve notices")?;
    timeout(DRAIN_SLACK, operation).await.ok().transpose()?.transpose().context("could not serve /health")?;
    tracing::info!("web stopped");
    Ok(())
}

async fn connect(settings: &Settings, keys: SigningKeys, metrics: WebMetrics) -> anyhow::Result<Web> {
    let sdk = sdk_config().await;
    let store = Arc::new(S3Store::new(s3_client(&sdk), settings.pod.bucket.clone()));
    let peers = Arc::new(Peers::new(settings.pod.peers_host.clone()));
    let ports = WebPorts {
        store: store.clone(),
        queue: Arc::new(SqsQueue::new(sqs_client(&sdk), settings.pod.queue_url.clone())),
        tenants: Arc::new(StoreTenants::new(store)),
        direct: Some(DirectNotices::new(keys, peers)?),
    };
    let topic = Some(SnsTopic { arn: settings.pod.topic_arn.clone() });
    Ok(Web::new(ports, WebSettings { policy: settings.policy(), hold: settings.hold(), topic }, metrics))
}

async fn serve(listen: SocketAddr, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).into_future().await
}
