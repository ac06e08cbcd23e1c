//! Refreshes in a fleet: the owner's, once, and never in the way of a visitor.

use jiff::{SignedDuration, Timestamp};

use super::*;

/// A file that pod 1 owns before pod 0, and that both would serve stale.
async fn store_stale(site: &Site) -> String {
    let path = path_with_ranks(&[1, 0]);
    let visitor = site.pods.first().unwrap().visitor(&path);
    let (_, job) = site.take_job().await;
    site.compile_at(&job, "old{}", Timestamp::now() - SignedDuration::from_hours(1)).await;
    assert_eq!(visitor.await.unwrap().body, "old{}");
    path
}

#[tokio::test(start_paused = true)]
async fn stale_file_costs_the_fleet_one_refresh_of_the_owner() {
    let site = Site::new(2);
    let path = store_stale(&site).await;
    for pod in [0, 1, 0] {
        assert_eq!(site.pods[pod].get(&path).await.body, "old{}");
    }
    let (owner, refresh) = site.take_refresh().await;
    assert_eq!(owner, 1);
    // The pods ask again long before a busy fleet's workers come to it.
    for pod in [0, 1, 0] {
        sleep(2 * HOLD).await;
        assert_eq!(site.pods[pod].get(&path).await.body, "old{}");
    }
    assert_eq!(site.jobs_waiting().await, 0, "the refresh was sent again");
    site.compile(&refresh, "new{}").await;
    sleep(Duration::from_secs(31)).await;
    for pod in &site.pods {
        assert_eq!(pod.get(&path).await.body, "new{}");
    }
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn visitor_of_another_pod_does_not_wait_for_the_owners_refresh() {
    let site = Site::new(2);
    let path = store_stale(&site).await;
    assert_eq!(site.pods[1].get(&path).await.body, "old{}");
    let (_, refresh) = site.take_refresh().await;
    site.pods[0].learn_of_purge(Timestamp::now() - SignedDuration::from_mins(1));
    let visitor = site.pods[0].visitor(&path);
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 1);
    assert_ne!(job.id, refresh.id);
    site.compile(&job, "new{}").await;
    assert_eq!(visitor.await.unwrap().body, "new{}");
}
