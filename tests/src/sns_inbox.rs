//! A subscriber of a topic: an HTTP server on loopback that keeps the messages it is sent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::{Router, extract::State, http::StatusCode, routing::post};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle,
    time::timeout,
};

/// Messages that wait to be taken; one more is refused, as a real subscriber may.
const CAPACITY: usize = 64;
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// What SNS POSTs around a message; the fields that the suites look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope {
    #[serde(rename = "Type")]
    pub kind: String,
    pub topic_arn: String,
    pub message_id: String,
    pub message: String,
    /// With a confirmation's request only.
    pub token: Option<String>,
}

/// Listens until it is dropped.
pub struct SnsInbox {
    endpoint: String,
    arrived: Receiver<Envelope>,
    server: JoinHandle<()>,
}

impl SnsInbox {
    pub async fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let endpoint = format!("http://{}/work_complete", listener.local_addr()?);
        let (sender, arrived) = channel(CAPACITY);
        let routes = Router::new().route("/work_complete", post(take)).with_state(sender);
        let server = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { endpoint, arrived, server })
    }

    /// The address to subscribe.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The token by which a new subscription of the topic is confirmed.
    pub async fn next_token(&mut self, topic_arn: &str) -> Result<String> {
        let envelope = self.next_of(topic_arn, "SubscriptionConfirmation").await?;
        envelope.token.context("SNS asked for a confirmation and gave no token")
    }

    /// The next notification of the topic.
    pub async fn next(&mut self, topic_arn: &str) -> Result<Envelope> {
        self.next_of(topic_arn, "Notification").await
    }

    async fn next_of(&mut self, topic_arn: &str, kind: &str) -> Result<Envelope> {
        let next = timeout(ARRIVES_WITHIN, self.arrived.recv()).await;
        let envelope = next.context("no message arrived in time")?.context("the inbox is closed")?;
        ensure!(envelope.kind == kind, "a {} arrived", envelope.kind);
        ensure!(envelope.topic_arn == topic_arn, "a message of {} arrived", envelope.topic_arn);
        Ok(envelope)
    }
}

impl Drop for SnsInbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// SNS sends JSON as `text/plain`.
async fn take(State(sender): State<Sender<Envelope>>, body: String) -> StatusCode {
    let Ok(envelope) = serde_json::from_str(&body) else { return StatusCode::BAD_REQUEST };
    match sender.try_send(envelope) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
