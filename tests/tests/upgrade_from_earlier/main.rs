//! From the chart and images of an earlier version to the present ones, with one pipeline under load and one that is
//! suspended.

mod earlier;
mod seen;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::command::capture;
use crds::{WorkerSpec, condition_type};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tests::{
    control::{OPERATOR, OPERATOR_NAMESPACE},
    patience::eventually,
    places,
    release::{KeptInstalled, Release},
    rollout::visit_during,
    scene::{PIPELINE, Scene, Setting, Sns, Tier, check_condition, is_ready, play_on},
};
use tokio::{task::spawn_blocking, time::sleep};

use self::{
    earlier::Earlier,
    seen::{Seen, Watch, stays, uids},
};

/// Two workers and three web pods, one after the other, on a busy machine.
const ROLLED_OUT_WITHIN: Duration = Duration::from_mins(4);
const SUSPENDED_WITHIN: Duration = Duration::from_mins(1);
const LED_WITHIN: Duration = Duration::from_secs(40);
/// An operator that begins to lead looks at every pipeline at once.
const QUIET: Duration = Duration::from_secs(20);
const TIERS: [Tier; 2] = [Tier::Web, Tier::Worker];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: installs an earlier version and upgrades it under load, five minutes"]
async fn upgrade_replaces_a_pod_once_at_most_and_fails_no_request() -> Result<()> {
    let places = places::take_all()?;
    let release = Release::find()?;
    let earlier = Earlier::find(&release)?;
    let kept = KeptInstalled(&release);
    earlier.install(&release)?;
    play_on(&places, "upgrade", live_setting(), async |live| {
        play_on(&places, "at-rest", resting_setting(), async |resting| {
            suspend(resting, true).await?;
            Box::pin(upgrade(&release, live, resting)).await?;
            Box::pin(upgrade_again(&release, live, resting)).await?;
            // It kept its pods because it was suspended.
            suspend(resting, false).await?;
            until_rolled_out(&release, resting, &resting_setting()).await
        })
        .await
    })
    .await?;
    drop(kept);
    release.check_installed()
}

fn live_setting() -> Setting {
    let worker = WorkerSpec { min_replicas: 2, max_replicas: 2, concurrency: 4, ..WorkerSpec::default() };
    Setting { web_replicas: 3, worker, ..Setting::default() }
}

fn resting_setting() -> Setting {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 1, ..WorkerSpec::default() };
    Setting { worker, sns: Sns::Silent, ..Setting::default() }
}

/// From the earlier version.
async fn upgrade(release: &Release, live: &Scene, resting: &Scene) -> Result<()> {
    let before = [Seen::of(live).await?, Seen::of(resting).await?];
    let watch = Watch::default();
    let started = Instant::now();
    let upgraded = visit_during(live, async |_| {
        run(release.upgrade(&release.chart, &[])).await?;
        until_rolled_out(release, live, &live_setting()).await?;
        sleep(QUIET).await;
        Ok(())
    });
    let (visits, ()) = tokio::select! {
        upgraded = upgraded => upgraded?,
        never = watch.note(live) => match never? {},
    };
    println!("upgraded in {:.1?}: {visits:?}", started.elapsed());
    ensure!(visits.failed == 0, "{} failed: {:#?}", visits.failed, visits.failures);
    ensure!(visits.held > 0, "nobody was held: {visits:?}");
    // What only the present operator tells.
    check_condition(&live.pipeline().await?, condition_type::TIMEOUTS_COHERENT)?;
    let after = [Seen::of(live).await?, Seen::of(resting).await?];
    for tier in TIERS {
        let (old, new) = (before[0].pods(tier), after[0].pods(tier));
        let since = &watch.seen(tier) - old;
        println!("{tier:?}: {} pods before, {} since, {} after", old.len(), since.len(), new.len());
        ensure!(new.is_disjoint(old), "of {old:?}, pods of another template, are left: {new:?}");
        ensure!(since == *new, "pods were replaced twice: {since:?} came, {new:?} are left");
        let revisions = [&before[0], &after[0]].map(|seen| seen.revision(tier));
        ensure!(revisions[1] == revisions[0] + 1, "{tier:?} went from revision {revisions:?}");
    }
    for tier in TIERS {
        assert_eq!(before[1].pods(tier), after[1].pods(tier), "the suspended pipeline's");
    }
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.aws, after.aws);
        ensure!(
            before.children.is_subset(&after.children),
            "{:?} and now {:?}",
            before.children,
            after.children
        );
    }
    Ok(())
}

/// With nothing new, and then with a new setting of the operator alone.
async fn upgrade_again(release: &Release, live: &Scene, resting: &Scene) -> Result<()> {
    let (operators, pods) = (release.pods()?, pods(live, resting).await?);
    run(release.upgrade(&release.chart, &[])).await?;
    sleep(QUIET).await;
    assert_eq!(release.pods()?, operators);
    assert_eq!(self::pods(live, resting).await?, pods);

    run(release.upgrade(&release.chart, &["logFilter=info\\,operator=debug".to_owned()])).await?;
    eventually(LED_WITHIN, "a new operator to lead", async || {
        let lease = live.control.api::<Lease>(OPERATOR_NAMESPACE).get(OPERATOR).await?;
        let leader = lease.spec.and_then(|spec| spec.holder_identity).context("nobody has the lease")?;
        let is_new = |pod: &String| leader.starts_with(&format!("{pod}_")) && !operators.contains(pod);
        ensure!(release.pods()?.iter().any(is_new), "{leader} leads");
        Ok(())
    })
    .await?;
    sleep(QUIET).await;
    assert_eq!(self::pods(live, resting).await?, pods);
    Ok(())
}

async fn suspend(scene: &Scene, is_suspended: bool) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"suspend": is_suspended}}));
    scene.pipelines().patch(PIPELINE, &PatchParams::default(), &patch).await?;
    let type_ = if is_suspended { condition_type::SUSPENDED } else { condition_type::READY };
    eventually(SUSPENDED_WITHIN, "the operator to know", async || {
        check_condition(&scene.pipeline().await?, type_)
    })
    .await
}

/// Until all pods are of the release's images, and those of others are gone.
async fn until_rolled_out(release: &Release, scene: &Scene, setting: &Setting) -> Result<()> {
    let images = [release.image("web")?, release.image("worker")?];
    eventually(ROLLED_OUT_WITHIN, "the roll-out", async || {
        let wanted = [setting.web_replicas, setting.worker.min_replicas];
        for ((tier, image), wanted) in TIERS.into_iter().zip(&images).zip(wanted) {
            let pods = scene.pods(tier).await?;
            let is_new = |pod: &&Pod| is_ready(pod) && image_of(pod) == Some(image);
            let (new, all) = (pods.iter().filter(is_new).count(), pods.len());
            ensure!(new == usize::try_from(wanted)? && all == new, "{tier:?}: {new} of {all} are of {image}");
        }
        scene.check_web_pods(setting).await
    })
    .await
}

fn image_of(pod: &Pod) -> Option<&String> {
    pod.spec.as_ref()?.containers.first()?.image.as_ref()
}

/// UIDs of both pipelines' pods.
async fn pods(live: &Scene, resting: &Scene) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for scene in [live, resting] {
        for tier in TIERS {
            all.extend(uids(scene.pods(tier).await?.iter().filter(|pod| stays(pod))));
        }
    }
    Ok(all)
}

/// A command that takes long, beside everything else.
async fn run(mut command: Command) -> Result<()> {
    spawn_blocking(move || capture(&mut command)).await?.map(drop)
}
