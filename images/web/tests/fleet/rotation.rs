//! Waits at owners while the key is replaced that signs them: each pod learns of every step at a time of
//! its own.

use pipeline::signature::SigningKeys;

use super::site::{Pod, Site, path_with_ranks};

/// What the pods' file holds, step by step: the first key signs, every one is accepted.
const STEPS: [&str; 4] = [
    "first-first-first",
    "first-first-first\nother-other-other",
    "other-other-other\nfirst-first-first",
    "other-other-other",
];

fn learn(pod: &Pod, step: &str) {
    pod.keys.replace(&SigningKeys::from_text(step).unwrap());
}

#[tokio::test(start_paused = true)]
async fn waits_are_answered_at_every_step_whichever_pod_learns_of_it_first() {
    for (before, after) in STEPS.iter().zip(&STEPS[1..]) {
        for ahead in [0, 1] {
            let site = Site::new(2);
            site.pods.iter().for_each(|pod| learn(pod, before));
            let path = path_with_ranks(&[1, 0]);
            // One pod learns of the step before the wait is asked for, the other one while it lasts.
            learn(&site.pods[ahead], after);
            let visitor = site.pods[0].visitor(&path);
            let (owner, job) = site.take_job().await;
            assert_eq!(owner, 1, "{before:?} became {after:?} at pod {ahead} first");
            learn(&site.pods[1 - ahead], after);
            site.compile(&job, "a{}").await;
            assert_eq!(visitor.await.unwrap().body, "a{}");
            let forwards = site.pods[0].samples("assets_web_forwards_total");
            assert_eq!(forwards, ["{outcome=\"answered\"} 1"], "{before:?} became {after:?}");
            assert_eq!(site.jobs_waiting().await, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pod_that_missed_every_step_is_not_believed_and_costs_a_job_of_its_own() {
    let site = Site::new(2);
    learn(&site.pods[0], STEPS[0]);
    learn(&site.pods[1], STEPS[3]);
    let visitor = site.pods[0].visitor(&path_with_ranks(&[1, 0]));
    let (sender, job) = site.take_job().await;
    assert_eq!(sender, 0);
    site.compile(&job, "a{}").await;
    assert_eq!(visitor.await.unwrap().body, "a{}");
    assert_eq!(site.pods[0].samples("assets_web_forwards_total"), ["{outcome=\"refused\"} 1"]);
}
