//! A pipeline's AWS resources, its *bindings*: one service a file, each with `observe_` (reads),
//! `plan_` (pure) and `apply_` (writes).
//!
//! Nothing is touched whose tags do not say that it is this pipeline's, or that it may become so: `mode` has the
//! table of what is done, `ending` that of how it ends. What a name resolves to is looked at before every
//! write, since creation is not exclusive on AWS.

mod bindings;
pub mod bucket;
mod cost_tags;
pub mod ending;
mod error;
mod left_behind;
pub mod mode;
mod names;
mod ownership;
mod policy;
pub mod queue;
pub mod subscription;
mod terms;
pub mod topic;

use ::pipeline::aws::{
    SdkConfig, s3_client, s3_client_at, sns_client, sns_client_at, sqs_client, sqs_client_at,
};

use crate::config::{Config, Endpoint};

pub use bindings::{
    BindingsPlan, BindingsWant, ObservedBindings, ReleasePlan, Unwritten, apply_bindings, apply_release,
    holds_registry, observe_bindings, observe_rest, plan_bindings, plan_release,
};
pub(crate) use cost_tags::RECORD_TAG;
pub use left_behind::{find_left_behind, is_left_behind, may_use_bucket};
pub use mode::Refusal;
pub(crate) use names::partition_of;
pub use names::{BindingNames, BindingSuffix};
pub use ownership::Owner;
pub(crate) use ownership::{CLUSTER_TAG, OUR_TAGS, OWNED, PIPELINE_TAG, STATE_TAG};
pub use policy::{Transport, Transports};
pub use terms::{Adoptable, BindingsTerms};

/// One client per service, from one configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// The region in which buckets are made.
    pub region: String,
}

impl Clients {
    /// Each service where the settings say, which the pods are told, too.
    pub fn open(sdk: &SdkConfig, config: &Config) -> Self {
        let endpoints = &config.workloads.endpoints;
        let url = |endpoint: Option<&Endpoint>| endpoint.map(Endpoint::to_string);
        Self {
            s3: url(endpoints.of_s3()).map_or_else(|| s3_client(sdk), |url| s3_client_at(sdk, &url)),
            sns: url(endpoints.of_sns()).map_or_else(|| sns_client(sdk), |url| sns_client_at(sdk, &url)),
            sqs: url(endpoints.of_sqs()).map_or_else(|| sqs_client(sdk), |url| sqs_client_at(sdk, &url)),
            region: config.aws_region.clone(),
        }
    }
}
