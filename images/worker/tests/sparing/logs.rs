//! What a worker says about its jobs.

use std::{cell::RefCell, io, time::Duration};

use pipeline::{job::Job, ports::Queue};
use serde_json::{Value, json};
use tokio::time::sleep;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, fmt, prelude::*};

use crate::bench::{Bench, job};

thread_local! {
    /// What was logged on this test's thread. Other tests have other threads, and their lines are not even made.
    static LOGGED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.get_or_insert_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of the whole process: whether a line is wanted at all is remembered for all threads.
fn start_log() {
    LOGGED.set(Some(Vec::new()));
    let is_wanted = dynamic_filter_fn(|_, _| LOGGED.with_borrow(Option::is_some));
    let lines = fmt::layer().json().flatten_event(true).with_writer(|| Log);
    tracing_subscriber::registry().with(lines.with_filter(is_wanted)).init();
}

fn lines() -> Vec<Value> {
    let text = String::from_utf8(LOGGED.take().unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_delivery_of_a_job_ends_in_one_line_with_all_that_is_known() {
    start_log();
    let bench = Bench::new(Duration::ZERO);
    let (gone, broken) = (job("shop", "", 30), job("broken", "", 5));
    let foreign = Job { fingerprint: "00112233445566aa".parse().unwrap(), ..job("shop", "-foreign", 1) };
    for job in [&gone, &gone, &broken, &foreign] {
        bench.queue.send(&job.to_message(), job.tenant_id.as_str()).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    let worker = bench.start(1);
    sleep(Duration::from_millis(400)).await;
    let lines = lines();
    let ends: Vec<_> = lines.iter().filter(|line| line["message"] == "job ended").collect();
    let of = |job: &Job, end: &str| {
        let is_it = |line: &&&Value| line["job.id"] == job.id.to_string() && line["job.end"] == end;
        ends.iter().filter(is_it).count()
    };
    assert_eq!(of(&gone, "source_not_found"), 1);
    assert_eq!(
        (of(&gone, "needless"), of(&broken, "retried"), of(&foreign, "foreign_fingerprint")),
        (1, 1, 1)
    );
    assert_eq!(ends.len(), 4);
    let line = ends.iter().find(|line| line["job.end"] == "source_not_found").unwrap();
    let expected = json!({
        "level": "INFO", "job.id": gone.id, "tenant.id": "shop-g1", "job.path": gone.path,
        "job.end": "source_not_found", "job.engine": "none", "job.attempts": 1,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&line[field], value, "{field}");
    }
    assert_eq!(
        (line["fetch.milliseconds"].as_f64(), line["job.milliseconds"].as_f64()),
        (Some(30.0), Some(30.0))
    );
    assert!(line["store.milliseconds"].is_number() && line["notify.milliseconds"].is_number());
    assert_eq!((&line["compile.milliseconds"], &line["compress.milliseconds"]), (&Value::Null, &Value::Null));
    let metrics = worker.metrics();
    for sample in [
        "assets_worker_jobs_total{end=\"source_not_found\",engine=\"none\"} 1\n",
        "assets_worker_jobs_total{end=\"foreign_fingerprint\",engine=\"none\"} 1\n",
        "assets_worker_span_duration_seconds_count{span=\"store\"} 1\n",
        "assets_worker_span_duration_seconds_count{span=\"notify\"} 2\n",
    ] {
        assert!(metrics.contains(sample), "{sample} is not in {metrics}");
    }
}
