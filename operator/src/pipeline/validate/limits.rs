//! The bounds of the workers' number.

use std::time::Duration;

use crds::WorkerSpec;
use scaling::{Limits, ScaleIn, Target};

use super::{InvalidSpec, invalid, positive, unsigned};

pub fn validate_limits(worker: &WorkerSpec) -> Result<Limits, InvalidSpec> {
    // Concurrency and the template shape the pods, not their number.
    let WorkerSpec {
        min_replicas,
        max_replicas,
        concurrency: _,
        backlog_per_replica,
        scale_down_delay_seconds,
        pod_template: _,
    } = worker;
    let min_replicas = unsigned("spec.worker.minReplicas", *min_replicas)?;
    let max_replicas = positive("spec.worker.maxReplicas", *max_replicas)?.get();
    if min_replicas > max_replicas {
        return Err(invalid("spec.worker.minReplicas", &min_replicas, "it must not be above maxReplicas"));
    }
    let delay_seconds = unsigned("spec.worker.scaleDownDelaySeconds", *scale_down_delay_seconds)?;
    let per_replica = positive("spec.worker.backlogPerReplica", *backlog_per_replica)?;
    let scale_in = ScaleIn::WhenEmptyFor(Duration::from_secs(delay_seconds.into()));
    Ok(Limits::new(min_replicas, max_replicas, Target::Backlog { per_replica }, scale_in))
}
