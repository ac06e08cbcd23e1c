//! A pipeline's AWS resources, its *bindings*: one service a file, each with `observe_` (reads),
//! `plan_` (pure) and `apply_` (writes).
//!
//! Nothing is touched whose tags do not say that it is this pipeline's. What a name resolves to is
//! looked at before every write, since creation is not exclusive on AWS.

mod bindings;
pub mod bucket;
mod error;
mod names;
mod ownership;
mod policy;
pub mod queue;
pub mod subscription;
pub mod topic;

pub use bindings::{
    BindingsPlan, BindingsWant, ObservedBindings, ReleasePlan, apply_bindings, apply_release,
    observe_bindings, plan_bindings, plan_release,
};
pub use names::{BindingNames, BindingSuffix};
pub use ownership::Owner;
pub use policy::Transport;

/// One client per service, from one configuration.
#[derive(Debug, Clone)]
pub struct Clients {
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// The region in which buckets are made.
    pub region: String,
}
