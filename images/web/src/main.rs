//! The web pod's program.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Parser;
use pipeline::{
    aws::{S3Store, SnsSubscriptions, SqsQueue, s3_client, sdk_config, sns_client, sqs_client},
    chain,
    direct::DirectNotices,
    operation::Operation,
    peers::Peers,
    purge::PurgedTenants,
    registry::StoreTenants,
    shutdown,
    signature::{KeyFile, SigningKeys},
    telemetry,
};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use web::{
    Fleet, H2Transport, ServeSettings, SnsTopic, Web, WebPorts, WebSettings, internal_router,
    metrics::WebMetrics, public_service, serve, settings::Settings, why_router,
};

/// After the last held visitor's deadline, until connections that are still open are cut.
const DRAIN_SLACK: Duration = Duration::from_secs(2);
/// After the longest wait at another pod, until its connection is given up.
const WAIT_SLACK: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let settings = Settings::parse();
    telemetry::init("info");
    allow_connections(settings.max_held);
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the web tier cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Raises the soft limit on open files to the hard one. Container runtimes start processes with as few as
/// 1,024 and leave the rest to them.
fn allow_connections(max_held: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if usize::try_from(limit).is_ok_and(|limit| limit < max_held) => tracing::warn!(
            limit,
            max_held,
            "fewer files may be open than visitors held: raise the hard limit of the container runtime"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(error = chain(&error), "could not raise the limit on open files"),
    }
}

#[tokio::main]
async fn run(settings: &Settings) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal().context("could not listen for signals")?;
    let mut operation = Operation::default();
    let metrics = WebMetrics::register(&mut operation.registry);
    let keys = SigningKeys::from_file(&settings.pod.notice_key_file)?;
    let peers = Arc::new(Peers::new(settings.pod.peers_host.clone()));
    let fleet = Arc::new(assemble(settings, keys.clone())?);
    let web = connect(settings, keys.clone(), (&peers, &fleet), metrics, &mut operation.registry).await?;
    let web = Arc::new(match settings.live(shutdown.clone()) {
        Some(live) => web.with_live_reload(live),
        None => web,
    });
    web.register(&mut operation.registry);
    operation.more = why_router(web.clone(), Handle::current());
    // A pod that knows no other one takes every key for its own.
    if let Err(error) = fleet.refresh(&peers).await {
        tracing::warn!(error = chain(&error), "starting without knowing the other web pods");
    }
    let stopped = operation.stopped.clone();
    let operation_listener = listen(settings.pod.operation_listen).await?;
    let internal_listener = listen(settings.internal_listen).await?;
    let public_listener = listen(settings.listen).await?;
    tracing::info!(listen = %settings.listen, fleet.size = fleet.size(), "web started");

    let mut around = JoinSet::new();
    around.spawn(operation.serve(operation_listener, shutdown.clone()));
    let key_file = KeyFile::new(keys.clone(), settings.pod.notice_key_file.clone());
    around.spawn(follow(key_file, stopped.clone()));
    let internal = internal_router(web.clone(), keys);
    around.spawn(serve(internal_listener, internal, ServeSettings::INTERNAL, stopped.clone()));
    around.spawn(watch(fleet, peers, stopped.clone()));
    let draining = CancellationToken::new();
    let drained = async {
        shutdown.cancelled().await;
        web.drain();
        draining.cancel();
        sleep(web.hold() + DRAIN_SLACK).await;
    };
    let public = public_service(web.clone());
    let serving = async {
        serve(public_listener, public, ServeSettings::PUBLIC, draining.clone()).await?;
        web.until_peers_are_answered().await;
        std::io::Result::Ok(())
    };
    tokio::select! {
        served = serving => served.context("could not serve visitors")?,
        Some(ended) = around.join_next() => bail!("a listener ended too early: {ended:?}"),
        () = drained => tracing::warn!("connections are cut that were still open after the longest hold"),
    }
    // Other pods that still wait here are told to go on to the next in rank.
    let _ = timeout(DRAIN_SLACK, web.finish()).await;
    stopped.cancel();
    // What does not end in time holds nothing that another pod could not do.
    let _ = timeout(DRAIN_SLACK, around.join_all()).await;
    tracing::info!("web stopped");
    Ok(())
}

fn assemble(settings: &Settings, keys: SigningKeys) -> anyhow::Result<Fleet> {
    // A wait lasts for two holds at the most.
    let transport = H2Transport::new(2 * settings.hold().hold + WAIT_SLACK)?;
    let fingerprint = settings.compile_options.fingerprint();
    Ok(Fleet::new(settings.member(), fingerprint, keys, Arc::new(transport)))
}

async fn connect(
    settings: &Settings,
    keys: SigningKeys,
    (peers, fleet): (&Arc<Peers>, &Arc<Fleet>),
    metrics: WebMetrics,
    registry: &mut Registry,
) -> anyhow::Result<Web> {
    let sdk = sdk_config().await;
    let store = Arc::new(S3Store::new(s3_client(&sdk), settings.pod.bucket.clone()));
    let tenants = StoreTenants::new(store.clone());
    tenants.register(registry);
    let sqs = sqs_client(&sdk);
    let ports = WebPorts {
        store: store.clone(),
        queue: Arc::new(SqsQueue::new(sqs.clone(), settings.pod.queue_url.clone())),
        refresh_queue: Arc::new(SqsQueue::new(sqs, settings.pod.refresh_queue_url.clone())),
        tenants: Arc::new(PurgedTenants::new(tenants, store)),
        direct: Some(Arc::new(DirectNotices::new(keys.clone(), peers.clone())?)),
        fleet: fleet.clone(),
    };
    let topic_arn = &settings.pod.topic_arn;
    let subscriptions = Arc::new(SnsSubscriptions::new(sns_client(&sdk), topic_arn));
    let endpoint = settings.sns_certificate_endpoint.clone();
    let topic = SnsTopic::new(topic_arn, settings.sns_authority()?, endpoint, subscriptions)?;
    let topic = Some(topic.proving(keys));
    let settings =
        WebSettings { policy: settings.policy(), hold: settings.hold(), limits: settings.rate_limits, topic };
    Ok(Web::new(ports, settings, metrics))
}

async fn watch(fleet: Arc<Fleet>, peers: Arc<Peers>, stop: CancellationToken) -> std::io::Result<()> {
    fleet.keep_watch(peers, stop).await;
    Ok(())
}

async fn follow(key_file: KeyFile, stop: CancellationToken) -> std::io::Result<()> {
    key_file.follow(stop).await;
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("could not listen at {address}"))
}
