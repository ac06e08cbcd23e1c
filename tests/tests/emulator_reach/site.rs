//! One pipeline as its operator makes it on emulators, a tenant with one style sheet, and the programs of its pods.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use aws_config::{Region, SdkConfig};
use clap::Parser;
use operator::{
    Config, Options,
    aws::{
        Adoptable, BindingNames, BindingSuffix, BindingsTerms, BindingsWant, Clients, Owner, apply_bindings,
        bucket::Written, observe_bindings, plan_bindings, subscription::SubscriptionWant,
    },
    tenants::{Identity, WantedTenant, apply_tenants, observe_registry, plan_tenants},
};
use pipeline::{
    aws::{S3Store, config_loader, s3_client},
    env,
    key::MANIFESTS_PREFIX,
    ports::Store,
};
use serde_json::json;
use tempfile::NamedTempFile;
use tests::origin::Origin;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

pub(crate) const REGION: &str = "eu-central-1";
const HOST: &str = "shop.example";
/// More than any pipeline needs to come to rest.
const MOST_ROUNDS: usize = 20;
/// Far more than a start and a compile take.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Variables of a program's environment.
pub(crate) type Variables = Vec<(&'static str, String)>;

pub(crate) struct Site {
    pub(crate) names: BindingNames,
    pub(crate) topic_arn: String,
    queue_url: String,
    refresh_queue_url: String,
    /// The tenant's site, there until the end.
    _origin: Origin,
    keys: NamedTempFile,
}

/// The web tier's program, stopped when dropped.
pub(crate) struct Web {
    address: SocketAddr,
    _process: Child,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What follows the last colon or slash: a resource's name in its ARN or URL.
pub(crate) fn last_part(text: &str) -> String {
    text.rsplit([':', '/']).next().unwrap_or_default().to_owned()
}

/// With a key pair of the emulator's, for pods that have no role.
pub(crate) fn keyed(endpoints: &[(&'static str, String)]) -> Variables {
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, "test".to_owned()));
    endpoints.iter().cloned().chain(keys).collect()
}

impl Site {
    /// The operator is given these endpoints as flags, and makes all bindings and registers the tenant there.
    pub(crate) async fn make(endpoints: &[(&'static str, String)]) -> Result<Self> {
        let config = configure(endpoints)?;
        let loader = config_loader().region(Region::from_static(REGION)).test_credentials();
        let clients = Clients::open(&loader.load().await, &config);
        let suffix = BindingSuffix::from_random(rand::random());
        let names = BindingNames::new("shop", "store", &suffix);
        settle(&clients, &want(&names, &config)?).await?;
        let made = observe_bindings(&clients, &names).await?;
        let [queue, refresh_queue] = [&made.queue, &made.refresh_queue].map(|queue| queue.found());
        let origin = Origin::listen_on_loopback().await?;
        origin.put("/app.scss", "$c: teal; a { b { color: $c } }");
        register(&S3Store::new(clients.s3.clone(), &names.bucket), &origin).await?;
        let mut keys = NamedTempFile::new()?;
        writeln!(keys, "{}", "f".repeat(64))?;
        Ok(Self {
            topic_arn: made.topic.found().context("no topic was made")?.arn.clone(),
            queue_url: elsewhere(&queue.context("no queue was made")?.url),
            refresh_queue_url: elsewhere(&refresh_queue.context("no queue was made")?.url),
            names,
            _origin: origin,
            keys,
        })
    }

    /// How many manifests the bucket has there.
    pub(crate) async fn store(&self, sdk: &SdkConfig) -> Result<usize> {
        Ok(S3Store::new(s3_client(sdk), &self.names.bucket).list(MANIFESTS_PREFIX).await?.len())
    }

    pub(crate) fn start_worker(&self, variables: &Variables) -> Result<Child> {
        self.command(env!("CARGO_BIN_EXE_worker-under-test"), variables)
            .env(env::DIRECT_NOTICES, "Off")
            .env(env::PRIVATE_NETWORKS, "127.0.0.0/8")
            .env(env::CONCURRENCY, "1")
            .env(env::VISIBILITY_SECONDS, "8")
            .spawn()
            .context("cannot start the worker's program")
    }

    pub(crate) fn start_web(&self, variables: &Variables) -> Result<Web> {
        // Free a moment ago; nothing else here takes ports that it names.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = self
            .command(env!("CARGO_BIN_EXE_web-under-test"), variables)
            .env(env::POD_IP, "127.0.0.1")
            .args(["--internal-listen", "127.0.0.1:0", "--listen", &address.to_string()])
            .spawn()
            .context("cannot start the web tier's program")?;
        Ok(Web { address, _process: process })
    }

    /// What pods of both tiers are told, and what the caller adds; nothing of this process's.
    fn command(&self, program: &str, variables: &Variables) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(variables.iter().cloned())
            .env("AWS_REGION", REGION)
            .env("RUST_LOG", "warn")
            .env(env::BUCKET, &self.names.bucket)
            .env(env::QUEUE_URL, &self.queue_url)
            .env(env::REFRESH_QUEUE_URL, &self.refresh_queue_url)
            .env(env::TOPIC_ARN, &self.topic_arn)
            .env(env::NOTICE_KEY_FILE, self.keys.path())
            .env(env::PEERS_HOST, "localhost")
            .args(["--operation-listen", "127.0.0.1:0"])
            .kill_on_drop(true);
        command
    }
}

impl Web {
    /// The tenant's style sheet, as soon as the program answers at all.
    pub(crate) async fn visit(&self) -> Result<Answer> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{}/app.css", self.address);
        let visited = async {
            loop {
                match client.get(&url).header("host", HOST).send().await {
                    Ok(answer) => break answer,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        };
        let answer = timeout(PATIENCE, visited).await.context("the web tier answers nobody")?;
        Ok(Answer { status: answer.status().as_u16(), body: answer.text().await? })
    }
}

fn configure(endpoints: &[(&'static str, String)]) -> Result<Config> {
    let flags = endpoints.iter().map(|(name, url)| {
        let flag = name.to_lowercase().replace('_', "-");
        format!("--{flag}={url}")
    });
    let fixed = ["operator", "--web-image=w", "--worker-image=w", "--cluster-name=east"];
    let words = fixed.into_iter().map(str::to_owned).chain([format!("--aws-region={REGION}")]).chain(flags);
    Ok(Config::from(Options::try_parse_from(words)?))
}

fn want(names: &BindingNames, config: &Config) -> Result<BindingsWant> {
    let spec = serde_json::from_value(json!({}))?;
    Ok(BindingsWant {
        names: names.clone(),
        terms: BindingsTerms::new(names, &spec, "shop", &Adoptable::default()),
        owner: Owner { cluster: "east".into(), namespace: "shop".into(), name: "store".into() },
        region: REGION.to_owned(),
        transports: config.workloads.endpoints.transports(),
        visibility_seconds: 8,
        subscription: SubscriptionWant::None,
    })
}

async fn settle(clients: &Clients, want: &BindingsWant) -> Result<()> {
    for _ in 0..MOST_ROUNDS {
        let observed = observe_bindings(clients, &want.names).await?;
        let planned = plan_bindings(&observed, want);
        let (plan, _) = planned.map_err(|refusal| anyhow!(refusal.message))?;
        if plan.is_empty() {
            return Ok(());
        }
        ensure!(apply_bindings(clients, &want.names, plan).await? == Written::Done);
    }
    bail!("the bindings do not come to rest")
}

async fn register(store: &S3Store, origin: &Origin) -> Result<()> {
    let tenant = WantedTenant {
        host: HOST.parse()?,
        origin: origin.url().parse()?,
        site_url: None,
        load_paths: Vec::new(),
        development: false,
        engine: None,
        limits: None,
    };
    let observed = observe_registry(store, "o", [tenant.host.clone()]).await?;
    let plan = plan_tenants("o", Identity::EachItsOwn, &[tenant], &observed, "random")?;
    Ok(apply_tenants(store, "o", plan.steps).await?)
}

/// The same queue's URL at a host that nobody has: what the service says of itself is not where it is reached.
fn elsewhere(queue_url: &str) -> String {
    let path = queue_url.splitn(4, '/').nth(3).unwrap_or_default();
    format!("https://sqs.invalid/{path}")
}
