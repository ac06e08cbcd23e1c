//! Looks at every pipeline's queues about once a second and sets the number of workers.
//!
//! It owns the replicas of the worker Deployments through a field manager of its own, and nothing else.

mod board;

use std::{collections::HashMap, sync::Arc, time::Duration};

use crds::{AssetPipeline, QueueStatus};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{
        events::{Event, EventType},
        reflector::Store,
    },
};
use pipeline::{Error, chain, ports::Depth};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

pub use board::SampleBoard;
pub use scaling::{Decision, Limits, Pods, Queue, Sample, Signal, Window, decide};

use crate::{
    children::ChildCache,
    context::Context,
    events::{build_event, publish},
    metrics::ReasonLabels,
    names::{SCALER_MANAGER, Tier, qualified},
    pipeline::validate_limits,
};

/// How often each queue is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// A queue that has not told its numbers by now is looked at again in the next period.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(3);
/// No pipeline takes longer, its writes included: the next period begins when all are done.
const TEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Queues that are looked at, and Deployments that are written, at the same time.
const CONCURRENCY: usize = 32;

/// Runs until the token is cancelled. What it remembers is each pipeline's window.
pub async fn run(
    context: Arc<Context>,
    pipelines: Store<DeserializeGuard<AssetPipeline>>,
    shutdown: CancellationToken,
) {
    let mut windows: HashMap<String, Window> = HashMap::new();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let rounds = pipelines.state().into_iter().filter_map(|object| {
            let object = object.0.as_ref().ok()?.clone();
            let uid = object.uid()?;
            let window = windows.remove(&uid).unwrap_or_default();
            Some((uid, object, window))
        });
        let rounds = stream::iter(rounds.collect::<Vec<_>>()).map(|(uid, object, window)| {
            let context = &context;
            async move {
                let tended = tend(context, &object, window.clone());
                (uid, bounded(&object, window, tended).await)
            }
        });
        // Pipelines that are gone are not carried over.
        windows = rounds.buffer_unordered(CONCURRENCY).collect().await;
    }
}

/// The window after `tended`, or as it was where that took too long. What was cut short is done again in
/// the next period.
async fn bounded(object: &AssetPipeline, window: Window, tended: impl Future<Output = Window>) -> Window {
    timeout(TEND_TIMEOUT, tended).await.unwrap_or_else(|_| {
        let pipeline = qualified(&object.namespace().unwrap_or_default(), &object.name_any());
        tracing::warn!(
            pipeline.name = pipeline,
            timeout.seconds = TEND_TIMEOUT.as_secs(),
            "looking at the queue and scaling took too long"
        );
        window
    })
}

/// One look at one pipeline. Without numbers nothing is decided, so nobody is let go for lack of them.
async fn tend(context: &Context, object: &AssetPipeline, window: Window) -> Window {
    let Some(subject) = find_subject(&context.children, object) else { return window };
    let (visits, refreshes) = match timeout(SAMPLE_TIMEOUT, measure(context, &subject)).await {
        Ok(Ok(queues)) => queues,
        Ok(Err(error)) => {
            context.metrics.samples_failed.inc();
            context.note_failure(&error);
            tracing::warn!(pipeline.name = subject.pipeline, error = chain(&error), "queues gave no numbers");
            return window;
        }
        Err(_) => {
            context.metrics.samples_failed.inc();
            tracing::warn!(pipeline.name = subject.pipeline, "queues gave no numbers in time");
            return window;
        }
    };
    let sample = build_sample(visits, refreshes, subject.pods);
    let Queue { visible, in_flight, delayed: _ } = sample.queues();
    context
        .samples
        .note(object, QueueStatus { visible: saturated(visible), in_flight: saturated(in_flight) });
    let now = Timestamp::now();
    let window = window.with(&sample, now);
    let decision = decide(&subject.limits, &window, &sample, now);
    if decision.replicas != sample.pods.replicas {
        scale(context, object, &subject, &sample, &decision).await;
    }
    window
}

/// The jobs of visits and those of refreshes.
async fn measure(context: &Context, subject: &Subject) -> Result<(Depth, Depth), Error> {
    let (visits, refreshes) =
        (context.open_queue(&subject.queue_url), context.open_queue(&subject.refresh_queue_url));
    tokio::try_join!(visits.depth(), refreshes.depth())
}

/// Refreshes count like visits: nobody waits for them, but a file that is never refreshed gets too stale to be
/// served. Web pods and workers are not asked.
fn build_sample(visits: Depth, refreshes: Depth, pods: Pods) -> Sample {
    let told = |Depth { visible, in_flight, delayed }| Signal::Told(Queue { visible, in_flight, delayed });
    Sample {
        visits: told(visits),
        refreshes: told(refreshes),
        web: Signal::Unasked,
        workers: Signal::Unasked,
        pods,
    }
}

/// A pipeline whose workers can be scaled now.
struct Subject {
    pipeline: String,
    queue_url: String,
    refresh_queue_url: String,
    limits: Limits,
    pods: Pods,
    deployment: String,
    /// Of the Deployment: one that has taken its place is left alone.
    uid: Option<String>,
    namespace: String,
}

/// `None` while a queue or the Deployment is not there yet, or the pipeline is going.
fn find_subject(children: &ChildCache, object: &AssetPipeline) -> Option<Subject> {
    if object.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let namespace = object.namespace()?;
    let deployment = Tier::Worker.child_name(&object.name_any());
    let found = children.worker(&namespace, &deployment)?;
    // Before the operator's first apply the scaler's manager alone holds the whole Deployment; a write of
    // only the replicas would then take the rest away.
    if !found.is_controlled_by(&object.uid()?) || !found.is_applied() {
        return None;
    }
    let bindings = object.status.as_ref()?.bindings.as_ref()?;
    Some(Subject {
        pipeline: qualified(&namespace, &object.name_any()),
        queue_url: bindings.queue_url.clone()?,
        refresh_queue_url: bindings.refresh_queue_url.clone()?,
        limits: validate_limits(&object.spec.worker).ok()?,
        pods: Pods {
            replicas: found.replicas()?,
            ready: found.ready(),
            asked_since: None,
            ready_since: None,
        },
        uid: found.uid().map(str::to_owned),
        deployment,
        namespace,
    })
}

async fn scale(
    context: &Context,
    object: &AssetPipeline,
    subject: &Subject,
    sample: &Sample,
    decision: &Decision,
) {
    let Decision { replicas, reason, basis } = decision;
    let body = json!({
        "apiVersion": Deployment::api_version(&()),
        "kind": Deployment::kind(&()),
        "metadata": {"name": subject.deployment, "namespace": subject.namespace, "uid": subject.uid},
        "spec": {"replicas": replicas},
    });
    let api: Api<Deployment> = Api::namespaced(context.client.clone(), &subject.namespace);
    let parameters = PatchParams::apply(SCALER_MANAGER).force();
    if let Err(error) = api.patch(&subject.deployment, &parameters, &Patch::Apply(&body)).await {
        tracing::warn!(
            pipeline.name = subject.pipeline,
            error = chain(&error),
            "could not scale the workers"
        );
        return;
    }
    let queue = sample.queues();
    tracing::info!(
        pipeline.name = subject.pipeline,
        queue.visible = queue.visible,
        queue.in_flight = queue.in_flight,
        queue.delayed = queue.delayed,
        workers.before = sample.pods.replicas,
        workers.after = replicas,
        reason = reason.as_str(),
        basis = %json!(basis),
        "scaled the workers"
    );
    context.metrics.scalings.get_or_create(&ReasonLabels { reason: reason.as_str() }).inc();
    publish(context, &object.object_ref(&()), vec![tell_scaling(sample, decision)]).await;
}

fn tell_scaling(sample: &Sample, decision: &Decision) -> Event {
    let Decision { replicas, reason, basis: _ } = decision;
    let (before, queue) = (sample.pods.replicas, sample.queues());
    let note = format!(
        "workers {before} -> {replicas} ({reason}): {} jobs wait, {} are in work",
        queue.visible, queue.in_flight
    );
    let direction = if *replicas > before { "ScaledUp" } else { "ScaledDown" };
    build_event(EventType::Normal, direction, format!("Scale{before}To{replicas}"), note)
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use kube::runtime::watcher;
    use pipeline::{embedded::MemoryQueue, ports::Queue};
    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;
    use crate::{children::Child, names::APPLIED_ANNOTATION, pipeline::tests::cluster::FakeCluster};

    /// The limits under which this pipeline is scaled, where it is.
    fn scaled(metadata: &Value, spec: &Value) -> Option<Limits> {
        let children = ChildCache::default();
        let owner =
            json!({"apiVersion": "v1", "kind": "Any", "name": "shop", "uid": "u-1", "controller": true});
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {
                "name": "storefront-worker", "namespace": "shop", "ownerReferences": [owner],
                "annotations": {APPLIED_ANNOTATION: "1"},
            },
            "spec": {"replicas": 0, "selector": {}, "template": {}},
        }))
        .unwrap();
        Deployment::board(&children).unwrap().note(watcher::Event::Apply(deployment));
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "metadata": metadata, "spec": spec,
            "status": {"bindings": {"queueUrl": "visits", "refreshQueueUrl": "refreshes"}},
        });
        let object = serde_json::from_value(object).unwrap();
        find_subject(&children, &object).map(|subject| subject.limits)
    }

    #[test]
    fn suspended_pipeline_has_the_workers_that_its_queues_ask_for() {
        let metadata = json!({"name": "storefront", "namespace": "shop", "uid": "u-1"});
        let limits = validate_limits(&crds::WorkerSpec::default()).ok();
        assert!(limits.is_some());
        assert_eq!(scaled(&metadata, &json!({"suspend": true})), limits);
        let mut going = metadata.clone();
        going["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(scaled(&going, &json!({})), None);
    }

    #[tokio::test]
    async fn jobs_of_both_queues_count() {
        let queues =
            [("visits", 2), ("refreshes", 3)].map(|(url, jobs)| (url, jobs, Arc::new(MemoryQueue::new(9))));
        for (url, jobs, queue) in &queues {
            for _ in 0..*jobs {
                queue.send(url, "shop").await.unwrap();
            }
            queue.receive(1, Duration::ZERO, Duration::from_mins(1)).await.unwrap();
        }
        let mut context = FakeCluster::default().context();
        context.queues = Box::new(move |url| {
            let queue = queues.iter().find(|(known, _, _)| *known == url).map(|(_, _, queue)| queue.clone());
            queue.unwrap()
        });
        let subject = Subject {
            pipeline: "shop/storefront".into(),
            queue_url: "visits".into(),
            refresh_queue_url: "refreshes".into(),
            limits: validate_limits(&crds::WorkerSpec::default()).unwrap(),
            pods: Pods::default(),
            deployment: "storefront-worker".into(),
            uid: None,
            namespace: "shop".into(),
        };
        let (visits, refreshes) = measure(&context, &subject).await.unwrap();
        let sample = build_sample(visits, refreshes, subject.pods);
        assert_eq!(sample.queues(), scaling::Queue { visible: 3, in_flight: 2, delayed: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn pipeline_that_hangs_delays_the_others_by_no_more_than_its_timeout() {
        let started = Instant::now();
        let object = AssetPipeline::new("storefront", crds::AssetPipelineSpec::default());
        let all: Vec<Window> = stream::iter(0..3)
            .map(|_| bounded(&object, Window::default(), pending()))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        assert_eq!((all, started.elapsed()), (vec![Window::default(); 3], TEND_TIMEOUT));
    }
}
