//! Canned answers in place of AWS, for the unit tests of the ports.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::test_util::ReplayEvent;
pub(super) use aws_smithy_http_client::test_util::StaticReplayClient;
use http::{Request, Response};

const ENDPOINT: &str = "https://aws.test";

/// An answer of AWS.
pub(super) fn answer(status: u16, body: &'static str) -> Response<SdkBody> {
    Response::builder().status(status).body(SdkBody::from(body)).unwrap()
}

/// S3's XML around an error's code.
pub(super) fn s3_error(status: u16, code: &str) -> Response<SdkBody> {
    let xml = format!("<Error><Code>{code}</Code><Message>why</Message></Error>");
    Response::builder().status(status).body(SdkBody::from(xml)).unwrap()
}

/// SNS's XML around an error's code.
pub(super) fn sns_error(status: u16, code: &str) -> Response<SdkBody> {
    let xml = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
    Response::builder().status(status).body(SdkBody::from(xml)).unwrap()
}

/// A client's configuration that sends nothing: each call takes the next answer, one too many fails.
pub(super) fn replay(
    answers: impl IntoIterator<Item = Response<SdkBody>>,
) -> (SdkConfig, StaticReplayClient) {
    let any_request = || Request::builder().uri(ENDPOINT).body(SdkBody::empty()).unwrap();
    let events = answers.into_iter().map(|answer| ReplayEvent::new(any_request(), answer)).collect();
    let client = StaticReplayClient::new(events);
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(ENDPOINT)
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(client.clone())
        .build();
    (config, client)
}

/// Path and query of each request that was sent.
pub(super) fn sent(client: &StaticReplayClient) -> Vec<String> {
    client.actual_requests().map(|request| request.uri().strip_prefix(ENDPOINT).unwrap().to_owned()).collect()
}

/// The one request's header.
pub(super) fn sent_header(client: &StaticReplayClient, name: &str) -> Option<String> {
    let mut requests = client.actual_requests();
    let value = requests.next().unwrap().headers().get(name).map(str::to_owned);
    assert!(requests.next().is_none(), "more than one request was sent");
    value
}

/// The body of the one request, which must be text.
pub(super) fn sent_body(client: &StaticReplayClient) -> String {
    let request = client.actual_requests().next().unwrap();
    String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap()
}
