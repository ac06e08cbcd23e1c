//! The operator of some namespaces, with the rights that the chart gives it and no others, on an API server that
//! writes down what it asks for.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cluster::{
    Cache,
    command::{capture, feed, output},
};
use crds::{AssetPipeline, AssetTenant, condition_reason, condition_type};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Service, events::v1::Event};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use pipeline::aws::sqs_client;
use serde_json::json;
use tests::{
    control_plane::{ControlPlane, Request},
    moto::Moto,
    operator_process::OperatorProcess,
    patience::eventually,
    scene::find_condition,
};

const CHART: &str = "charts/assetpipeline-operator";
const RELEASE: &str = "assets";
/// The operator's `ServiceAccount`, Deployment and Lease.
const OPERATOR: &str = "assets-operator";
/// Its namespace.
const HOME: &str = "ops";
/// A start, the first lists, and some rounds on a busy machine.
const DONE_WITHIN: Duration = Duration::from_mins(2);
/// What was refused is asked for again half a minute apart at the most.
const SEEN_WITHIN: Duration = Duration::from_mins(1);
/// Drift that nobody tells of is looked for minutes apart.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn operator_of_two_namespaces_sees_to_both_and_asks_for_nothing_elsewhere() -> Result<()> {
    let (plane, moto) = (ControlPlane::start().await?, Moto::start()?);
    for namespace in [HOME, "shop", "blog", "elsewhere"] {
        plane.create_namespace(namespace).await?;
    }
    create_node(&plane)?;
    install(&plane, &moto, HOME, &["watchNamespaces={shop,blog}"])?;
    for namespace in ["shop", "blog", "elsewhere"] {
        create_pipeline(&plane, namespace).await?;
    }
    let _operator = start(&plane, HOME).await?;

    for namespace in ["shop", "blog"] {
        eventually(DONE_WITHIN, "the pipeline", async || check_settled(&plane, namespace).await).await?;
        check_watches(&plane, namespace).await?;
        check_scaler(&plane, &moto, namespace).await?;
        check_tenant(&plane, namespace).await?;
    }
    let zones = zones_reason(&plane, "shop").await?;
    assert_eq!(zones, condition_reason::SINGLE_ZONE, "nodes are seen");

    // Deletion, too, stays where it is.
    plane.api::<AssetTenant>("blog").delete("corner", &DeleteParams::default()).await?;
    plane.api::<AssetPipeline>("blog").delete("site", &DeleteParams::default()).await?;
    eventually(DONE_WITHIN, "the pipeline to go", async || {
        let left = plane.api::<AssetPipeline>("blog").get_opt("site").await?;
        ensure!(left.is_none(), "it is there: {:?}", left.and_then(|left| left.status));
        Ok(())
    })
    .await?;
    check_untouched(&plane, "elsewhere").await?;
    check_requests(&plane.requests_of(HOME, OPERATOR)?, &[HOME, "shop", "blog"])
}

#[tokio::test]
async fn operator_goes_on_without_rights_says_so_and_uses_them_once_it_has_them() -> Result<()> {
    let (plane, moto) = (ControlPlane::start().await?, Moto::start()?);
    for namespace in [HOME, "shop", "closed"] {
        plane.create_namespace(namespace).await?;
    }
    install(&plane, &moto, HOME, &["watchNamespaces={shop,closed}"])?;
    let binding = ["rolebinding", "--namespace=closed", "ops-assets-operator"];
    let taken = capture(plane.kubectl().args(["get", "--output=yaml"]).args(binding))?;
    capture(plane.kubectl().arg("delete").args(binding))?;
    capture(plane.kubectl().args(["delete", "clusterrolebinding", "ops-assets-operator"]))?;
    for namespace in ["shop", "closed"] {
        create_pipeline(&plane, namespace).await?;
    }
    let operator = start(&plane, HOME).await?;

    eventually(DONE_WITHIN, "the pipeline", async || check_settled(&plane, "shop").await).await?;
    check_watches(&plane, "shop").await?;
    check_untouched(&plane, "closed").await?;
    assert_eq!(zones_reason(&plane, "shop").await?, condition_reason::NODES_UNSEEN);
    let log = operator.said()?;
    let told = |kind: &str| {
        let kind = format!(r#""kind":"{kind}""#);
        let told = log.lines().filter(|line| line.contains("has no right to list and watch"));
        told.filter(|line| line.contains(&kind)).count()
    };
    // Each watch says it once; pipelines are watched for themselves, and for their tenants.
    for (kind, times) in [("assetpipelines", 2), ("assettenants", 1), ("deployments", 1), ("nodes", 1)] {
        ensure!(told(kind) == times, "{kind} are told to be refused {} times in:\n{log}", told(kind));
    }

    feed(plane.kubectl().args(["create", "--filename=-"]), &without_identity(&taken))?;
    eventually(SEEN_WITHIN, "the namespace's pipeline", async || check_settled(&plane, "closed").await).await
}

#[tokio::test]
async fn releases_of_two_namespaces_keep_to_their_own_and_never_to_the_same() -> Result<()> {
    let (plane, moto) = (ControlPlane::start().await?, Moto::start()?);
    for namespace in [HOME, "others", "shop", "blog"] {
        plane.create_namespace(namespace).await?;
    }
    install(&plane, &moto, HOME, &["watchNamespaces={shop}", "watchNodes=false"])?;
    let refused = install(&plane, &moto, "others", &["watchNamespaces={shop,blog}", "crds.install=false"]);
    let refused = refused.err().context("two releases were given the same namespace")?;
    ensure!(format!("{refused:#}").contains("take it out of watchNamespaces, here or there"), "{refused:#}");
    install(&plane, &moto, "others", &["watchNamespaces={blog}", "watchNodes=false", "crds.install=false"])?;
    let shown = capture(plane.kubectl().args(["get", "clusterroles,clusterrolebindings", "--output=name"]))?;
    ensure!(!shown.contains(OPERATOR), "a release has rights outside of namespaces: {shown}");

    for namespace in ["shop", "blog"] {
        create_pipeline(&plane, namespace).await?;
    }
    let _operators = (start(&plane, HOME).await?, start(&plane, "others").await?);
    for namespace in ["shop", "blog"] {
        eventually(DONE_WITHIN, "the pipeline", async || check_settled(&plane, namespace).await).await?;
        check_scaler(&plane, &moto, namespace).await?;
    }
    for (home, own) in [(HOME, "shop"), ("others", "blog")] {
        plane.api::<Lease>(home).get(OPERATOR).await.context("a release leads by a Lease of its own")?;
        check_requests(&plane.requests_of(home, OPERATOR)?, &[home, own])?;
    }

    // What the other one has is no reason to keep this one.
    let asked = check_uninstall(&plane, HOME).await?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure!(asked.status.code() == Some(3), "{said}");
    ensure!(said.contains("delete assetpipeline site --namespace shop") && !said.contains("blog"), "{said}");
    Ok(())
}

fn install(plane: &ControlPlane, moto: &Moto, home: &str, values: &[&str]) -> Result<()> {
    let keys = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": home},
        "stringData": {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
    });
    feed(plane.kubectl().args(["apply", "--filename=-"]), &keys.to_string())?;
    let chart = Cache::locate()?.checkout.join(CHART);
    let mut helm = plane.helm();
    helm.args(["install", RELEASE]).arg(chart).args(["--namespace", home]);
    helm.args([
        "--set",
        &format!("clusterName=east,aws.region=eu-central-1,aws.endpointUrl={}", moto.endpoint()),
    ]);
    helm.args(["--set", "web.image=registry.invalid/web:1,worker.image=registry.invalid/worker:1"]);
    for value in values.iter().chain(&["aws.credentialsSecretName=keys"]) {
        helm.args(["--set", value]);
    }
    capture(&mut helm).map(drop)
}

async fn start(plane: &ControlPlane, home: &str) -> Result<OperatorProcess> {
    let program = Path::new(env!("CARGO_BIN_EXE_operator-under-test"));
    OperatorProcess::start(plane, program, home, OPERATOR).await
}

/// One node in a zone, which is ready and runs nothing.
fn create_node(plane: &ControlPlane) -> Result<()> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "a"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    });
    feed(plane.kubectl().args(["create", "--filename=-"]), &node.to_string())?;
    // The API server takes a new node for one that is not ready.
    let untainted = r#"--patch={"spec":{"taints":null}}"#;
    capture(plane.kubectl().args(["patch", "node", "n", "--type=merge", untainted])).map(drop)
}

async fn create_pipeline(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let ending = json!({"deletionPolicy": "Delete"});
    let spec =
        json!({"bindings": {"bucket": ending, "queues": ending, "topic": ending}, "web": {"replicas": 2}});
    let pipeline = AssetPipeline::new("site", serde_json::from_value(spec)?);
    plane.api(namespace).create(&PostParams::default(), &pipeline).await?;
    Ok(())
}

/// Everything is made, on AWS and in the cluster; pods alone are missing, since there is no node that runs any.
async fn check_settled(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let pipeline: AssetPipeline = plane.api(namespace).get("site").await?;
    let bindings = find_condition(&pipeline, condition_type::BINDINGS_READY)?;
    ensure!(bindings.status == "True", "{}: {}", bindings.reason, bindings.message);
    for tier in ["site-web", "site-worker"] {
        plane.api::<Deployment>(namespace).get(tier).await?;
    }
    plane.api::<Service>(namespace).get("site").await?;
    Ok(())
}

/// What somebody deletes is made anew long before anybody would look for it.
async fn check_watches(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let services = plane.api::<Service>(namespace);
    let before = services.get("site").await?.uid();
    services.delete("site", &DeleteParams::default()).await?;
    eventually(AT_ONCE, "the Service", async || {
        let uid = services.get("site").await?.uid();
        ensure!(uid != before, "it is the old one");
        Ok(())
    })
    .await
}

/// A job has a worker asked for, and an event tells of that.
async fn check_scaler(plane: &ControlPlane, moto: &Moto, namespace: &str) -> Result<()> {
    let pipeline: AssetPipeline = plane.api(namespace).get("site").await?;
    let bindings = pipeline.status.and_then(|status| status.bindings);
    let url = bindings.and_then(|bindings| bindings.queue_url).context("there is no queue")?;
    sqs_client(&moto.sdk_config().await).send_message().queue_url(url).message_body("{}").send().await?;
    eventually(AT_ONCE, "a worker to be asked for", async || {
        let workers = plane.api::<Deployment>(namespace).get("site-worker").await?;
        let replicas = workers.spec.and_then(|spec| spec.replicas);
        ensure!(replicas == Some(1), "{replicas:?} are asked for");
        let events = plane.api::<Event>(namespace).list(&ListParams::default()).await?;
        let kind = |event: &Event| event.regarding.as_ref()?.kind.clone();
        let told = events.iter().any(|event| kind(event).as_deref() == Some("AssetPipeline"));
        ensure!(told, "no event tells of the pipeline in {namespace}");
        Ok(())
    })
    .await
}

async fn check_tenant(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let spec = json!({
        "pipelineRef": {"name": "site"}, "hosts": [format!("{namespace}.example")],
        "origin": "https://www.example.com",
    });
    let tenant = AssetTenant::new("corner", serde_json::from_value(spec)?);
    let tenants = plane.api::<AssetTenant>(namespace);
    tenants.create(&PostParams::default(), &tenant).await?;
    eventually(AT_ONCE, "the tenant", async || {
        let status = tenants.get("corner").await?.status.context("there is no status")?;
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        ensure!(ready.is_some_and(|ready| ready.status == "True"), "{ready:?}");
        Ok(())
    })
    .await
}

async fn zones_reason(plane: &ControlPlane, namespace: &str) -> Result<String> {
    let pipeline: AssetPipeline = plane.api(namespace).get("site").await?;
    Ok(find_condition(&pipeline, condition_type::ZONES_SPREAD)?.reason.clone())
}

/// No operator has seen the pipeline, and nothing was made for it.
async fn check_untouched(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let pipeline: AssetPipeline = plane.api(namespace).get("site").await?;
    assert_eq!(pipeline.metadata.finalizers, None);
    assert_eq!(pipeline.status.and_then(|status| status.observed_generation), Some(-1));
    let made = plane.api::<Deployment>(namespace).list(&ListParams::default()).await?;
    ensure!(made.items.is_empty(), "{namespace} has Deployments");
    Ok(())
}

/// Nothing was refused, and nothing was asked of other namespaces, or of all.
fn check_requests(requests: &[Request], namespaces: &[&str]) -> Result<()> {
    let is_own = |request: &&Request| {
        let is_at_home = namespaces.contains(&request.namespace.as_str());
        !request.is_forbidden && (is_at_home || request.resource == "nodes")
    };
    let others: BTreeSet<&Request> = requests.iter().filter(|request| !is_own(request)).collect();
    ensure!(others.is_empty(), "{others:?}");
    for needed in ["deployments", "assettenants", "leases", "events"] {
        ensure!(requests.iter().any(|request| request.resource == needed), "nobody asked for {needed}");
    }
    Ok(())
}

/// As the chart's Job asks, by the account that it has for that.
async fn check_uninstall(plane: &ControlPlane, home: &str) -> Result<Output> {
    let hooks = capture(plane.helm().args(["get", "hooks", RELEASE, "--namespace", home]))?;
    feed(plane.kubectl().args(["create", "--filename=-"]), &hooks)?;
    let account = "assets-check-uninstall";
    let arguments = ["get", "job", account, "--namespace", home, "--output"];
    let path = "jsonpath={.spec.template.spec.containers[0].args}";
    let arguments = capture(plane.kubectl().args(arguments).arg(path))?;
    let arguments: Vec<String> = serde_json::from_str(&arguments).context("the Job has no arguments")?;
    let mut check = Command::new(env!("CARGO_BIN_EXE_operator-under-test"));
    output(check.env("KUBECONFIG", plane.kubeconfig_of(home, account).await?).args(arguments))
}

/// An object as somebody would make it again.
fn without_identity(yaml: &str) -> String {
    let is_kept = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("uid:") && !line.starts_with("resourceVersion:")
    };
    yaml.lines().filter(is_kept).fold(String::new(), |text, line| text + line + "\n")
}
