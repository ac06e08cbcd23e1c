//! Whether the operator may be uninstalled: only it can remove what pipelines have on AWS, and what tenants have
//! in buckets. Helm asks by a Job of the chart before it removes anything. Nothing is written here.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use crds::{AssetPipeline, AssetTenant};
use kube::{Client, ResourceExt, api::ListParams};
use tokio::time::timeout;

use crate::scope::{Namespaced, Scope};

/// Tells a refusal from a failure, which the Job tries again. The chart has the same number.
const REFUSED: u8 = 3;
/// Both lists together.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// As many objects are named one by one.
const NAMED: usize = 30;

/// Fails where there are `AssetPipelines` or `AssetTenants`, and names them.
#[derive(Debug, Parser, PartialEq, Eq)]
pub struct CheckUninstall {
    /// The Helm release of this operator.
    #[arg(long)]
    release: String,
    /// The release's namespace.
    #[arg(long)]
    namespace: String,
    /// The release's revision.
    #[arg(long)]
    revision: String,
    /// Namespaces in which the release's operator works, with commas between them; none means all.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAMES")]
    watch_namespaces: Scope,
}

/// Something that needs the operator to go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Live {
    /// As kubectl takes it.
    kind: &'static str,
    namespace: String,
    name: String,
}

/// Asks the cluster, and says on standard error why the operator must stay.
pub async fn check_uninstall(asked: &CheckUninstall) -> anyhow::Result<ExitCode> {
    let client = Client::try_default().await.context("could not find the cluster's API server")?;
    let lists = async {
        // Tenants first, since their registrations lie in their pipeline's bucket.
        let tenants = fetch_live::<AssetTenant>(&client, asked, "assettenant").await?;
        let pipelines = fetch_live::<AssetPipeline>(&client, asked, "assetpipeline").await?;
        Ok::<_, kube::Error>([tenants, pipelines].concat())
    };
    let live = timeout(LIST_TIMEOUT, lists).await.context("the API server took too long")?;
    let live = live.context("could not list AssetTenants and AssetPipelines")?;
    Ok(match decide_refusal(&live, asked) {
        None => ExitCode::SUCCESS,
        Some(refusal) => {
            eprintln!("{refusal}");
            ExitCode::from(REFUSED)
        }
    })
}

/// Why the operator must stay, and every way out; `None` where nothing needs it.
fn decide_refusal(live: &[Live], asked: &CheckUninstall) -> Option<String> {
    if live.is_empty() {
        return None;
    }
    let CheckUninstall { release, namespace, revision, watch_namespaces: _ } = asked;
    let delete = |live: &Live| {
        let Live { kind, namespace, name } = live;
        format!("  kubectl delete {kind} {name} --namespace {namespace}\n")
    };
    let more = live.len().checked_sub(NAMED).filter(|more| *more > 0);
    let more = more
        .map(|more| format!("  and {more} more: kubectl get assettenants,assetpipelines --all-namespaces\n"));
    let commands: String = live.iter().take(NAMED).map(delete).chain(more).collect();
    Some(format!(
        "Release {release} stays: only its operator can remove what these have on AWS.\n\
         Delete them and uninstall again:\n\
         {commands}\
         To leave all of them without an operator, until one is installed again:\n  \
         helm uninstall {release} --namespace {namespace} --no-hooks\n\
         To keep the release, which Helm takes for half uninstalled now:\n  \
         helm rollback {release} {revision} --namespace {namespace}"
    ))
}

/// Every object of the kind that is this operator's, whatever it has; one that is being deleted needs the operator
/// all the more.
async fn fetch_live<K: Namespaced>(
    client: &Client,
    asked: &CheckUninstall,
    kind: &'static str,
) -> Result<Vec<Live>, kube::Error> {
    let mut live = Vec::new();
    for objects in asked.watch_namespaces.apis::<K>(client) {
        let found = match objects.list_metadata(&ListParams::default()).await {
            // Without the definition there is nothing of the kind.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            found => found?,
        };
        live.extend(found.items.iter().map(|object| Live {
            kind,
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }));
    }
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> CheckUninstall {
        let words = ["check-uninstall", "--release=assets", "--namespace=system", "--revision=7"];
        CheckUninstall::parse_from(words)
    }

    fn live(kind: &'static str, name: &str) -> Live {
        Live { kind, namespace: "shop".into(), name: name.into() }
    }

    #[test]
    fn operator_that_nothing_needs_may_go() {
        assert_eq!(decide_refusal(&[], &asked()), None);
    }

    #[test]
    fn refusal_names_what_lives_and_every_way_out() {
        let all = [live("assettenant", "corner"), live("assetpipeline", "storefront")];
        let expected = "\
Release assets stays: only its operator can remove what these have on AWS.
Delete them and uninstall again:
  kubectl delete assettenant corner --namespace shop
  kubectl delete assetpipeline storefront --namespace shop
To leave all of them without an operator, until one is installed again:
  helm uninstall assets --namespace system --no-hooks
To keep the release, which Helm takes for half uninstalled now:
  helm rollback assets 7 --namespace system";
        assert_eq!(decide_refusal(&all, &asked()).unwrap(), expected);
    }

    #[test]
    fn crowd_is_counted_and_not_listed() {
        let all: Vec<Live> =
            (0..NAMED + 2).map(|number| live("assettenant", &format!("t{number}"))).collect();
        let refusal = decide_refusal(&all, &asked()).unwrap();
        assert_eq!(refusal.lines().filter(|line| line.starts_with("  kubectl delete ")).count(), NAMED);
        assert!(refusal.contains("  and 2 more: kubectl get assettenants,assetpipelines"), "{refusal}");
        assert!(!decide_refusal(&all[..NAMED], &asked()).unwrap().contains(" more: "));
    }
}
