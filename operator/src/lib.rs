//! The operator: reconciles `AssetPipeline` objects into workloads and AWS resources, `AssetTenant` objects
//! into registrations, and scales workers.
//!
//! Of several replicas one leads ([`election`]); the others wait. It knows the data plane only through crate
//! `pipeline`: its settings, its registry and its ports.

pub mod aws;
pub mod children;
pub mod config;
pub mod context;
pub mod election;
mod events;
pub mod iam;
pub mod metrics;
pub mod names;
mod news;
pub mod order;
pub mod pace;
pub mod pipeline;
pub mod placement;
pub mod purges;
pub mod reach;
pub mod scaler;
pub mod scope;
pub mod settled;
pub mod statuses;
pub mod tenant;
pub mod tenants;
pub mod uninstall;

use std::sync::Arc;

use ::pipeline::{
    aws::{S3Store, SdkConfig, SqsQueue, sdk_config},
    chain,
    operation::Operation,
    peers::Peers,
    purge::PurgeHints,
    reach::{EndpointReach, Question, Unreached},
    shutdown,
    signature::SigningKeys,
};
use anyhow::Context as _;
use crds::{AssetPipeline, AssetTenant};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::{
    Client,
    core::DeserializeGuard,
    runtime::{
        Controller, PredicateConfig, WatchStreamExt,
        controller::Error as RoundError,
        events::{Recorder, Reporter},
        reflector,
        reflector::ObjectRef,
        watcher,
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Options};
pub use order::Order;
pub use uninstall::check_uninstall;

use crate::{
    aws::Clients,
    children::{prune_metadata, watch_children},
    config::LeaseConfig,
    context::Context,
    election::{Election, Term},
    metrics::Metrics,
    names::OPERATOR_MANAGER,
    pace::Pace,
    pipeline::rebalance::Moves,
    placement::watch_placement,
    purges::{HintOrder, HintTarget},
    reach::ReachBoard,
    scope::Namespaced,
    settled::Settled,
};

/// Objects of one kind that are reconciled at the same time.
const CONCURRENCY: u16 = 16;

/// Runs until the process is told to stop, and ends what it has begun.
pub async fn run(config: Config) -> anyhow::Result<()> {
    Box::pin(run_on(config, &sdk_config().await)).await
}

/// The same on whatever AWS these settings lead to.
pub async fn run_on(mut config: Config, sdk: &SdkConfig) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal().context("could not listen for signals")?;
    let cluster = kube::Config::infer().await.context("could not find the cluster's API server")?;
    // Network policies name it, too.
    config.lease.namespace.get_or_insert_with(|| cluster.default_namespace.clone());
    let mut operation = Operation::default();
    let metrics = Metrics::register(&mut operation.registry);
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.context("could not listen for /health and /metrics")?;
    let hints = PurgeHints::new().context("could not build the client for web pods")?;
    let reach = EndpointReach::new().context("could not build the client for notification endpoints")?;
    let mut election = build_election(&config.lease, &cluster)?;
    let office = Office { cluster, clients: Clients::open(sdk, &config), config, metrics, hints, reach };
    let stopped = operation.stopped.clone();
    let served = tokio::spawn(operation.serve(listener, shutdown.clone()));
    tracing::info!(cluster = office.config.cluster_name, "operator started");

    while let Some(term) = election.win(&shutdown).await {
        office.metrics.leads.set(1);
        let (over, done) = (shutdown.child_token(), CancellationToken::new());
        let leading = async {
            let ended = lead(Arc::new(office.open(&term)?), over.clone()).await;
            done.cancel();
            ended
        };
        let keeping = async {
            election.keep(&term, &done).await;
            over.cancel();
        };
        let (ended, ()) = tokio::join!(leading, keeping);
        office.metrics.leads.set(0);
        ended?;
    }
    election.resign().await;
    stopped.cancel();
    served.await.context("the listener ended early")?.context("could not serve /health and /metrics")?;
    tracing::info!("operator stopped");
    Ok(())
}

/// The process's own name in the Lease: a restart in the same pod is another one.
fn build_election(lease: &LeaseConfig, cluster: &kube::Config) -> anyhow::Result<Election> {
    let client = Client::try_from(cluster.clone()).context("could not build the client for the lease")?;
    let namespace = lease.namespace.as_deref().unwrap_or(&cluster.default_namespace);
    let identity = format!("{}_{:016x}", lease.identity, rand::random::<u64>());
    Ok(Election::new(client, namespace, lease.name.clone(), identity))
}

/// Reconciles and scales until the token is cancelled.
async fn lead(context: Arc<Context>, over: CancellationToken) -> anyhow::Result<()> {
    let (moved, placing) = watch_placement(&context, over.clone()).await;
    let (changed, watching) = watch_children(&context, over.clone()).await;
    let controller = build_controller(&context, &over)
        .reconcile_on(moved.map(|pipeline| guarded(&pipeline)))
        .reconcile_on(changed.map(|pipeline| guarded(&pipeline)));
    let pipelines = controller.store();
    context.pace.count_by(move || pipelines.len());
    let scaling = tokio::spawn(scaler::run(Arc::clone(&context), controller.store(), over.clone()));
    let rounds = controller.run(
        pipeline::reconcile,
        |object, error, context| pipeline::error_policy(&context, &object, error),
        Arc::clone(&context),
    );
    let tenant_rounds = build_tenant_controller(&context, &over).run(
        tenant::reconcile,
        |object, error, context| tenant::error_policy(&context, &object, error),
        Arc::clone(&context),
    );
    let told = tokio::join!(rounds.for_each(tell_round), tenant_rounds.for_each(tell_round));
    let ((), ()) = told;
    scaling.await.context("the scaler ended early")?;
    placing.await.context("the watch of pods and nodes ended early")?;
    // All end with the term.
    watching.join_all().await;
    Ok(())
}

/// The same pipeline, as the controller has it.
fn guarded(pipeline: &ObjectRef<AssetPipeline>) -> ObjectRef<DeserializeGuard<AssetPipeline>> {
    ObjectRef::new(&pipeline.name).within(pipeline.namespace.as_deref().unwrap_or_default())
}

/// The error policies tell why a round failed, and a deleted object has nothing left to do.
async fn tell_round<T, E: std::error::Error + 'static>(round: Result<T, RoundError<E, watcher::Error>>) {
    match round {
        Ok(_) | Err(RoundError::ReconcilerFailed(..) | RoundError::ObjectNotFound(_)) => {}
        Err(error @ (RoundError::QueueError(_) | RoundError::RunnerError(_))) => {
            tracing::warn!(error = chain(&error), "watch was disturbed");
        }
    }
}

/// What outlasts a term.
struct Office {
    cluster: kube::Config,
    clients: Clients,
    config: Config,
    metrics: Metrics,
    hints: PurgeHints,
    reach: EndpointReach,
}

impl Office {
    /// Nothing that an earlier term knew is taken along, and nothing is written behind the term's end.
    fn open(&self, term: &Term) -> anyhow::Result<Context> {
        let client = term.cluster_client(self.cluster.clone());
        let client = client.context("could not build the client for the cluster's API server")?;
        let clients = term.aws_clients(&self.clients);
        let (s3, sqs) = (clients.s3.clone(), clients.sqs.clone());
        let (hints, reach) = (self.hints.clone(), self.reach.clone());
        let reporter = Reporter { controller: OPERATOR_MANAGER.to_owned(), instance: None };
        Ok(Context {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            clients,
            config: self.config.clone(),
            metrics: self.metrics.clone(),
            settled: Settled::default(),
            pace: Pace::new(self.config.drift_calls_per_second),
            reached: ReachBoard::default(),
            children: Arc::default(),
            placement: Arc::default(),
            moves: Moves::default(),
            statuses: Arc::default(),
            samples: scaler::SampleBoard::default(),
            stores: Box::new(move |bucket| Arc::new(S3Store::new(s3.clone(), bucket))),
            queues: Box::new(move |url| Arc::new(SqsQueue::new(sqs.clone(), url))),
            hints: Box::new(move |order| Box::pin(send_hints(hints.clone(), order))),
            reach: Box::new(move |question| Box::pin(ask_endpoint(reach.clone(), question))),
            clock: Box::new(Timestamp::now),
        })
    }
}

async fn ask_endpoint(client: EndpointReach, question: Question) -> Result<(), Unreached> {
    client.ask(&question).await
}

async fn send_hints(client: PurgeHints, order: HintOrder) {
    let HintOrder { target: HintTarget { peers_host, keys }, hints } = order;
    match SigningKeys::from_text(&keys) {
        Ok(keys) => client.send(&hints, &keys, &Peers::new(peers_host)).await,
        Err(error) => {
            tracing::warn!(peers = peers_host, error = chain(&error), "web pods are not told of a purge");
        }
    }
}

/// Watches pipelines. Whatever else is to start a round is told to it.
fn build_controller(
    context: &Context,
    shutdown: &CancellationToken,
) -> Controller<DeserializeGuard<AssetPipeline>> {
    let (pipelines, changes) = watch_pruned(context);
    let statuses = Arc::clone(&context.statuses);
    let news = move |pipeline: &DeserializeGuard<AssetPipeline>| Some(statuses.news_of(pipeline));
    let changes = changes.predicate_filter(news, PredicateConfig::default());
    Controller::for_stream(changes, pipelines)
        .with_config(kube::runtime::controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(shutdown.clone().cancelled_owned())
}

/// Watches tenants, and the pipelines that they belong to.
fn build_tenant_controller(
    context: &Context,
    shutdown: &CancellationToken,
) -> Controller<DeserializeGuard<AssetTenant>> {
    let (tenants, changes) = watch_pruned(context);
    let controller = Controller::for_stream(changes, tenants);
    let wakes = tenant::Wakes::new(controller.store());
    let pipelines = context.watch::<DeserializeGuard<AssetPipeline>>(&watcher::Config::default());
    controller
        .watches_stream(pipelines.map(Ok).touched_objects(), move |pipeline| wakes.of(&pipeline))
        .with_config(kube::runtime::controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(shutdown.clone().cancelled_owned())
}

/// All objects of a kind, without what nobody reads, and those that change: who set which field is often more than
/// the rest.
fn watch_pruned<K: Namespaced + Sync>(
    context: &Context,
) -> (reflector::Store<K>, impl Stream<Item = watcher::Result<K>> + Send + use<K>) {
    let (store, writer) = reflector::store();
    let events = context.watch(&watcher::Config::default()).map(Ok);
    let pruned = events.modify(|object: &mut K| prune_metadata(object.meta_mut()));
    (store, pruned.reflect(writer).applied_objects())
}
