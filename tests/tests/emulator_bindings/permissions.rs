//! The operator's IAM policy beside the calls that it makes: each of them is allowed, and each action of the policy
//! is needed by some of them.

use anyhow::{Context, Result, ensure};
use crds::AssetPipeline;
use operator::{
    aws::{Clients, Transport, find_left_behind, subscription::SubscriptionWant},
    iam::{Known, Role, build_iam_policy},
    names::SUFFIX_ANNOTATION,
    tenants::{
        Identity, WantedTenant, apply_tenants, observe_registry, owner_name, plan_departure, plan_tenants,
    },
};
use pipeline::{
    aws::{S3Store, SnsSubscriptions, SqsQueue},
    ports::{Queue, Subscriptions},
    purge::purge_pipeline,
};
use serde_json::{Value, json};
use tests::{
    calls::Calls,
    moto::Moto,
    permissions::{Allowed, actions, check_calls},
    sns_inbox::SnsInbox,
};

use crate::stage::{KEY, REGION, Stage, clients};

/// A pipeline whose operator's calls are recorded.
struct Trial {
    calls: Calls,
    operator: Stage,
    /// The same resources in the hands of everybody else.
    others: Stage,
    spec: Value,
    endpoint: Option<String>,
}

/// What policies allow, and what of it is needed.
#[derive(Default)]
struct Judged {
    allowed: Allowed,
    needed: Allowed,
}

impl Trial {
    fn new(clients: &Clients, name: &str, (mode, changed): (&str, Value)) -> Self {
        let calls = Calls::default();
        let recorded = Clients {
            s3: calls.s3(&clients.s3),
            sqs: calls.sqs(&clients.sqs),
            sns: calls.sns(&clients.sns),
            region: clients.region.clone(),
        };
        let others = Stage::new(clients, name);
        let mut operator = Stage::new(&recorded, name);
        operator.names = others.names.clone();
        let spec = others.spec(mode, &changed);
        Self { calls, operator, others, spec, endpoint: None }
    }

    async fn settle(&self) -> Result<()> {
        self.operator.settle(&self.spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        Ok(())
    }

    async fn release(&self) -> Result<()> {
        self.operator.release(&self.spec).await.map(drop)
    }

    async fn find_left_behind(&self) -> Result<()> {
        let bindings = serde_json::from_value(self.spec.clone())?;
        let found = find_left_behind(&self.operator.clients, &self.operator.owner, &bindings).await?;
        found.context("nothing was left behind").map(drop)
    }

    fn object(&self, annotations: &Value) -> Result<AssetPipeline> {
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1",
            "kind": "AssetPipeline",
            "metadata": {"namespace": "shop", "name": self.operator.owner.name, "annotations": annotations},
            "spec": {"bindings": self.spec, "notifications": {"endpoint": self.endpoint}},
        });
        Ok(serde_json::from_value(object)?)
    }

    /// By the pipeline's policy from before its names are drawn, and by that of its names.
    fn judge(&self, judged: &mut Judged) -> Result<()> {
        let bucket = &self.operator.names.bucket;
        let suffix = bucket.rsplit('-').next().context("a name without an end")?;
        let calls = self.calls.recorded();
        for annotations in [json!({}), json!({SUFFIX_ANNOTATION: suffix})] {
            let policy = build_policy(&self.object(&annotations)?, "east");
            judged.needed.extend(check_calls(&policy, &calls).context(self.operator.owner.name.clone())?);
            judged.allowed.extend(actions(&policy)?);
        }
        Ok(())
    }
}

fn build_policy(object: &AssetPipeline, cluster: &str) -> Value {
    let known = Known {
        account_id: Some("123456789012".to_owned()),
        region: Some(REGION.to_owned()),
        cluster_name: Some(cluster.to_owned()),
    };
    build_iam_policy(Role::Operator, object, &known).to_json()
}

#[tokio::test]
async fn operators_policy_allows_its_calls_and_no_action_that_none_needs() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    let mut judged = Judged::default();
    create_and_take_back(&clients, &mut judged).await?;
    fill_and_delete(&clients, &mut judged).await?;
    for mode in ["Create", "AdoptOrCreate"] {
        let trial = Trial::new(&clients, &format!("plain-{mode}").to_lowercase(), (mode, json!({})));
        trial.settle().await?;
        trial.release().await?;
        trial.judge(&mut judged)?;
    }
    for mode in ["Adopt", "ReadOnly"] {
        let trial = Trial::new(&clients, &format!("theirs-{mode}").to_lowercase(), (mode, json!({})));
        trial.others.make_theirs(&trial.others.consent()).await?;
        trial.settle().await?;
        trial.release().await?;
        trial.judge(&mut judged)?;
    }
    let unneeded: Allowed = judged.allowed.difference(&judged.needed).cloned().collect();
    assert_eq!(unneeded, Allowed::new());
    Ok(())
}

/// Made, subscribed, disturbed and corrected, kept at the end, and taken back.
async fn create_and_take_back(clients: &Clients, judged: &mut Judged) -> Result<()> {
    let retained = json!({
        "queues": {"deletionPolicy": "Retain"}, "topic": {"deletionPolicy": "Retain"},
        "tags": {"cost-center": "42", "team": "shop"},
    });
    let mut trial = Trial::new(clients, "kept", ("Create", retained));
    let mut inbox = SnsInbox::listen().await?;
    trial.endpoint = Some(inbox.endpoint().to_owned());
    trial.operator.subscription = SubscriptionWant::Endpoint(inbox.endpoint().parse()?);
    trial.settle().await?;
    let seen = trial.others.look().await?;
    let topic = &seen.topic.found().context("there is no topic")?.arn;
    let token = inbox.next_token(topic).await?;
    SnsSubscriptions::new(clients.sns.clone(), topic).confirm(&token).await?;
    trial.others.disturb().await?;
    trial.settle().await?;
    trial.release().await?;
    trial.find_left_behind().await?;
    // By the spec that has one of the tags no more, no other call is made but the one that takes it away.
    trial.judge(judged)?;
    trial.spec["tags"] = json!({"cost-center": "42"});
    let before = trial.calls.recorded();
    trial.settle().await?;
    let calls: Vec<_> = trial.calls.recorded().into_iter().filter(|call| !before.contains(call)).collect();
    ensure!(calls.iter().any(|call| call.action == "sqs:UntagQueue"), "{calls:?}");
    check_calls(&build_policy(&trial.object(&json!({}))?, "east"), &calls)?;
    Ok(())
}

/// With tenants, a purge and jobs to count; then deleted with all that the bucket holds, but for the queues.
async fn fill_and_delete(clients: &Clients, judged: &mut Judged) -> Result<()> {
    let policies = json!({
        "bucket": {
            "deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects",
            "encryption": {"kmsKeyArn": KEY}, "versioning": "Enabled",
        },
        "queues": {"deletionPolicy": "Retain"},
    });
    let mut trial = Trial::new(clients, "filled", ("Create", policies));
    // The emulator would let nobody store objects under the policy that denies what comes without TLS.
    trial.operator.transport = Transport::Plaintext;
    trial.settle().await?;
    let store = S3Store::new(trial.operator.clients.s3.clone(), &trial.operator.names.bucket);
    let owner = owner_name("shop", "filled");
    let tenant = WantedTenant {
        host: "shop.example".parse()?,
        origin: "https://www.shop.example".parse()?,
        site_url: None,
        load_paths: Vec::new(),
        development: false,
        engine: None,
        limits: None,
    };
    let observed = observe_registry(&store, &owner, [tenant.host.clone()]).await?;
    let plan = plan_tenants(&owner, Identity::EachItsOwn, &[tenant], &observed, "random")?;
    apply_tenants(&store, &owner, plan.steps).await?;
    purge_pipeline(&store, jiff::Timestamp::now()).await?;
    let observed = observe_registry(&store, &owner, []).await?;
    apply_tenants(&store, &owner, plan_departure(&owner, &observed)).await?;
    let seen = trial.others.look().await?;
    let url = &seen.queue.found().context("there is no queue")?.url;
    SqsQueue::new(trial.operator.clients.sqs.clone(), url).depth().await?;
    trial.release().await?;
    trial.find_left_behind().await?;
    trial.judge(judged)
}

#[tokio::test]
async fn policy_of_another_cluster_pipeline_or_end_does_not_allow_what_is_written() -> Result<()> {
    let moto = Moto::start()?;
    let trial = Trial::new(&clients(&moto).await, "store", ("Create", json!({})));
    trial.settle().await?;
    trial.release().await?;
    let (object, calls) = (trial.object(&json!({}))?, trial.calls.recorded());
    check_calls(&build_policy(&object, "east"), &calls)?;
    let refused = |policy: Value| check_calls(&policy, &calls).unwrap_err().to_string();
    let error = refused(build_policy(&object, "west"));
    assert!(error.contains("sqs:CreateQueue"), "{error}");
    let mut other = object.clone();
    other.metadata.name = Some("stor".to_owned());
    assert!(refused(build_policy(&other, "east")).contains("s3:"), "names of another pipeline are open");
    let other = trial.object(&json!({SUFFIX_ANNOTATION: "0123456789"}))?;
    assert!(refused(build_policy(&other, "east")).contains("s3:"), "names of another end are open");
    Ok(())
}
