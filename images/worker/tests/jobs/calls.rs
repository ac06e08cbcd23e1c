//! Which ports a job calls, how often and in which order: the worker's part of a visitor's wait.

use std::time::Duration;

use pipeline::{job::Job, names::JobId};
use tokio::time::timeout;

use crate::bench::Bench;

impl Bench {
    /// Everything that the worker did for the job, to the message's deletion.
    async fn lines_of(&mut self, job: &Job) -> Vec<String> {
        self.run(job).await;
        let mut lines = Vec::new();
        let ended = async {
            while lines.last().map(String::as_str) != Some("- delete") {
                lines.extend(self.journal.take());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), ended).await.expect("the message was not deleted");
        lines
    }
}

#[tokio::test]
async fn cold_job_calls_each_port_once_and_only_what_can_wait_for_nothing_else() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let job = bench.job("/app.css");
    let lines = bench.lines_of(&job).await;
    let expected = [
        ["+ receive", "- receive"].as_slice(),
        // Beside each other, and whoever ends first.
        &["+ get manifest", "+ fetch app.scss", "- get manifest", "- fetch app.scss"],
        &["+ put body", "+ put body", "+ put body", "- put body", "- put body", "- put body"],
        &["+ put manifest", "- put manifest"],
        &["+ publish", "- publish"],
        &["+ delete", "- delete"],
    ];
    let mut rest = lines.as_slice();
    for stage in expected {
        let (now, later) = rest.split_at_checked(stage.len()).unwrap_or_else(|| panic!("{lines:#?}"));
        let (begins, ends) = now.split_at(stage.len() / 2);
        assert!(begins.iter().all(|line| line.starts_with('+')), "{stage:?} in {lines:#?}");
        assert!(ends.iter().all(|line| line.starts_with('-')), "{stage:?} in {lines:#?}");
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        let stage: Vec<String> = stage.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(sorted(now), sorted(&stage), "{lines:#?}");
        rest = later;
    }
    assert!(rest.is_empty(), "more was done: {rest:?}");
    bench.stop().await;
}

#[tokio::test]
async fn needless_job_reads_the_manifest_and_tells() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let first = bench.job("/app.css");
    bench.lines_of(&first).await;
    let second = Job { id: JobId::random(), task: pipeline::job::Task::Revalidate, ..first };
    let lines = bench.lines_of(&second).await;
    let calls: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("+ ")).collect();
    assert_eq!(calls, ["receive", "get manifest", "publish", "delete"]);
    bench.stop().await;
}
