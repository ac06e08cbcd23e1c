//! An API server in memory, as much of one as a round needs: objects by `plural/name`, and a record of writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
};

use aws_smithy_http_client::test_util::infallible_client_fn;
use jiff::Timestamp;
use kube::{
    Client,
    client::Body,
    runtime::events::{Recorder, Reporter},
};
use pipeline::embedded::{MemoryQueue, MemoryStore};
use serde_json::{Value, json};

use crate::{
    aws::Clients, children::Child, config::Config, context::Context, metrics::Metrics, pace::Pace,
    pipeline::rebalance::Moves, purges::HintOrder, reach::ReachBoard, scaler::SampleBoard, settled::Settled,
};

#[derive(Clone, Default)]
pub(crate) struct FakeCluster(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    writes: Vec<String>,
    reads: Vec<String>,
    refused: BTreeSet<String>,
    /// By bucket.
    stores: BTreeMap<String, Arc<MemoryStore>>,
    hints: Vec<HintOrder>,
    /// What S3 tells of a bucket's tags, whichever it is.
    tags: BTreeMap<String, String>,
    /// What S3 answers everything with, where that is a failure.
    aws_failure: Option<(u16, &'static str)>,
    /// Calls on S3.
    aws_calls: usize,
    /// Notes of events.
    notes: Vec<String>,
}

impl FakeCluster {
    pub(crate) fn with(key: &str, object: Value) -> Self {
        let cluster = Self::default();
        cluster.0.lock().unwrap().objects.insert(key.to_owned(), object);
        cluster
    }

    pub(crate) fn object(&self, key: &str) -> Value {
        self.0.lock().unwrap().objects[key].clone()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.lock().unwrap().objects.contains_key(key)
    }

    /// What a bucket holds; it is there as soon as somebody looks.
    pub(crate) fn store(&self, bucket: &str) -> Arc<MemoryStore> {
        self.0.lock().unwrap().stores.entry(bucket.to_owned()).or_default().clone()
    }

    /// Every bucket has these tags from now on.
    pub(crate) fn tag_buckets(&self, tags: BTreeMap<String, String>) {
        self.0.lock().unwrap().tags = tags;
    }

    /// What somebody else deletes.
    pub(crate) fn remove(&self, key: &str) {
        self.0.lock().unwrap().objects.remove(key);
    }

    /// What somebody else writes.
    pub(crate) fn merge(&self, key: &str, patch: &Value) {
        let mut state = self.0.lock().unwrap();
        merge(state.objects.entry(key.to_owned()).or_default(), patch);
    }

    /// Answers every write of this object with 403 from now on.
    pub(crate) fn refuse(&self, key: &str) {
        self.0.lock().unwrap().refused.insert(key.to_owned());
    }

    /// The writes since the last call, as `METHOD plural/name by manager`.
    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().writes)
    }

    /// What was read since the last call, as `plural/name`.
    pub(crate) fn take_reads(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().reads)
    }

    /// Everything of this kind.
    pub(crate) fn list<K: Child>(&self) -> Vec<K> {
        let kind = format!("{}/", K::plural(&()));
        let state = self.0.lock().unwrap();
        let listed = state.objects.iter().filter(|(key, _)| key.starts_with(&kind));
        listed.map(|(_, object)| serde_json::from_value(object.clone()).unwrap()).collect()
    }

    /// S3 answers everything with this status from now on.
    pub(crate) fn fail_aws(&self, status: u16) {
        self.0.lock().unwrap().aws_failure = Some((status, ""));
    }

    /// S3 asks for fewer calls from now on.
    pub(crate) fn throttle_aws(&self) {
        let slow_down =
            "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
        self.0.lock().unwrap().aws_failure = Some((503, slow_down));
    }

    /// Calls on S3 since the last call.
    pub(crate) fn take_aws_calls(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().aws_calls)
    }

    /// What events told since the last call.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().notes)
    }

    /// What web pods were told since the last call.
    pub(crate) fn take_hints(&self) -> Vec<HintOrder> {
        std::mem::take(&mut self.0.lock().unwrap().hints)
    }

    /// A context whose cluster is this one, and whose AWS lists no bucket, tells tags and answers nothing else.
    pub(crate) fn context(&self) -> Context {
        let (client, cluster, told) = (self.client(), self.clone(), self.clone());
        let reporter = Reporter { controller: "test".into(), instance: None };
        Context {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            clients: self.aws(),
            config: Config::fixture(),
            metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
            settled: Settled::default(),
            pace: Pace::new(std::num::NonZeroU32::MIN),
            reached: ReachBoard::default(),
            children: Arc::default(),
            placement: Arc::default(),
            moves: Moves::default(),
            statuses: Arc::default(),
            samples: SampleBoard::default(),
            stores: Box::new(move |bucket| cluster.store(bucket)),
            queues: Box::new(|_| Arc::new(MemoryQueue::new(1))),
            hints: Box::new(move |order| {
                told.0.lock().unwrap().hints.push(order);
                Box::pin(std::future::ready(()))
            }),
            reach: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
            clock: Box::new(Timestamp::now),
        }
    }

    fn aws(&self) -> Clients {
        let region = aws_sdk_s3::config::Region::new("eu-west-1");
        let cluster = self.clone();
        let answers = infallible_client_fn(move |request: http::Request<_>| {
            let failure = {
                let mut state = cluster.0.lock().unwrap();
                state.aws_calls += 1;
                state.aws_failure
            };
            if let Some((status, body)) = failure {
                let body = if request.method() == http::Method::HEAD { "" } else { body };
                return http::Response::builder().status(status).body(body.to_owned()).unwrap();
            }
            let body = if request.uri().query().is_some_and(|query| query.contains("tagging")) {
                let tags = cluster.0.lock().unwrap().tags.clone();
                let tag = |(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
                let tags: String = tags.iter().map(tag).collect();
                format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
            } else {
                "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>".to_owned()
            };
            http::Response::builder().status(200).body(body).unwrap()
        });
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .region(region.clone())
            .http_client(answers)
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .credentials_provider(aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test"))
            .build();
        let sqs = aws_sdk_sqs::Config::builder().behavior_version_latest().region(region.clone()).build();
        let sns = aws_sdk_sns::Config::builder().behavior_version_latest().region(region).build();
        Clients {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::from_conf(sns),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            region: "eu-west-1".into(),
        }
    }

    fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
                let (status, answer) = cluster.answer(&parts.method, &parts.uri, &body);
                let answer = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, Infallible>(http::Response::builder().status(status).body(answer).unwrap())
            }
        });
        Client::new(service, "shop")
    }

    fn answer(&self, method: &http::Method, uri: &http::Uri, body: &Value) -> (u16, Value) {
        let path = uri.path().split_once("/namespaces/shop/").expect("every request is namespaced").1;
        let key = path.trim_end_matches("/status").to_owned();
        let manager =
            uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("fieldManager="));
        let mut state = self.0.lock().unwrap();
        if *method == http::Method::GET {
            state.reads.push(key.clone());
            return state
                .objects
                .get(&key)
                .map_or_else(|| failure(404, "NotFound"), |object| (200, object.clone()));
        }
        let mut body = body.clone();
        let asked = body.pointer_mut("/metadata/resourceVersion").map(Value::take);
        let present = state.objects.get(&key).map(|object| &object["metadata"]["resourceVersion"]);
        if asked.zip(present).is_some_and(|(asked, present)| asked != *present) {
            return failure(409, "Conflict");
        }
        let by = manager.map(|manager| format!(" by {manager}")).unwrap_or_default();
        state.writes.push(format!("{method} {path}{by}"));
        if path == "events" {
            state.notes.extend(body["note"].as_str().map(str::to_owned));
        }
        if state.refused.contains(&key) {
            return failure(403, "Forbidden");
        }
        if *method == http::Method::DELETE {
            return state
                .objects
                .remove(&key)
                .map_or_else(|| failure(404, "NotFound"), |object| (200, object));
        }
        let object = state.objects.entry(key).or_insert_with(|| json!({}));
        // The status has one manager, who applies all of it: what it leaves out goes.
        if path.ends_with("/status") {
            object["status"] = body["status"].clone();
        } else {
            merge(object, &body);
        }
        (200, object.clone())
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": "refused by the test", "reason": reason});
    (code, status)
}

/// As RFC 7396 has it: objects are merged, what is null goes, everything else is replaced.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key.clone()).or_insert_with(|| json!({})), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}
