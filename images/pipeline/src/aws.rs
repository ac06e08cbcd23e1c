//! The ports on AWS. The only place of the data plane that names an SDK type.
//!
//! Which resources there are, and who may use them, is the operator's business: these ports only use
//! a bucket, a queue and a topic that exist.

mod client;
mod error;
#[cfg(test)]
mod replay;
mod s3_store;
mod sns_notifier;
mod sns_subscriptions;
mod sqs_queue;

pub use aws_config::SdkConfig;
pub use client::{
    config_loader, s3_client, s3_client_at, sdk_config, sns_client, sns_client_at, sqs_client, sqs_client_at,
};
pub use error::{code_of, failed, kind_of_failure};
pub use s3_store::S3Store;
pub use sns_notifier::SnsNotifier;
pub use sns_subscriptions::SnsSubscriptions;
pub use sqs_queue::SqsQueue;
