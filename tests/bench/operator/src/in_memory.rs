//! The operator with an AWS in its own memory, for what is compared with a client that has none.

use anyhow::Context;
use aws_config::Region;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::test_util::infallible_client_fn;
use http::{Request, Response};
use operator::{Config, Options};
use tests::memory_aws::{self, MemoryAws, REGION};

/// Nobody is asked there.
const ENDPOINT: &str = "http://aws.memory";

/// Runs until it is told to stop.
pub(crate) async fn operate(options: Options) -> anyhow::Result<()> {
    let aws = MemoryAws::default();
    let client = infallible_client_fn(move |request: Request<SdkBody>| answer(&aws, &request));
    let settings = pipeline::aws::config_loader()
        .endpoint_url(ENDPOINT)
        .region(Region::from_static(REGION))
        .http_client(client)
        .test_credentials();
    Box::pin(operator::run_on(Config::from(options), &settings.load().await))
        .await
        .context("the operator failed")
}

fn answer(aws: &MemoryAws, request: &Request<SdkBody>) -> Response<SdkBody> {
    let headers = request.headers().iter();
    let headers = headers
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let answer = aws.answer(&memory_aws::Request {
        method: request.method().as_str(),
        target: request.uri().path_and_query().map_or("/", |target| target.as_str()),
        headers: &headers,
        body: request.body().bytes().unwrap_or_default(),
    });
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(SdkBody::from(answer.body.to_vec())).expect("the model answers with proper headers")
}
