//! Refreshes through a whole worker: what has not changed is neither compiled nor stored again.

use std::fs;

use pipeline::manifest::{Manifest, Outcome};

use crate::bench::Bench;

impl Bench {
    /// A refresh, and the calls of it but those of the queue and the notifier.
    async fn refreshed(&mut self, path: &str) -> (Manifest, Vec<String>) {
        let job = self.refresh(path);
        self.journal.take();
        let manifest = self.run(&job).await;
        let calls = self.journal.take().into_iter().map(|call| call.name);
        (manifest, calls.filter(|call| !["receive", "publish", "delete"].contains(&call.as_str())).collect())
    }
}

fn sorted(mut calls: Vec<String>) -> Vec<String> {
    calls.sort();
    calls
}

#[tokio::test]
async fn unchanged_closure_is_asked_for_once_and_only_the_manifest_is_written() {
    let mut bench = Bench::start(&[("app.scss", "@import 'part'; a { b: c }"), ("_part.scss", "p { q: r }")]);
    let first = bench.job("/app.css");
    let compiled = bench.run(&first).await;
    let (manifest, calls) = bench.refreshed("/app.css").await;
    assert_eq!(calls.first().map(String::as_str), Some("get manifest"));
    assert_eq!(calls.last().map(String::as_str), Some("put manifest"));
    let asked: Vec<_> = calls.iter().filter(|call| call.starts_with("ask for")).cloned().collect();
    assert_eq!(sorted(asked), ["ask for _part.scss", "ask for app.scss"]);
    let probed = calls.iter().filter(|call| call.starts_with("fetch")).count();
    assert_eq!(probed, compiled.closure.absent.len(), "every URL that was absent is asked for once");
    assert_eq!(calls.len(), 2 + 2 + probed, "{calls:?}");
    assert!(manifest.sources_read_at > compiled.sources_read_at);
    let expected =
        Manifest { sources_read_at: manifest.sources_read_at, job: manifest.job.clone(), ..compiled };
    assert_eq!(manifest, expected);
    bench.stop().await;
}

#[tokio::test]
async fn changed_source_is_compiled_from_what_the_revalidation_fetched() {
    let mut bench = Bench::start(&[("app.scss", "@import 'part'; a { b: c }"), ("_part.scss", "p { q: r }")]);
    let first = bench.job("/app.css");
    bench.run(&first).await;
    bench.write("_part.scss", "p { q: changed }");
    let (manifest, calls) = bench.refreshed("/app.css").await;
    assert_eq!(bench.css("/app.css", &manifest).await, "p {\n  q: changed;\n}\n\na {\n  b: c;\n}\n");
    let of = |name: &str| calls.iter().filter(|call| call.ends_with(name)).cloned().collect::<Vec<_>>();
    assert_eq!(of(" _part.scss"), ["ask for _part.scss"], "what had changed was fetched twice");
    // The second time for the contents, which are kept: on condition, too.
    assert_eq!(of(" app.scss"), ["ask for app.scss", "ask for app.scss"]);
    assert_eq!(calls.iter().filter(|call| *call == "put body").count(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn file_that_appears_where_none_was_changes_the_result() {
    let mut bench =
        Bench::start(&[("app.scss", "@import 'part';"), ("vendor/_part.scss", "p { q: vendor }")]);
    let first = bench.job("/app.css");
    let manifest = bench.run(&first).await;
    assert_eq!(bench.css("/app.css", &manifest).await, "p {\n  q: vendor;\n}\n");
    bench.write("_part.scss", "p { q: own }");
    let (manifest, _) = bench.refreshed("/app.css").await;
    assert_eq!(bench.css("/app.css", &manifest).await, "p {\n  q: own;\n}\n");
    fs::remove_file(bench.site.path().join("_part.scss")).unwrap();
    let (manifest, calls) = bench.refreshed("/app.css").await;
    assert_eq!(bench.css("/app.css", &manifest).await, "p {\n  q: vendor;\n}\n");
    assert_eq!(calls.iter().filter(|call| *call == "put body").count(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn other_sources_with_the_same_result_cost_no_body() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let first = bench.job("/app.css");
    let compiled = bench.run(&first).await;
    bench.write("app.scss", "a { b: c; }\n// a word to the next reader");
    let (manifest, calls) = bench.refreshed("/app.css").await;
    assert_eq!(manifest.outcome, compiled.outcome);
    assert_ne!(manifest.closure, compiled.closure);
    assert!(!calls.contains(&"put body".to_owned()), "{calls:?}");
    bench.stop().await;
}

#[tokio::test]
async fn unchanged_failures_stay_and_are_counted_and_the_last_good_file_comes_back_without_a_compile() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let first = bench.job("/app.css");
    let compiled = bench.run(&first).await;
    bench.write("app.scss", "a { b: $missing }");
    let (broken, _) = bench.refreshed("/app.css").await;
    assert_eq!((broken.failures, broken.last_good.clone()), (1, compiled.good()));
    let (again, calls) = bench.refreshed("/app.css").await;
    assert_eq!((&again.outcome, again.failures), (&broken.outcome, 2));
    assert_eq!(calls, ["get manifest", "ask for app.scss", "put manifest"]);
    fs::remove_file(bench.site.path().join("app.scss")).unwrap();
    let (gone, _) = bench.refreshed("/app.css").await;
    assert!(matches!(gone.outcome, Outcome::SourceNotFound { .. }), "{:?}", gone.outcome);
    let (gone, calls) = bench.refreshed("/app.css").await;
    assert_eq!((gone.failures, gone.last_good.clone()), (4, compiled.good()));
    assert_eq!(calls, ["get manifest", "fetch app.css", "fetch app.sass", "fetch app.scss", "put manifest"]);
    bench.write("app.scss", "a { b: c }");
    let (healed, calls) = bench.refreshed("/app.css").await;
    assert_eq!((&healed.outcome, healed.failures, healed.last_good), (&compiled.outcome, 0, None));
    assert!(!calls.contains(&"put body".to_owned()), "{calls:?}");
    bench.stop().await;
}
