//! An AWS that asks for fewer calls, as each service says it: how the operator reads that, and how often it asks.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use aws_config::Region;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use operator::aws::{BindingNames, Clients, observe_bindings};
use pipeline::{
    ErrorKind,
    aws::{SnsSubscriptions, SqsQueue, config_loader, s3_client, sns_client, sqs_client},
    chain,
    ports::{Queue, Subscriptions},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::stage::REGION;

/// Requests so far, by method.
type Asked = Arc<Mutex<Vec<Method>>>;

struct Throttling {
    endpoint: String,
    asked: Asked,
    server: JoinHandle<()>,
}

impl Throttling {
    async fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let asked = Asked::default();
        let routes = Router::new().fallback(refuse).with_state(Arc::clone(&asked));
        let server = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { endpoint, asked, server })
    }

    /// With production's retries.
    async fn clients(&self) -> Clients {
        let loader = config_loader().endpoint_url(&self.endpoint).region(Region::from_static(REGION));
        let sdk = loader.test_credentials().load().await;
        Clients {
            s3: s3_client(&sdk),
            sns: sns_client(&sdk),
            sqs: sqs_client(&sdk),
            region: REGION.to_owned(),
        }
    }

    fn take_asked(&self) -> Vec<Method> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Throttling {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// S3 says so in XML with status 503, and to a HEAD by the status alone; SQS in JSON, SNS in XML of its own.
async fn refuse(State(asked): State<Asked>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(method);
    if headers.contains_key("x-amz-target") {
        let told = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"Rate exceeded"}"#;
        (StatusCode::BAD_REQUEST, told).into_response()
    } else if body.starts_with(b"Action=") {
        let error =
            "<Error><Type>Sender</Type><Code>Throttled</Code><Message>Rate exceeded</Message></Error>";
        (StatusCode::TOO_MANY_REQUESTS, format!("<ErrorResponse>{error}</ErrorResponse>")).into_response()
    } else {
        let told = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
        (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
    }
}

#[tokio::test]
async fn services_that_ask_for_fewer_calls_are_understood_and_asked_again_by_the_sdk_alone() -> Result<()> {
    let aws = Throttling::listen().await?;
    let clients = aws.clients().await;
    let names = BindingNames::new("shop", "store", &"0123456789".parse()?);
    let error = observe_bindings(&clients, &names).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{}", chain(&error));
    assert!(chain(&error).contains("SlowDown"), "{}", chain(&error));
    assert_eq!(aws.take_asked(), [vec![Method::HEAD; 3], vec![Method::GET; 3]].concat());

    let queue = SqsQueue::new(clients.sqs, format!("{}/1/jobs", aws.endpoint));
    let error = queue.depth().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{}", chain(&error));
    assert_eq!(aws.take_asked().len(), 3);

    let topic = SnsSubscriptions::new(clients.sns, "arn:aws:sns:eu-central-1:1:notices");
    let error = topic.confirm("token").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{}", chain(&error));
    // The SDK does not try this code again; the next round does.
    assert_eq!(aws.take_asked().len(), 1);
    Ok(())
}
