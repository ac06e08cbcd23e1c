//! Which ports a job calls where there is nothing to do. The calls of a cold job, and how long their chain
//! is, are part of a visitor's way: `cli/tests/serial_path`.

use std::time::Duration;

use pipeline::{
    job::{Job, Task},
    names::JobId,
};
use tokio::time::{sleep, timeout};

use crate::bench::Bench;

impl Bench {
    /// Everything that the worker calls for the job, to the message's deletion.
    async fn calls_of(&mut self, job: &Job) -> Vec<String> {
        self.run(job).await;
        let mut calls = Vec::new();
        let ended = async {
            while calls.last().map(String::as_str) != Some("delete") {
                sleep(Duration::from_millis(5)).await;
                calls.extend(self.journal.take().into_iter().map(|call| call.name));
            }
        };
        timeout(Duration::from_secs(5), ended).await.expect("the message was not deleted");
        calls
    }
}

#[tokio::test]
async fn needless_job_reads_the_manifest_and_tells() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let first = bench.job("/app.css");
    bench.calls_of(&first).await;
    let second = Job { id: JobId::random(), task: Task::Revalidate, ..first };
    assert_eq!(bench.calls_of(&second).await, ["receive", "get manifest", "publish", "delete"]);
    bench.stop().await;
}
