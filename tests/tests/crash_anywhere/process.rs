//! One process of the operator, driven without its controller: a round follows the other at once.

use std::{num::NonZeroU32, sync::Arc};

use anyhow::{Context as _, Result, bail};
use aws_config::{Region, SdkConfig, retry::RetryConfig};
use clap::Parser;
use crds::AssetPipeline;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api,
    api::ListParams,
    core::DeserializeGuard,
    runtime::{
        events::{Recorder, Reporter},
        watcher::Event,
    },
};
use operator::{
    Config, Options,
    aws::Clients,
    children::Child,
    context::Context,
    metrics::Metrics,
    names::ours,
    pace::Pace,
    pipeline::{rebalance::Moves, reconcile},
    reach::ReachBoard,
    scaler::SampleBoard,
    settled::Settled,
};
use pipeline::aws::{S3Store, SqsQueue, config_loader, s3_client, sns_client, sqs_client};
use tokio::sync::OnceCell;

use crate::{
    aws::REGION,
    links::{Aws, aws_client, kube_client},
    wire::{Fault, Wire},
    world::World,
};

/// Everything but the way is the same for all processes, and costs files and certificates to find out.
static SETTINGS: OnceCell<SdkConfig> = OnceCell::const_new();

/// More than any scenario needs to come to rest.
const MOST_ROUNDS: usize = 60;

pub(crate) struct Operator {
    pub(crate) wire: Wire,
    pub(crate) context: Arc<Context>,
    pipelines: Api<AssetPipeline>,
    fault: Fault,
}

/// When rounds are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// After a round that did nothing.
    Quiet,
    /// After another one that did nothing either, though it looked again at what was settled.
    QuietWhenLookedAtAgain,
}

impl Operator {
    pub(crate) async fn start(world: &World, fault: Fault) -> Result<Self> {
        let wire = Wire::new(fault);
        let client = kube_client(&world.cluster, &wire, &world.namespace);
        let clients = aws_clients(world, &wire, fault).await;
        let (s3, sqs) = (clients.s3.clone(), clients.sqs.clone());
        let reporter = Reporter { controller: "assetpipeline-operator".to_owned(), instance: None };
        let context = Context {
            recorder: Recorder::new(client.clone(), reporter),
            client: client.clone(),
            clients,
            config: config(world)?,
            metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
            settled: Settled::default(),
            pace: Pace::new(NonZeroU32::MIN),
            reached: ReachBoard::default(),
            children: Arc::default(),
            placement: Arc::default(),
            moves: Moves::default(),
            statuses: Arc::default(),
            samples: SampleBoard::default(),
            stores: Box::new(move |bucket| Arc::new(S3Store::new(s3.clone(), bucket))),
            queues: Box::new(move |url| Arc::new(SqsQueue::new(sqs.clone(), url))),
            hints: Box::new(|_| Box::pin(std::future::ready(()))),
            reach: world.endpoint.clone().port(),
            clock: world.clock.port(),
        };
        let pipelines = Api::namespaced(client, &world.namespace);
        Ok(Self { wire, context: Arc::new(context), pipelines, fault })
    }

    /// As the cluster has it now.
    pub(crate) async fn pipeline(&self, world: &World) -> Result<Option<AssetPipeline>> {
        self.pipelines.get_opt(&world.name).await.context("cannot read the pipeline")
    }

    /// What the watches tell, as lists: between two of them anything may have come and gone.
    pub(crate) async fn hear(&self, world: &World) -> Result<()> {
        self.hear_of::<Deployment>(world).await?;
        self.hear_of::<Service>(world).await?;
        self.hear_of::<ServiceAccount>(world).await?;
        self.hear_of::<PodDisruptionBudget>(world).await?;
        self.hear_of::<Ingress>(world).await?;
        self.hear_of::<NetworkPolicy>(world).await
    }

    async fn hear_of<K: Child>(&self, world: &World) -> Result<()> {
        let board = K::board(&self.context.children).context("a kind that is not watched")?;
        let ours = ListParams::default().labels(&ours());
        let objects: Api<K> = Api::namespaced(self.context.client.clone(), &world.namespace);
        let listed = objects.list(&ours).await.with_context(|| format!("cannot list {}", K::kind(&())))?;
        board.note::<K>(Event::Init);
        for object in listed {
            board.note(Event::InitApply(object));
        }
        board.note::<K>(Event::InitDone);
        Ok(())
    }

    /// Rounds until nothing is left to do, though the cluster did its part after each of them. Whether there still is
    /// a pipeline then, the caller sees.
    pub(crate) async fn run_until(&self, world: &World, rest: Rest) -> Result<()> {
        let mut was_quiet = false;
        for round in 0..MOST_ROUNDS {
            if round == 0 || was_quiet || self.fault != Fault::LateWatches {
                self.hear(world).await?;
            } else {
                self.wire.note_late();
            }
            let before = self.wire.write_count();
            let Some(object) = self.pipeline(world).await? else {
                world.work().await?;
                return Ok(());
            };
            let guarded = Arc::new(DeserializeGuard(Ok(object.clone())));
            let round = Box::pin(reconcile(guarded, Arc::clone(&self.context))).await;
            let has_cluster_worked = world.work().await?;
            let is_quiet = round.is_ok() && self.wire.write_count() == before && !has_cluster_worked;
            if is_quiet && (was_quiet || rest == Rest::Quiet) {
                return Ok(());
            }
            if is_quiet {
                // As five minutes do.
                self.context.settled.forget(&object);
            }
            was_quiet = is_quiet;
        }
        bail!("it does not come to rest")
    }

    pub(crate) async fn run(&self, world: &World) -> Result<()> {
        self.run_until(world, Rest::QuietWhenLookedAtAgain).await
    }
}

/// Retries are production's, except where a reply is lost for good: that stands for a call whose retries are all
/// used up.
pub(crate) async fn aws_clients(world: &World, wire: &Wire, fault: Fault) -> Clients {
    let endpoint = match &world.aws {
        Aws::Memory(_) => "http://aws.memory".to_owned(),
        Aws::Real(endpoint, _) => endpoint.to_string(),
    };
    let settings = SETTINGS
        .get_or_init(|| config_loader().region(Region::from_static(REGION)).test_credentials().load());
    let mut sdk =
        settings.await.to_builder().endpoint_url(endpoint).http_client(aws_client(&world.aws, wire));
    if matches!(fault, Fault::LoseReply(_)) {
        sdk = sdk.retry_config(RetryConfig::disabled());
    }
    let sdk = sdk.build();
    Clients { s3: s3_client(&sdk), sns: sns_client(&sdk), sqs: sqs_client(&sdk), region: REGION.to_owned() }
}

/// The emulator, unlike AWS, takes the condition of our policies for met, so there it is reached without TLS.
fn config(world: &World) -> Result<Config> {
    let endpoint = match &world.aws {
        Aws::Memory(_) => String::new(),
        Aws::Real(endpoint, _) => endpoint.to_string(),
    };
    let options = Options::try_parse_from([
        "operator",
        "--web-image=registry.invalid/web:1",
        "--worker-image=registry.invalid/worker:1",
        "--cluster-name=east",
        &format!("--aws-region={REGION}"),
        &format!("--aws-endpoint-url={endpoint}"),
    ])?;
    Ok(Config::from(options))
}
