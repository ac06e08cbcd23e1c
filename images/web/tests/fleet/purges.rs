//! Purges that one pod knows of and another one does not yet.

use jiff::{SignedDuration, Timestamp};
use pipeline::{job::Task, purge::CLOCK_MARGIN};

use super::*;

/// A file that all pods serve as fresh, read a minute ago; gives its path, which pod 1 owns before pod 0.
async fn serve_everywhere(site: &Site) -> String {
    let path = path_with_ranks(&[1, 0]);
    let visitors: Vec<_> = site.pods.iter().map(|pod| pod.visitor(&path)).collect();
    let (_, job) = site.take_job().await;
    site.compile_at(&job, "old{}", Timestamp::now() - SignedDuration::from_mins(1)).await;
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap().body, "old{}");
    }
    path
}

#[tokio::test(start_paused = true)]
async fn owner_honours_a_purge_that_only_the_asking_pod_knows() {
    let site = Site::new(2);
    let path = serve_everywhere(&site).await;
    let at = Timestamp::now() - SignedDuration::from_secs(10);
    site.pods[0].learn_of_purge(at);
    let visitor = site.pods[0].visitor(&path);
    let (owner, job) = site.take_job().await;
    assert_eq!((owner, job.task), (1, Task::Revalidate));
    assert!(job.not_before >= at + CLOCK_MARGIN);
    assert_eq!(site.pods[1].get(&path).await.body, "old{}", "the owner knows of no purge");
    // Another worker that read before the purge and was slow to store ends nothing.
    site.compile_at(&job, "slow{}", at).await;
    sleep(Duration::from_secs(3)).await;
    assert!(!visitor.is_finished(), "what was read before the purge was served");
    site.compile(&job, "new{}").await;
    assert_eq!(visitor.await.unwrap().body, "new{}");
    assert_eq!(site.pods[0].samples("assets_web_forwards_total"), ["{outcome=\"answered\"} 2"]);
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn job_from_before_the_purge_does_not_answer_who_came_after_it() {
    let site = Site::new(2);
    let path = path_with_ranks(&[1, 0]);
    let early = site.pods[1].visitor(&path);
    let (_, first) = site.take_job().await;
    let read_at = Timestamp::now() - SignedDuration::from_mins(1);
    site.pods[0].learn_of_purge(Timestamp::now() - SignedDuration::from_secs(10));
    let late = site.pods[0].visitor(&path);
    let (owner, second) = site.take_job().await;
    assert_eq!((owner, second.path.clone()), (1, first.path.clone()));
    site.compile_at(&first, "old{}", read_at).await;
    assert_eq!(early.await.unwrap().body, "old{}");
    sleep(Duration::from_secs(3)).await;
    assert!(!late.is_finished(), "a job from before the purge answered");
    site.compile(&second, "new{}").await;
    assert_eq!(late.await.unwrap().body, "new{}");
}

#[tokio::test(start_paused = true)]
async fn manifest_of_an_owner_that_has_not_heard_of_the_purge_is_not_accepted() {
    let site = Site::new(2);
    let path = path_with_ranks(&[1, 0]);
    let visitor = site.pods[0].visitor(&path);
    let (_, first) = site.take_job().await;
    // The wait is already open at the owner when this pod learns of the purge.
    site.pods[0].learn_of_purge(Timestamp::now() - SignedDuration::from_secs(10));
    site.compile_at(&first, "old{}", Timestamp::now() - SignedDuration::from_mins(1)).await;
    let (owner, second) = site.take_job().await;
    assert_eq!((owner, second.task), (1, Task::Revalidate));
    assert!(!visitor.is_finished(), "what was read before the purge was served");
    site.compile(&second, "new{}").await;
    assert_eq!(visitor.await.unwrap().body, "new{}");
}
