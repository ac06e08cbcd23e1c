//! The time in which this process may write, and the clients that keep to it.
//!
//! The check is made when a request is about to leave, by this process's own clock: a process that was paused,
//! or a thread that was not run for long, finds the term over without anybody having told it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use http::{Method, Request};
use kube::{Client, Config, client::ClientBuilder};
use tokio::time::Instant;
use tower::filter::FilterLayer;

use crate::aws::Clients;

/// What the names of AWS's operations begin with that change nothing. All others are taken for writes.
const READS: [&str; 3] = ["Get", "Head", "List"];

/// Somebody else may be writing now.
#[derive(Debug, thiserror::Error)]
#[error("this operator's lease has run out, so that it writes nothing; the one that has it now goes on")]
pub struct TermIsOver;

/// One time of leading. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct Term(Arc<Mutex<Instant>>);

impl Term {
    pub fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    /// Nobody else had the lease since the term began.
    pub(super) fn extend(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub fn check(&self) -> Result<(), TermIsOver> {
        let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() < end { Ok(()) } else { Err(TermIsOver) }
    }

    /// A client of the cluster's API server that reads at any time, and writes in the term alone.
    pub fn cluster_client(&self, config: Config) -> Result<Client, kube::Error> {
        let term = self.clone();
        let check = move |request: Request<_>| match *request.method() {
            Method::GET | Method::HEAD | Method::OPTIONS => Ok(request),
            _ => term.check().map(|()| request),
        };
        Ok(ClientBuilder::try_from(config)?.with_layer(&FilterLayer::new(check)).build())
    }

    /// The same for AWS.
    pub fn aws_clients(&self, clients: &Clients) -> Clients {
        let Clients { s3, sns, sqs, region } = clients;
        let s3 = s3.config().to_builder().interceptor(self.clone());
        let sns = sns.config().to_builder().interceptor(self.clone());
        let sqs = sqs.config().to_builder().interceptor(self.clone());
        Clients {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            region: region.clone(),
        }
    }
}

impl Intercept for Term {
    fn name(&self) -> &'static str {
        "Term"
    }

    /// Asked for each attempt anew.
    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let reads = |operation: &Metadata| READS.iter().any(|read| operation.name().starts_with(read));
        if bag.load::<Metadata>().is_some_and(reads) { Ok(()) } else { Ok(self.check()?) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use aws_sdk_s3::config::{Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Api,
        api::{DeleteParams, Patch, PatchParams, PostParams},
    };
    use pipeline::chain;
    use tokio::time::advance;

    use super::*;

    fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
        chain(error).contains("lease has run out")
    }

    /// Nobody listens there.
    fn nowhere() -> Config {
        Config::new("http://127.0.0.1:1".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn cluster_is_only_read_once_the_term_is_over() {
        let term = Term::until(Instant::now() + Duration::from_secs(10));
        let objects: Api<ConfigMap> = Api::namespaced(term.cluster_client(nowhere()).unwrap(), "shop");
        let one = ConfigMap::default();
        assert!(!is_refused(&objects.create(&PostParams::default(), &one).await.unwrap_err()));
        advance(Duration::from_secs(10)).await;
        assert!(!is_refused(&objects.get("one").await.unwrap_err()));
        let patch = Patch::Merge(serde_json::json!({}));
        assert!(is_refused(&objects.create(&PostParams::default(), &one).await.unwrap_err()));
        assert!(is_refused(&objects.replace("one", &PostParams::default(), &one).await.unwrap_err()));
        assert!(is_refused(&objects.patch("one", &PatchParams::default(), &patch).await.unwrap_err()));
        assert!(is_refused(&objects.delete("one", &DeleteParams::default()).await.unwrap_err()));
        term.extend(Instant::now() + Duration::from_secs(10));
        assert!(!is_refused(&objects.create(&PostParams::default(), &one).await.unwrap_err()));
    }

    /// Clients of an AWS that answers everything with an empty 200, and counts.
    fn clients(requests: Arc<AtomicUsize>) -> Clients {
        let http = infallible_client_fn(move |_| {
            requests.fetch_add(1, Ordering::SeqCst);
            http::Response::builder().status(200).body("").unwrap()
        });
        let (region, keys) = (Region::new("eu-west-1"), Credentials::new("test", "test", None, None, "test"));
        let s3 = aws_sdk_s3::Config::builder().behavior_version_latest().http_client(http.clone());
        let sns = aws_sdk_sns::Config::builder().behavior_version_latest().http_client(http.clone());
        let sqs = aws_sdk_sqs::Config::builder().behavior_version_latest().http_client(http);
        let s3 = s3.region(region.clone()).credentials_provider(keys.clone()).build();
        let sns = sns.region(region.clone()).credentials_provider(keys.clone()).build();
        let sqs = sqs.region(region).credentials_provider(keys).build();
        Clients {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::from_conf(sns),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            region: "eu-west-1".into(),
        }
    }

    #[tokio::test]
    async fn aws_is_only_read_once_the_term_is_over() {
        let requests = Arc::<AtomicUsize>::default();
        let term = Term::until(Instant::now() + Duration::from_hours(1));
        let Clients { s3, sns, sqs, .. } = term.aws_clients(&clients(requests.clone()));
        s3.create_bucket().bucket("site").send().await.unwrap();
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        term.extend(Instant::now());
        let refused = [
            chain(&s3.create_bucket().bucket("site").send().await.unwrap_err()),
            chain(&s3.delete_object().bucket("site").key("a").send().await.unwrap_err()),
            chain(&s3.put_object().bucket("site").key("a").send().await.unwrap_err()),
            chain(&sqs.delete_queue().queue_url("http://sqs.test/q").send().await.unwrap_err()),
            chain(&sns.subscribe().topic_arn("arn:t").protocol("http").send().await.unwrap_err()),
        ];
        assert!(refused.iter().all(|error| error.contains("lease has run out")), "{refused:#?}");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        s3.head_bucket().bucket("site").send().await.unwrap();
        s3.get_object().bucket("site").key("a").send().await.unwrap();
        // What they answer is no answer of theirs; they were asked.
        let _ = sqs.get_queue_attributes().queue_url("http://sqs.test/q").send().await;
        let _ = sns.list_topics().send().await;
        assert_eq!(requests.load(Ordering::SeqCst), 5);
    }
}
