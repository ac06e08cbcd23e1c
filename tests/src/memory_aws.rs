//! AWS in memory, as far as the operator uses it: S3, SQS and SNS behind the SDK's own HTTP.
//!
//! Nothing is checked that IAM or a policy would check, nothing takes time, and every read tells the truth.

mod s3;
mod sns;
mod sqs;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use self::{s3::Bucket, sns::Topic, sqs::Queue};

pub const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "123456789012";

/// Tags or attributes by name.
type Pairs = BTreeMap<String, String>;

/// One account's resources in one region.
#[derive(Debug, Clone, Default)]
pub struct MemoryAws(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default, Serialize)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    queues: BTreeMap<String, Queue>,
    topics: BTreeMap<String, Topic>,
    /// Makes ARNs and `ETag`s unlike each other.
    #[serde(skip)]
    count: u64,
    #[serde(skip)]
    made: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// A request, taken apart.
#[derive(Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub headers: &'a BTreeMap<String, String>,
    pub body: &'a [u8],
}

/// Which service a request is for, and what it asks of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation {
    S3,
    Sqs(String),
    Sns(String),
}

impl Operation {
    pub fn of(request: &Request<'_>) -> Self {
        let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
        if let Some(name) = header("x-amz-target").strip_prefix("AmazonSQS.") {
            Self::Sqs(name.to_owned())
        } else if header("content-type").starts_with("application/x-www-form-urlencoded") {
            Self::Sns(sns::parameters(request.body).remove("Action").unwrap_or_default())
        } else {
            Self::S3
        }
    }
}

impl MemoryAws {
    /// Another account that is now as this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// What was made since the last call, as `kind name`.
    pub fn take_made(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().made)
    }

    /// Everything that there is.
    pub fn dump(&self) -> Value {
        json!(*self.lock())
    }

    /// Somebody behind each endpoint confirms what SNS asks for. Whether there was anything.
    pub fn confirm(&self) -> bool {
        self.lock().confirm()
    }

    pub fn answer(&self, request: &Request<'_>) -> Answer {
        let mut state = self.lock();
        match Operation::of(request) {
            Operation::S3 => state.answer_s3(request),
            Operation::Sqs(operation) => state.answer_sqs(&operation, request.body),
            Operation::Sns(operation) => state.answer_sns(&operation, request.body),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into() }
}

/// The text between these two tags, wherever they come first.
fn between<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
