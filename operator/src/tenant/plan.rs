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
    PipelineSuspended,
}

pub fn plan(valid: &ValidTenant, observed: Observed, random: &str) -> Plan {
    let Observed { has_finalizer, pipeline, registry } = observed;
    let (bucket, notice_host, is_suspended) = match pipeline {
        PipelineSight::Absent => return Plan::Wait(Obstacle::PipelineNotFound),
        PipelineSight::Going { bucket: _ } => return Plan::Wait(Obstacle::PipelineGoing),
        PipelineSight::NotReady | PipelineSight::Barred { bucket: _ } => {
            return Plan::Wait(Obstacle::PipelineNotReady);
        }
        PipelineSight::Ready { bucket, notice_host, is_suspended } => (bucket, notice_host, is_suspended),
    };
    let registry = match registry {
        Sight::Nothing => return Plan::Wait(Obstacle::PipelineNotReady),
        Sight::Failed(error) => return Plan::Unknown(error),
        Sight::Seen(registry) => registry,
    };
    if !has_finalizer {
        return if is_suspended { Plan::Wait(Obstacle::PipelineSuspended) } else { Plan::Claim };
    }
    // Visitors and SNS must not meet under one host.
    let is_reserved = |tenant: &WantedTenant| notice_host.as_deref() == Some(tenant.host.as_str());
    let (reserved, wanted): (Vec<_>, Vec<_>) = valid.wanted.iter().cloned().partition(is_reserved);
    match plan_tenants(&valid.owner, Identity::Shared, &wanted, &registry, random) {
        Ok(plan) if is_suspended && !plan.steps.is_empty() => Plan::Wait(Obstacle::PipelineSuspended),
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
    /// The store did not tell what is there, or may not be written, and that may be otherwise later.
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
    let registry = match registry {
        Sight::Nothing => return Departure::LetGo,
        Sight::Failed(error) => return plan_after_failure(&pipeline, error),
        Sight::Seen(registry) => registry,
    };
    let owner = owner_of(object);
    let steps = plan_steps(&owner, &registry);
    match pipeline {
        PipelineSight::Absent | PipelineSight::NotReady | PipelineSight::Going { bucket: None } => {
            Departure::LetGo
        }
        _ if steps.is_empty() => Departure::LetGo,
        PipelineSight::Barred { bucket } => Departure::Stop(Error::new(
            ErrorKind::Denied,
            format!(
                "remove the registrations from bucket {bucket}, which the pipeline may not use now; mend what its \
                 BindingsReady tells, or delete the pipeline"
            ),
        )),
        PipelineSight::Going { bucket: Some(bucket) } | PipelineSight::Ready { bucket, .. } => {
            Departure::Remove { bucket, owner, steps }
        }
    }
}

fn plan_after_failure(pipeline: &PipelineSight, error: Error) -> Departure {
    match (error.kind, pipeline) {
        // A bucket that is gone took the registry with it.
        (ErrorKind::Missing, _)
        // It may not be the pipeline's any more.
        | (ErrorKind::Denied, PipelineSight::Going { .. }) => Departure::LetGo,
        (ErrorKind::Denied | ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Invalid, _) => {
            Departure::Stop(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether the tenant keeps its finalizer where the registry cannot be read for this reason.
    fn is_kept(pipeline: PipelineSight, kind: ErrorKind) -> bool {
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetTenant", "metadata": {"name": "corner"},
            "spec": {
                "pipelineRef": {"name": "storefront"}, "hosts": ["a.example"], "origin": "https://www.shop.example",
            },
        });
        let registry = Sight::Failed(Error::new(kind, "list"));
        let observed = Observed { has_finalizer: true, pipeline, registry };
        match plan_departure(&serde_json::from_value(object).unwrap(), observed) {
            Departure::Stop(_) => true,
            Departure::LetGo => false,
            Departure::Remove { .. } => panic!("nobody knows what is there"),
        }
    }

    #[test]
    fn only_a_bucket_that_is_gone_or_closed_to_us_lets_a_tenant_go_unread() {
        let bucket = || "site".to_owned();
        for (kind, is_kept_by) in [
            (ErrorKind::Missing, [false, false, false]),
            (ErrorKind::Denied, [false, true, true]),
            (ErrorKind::Throttled, [true; 3]),
            (ErrorKind::Unavailable, [true; 3]),
            (ErrorKind::Invalid, [true; 3]),
        ] {
            let sights = [
                PipelineSight::Going { bucket: Some(bucket()) },
                PipelineSight::Barred { bucket: bucket() },
                PipelineSight::Ready { bucket: bucket(), notice_host: None, is_suspended: false },
            ];
            assert_eq!(sights.map(|sight| is_kept(sight, kind)), is_kept_by, "{kind:?}");
        }
    }
}
