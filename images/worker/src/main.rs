//! The worker pod's program. Also the compile child's: the worker runs itself anew for each tenant, and ahead of it.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use pipeline::{
    aws::{S3Store, SnsNotifier, SqsQueue, s3_client, sdk_config, sns_client, sqs_client},
    direct::{Direct, DirectNotices},
    operation::Operation,
    peers::Peers,
    settings::OnOff,
    shutdown,
    signature::{KeyFile, SigningKeys},
    telemetry,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use worker::{
    Compiler, Worker, WorkerPorts, WorkerSettings, child,
    metrics::WorkerMetrics,
    origin::{Guard, HttpOrigin, OriginCredentials},
    settings::{COMPILE_LIMITS, FETCH_TIMEOUT, RUN_LIMIT, SOURCE_LIMITS, Settings},
};

fn main() -> ExitCode {
    if let Some(code) = child::run_if_child() {
        return code;
    }
    let settings = Settings::parse();
    telemetry::init("info");
    // Container runtimes start processes with as few as 1,024 open files and leave the rest to them.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "could not allow more open files");
    }
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the worker cannot go on");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(settings: &Settings) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal().context("could not listen for signals")?;
    let mut operation = Operation::default();
    let metrics = WorkerMetrics::register(&mut operation.registry);
    let stopped = operation.stopped.clone();
    let mut following = JoinSet::new();
    let (ports, queues) = connect(settings, &mut following, stopped.clone()).await?;
    let program = std::env::current_exe().context("could not find this program's own file")?;
    let mut compiler = Compiler::new(program, COMPILE_LIMITS);
    compiler.keep_warm_for(settings.concurrency).await.context("could not run a confined compile child")?;
    let work = WorkerSettings {
        concurrency: settings.concurrency,
        visibility: Duration::from_secs(settings.visibility_seconds),
        run_limit: RUN_LIMIT,
        source_limits: SOURCE_LIMITS,
        credentials: OriginCredentials { folder: settings.origin_credentials.clone() },
        compiler,
    };
    let worker = Arc::new(Worker::new(ports, work, metrics));
    let listener = TcpListener::bind(settings.pod.operation_listen).await;
    let listener =
        listener.with_context(|| format!("could not listen at {}", settings.pod.operation_listen))?;
    let served = tokio::spawn(operation.serve(listener, shutdown.clone()));
    tracing::info!(worker.concurrency = settings.concurrency, "worker started");
    worker.work(shutdown).await;
    let [visits, refreshes] = &queues;
    tokio::join!(visits.settled(), refreshes.settled());
    stopped.cancel();
    served.await?.context("could not serve /health and /metrics")?;
    following.join_all().await;
    tracing::info!("worker stopped; every job that it had taken is ended or handed back");
    Ok(())
}

/// The queues once more, since they have to settle in the end.
async fn connect(
    settings: &Settings,
    following: &mut JoinSet<()>,
    ended: CancellationToken,
) -> anyhow::Result<(WorkerPorts, [SqsQueue; 2])> {
    let sdk = sdk_config().await;
    let direct = match settings.direct_notices {
        OnOff::Off => None,
        OnOff::On => {
            let path = settings.pod.notice_key_file.clone();
            let keys = SigningKeys::from_file(&path)?;
            following.spawn(KeyFile::new(keys.clone(), path).follow(ended));
            let peers = Arc::new(Peers::new(settings.pod.peers_host.clone()));
            let direct: Arc<dyn Direct> = Arc::new(DirectNotices::new(keys, peers)?);
            Some(direct)
        }
    };
    let guard = Guard { private_networks: settings.private_networks.clone() };
    let sqs = sqs_client(&sdk);
    let queue = SqsQueue::new(sqs.clone(), settings.pod.queue_url.clone());
    let refresh_queue = SqsQueue::new(sqs, settings.pod.refresh_queue_url.clone());
    let ports = WorkerPorts {
        queue: Arc::new(queue.clone()),
        refresh_queue: Arc::new(refresh_queue.clone()),
        store: Arc::new(S3Store::new(s3_client(&sdk), settings.pod.bucket.clone())),
        notifier: Arc::new(SnsNotifier::new(sns_client(&sdk), settings.pod.topic_arn.clone())),
        origin: Arc::new(
            HttpOrigin::new(guard, FETCH_TIMEOUT).context("could not build the client for origins")?,
        ),
        direct,
    };
    Ok((ports, [queue, refresh_queue]))
}
