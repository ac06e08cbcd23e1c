//! What `cargo xtask up --context` leaves alone on a cluster that is not ours, on an API server of its own.

use anyhow::{Context, Result, ensure};
use cluster::{Cache, KubeContext, Target, command::capture, progress::Progress};
use tests::control_plane::ControlPlane;
use xtask::{
    aws::{Access, Machine, RealAws},
    foreign::Foreign,
    namespace,
    operator::{self, Home},
};

const HOME: Home<'_> = Home { namespace: "operators", settings: &[] };
const EXAMPLE: &str = "shop";
const DEFINITION: &str = "customresourcedefinition/assetpipelines.assetpipeline.dev";

#[tokio::test]
async fn namespaces_that_are_not_ours_or_work_on_another_aws_are_refused() -> Result<()> {
    let plane = ControlPlane::start_bare().await?;
    let target = Target::Context(context(&plane, "administrator")?);
    let check = |region: &str| -> Result<String> {
        let checked = Foreign::check(context(&plane, "administrator")?, aws(region)?, HOME, EXAMPLE);
        Ok(checked.err().map(|error| error.to_string()).unwrap_or_default())
    };
    assert_eq!(check("eu-west-1")?, "");
    let made = capture(plane.kubectl().args(["get", "namespaces", "--output=name"]))?;
    ensure!(!made.contains(EXAMPLE), "the check has made {made}");

    namespace::ensure(&target, HOME.namespace, Some("eu-west-1"))?;
    assert_eq!(check("eu-west-1")?, "");
    let works = "works on eu-west-1, and not on eu-north-1: set the same, or take it away first";
    assert_eq!(check("eu-north-1")?, format!("what is in namespace operators {works}"));

    plane.create_namespace(EXAMPLE).await?;
    // Found, and so left without a mark.
    namespace::ensure(&target, EXAMPLE, Some("eu-west-1"))?;
    let refused = check("eu-west-1")?;
    ensure!(refused.starts_with("namespace shop is there already, and `cargo xtask up"), "{refused}");

    let unknown = Foreign::check(context(&plane, "elsewhere")?, aws("eu-west-1")?, HOME, EXAMPLE);
    let unknown = unknown.err().context("a context that is not there was found")?.to_string();
    ensure!(unknown.contains("context was not found for specified context: elsewhere"), "{unknown}");
    Ok(())
}

#[tokio::test]
async fn definitions_of_another_release_stay_as_they_are_in_helms_own_words() -> Result<()> {
    let plane = ControlPlane::start_bare().await?;
    plane.create_namespace("others").await?;
    let mut helm = plane.helm();
    helm.args(["install", "others", "--namespace=others"]);
    helm.arg(Cache::locate()?.checkout.join("charts/assetpipeline-operator"));
    capture(helm.args(["--set", "clusterName=others,aws.region=eu-west-1"]))?;
    let owner =
        r"--output=jsonpath={.metadata.annotations.meta\.helm\.sh/release-name} {.metadata.generation}";
    let before = capture(plane.kubectl().args(["get", DEFINITION, owner]))?;

    let target = Target::Context(context(&plane, "administrator")?);
    let aws = Access::Real(aws("eu-west-1")?);
    let refused = operator::install(&target, HOME, Vec::new(), &aws, &Progress::start());
    let refused = refused.err().context("two releases have the definitions")?.to_string();
    for told in ["cannot be imported into the current release", r#"current value is "others""#] {
        ensure!(refused.contains(told), "{told:?} is not in: {refused}");
    }
    assert_eq!(capture(plane.kubectl().args(["get", DEFINITION, owner]))?, before);
    Ok(())
}

fn context(plane: &ControlPlane, name: &str) -> Result<KubeContext> {
    KubeContext::new(Cache::locate()?, name.to_owned(), Some(plane.kubeconfig()), &Progress::start())
}

fn aws(region: &str) -> Result<RealAws> {
    let variables =
        [("AWS_ACCESS_KEY_ID", "persons"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", region)];
    RealAws::find(&Machine::with(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))))
}
