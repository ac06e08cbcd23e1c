//! What is there: the tenant's pipeline, and what the registry holds of the tenant and its hosts.

use crds::{AssetPipeline, AssetTenant, condition_reason as reason, condition_type};
use kube::{Api, ResourceExt};
use url::Url;

use crate::{
    aws::{Owner, is_left_behind, may_use_bucket},
    context::Context,
    names::TENANT_FINALIZER,
    pipeline::observe::{Sight, binding_names, terms_of},
    tenants::{ObservedRegistry, observe_registry},
};

use super::validate::owner_of;

/// Why a pipeline's bindings are not its own to use, whatever they were before.
const REFUSED: [&str; 3] = [reason::FOREIGN_RESOURCE, reason::ADOPTION_NOT_ALLOWED, reason::RESOURCE_MISSING];

/// Cluster or AWS did not tell what is there.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error("could not read AssetPipeline {name}")]
    Pipeline {
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error("could not see whose bucket {bucket} is")]
    Bucket {
        bucket: String,
        #[source]
        source: pipeline::Error,
    },
}

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    pub has_finalizer: bool,
    pub pipeline: PipelineSight,
    /// Of the pipeline's bucket.
    pub registry: Sight<ObservedRegistry>,
}

/// The pipeline, as far as a tenant is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineSight {
    Absent,
    /// It is being deleted, or has left its bucket behind, which may be somebody else's any moment.
    Going {
        bucket: Option<String>,
    },
    /// It has no bucket that takes tenants yet.
    NotReady,
    /// It may not use its bucket now, and a tenant that goes has, or had, registrations there.
    Barred {
        bucket: String,
    },
    Ready {
        bucket: String,
        /// The host to which SNS posts, which no tenant may have.
        notice_host: Option<String>,
        /// Nothing is written into the bucket then, but what takes a tenant out of it.
        is_suspended: bool,
    },
}

pub async fn observe(context: &Context, object: &AssetTenant) -> Result<Observed, ObserveError> {
    let namespace = object.namespace().unwrap_or_default();
    let name = &object.spec.pipeline_ref.name;
    let pipelines: Api<AssetPipeline> = Api::namespaced(context.client.clone(), &namespace);
    let found = pipelines.get_opt(name).await;
    let wrap = |source| ObserveError::Pipeline { name: format!("{namespace}/{name}"), source };
    let found = found.map_err(wrap)?;
    let is_going = object.metadata.deletion_timestamp.is_some();
    let pipeline = match (see_pipeline(found.as_ref(), object), &found) {
        (PipelineSight::Absent, _) if is_going => see_left_bucket(context, object).await?,
        (PipelineSight::NotReady, Some(pipeline)) if is_going => {
            see_known_bucket(context, object, pipeline).await?
        }
        (sight, _) => sight,
    };
    let bucket = match &pipeline {
        PipelineSight::Absent | PipelineSight::NotReady => None,
        PipelineSight::Going { bucket } => bucket.clone(),
        PipelineSight::Barred { bucket } | PipelineSight::Ready { bucket, .. } => Some(bucket.clone()),
    };
    let registry = match bucket {
        None => Sight::Nothing,
        Some(bucket) => observe_bucket(context, object, &bucket).await,
    };
    let has_finalizer = object.finalizers().iter().any(|finalizer| finalizer == TENANT_FINALIZER);
    Ok(Observed { has_finalizer, pipeline, registry })
}

/// The next pipeline of the name takes a bucket that was left behind back, and with it the registrations: a tenant
/// that goes meanwhile takes its own along.
async fn see_left_bucket(context: &Context, object: &AssetTenant) -> Result<PipelineSight, ObserveError> {
    let Some(bucket) = object.status.as_ref().and_then(|status| status.bucket.clone()) else {
        return Ok(PipelineSight::Absent);
    };
    match is_left_behind(&context.clients, &pipeline_of(context, object), &bucket).await {
        Ok(true) => Ok(PipelineSight::Going { bucket: Some(bucket) }),
        Ok(false) => Ok(PipelineSight::Absent),
        Err(source) => Err(ObserveError::Bucket { bucket, source }),
    }
}

/// Any resource may be what keeps a pipeline from being ready; a tenant that goes needs the bucket alone.
async fn see_known_bucket(
    context: &Context,
    object: &AssetTenant,
    pipeline: &AssetPipeline,
) -> Result<PipelineSight, ObserveError> {
    let Some(bucket) = object.status.as_ref().and_then(|status| status.bucket.clone()) else {
        return Ok(PipelineSight::NotReady);
    };
    let owner = pipeline_of(context, object);
    let terms = binding_names(pipeline).map(|names| terms_of(context, pipeline, &names));
    let may_use = match terms.filter(|terms| terms.bucket.name == bucket) {
        Some(terms) => may_use_bucket(&context.clients, &owner, &terms).await,
        None => is_left_behind(&context.clients, &owner, &bucket).await,
    };
    match may_use {
        Ok(true) => {
            Ok(PipelineSight::Ready { bucket, notice_host: None, is_suspended: pipeline.spec.suspend })
        }
        Ok(false) => Ok(PipelineSight::Barred { bucket }),
        Err(source) => Err(ObserveError::Bucket { bucket, source }),
    }
}

/// Whose the bucket would have to be.
fn pipeline_of(context: &Context, object: &AssetTenant) -> Owner {
    Owner {
        cluster: context.config.cluster_name.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.spec.pipeline_ref.name.clone(),
    }
}

async fn observe_bucket(context: &Context, object: &AssetTenant, bucket: &str) -> Sight<ObservedRegistry> {
    // What is no host name is told by `validate`.
    let hosts = object.spec.hosts.iter().filter_map(|host| host.parse().ok());
    match observe_registry(&*context.open_store(bucket), &owner_of(object), hosts).await {
        Ok(registry) => Sight::Seen(registry),
        Err(error) => Sight::Failed(error),
    }
}

pub(super) fn see_pipeline(pipeline: Option<&AssetPipeline>, object: &AssetTenant) -> PipelineSight {
    let Some(pipeline) = pipeline else { return PipelineSight::Absent };
    let status = pipeline.status.as_ref();
    let bucket = status.and_then(|status| status.bindings.as_ref()?.bucket.clone());
    if pipeline.metadata.deletion_timestamp.is_some() {
        return PipelineSight::Going { bucket };
    }
    let bindings = status.and_then(|status| status.condition(condition_type::BINDINGS_READY));
    let is_set_up = bindings.is_some_and(|bindings| bindings.status == "True");
    let is_refused = bindings.is_some_and(|bindings| REFUSED.contains(&bindings.reason.as_str()));
    // A bucket that was good enough for this tenant before is so during an outage, too.
    let known = object.status.as_ref().and_then(|status| status.bucket.as_ref());
    match bucket {
        Some(bucket) if is_set_up || (known == Some(&bucket) && !is_refused) => {
            let endpoint = pipeline.spec.notifications.endpoint.as_deref();
            let endpoint = endpoint.and_then(|endpoint| endpoint.parse::<Url>().ok());
            let notice_host = endpoint.and_then(|url| url.host_str().map(str::to_owned));
            PipelineSight::Ready { bucket, notice_host, is_suspended: pipeline.spec.suspend }
        }
        Some(_) | None => PipelineSight::NotReady,
    }
}
