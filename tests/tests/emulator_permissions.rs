//! The IAM policies of web pods and workers beside the calls that both make: a visitor, a web pod and workers in one
//! process, on an emulator's bucket, queues and topic. Each call is allowed, and each action is needed.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use crds::AssetPipeline;
use http::{Request, StatusCode};
use operator::{
    iam::{Known, Role, build_iam_policy},
    tenants::{Identity, WantedTenant, apply_tenants, observe_registry, plan_tenants},
};
use pipeline::{
    aws::{S3Store, SnsNotifier, SnsSubscriptions, SqsQueue, s3_client, sns_client, sqs_client},
    options::CompileOptions,
    ports::{Fetched, Origin, OriginError, SourceFile, Store, Subscriptions, Validators},
    rate::RateLimits,
    registry::StoreTenants,
    settings::OnOff,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tests::{
    calls::{Call, CallContext, Calls},
    moto::Moto,
    permissions::{actions, check_calls},
    sns_inbox::SnsInbox,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Policy, Web, WebPorts, WebSettings, metrics::WebMetrics,
    public_router,
};
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

const NAME: &str = "ap-shop-store-0123456789";
/// The key in KMS by which the bucket encrypts.
const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const PATIENCE: Duration = Duration::from_secs(40);

/// A site of one style sheet.
struct Site;

#[async_trait]
impl Origin for Site {
    async fn fetch(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        if url.path() != "/app.scss" {
            return Ok(Fetched::Absent);
        }
        let body = "a { b { c: d } }".into();
        Ok(Fetched::Found(SourceFile { body, etag: None, last_modified: None }))
    }
}

/// What the operator has made for the pipeline.
struct Place {
    sdk: SdkConfig,
    queue_url: String,
    refresh_queue_url: String,
    topic_arn: String,
}

impl Place {
    async fn make(moto: &Moto) -> Result<Self> {
        let sdk = moto.sdk_config().await;
        let region = BucketLocationConstraint::EuCentral1;
        let place = CreateBucketConfiguration::builder().location_constraint(region).build();
        let s3 = s3_client(&sdk);
        s3.create_bucket().bucket(NAME).create_bucket_configuration(place).send().await?;
        let sqs = sqs_client(&sdk);
        let queue_url = make_queue(&sqs, NAME).await?;
        let refresh_queue_url = make_queue(&sqs, &format!("{NAME}-refresh")).await?;
        let topic = sns_client(&sdk).create_topic().name(NAME).send().await?;
        let topic_arn = topic.topic_arn.context("a topic without an ARN")?;
        Ok(Self { sdk, queue_url, refresh_queue_url, topic_arn })
    }

    fn store(&self) -> S3Store {
        S3Store::new(s3_client(&self.sdk), NAME)
    }

    async fn register(&self) -> Result<()> {
        let tenant = WantedTenant {
            host: "shop.example".parse()?,
            origin: "https://www.shop.example/".parse()?,
            site_url: None,
            load_paths: Vec::new(),
            development: false,
            engine: None,
            limits: None,
        };
        let observed = observe_registry(&self.store(), "o", [tenant.host.clone()]).await?;
        let plan = plan_tenants("o", Identity::EachItsOwn, &[tenant], &observed, "random")?;
        Ok(apply_tenants(&self.store(), "o", plan.steps).await?)
    }

    fn web(&self, calls: &Calls) -> Web {
        let store: Arc<dyn Store> = Arc::new(S3Store::new(calls.s3(&s3_client(&self.sdk)), NAME));
        let sqs = calls.sqs(&sqs_client(&self.sdk));
        let ports = WebPorts {
            store: store.clone(),
            queue: Arc::new(SqsQueue::new(sqs.clone(), &*self.queue_url)),
            refresh_queue: Arc::new(SqsQueue::new(sqs, &*self.refresh_queue_url)),
            tenants: Arc::new(StoreTenants::new(store)),
            direct: None,
            fleet: Arc::new(Fleet::alone()),
        };
        let policy = Policy {
            errors: ErrorDisplay::Status,
            max_age: Duration::from_mins(5),
            max_stale: Duration::from_hours(24),
            backoff: Backoff::PRODUCTION,
            purged: None,
        };
        let hold = HoldSettings {
            hold: PATIENCE,
            max_held: 100,
            max_held_of_tenant: 100,
            max_waits: 100,
            recheck: OnOff::On,
            reply_to: None,
            options: CompileOptions::default(),
        };
        let settings = WebSettings { policy, hold, limits: RateLimits::default(), topic: None };
        Web::new(ports, settings, WebMetrics::register(&mut Registry::default()))
    }

    /// A worker whose compile children are this program.
    fn worker(&self, calls: &Calls, program: &str) -> Arc<Worker> {
        let sqs = calls.sqs(&sqs_client(&self.sdk));
        let ports = WorkerPorts {
            queue: Arc::new(SqsQueue::new(sqs.clone(), &*self.queue_url)),
            refresh_queue: Arc::new(SqsQueue::new(sqs, &*self.refresh_queue_url)),
            store: Arc::new(S3Store::new(calls.s3(&s3_client(&self.sdk)), NAME)),
            notifier: Arc::new(SnsNotifier::new(calls.sns(&sns_client(&self.sdk)), &self.topic_arn)),
            origin: Arc::new(Site),
            direct: None,
        };
        let child = ChildLimits { cpu_seconds: 5, memory_bytes: 512 << 20 };
        let settings = WorkerSettings {
            concurrency: 1,
            visibility: Duration::from_secs(8),
            run_limit: Duration::from_secs(15),
            source_limits: SourceLimits { files: 10, bytes: 1 << 20, requests: 100 },
            credentials: worker::origin::OriginCredentials::default(),
            compiler: Compiler::new(program.into(), Limits { child, output_bytes: 1 << 20 }),
        };
        Arc::new(Worker::new(ports, settings, WorkerMetrics::register(&mut Registry::default())))
    }
}

async fn make_queue(client: &aws_sdk_sqs::Client, name: &str) -> Result<String> {
    client.create_queue().queue_name(name).send().await?.queue_url.context("a queue without a URL")
}

async fn confirm(place: &Place, calls: &Calls) -> Result<()> {
    let mut inbox = SnsInbox::listen().await?;
    let subscribe = sns_client(&place.sdk).subscribe().topic_arn(&place.topic_arn).protocol("http");
    subscribe.endpoint(inbox.endpoint()).send().await?;
    let token = inbox.next_token(&place.topic_arn).await?;
    let sns = calls.sns(&sns_client(&place.sdk));
    Ok(SnsSubscriptions::new(sns, &place.topic_arn).confirm(&token).await?)
}

/// Until the attempts of a job are counted, which they are once the first one has failed.
async fn until_counted(place: &Place) -> Result<()> {
    let counted = async {
        while place.store().list("n/").await.unwrap().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, counted).await.context("no attempt was counted")
}

/// As it is printed for the pipeline.
fn policy(role: Role) -> Result<Value> {
    let object = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {"namespace": "shop", "name": "store"},
        "spec": {
            "notifications": {"endpoint": "https://hooks.shop.example/work_complete"},
            "bindings": {"bucket": {"encryption": {"kmsKeyArn": KEY}}},
        },
    });
    let object: AssetPipeline = serde_json::from_value(object)?;
    let known = Known {
        account_id: Some("123456789012".to_owned()),
        region: Some("eu-central-1".to_owned()),
        cluster_name: None,
    };
    Ok(build_iam_policy(role, &object, &known).to_json())
}

/// Each object that a pipeline stores is written by one role alone, whatever anybody's code would ask for.
#[test]
fn web_pods_write_nothing_workers_files_alone_and_the_operator_registrations_alone() -> Result<()> {
    let files = ["a/f/t/h", "b/f/t/h.br", "n/f/t/h"];
    let registrations = ["tenants/shop.example.json", "owners/pipeline/shop/store.json", "purges/all.json"];
    let can = |role: Role, verb: &str, name: &str| -> Result<bool> {
        let call = Call {
            action: format!("s3:{verb}Object"),
            resource: format!("arn:aws:s3:::{NAME}/{name}"),
            context: CallContext::new(),
        };
        Ok(check_calls(&policy(role)?, &[call]).is_ok())
    };
    for name in files.into_iter().chain(registrations) {
        let is_file = files.contains(&name);
        for verb in ["Put", "Delete"] {
            assert!(!can(Role::Web, verb, name)?, "web pods: {verb} {name}");
        }
        assert_eq!(can(Role::Worker, "Put", name)?, is_file, "workers put {name}");
        assert_eq!(can(Role::Worker, "Delete", name)?, name.starts_with("n/"), "workers delete {name}");
        assert_eq!(can(Role::Worker, "Get", name)?, is_file, "workers get {name}");
        assert_eq!(can(Role::Operator, "Put", name)?, !is_file, "the operator puts {name}");
        assert!(!(is_file && can(Role::Operator, "Get", name)?), "the operator gets {name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_of_the_pods_allow_their_calls_and_no_action_that_none_needs() -> Result<()> {
    let moto = Moto::start()?;
    let place = Place::make(&moto).await?;
    place.register().await?;
    let (web_calls, worker_calls) = (Calls::default(), Calls::default());
    // As far as these calls show: the emulator asks nobody for the key.
    for calls in [&web_calls, &worker_calls] {
        calls.note_key(NAME, KEY);
    }
    confirm(&place, &web_calls).await?;

    let public = public_router(Arc::new(place.web(&web_calls)));
    let visit = Request::get("/app.css").header("host", "shop.example").body(axum::body::Body::empty())?;
    let visitor = tokio::spawn(public.oneshot(visit));
    // The first attempt fails, and another worker makes the second one.
    let (broken, stop) = (CancellationToken::new(), CancellationToken::new());
    let failing = tokio::spawn(place.worker(&worker_calls, "/nonexistent").work(broken.clone()));
    until_counted(&place).await?;
    broken.cancel();
    failing.await?;
    let program = env!("CARGO_BIN_EXE_worker-under-test");
    let working = tokio::spawn(place.worker(&worker_calls, program).work(stop.clone()));
    let answer = timeout(PATIENCE, visitor).await.context("the visitor still waits")???;
    ensure!(answer.status() == StatusCode::OK, "the visitor got {}", answer.status());
    stop.cancel();
    working.await?;

    for (role, calls) in [(Role::Web, &web_calls), (Role::Worker, &worker_calls)] {
        let policy = policy(role)?;
        let needed = check_calls(&policy, &calls.recorded()).with_context(|| format!("{role:?}"))?;
        assert_eq!(actions(&policy)?, needed, "{role:?} may do something that it never does");
    }
    // Neither may do what the other does.
    let (web, worker) = (policy(Role::Web)?, policy(Role::Worker)?);
    check_calls(&web, &worker_calls.recorded()).unwrap_err();
    check_calls(&worker, &web_calls.recorded()).unwrap_err();
    Ok(())
}
