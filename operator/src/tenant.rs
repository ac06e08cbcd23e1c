//! The driver of an `AssetTenant`'s reconcile: observe, validate, plan, apply, status. It writes the tenant
//! into the registry of its pipeline's bucket; who is served there is the web tier's business.

pub mod apply;
pub mod observe;
pub mod plan;
pub mod status;
pub mod validate;
mod wake;

use std::{error::Error, sync::Arc, time::Duration};

use crds::AssetTenant;
use jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::controller::Action,
};
use pipeline::chain;
use tokio::time::timeout;

use self::{
    apply::{Applied, WriteError, apply, apply_departure, let_go},
    observe::{ObserveError, observe},
    plan::{Departure, plan, plan_departure},
    status::{Outcome, write_status},
    validate::validate,
};
use crate::{
    context::Context,
    events::publish,
    metrics::OutcomeLabels,
    names::{LET_GO_ANNOTATION, LET_GO_WISH, TENANT_FINALIZER, qualified},
    pace::FAILED,
    pipeline::finalize::{build_left_behind, is_abandoned},
};

pub use wake::Wakes;

/// No round takes longer; what it did not reach is the next one's.
const ROUND_TIMEOUT: Duration = Duration::from_mins(1);
/// The time in which drift is found that nobody tells us of.
const SETTLED: Duration = Duration::from_mins(10);
/// While a host is somebody else's, or the pipeline is not there: nobody tells us when that ends.
const WAITING: Duration = Duration::from_secs(30);
/// After a round that wrote something; the next one sees what came of it.
const WORKED: Duration = Duration::from_millis(200);
/// Between two stages of a removal.
const STAGE: Duration = Duration::from_millis(500);

/// A round that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("the stored object cannot be read")]
    Unreadable(#[source] Box<InvalidObject>),
    #[error("could not observe the tenant")]
    Observe(#[source] ObserveError),
    #[error("could not write the tenant")]
    Write(#[source] WriteError),
    #[error("could not remove the tenant's registrations")]
    Depart(#[source] pipeline::Error),
    #[error("the round took more than {} s", ROUND_TIMEOUT.as_secs())]
    TimedOut,
}

impl TenantError {
    /// The failed step as metrics name it.
    fn step(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Observe(_) => "observe",
            Self::Write(_) => "write",
            Self::Depart(_) => "depart",
            Self::TimedOut => "timed_out",
        }
    }
}

pub async fn reconcile(
    object: Arc<DeserializeGuard<AssetTenant>>,
    context: Arc<Context>,
) -> Result<Action, TenantError> {
    let round = async {
        let object = object.0.as_ref().map_err(|error| TenantError::Unreadable(Box::new(error.clone())))?;
        if object.metadata.deletion_timestamp.is_some() {
            remove(&context, object).await
        } else {
            settle(&context, object).await
        }
    };
    let result = timeout(ROUND_TIMEOUT, round).await.unwrap_or(Err(TenantError::TimedOut));
    let outcome = result.as_ref().map_or_else(TenantError::step, |_| "ok");
    context.metrics.tenant_rounds.get_or_create(&OutcomeLabels { outcome }).inc();
    result
}

pub fn error_policy(
    context: &Context,
    object: &DeserializeGuard<AssetTenant>,
    error: &TenantError,
) -> Action {
    let name = qualified(&object.namespace().unwrap_or_default(), &object.name_any());
    tracing::warn!(tenant.name = name, error = chain(error), "reconcile failed");
    match error {
        TenantError::Unreadable(_) => Action::await_change(),
        TenantError::Depart(failure) => match &object.0 {
            Ok(object) => Action::requeue(context.back_off(object, failure)),
            Err(_) => soon(FAILED),
        },
        TenantError::Observe(_) | TenantError::Write(_) | TenantError::TimedOut => soon(FAILED),
    }
}

async fn settle(context: &Context, object: &AssetTenant) -> Result<Action, TenantError> {
    let observed = observe(context, object).await.map_err(TenantError::Observe)?;
    let valid = match validate(object) {
        Ok(valid) => valid,
        Err(error) => {
            tell(context, object, &Outcome::Invalid(&error)).await?;
            return Ok(Action::await_change());
        }
    };
    let seed = format!("{:032x}", rand::random::<u128>());
    let applied = apply(context, object, plan(&valid, observed, &seed)).await.map_err(TenantError::Write)?;
    tell(context, object, &Outcome::Applied(&applied)).await?;
    if !matches!(applied, Applied::Failed(_)) {
        context.pace.note_answers(object);
    }
    Ok(match &applied {
        // The claim is a change of the object, which starts the next round.
        Applied::Claimed => Action::await_change(),
        Applied::Worked { .. } => Action::requeue(WORKED),
        Applied::Registered { taken, .. } if taken.is_empty() => soon(SETTLED),
        Applied::Registered { .. } | Applied::Waiting(_) => soon(WAITING),
        Applied::Failed(error) => Action::requeue(context.back_off(object, error)),
    })
}

async fn remove(context: &Context, object: &AssetTenant) -> Result<Action, TenantError> {
    if is_abandoned(object) {
        let is_held = object.finalizers().iter().any(|finalizer| finalizer == TENANT_FINALIZER);
        let left = if is_held { list_left(object) } else { Vec::new() };
        publish(context, &object.object_ref(&()), build_left_behind(&left)).await;
        let_go(context, object).await.map_err(TenantError::Write)?;
        return Ok(Action::await_change());
    }
    let observed = match observe(context, object).await {
        Err(error @ ObserveError::Bucket { .. }) => {
            tell(context, object, &Outcome::Deleting(&tell_way_out(&error))).await?;
            return Err(TenantError::Observe(error));
        }
        observed => observed.map_err(TenantError::Observe)?,
    };
    match plan_departure(object, observed) {
        Departure::Remove { bucket, owner, steps } => {
            match apply_departure(context, &bucket, &owner, steps).await {
                Ok(()) => Ok(Action::requeue(STAGE)),
                Err(error) => stop(context, object, error).await,
            }
        }
        Departure::Stop(error) => stop(context, object, error).await,
        Departure::LetGo => {
            let_go(context, object).await.map_err(TenantError::Write)?;
            Ok(Action::await_change())
        }
    }
}

async fn stop(
    context: &Context,
    object: &AssetTenant,
    error: pipeline::Error,
) -> Result<Action, TenantError> {
    tell(context, object, &Outcome::Deleting(&tell_way_out(&error))).await?;
    Err(TenantError::Depart(error))
}

fn tell_way_out(error: &(dyn Error + 'static)) -> String {
    format!(
        "{}; mend that, and the deletion goes on, or leave the registrations where they are and annotate this \
         AssetTenant {LET_GO_ANNOTATION}={LET_GO_WISH}",
        chain(error)
    )
}

/// What may be in the bucket, as it was last told.
fn list_left(object: &AssetTenant) -> Vec<String> {
    let Some(status) = &object.status else { return Vec::new() };
    let bucket = status.bucket.as_deref().unwrap_or("unknown");
    let hosts = if status.hosts.is_empty() { &object.spec.hosts } else { &status.hosts };
    hosts.iter().map(|host| format!("registration of {host} in bucket {bucket}")).collect()
}

async fn tell(context: &Context, object: &AssetTenant, outcome: &Outcome<'_>) -> Result<(), TenantError> {
    write_status(context, object, outcome, Timestamp::now()).await.map_err(TenantError::Write)
}

/// Spread, so that many tenants do not come at once.
fn soon(delay: Duration) -> Action {
    Action::requeue(delay.mul_f64(rand::random_range(0.9..1.1)))
}

#[cfg(test)]
mod tests;
