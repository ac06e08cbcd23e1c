//! The worker's program, as a process at an emulator of AWS, is told to stop: what it has begun ends, and what
//! it has not begun is free for others at once.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use jiff::Timestamp;
use pipeline::{
    aws::{S3Store, SqsQueue, s3_client, sns_client, sqs_client},
    env,
    job::Job,
    manifest::Outcome,
    ports::{Depth, Queue},
    record::read_manifest,
};
use rustix::process::{Pid, Signal, kill_process};
use tests::{
    moto::Moto,
    origin::{Gate, Origin},
};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};
use url::Url;

const PLACES: usize = 2;
/// Short ones make the worker take messages ahead, of which long ones then keep it busy.
const SHORT: usize = 30;
const LONG: usize = 12;
/// The longest that the program takes; nothing here waits for so long.
const VISIBILITY: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(20);
/// Whether a worker holds messages in the moment in which it is stopped is for chance.
const ROUNDS: usize = 5;

/// What one worker is given.
struct Site {
    moto: Moto,
    store: S3Store,
    topic_arn: String,
    origin: Origin,
}

/// Jobs of one queue, by their paths.
struct Backlog {
    queue: SqsQueue,
    jobs: BTreeMap<String, Job>,
    gates: Vec<Gate>,
}

/// What became of a backlog, by paths.
struct Stopped {
    begun: BTreeSet<String>,
    /// With how often they were received.
    received_elsewhere: BTreeMap<String, u32>,
}

impl Site {
    async fn open() -> Result<Self> {
        let moto = Moto::start()?;
        let config = moto.sdk_config().await;
        let client = s3_client(&config);
        client.create_bucket().bucket("site").create_bucket_configuration(frankfurt()).send().await?;
        let topic = sns_client(&config).create_topic().name("work_complete").send().await?;
        Ok(Self {
            moto,
            store: S3Store::new(client, "site"),
            topic_arn: topic.topic_arn.context("a topic without an ARN")?,
            origin: Origin::listen_on_loopback().await?,
        })
    }

    async fn create_queue(&self, name: &str) -> Result<(SqsQueue, String)> {
        let client = sqs_client(&self.moto.sdk_config().await);
        let url = client.create_queue().queue_name(name).send().await?.queue_url.context("no URL")?;
        Ok((SqsQueue::new(client, &url), url))
    }

    /// Long jobs come last, and end only when their gates are opened.
    async fn send_backlog(&self, queue: SqsQueue, round: usize) -> Result<Backlog> {
        let origin: Url = self.origin.url().parse()?;
        let mut backlog = Backlog { queue, jobs: BTreeMap::new(), gates: Vec::new() };
        let paths = (0..SHORT).map(|number| format!("/{round}/short{number}"));
        for path in paths.chain((0..LONG).map(|number| format!("/{round}/long{number}"))) {
            if path.contains("long") {
                let source = format!("{path}.scss");
                self.origin.put(&source, "a { b: c }");
                backlog.gates.push(self.origin.close_gate(&source));
            }
            let path = format!("{path}.css");
            let tenant = "shop-g1".parse().unwrap();
            let job = Job::new(tenant, path.parse().unwrap(), origin.clone(), Timestamp::now());
            backlog.queue.send(&job.to_message(), job.tenant_id.as_str()).await?;
            backlog.jobs.insert(path, job);
        }
        Ok(backlog)
    }

    fn start_worker(&self, queue_url: &str, refresh_queue_url: &str) -> Result<Child> {
        Command::new(env!("CARGO_BIN_EXE_worker-under-test"))
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.moto.endpoint())
            .env("AWS_REGION", "eu-central-1")
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .env(env::BUCKET, "site")
            .env(env::QUEUE_URL, queue_url)
            .env(env::REFRESH_QUEUE_URL, refresh_queue_url)
            .env(env::TOPIC_ARN, &self.topic_arn)
            .envs([(env::NOTICE_KEY_FILE, "none"), (env::PEERS_HOST, "none"), (env::DIRECT_NOTICES, "Off")])
            .env(env::PRIVATE_NETWORKS, "127.0.0.0/8")
            .env(env::CONCURRENCY, PLACES.to_string())
            .env(env::VISIBILITY_SECONDS, VISIBILITY.as_secs().to_string())
            .env("RUST_LOG", "warn")
            .args(["--operation-listen", "127.0.0.1:0"])
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the worker's program")
    }

    /// The jobs whose sources were asked for.
    fn begun(&self, backlog: &Backlog) -> BTreeSet<String> {
        let paths = backlog.jobs.keys().filter(|path| {
            let source = path.replace(".css", ".scss");
            self.origin.asked(&source).arrived > 0
        });
        paths.cloned().collect()
    }

    /// As soon as long jobs have all of the worker's places.
    async fn until_busy(&self, backlog: &Backlog) -> Result<()> {
        let busy = async {
            while self.begun(backlog).iter().filter(|path| path.contains("long")).count() < PLACES {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, busy).await.context("the worker does not come to the long jobs")
    }

    async fn stop_busy_worker(&self, round: usize) -> Result<Stopped> {
        let (queue, queue_url) = self.create_queue(&format!("jobs{round}")).await?;
        let (_, refresh_queue_url) = self.create_queue(&format!("refreshes{round}")).await?;
        let mut backlog = self.send_backlog(queue, round).await?;
        let mut worker = self.start_worker(&queue_url, &refresh_queue_url)?;
        self.until_busy(&backlog).await?;
        let id = Pid::from_raw(worker.id().context("the worker has ended")?.try_into()?);
        kill_process(id.context("no process")?, Signal::TERM)?;

        // No place becomes free before its gate is opened.
        let begun = self.begun(&backlog);
        let left = backlog.jobs.len() - begun.len();
        let received = timeout(PATIENCE, receive(&backlog.queue, left)).await;
        let received_elsewhere = received.context("what was not begun is kept from others")??;
        backlog.gates.clear();
        let status = timeout(PATIENCE, worker.wait()).await.context("the worker does not end")??;
        assert_eq!(status.code(), Some(0));

        let depth = Depth { visible: 0, in_flight: left.try_into()?, delayed: 0 };
        assert_eq!(backlog.queue.depth().await?, depth, "what ended is deleted, and nothing else");
        assert_eq!(self.begun(&backlog), begun, "no job was begun meanwhile");
        self.check_manifests(&backlog, &begun).await?;
        Ok(Stopped { begun, received_elsewhere })
    }

    async fn check_manifests(&self, backlog: &Backlog, begun: &BTreeSet<String>) -> Result<()> {
        for (path, job) in &backlog.jobs {
            let manifest = read_manifest(&self.store, &job.key()).await?;
            match (begun.contains(path), manifest.map(|stored| stored.manifest.outcome)) {
                (true, Some(Outcome::Compiled { .. })) if path.contains("long") => {}
                (true, Some(Outcome::SourceNotFound { .. })) if path.contains("short") => {}
                (false, None) => {}
                (is_begun, outcome) => bail!("{path}, begun: {is_begun}, has {outcome:?}"),
            }
        }
        Ok(())
    }
}

fn frankfurt() -> CreateBucketConfiguration {
    CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1).build()
}

/// So many messages: their paths, and how often each was received.
async fn receive(queue: &SqsQueue, count: usize) -> Result<BTreeMap<String, u32>> {
    let mut received = BTreeMap::new();
    while received.len() < count {
        for delivery in queue.receive(10, Duration::from_secs(1), VISIBILITY).await? {
            let path = Job::from_message(&delivery.body)?.path.as_str().to_owned();
            let before = received.insert(path, delivery.receive_count);
            assert_eq!(before, None, "a message came twice");
        }
    }
    Ok(received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_that_gets_sigterm_leaves_what_it_has_not_begun_to_others_and_ends_the_rest() -> Result<()> {
    let site = Site::open().await?;
    for round in 0..ROUNDS {
        let Stopped { begun, received_elsewhere } = site.stop_busy_worker(round).await?;
        let both: Vec<_> = begun.iter().filter(|path| received_elsewhere.contains_key(*path)).collect();
        assert!(both.is_empty(), "{both:?} were begun, and came to others, too");
        let held = received_elsewhere.values().filter(|count| **count > 1).count();
        println!(
            "{} begun, {} received elsewhere, {held} of them held before",
            begun.len(),
            received_elsewhere.len()
        );
        if held > 0 {
            return Ok(());
        }
    }
    bail!("no worker held a message, so this test shows nothing")
}
