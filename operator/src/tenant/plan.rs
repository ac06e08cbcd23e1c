//! What is to be done, as one complete value. Pure.

use crds::AssetTenant;
use pipeline::{Error, ErrorKind, names::HostName};

use super::{
    observe::{Observed, PipelineSight},
    validate::{ValidTenant, owner_of},
};
use crate::{
    pipeline::observe::Sight,
    tenants::{Identity, TenantStep, TenantsPlan, WantedTenant, plan_departure as plan_steps, plan_tenants},
};

/// Who has the host to which SNS posts, as the status tells it.
pub(super) const NOTICES: &str = "notifications";

/// One round of work on a tenant.
#[derive(Debug)]
pub enum Plan {
    /// Nothing can be done before the pipeline is there.
    Wait(Obstacle),
    /// Write the finalizer. Nothing is registered before it is there.
    Claim,
    Register {
        bucket: String,
        owner: String,
        plan: TenantsPlan,
    },
    /// The store did not tell what is there.
    Unknown(Error),
}

/// Why a tenant waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    PipelineNotFound,
    PipelineGoing,
    PipelineNotReady,
}

pub fn plan(valid: &ValidTenant, observed: Observed, random: &str) -> Plan {
    let Observed { has_finalizer, pipeline, registry } = observed;
    let (bucket, notice_host) = match pipeline {
        PipelineSight::Absent => return Plan::Wait(Obstacle::PipelineNotFound),
        PipelineSight::Going { bucket: _ } => return Plan::Wait(Obstacle::PipelineGoing),
        PipelineSight::NotReady => return Plan::Wait(Obstacle::PipelineNotReady),
        PipelineSight::Ready { bucket, notice_host } => (bucket, notice_host),
    };
    let registry = match registry {
        Sight::Nothing => return Plan::Wait(Obstacle::PipelineNotReady),
        Sight::Failed(error) => return Plan::Unknown(error),
        Sight::Seen(registry) => registry,
    };
    if !has_finalizer {
        return Plan::Claim;
    }
    // Visitors and SNS must not meet under one host.
    let is_reserved = |tenant: &WantedTenant| notice_host.as_deref() == Some(tenant.host.as_str());
    let (reserved, wanted): (Vec<_>, Vec<_>) = valid.wanted.iter().cloned().partition(is_reserved);
    match plan_tenants(&valid.owner, Identity::Shared, &wanted, &registry, random) {
        Ok(mut plan) => {
            let reserved = reserved.into_iter().map(|tenant| (tenant.host, NOTICES.to_owned()));
            plan.taken.extend::<Vec<(HostName, String)>>(reserved.collect());
            Plan::Register { bucket, owner: valid.owner.clone(), plan }
        }
        Err(error) => Plan::Unknown(error),
    }
}

/// The next stage of a removal.
#[derive(Debug)]
pub enum Departure {
    Remove {
        bucket: String,
        owner: String,
        steps: Vec<TenantStep>,
    },
    /// The store did not tell what is there, and may do so later.
    Stop(Error),
    /// Nothing is left, or nothing can be done about it.
    LetGo,
}

/// Without a pipeline, and a bucket that it left, nobody serves what there is.
pub fn plan_departure(object: &AssetTenant, observed: Observed) -> Departure {
    let Observed { has_finalizer, pipeline, registry } = observed;
    if !has_finalizer {
        return Departure::LetGo;
    }
    let bucket = match pipeline {
        PipelineSight::Absent | PipelineSight::NotReady | PipelineSight::Going { bucket: None } => {
            return Departure::LetGo;
        }
        // Best effort: the bucket may not be the pipeline's any more.
        PipelineSight::Going { .. } if !matches!(registry, Sight::Seen(_)) => return Departure::LetGo,
        PipelineSight::Going { bucket: Some(bucket) } | PipelineSight::Ready { bucket, notice_host: _ } => {
            bucket
        }
    };
    match registry {
        Sight::Nothing => Departure::LetGo,
        // A bucket that is gone took the registry with it.
        Sight::Failed(error) if error.kind == ErrorKind::Missing => Departure::LetGo,
        Sight::Failed(error) => Departure::Stop(error),
        Sight::Seen(registry) => {
            let owner = owner_of(object);
            let steps = plan_steps(&owner, &registry);
            if steps.is_empty() { Departure::LetGo } else { Departure::Remove { bucket, owner, steps } }
        }
    }
}
