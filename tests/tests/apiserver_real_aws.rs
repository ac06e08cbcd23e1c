//! What `cargo xtask up --aws real` installs and applies, beside an emulator that only the machine's endpoint variable
//! names: the operator works there by the machine's keys, and nothing of the example stays.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use cluster::{
    Cache,
    command::{capture, feed},
};
use crds::{AssetPipeline, condition_type};
use kube::api::DeleteParams;
use pipeline::aws::{s3_client, sns_client, sqs_client};
use tests::{
    control_plane::ControlPlane,
    moto::Moto,
    operator_process::{OperatorProcess, fetch_settings},
    patience::eventually,
    scene::find_condition,
};
use xtask::aws::{Access, Machine, RealAws};

const HOME: &str = "assetpipeline-system";
const OPERATOR: &str = "assetpipeline-operator";
const EXAMPLE: &str = "storefront";
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const DONE_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn example_works_on_aws_by_the_machines_keys_and_endpoint_and_leaves_nothing_there() -> Result<()> {
    let (plane, moto) = (ControlPlane::start().await?, Moto::start()?);
    let machine = [
        ("AWS_ACCESS_KEY_ID", "machine"),
        ("AWS_SECRET_ACCESS_KEY", "its-secret"),
        ("AWS_SESSION_TOKEN", "its-token"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", &moto.endpoint()),
    ];
    let machine = Machine::with(machine.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let aws = Access::Real(RealAws::find(&machine)?);
    install(&plane, &aws).await?;
    let settings = fetch_settings(&plane, HOME, OPERATOR).await?;
    let set = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(KEYS.map(set), ["machine", "its-secret", "its-token"]);
    assert_eq!((set("AWS_ENDPOINT_URL"), set("AWS_REGION")), (moto.endpoint().as_str(), "eu-central-1"));
    assert_eq!((set("SNS_CERTIFICATE_ENDPOINT"), set("SNS_CERTIFICATE_AUTHORITY")), ("", ""));

    let program = Path::new(env!("CARGO_BIN_EXE_operator-under-test"));
    let _operator = OperatorProcess::start(&plane, program, HOME, OPERATOR).await?;
    let cache = Cache::locate()?;
    let example = std::fs::read_to_string(cache.checkout.join("examples/storefront.yaml"))?;
    apply(&plane, &aws.adapt(&example)?)?;
    apply(&plane, &aws.secret(EXAMPLE).to_string())?;
    let bucket = eventually(DONE_WITHIN, "the example's bindings", async || {
        let pipeline: AssetPipeline = plane.api(EXAMPLE).get(EXAMPLE).await?;
        let ready = find_condition(&pipeline, condition_type::BINDINGS_READY)?;
        ensure!(ready.status == "True", "{}: {}", ready.reason, ready.message);
        let bindings = pipeline.status.and_then(|status| status.bindings);
        bindings.and_then(|bindings| bindings.bucket).context("the status names no bucket")
    })
    .await?;
    for tier in ["storefront-web", "storefront-worker"] {
        let pods = fetch_settings(&plane, EXAMPLE, tier).await?;
        for name in [&KEYS[..], &["AWS_ENDPOINT_URL", "AWS_REGION"]].concat() {
            assert_eq!(pods.get(name), settings.get(name), "{tier} has another {name}");
        }
    }

    let sdk = moto.sdk_config().await;
    let file = s3_client(&sdk).put_object().bucket(&bucket).key("b/file").body(b"a{}".to_vec().into());
    file.send().await.context("the bucket is not where the endpoint is")?;
    plane.api::<AssetPipeline>(EXAMPLE).delete(EXAMPLE, &DeleteParams::default()).await?;
    eventually(DONE_WITHIN, "the example to go", async || {
        let left = plane.api::<AssetPipeline>(EXAMPLE).get_opt(EXAMPLE).await?;
        ensure!(left.is_none(), "it is there: {:?}", left.and_then(|left| left.status));
        Ok(())
    })
    .await?;
    let buckets = s3_client(&sdk).list_buckets().send().await?;
    let queues = sqs_client(&sdk).list_queues().send().await?;
    let topics = sns_client(&sdk).list_topics().send().await?;
    let left = (buckets.buckets().len(), queues.queue_urls().len(), topics.topics().len());
    assert_eq!(left, (0, 0, 0), "buckets, queues and topics are left");
    Ok(())
}

async fn install(plane: &ControlPlane, aws: &Access) -> Result<()> {
    for namespace in [HOME, EXAMPLE] {
        plane.create_namespace(namespace).await?;
    }
    apply(plane, &aws.secret(HOME).to_string())?;
    let mut helm = plane.helm();
    helm.args(["install", "assetpipeline", "--namespace", HOME]);
    helm.arg(Cache::locate()?.checkout.join("charts/assetpipeline-operator"));
    for value in aws.values() {
        helm.args(["--set-string", &value]);
    }
    capture(&mut helm).map(drop)
}

fn apply(plane: &ControlPlane, manifests: &str) -> Result<()> {
    feed(plane.kubectl().args(["apply", "--server-side", "--filename=-"]), manifests).map(drop)
}
