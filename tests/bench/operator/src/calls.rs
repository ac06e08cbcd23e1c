//! AWS, in the bench's memory or behind it as an emulator, with its calls counted; and what they would cost.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use reqwest::Client;
use tests::{
    memory_aws::{self, MemoryAws, Operation},
    moto::Moto,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// More than any request of the operator's has.
const MOST_BYTES: usize = 1 << 20;

/// Dollars for a million calls of a kind.
struct Price {
    kind: &'static str,
    dollars_a_million: f64,
}

/// List prices of `us-east-1` in November 2026, without the free tier: <https://aws.amazon.com/s3/pricing/> (requests of S3
/// Standard: PUT, COPY, POST and LIST; GET and all others; DELETE is free), <https://aws.amazon.com/sqs/pricing/>
/// (standard queues, up to 100 billion requests a month), <https://aws.amazon.com/sns/pricing/> (API requests of
/// standard topics).
const PRICES: [Price; 5] = [
    Price { kind: "S3 write or list", dollars_a_million: 5.0 },
    Price { kind: "S3 read", dollars_a_million: 0.4 },
    Price { kind: "S3 delete", dollars_a_million: 0.0 },
    Price { kind: "SQS", dollars_a_million: 0.4 },
    Price { kind: "SNS", dollars_a_million: 0.5 },
];

/// Calls by the kinds of the list of prices.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

pub(crate) struct CountedAws {
    shared: Shared,
    pub(crate) address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Shared {
    backing: Backing,
    counts: Arc<Mutex<Counts>>,
}

/// Who answers.
#[derive(Clone)]
enum Backing {
    Memory(MemoryAws),
    Emulator(Client, Arc<Moto>),
}

impl CountedAws {
    pub(crate) async fn serve() -> anyhow::Result<Self> {
        Self::serve_by(Backing::Memory(MemoryAws::default())).await
    }

    /// Hands every call on.
    pub(crate) async fn relay(emulator: Moto) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().build().context("no client for the emulator")?;
        Self::serve_by(Backing::Emulator(client, Arc::new(emulator))).await
    }

    async fn serve_by(backing: Backing) -> anyhow::Result<Self> {
        let shared = Shared { backing, counts: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { shared, address, serving })
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for CountedAws {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Result<Response, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST_BYTES).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let headers = parts.headers.iter();
    let headers = headers
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let asked = memory_aws::Request { method: parts.method.as_str(), target, headers: &headers, body: &body };
    *shared.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(kind_of(&asked)).or_default() += 1;
    match &shared.backing {
        Backing::Memory(aws) => {
            let answer = aws.answer(&asked);
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            response.body(Body::from(answer.body)).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        }
        Backing::Emulator(client, emulator) => {
            let url = format!("{}{target}", emulator.endpoint());
            // The emulator makes the URLs of queues from the host that it was asked by, which is ours.
            let asked =
                client.request(parts.method.clone(), url).headers(parts.headers.clone()).body(body.clone());
            hand_back(asked.send().await).await.map_err(|_| StatusCode::BAD_GATEWAY)
        }
    }
}

async fn hand_back(answer: reqwest::Result<reqwest::Response>) -> anyhow::Result<Response> {
    let answer = answer?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(answer.bytes().await?))?)
}

/// As the list of prices calls it.
fn kind_of(request: &memory_aws::Request<'_>) -> &'static str {
    let is_list = request.target.contains("list-type=") || request.target.starts_with("/?");
    match (Operation::of(request), request.method) {
        (Operation::Sqs(_), _) => "SQS",
        (Operation::Sns(_), _) => "SNS",
        (Operation::S3, "DELETE") => "S3 delete",
        (Operation::S3, "GET" | "HEAD") if !is_list => "S3 read",
        (Operation::S3, _) => "S3 write or list",
    }
}

/// What came between two looks.
pub(crate) fn since(before: &Counts, after: &Counts) -> Counts {
    after.iter().map(|(kind, count)| (*kind, count - before.get(kind).unwrap_or(&0))).collect()
}

/// Dollars for one call of this kind.
pub(crate) fn dollars_of(kind: &str) -> f64 {
    PRICES.iter().find(|price| price.kind == kind).map_or(0.0, |price| price.dollars_a_million / 1e6)
}
