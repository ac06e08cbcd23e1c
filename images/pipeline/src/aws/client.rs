//! How every AWS client behaves: where its settings come from, how long it waits, how often it tries.
//!
//! Timeouts and retries are set here and in no other layer.

use std::{env, time::Duration};

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};

/// A connection that is not there by now will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt, up to the answer's headers. A long poll adds its wait.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the body of an answer may stand still.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ATTEMPTS: u32 = 3;

/// The SDK's variables for an endpoint other than AWS's own, for all services and for S3 alone.
const ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"];

/// The configuration of all clients, from the standard chain: environment, profile, web identity, Pod
/// Identity, instance. Credentials are looked up at the first call, not here.
pub async fn sdk_config() -> SdkConfig {
    config_loader().load().await
}

/// What [`sdk_config`] loads, for callers that name endpoint, region or credentials themselves.
pub fn config_loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(STALL_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .stalled_stream_protection(stalls)
}

/// Path-style addresses (`<endpoint>/<bucket>`) where an endpoint is set for S3 or for all services: an emulator
/// or a VPC endpoint has no host name for each bucket. Endpoints of other services change nothing here.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_endpoint = config.endpoint_url().is_some() || ENDPOINT_VARIABLES.into_iter().any(is_set);
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(has_endpoint).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// [`s3_client`] at this endpoint, whatever the environment says.
pub fn s3_client_at(config: &SdkConfig, endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).endpoint_url(endpoint).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// A queue's URL says which queue is meant, and not where SQS is reached: behind another endpoint it may name a
/// host that answers nobody here.
pub fn sqs_client(config: &SdkConfig) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(config)
}

/// [`sqs_client`] at this endpoint, whatever the environment says.
pub fn sqs_client_at(config: &SdkConfig, endpoint: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(config).endpoint_url(endpoint);
    aws_sdk_sqs::Client::from_conf(config.build())
}

pub fn sns_client(config: &SdkConfig) -> aws_sdk_sns::Client {
    aws_sdk_sns::Client::new(config)
}

/// [`sns_client`] at this endpoint, whatever the environment says.
pub fn sns_client_at(config: &SdkConfig, endpoint: &str) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::config::Builder::from(config).endpoint_url(endpoint);
    aws_sdk_sns::Client::from_conf(config.build())
}
