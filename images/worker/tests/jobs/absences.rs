//! What an origin hardly ever has is asked for once in a while, and not by every job.

use jiff::{SignedDuration, Timestamp};
use pipeline::job::Job;

use crate::bench::Bench;

/// What is hardly ever beside `_part.scss`, which `@import` loads.
const UNLIKELY: [&str; 3] = ["_part.import.scss", "part.import.scss", "part.scss"];
const FOR_IMPORT: &str = "p { q: for-import }";

impl Bench {
    /// Which of the unlikely files the job asks for, and its style sheet.
    async fn asked(&mut self, job: &Job) -> (Vec<String>, String) {
        self.journal.take();
        let manifest = self.run(job).await;
        let calls = self.journal.take().into_iter().map(|call| call.name);
        let mut asked: Vec<String> = calls
            .filter_map(|call| Some(call.strip_prefix("fetch ")?.to_owned()))
            .filter(|path| UNLIKELY.contains(&path.as_str()))
            .collect();
        asked.sort();
        let absent = manifest.closure.absent.iter().chain(manifest.closure.read.iter().map(|read| &read.url));
        for path in UNLIKELY {
            assert!(absent.clone().any(|url| url.ends_with(path)), "{path} is missing from the closure");
        }
        let css = self.css(job.path.as_str(), &manifest).await;
        (asked, css)
    }
}

const FILES: [(&str, &str); 3] = [
    ("app.scss", "@import 'part';"),
    ("other.scss", "@import 'part'; a { b: c }"),
    ("_part.scss", "p { q: r }"),
];

#[tokio::test]
async fn tenants_jobs_share_what_they_were_told() {
    let mut bench = Bench::start(&FILES);
    let first = bench.job("/app.css");
    assert_eq!(bench.asked(&first).await.0, UNLIKELY);
    for job in [bench.job("/other.css"), bench.refresh("/app.css"), bench.refresh("/other.css")] {
        assert_eq!(bench.asked(&job).await.0, [""; 0], "{}", job.path);
    }
    let of_another = Job { tenant_id: "blog-g1".parse().unwrap(), ..bench.job("/app.css") };
    bench.send(&of_another).await;
    bench.notices.recv().await.unwrap();
    let calls = bench.journal.take();
    assert!(UNLIKELY.iter().all(|path| calls.iter().any(|call| call.name == format!("fetch {path}"))));
    bench.stop().await;
}

#[tokio::test]
async fn purge_has_everything_asked_for() {
    let mut bench = Bench::start(&FILES);
    let first = bench.job("/app.css");
    bench.asked(&first).await;
    bench.write("_part.import.scss", FOR_IMPORT);
    let refresh = bench.refresh("/app.css");
    assert!(bench.asked(&refresh).await.1.contains("q: r"), "it was believed to be absent");
    let purged = Some(Timestamp::now() - SignedDuration::from_secs(1));
    let refresh = Job { purged, ..bench.refresh("/app.css") };
    assert!(bench.asked(&refresh).await.1.contains("for-import"));
    bench.stop().await;
}

#[tokio::test]
async fn developers_see_at_once_what_they_add() {
    let mut bench = Bench::start_for_development(&FILES);
    let first = bench.job("/app.css");
    bench.asked(&first).await;
    let refresh = bench.refresh("/app.css");
    assert_eq!(bench.asked(&refresh).await.0, UNLIKELY);
    bench.write("_part.import.scss", FOR_IMPORT);
    let refresh = bench.refresh("/app.css");
    assert!(bench.asked(&refresh).await.1.contains("for-import"));
    bench.stop().await;
}

#[tokio::test]
async fn nothing_is_believed_any_more_once_an_unlikely_file_is_there() {
    let mut bench = Bench::start(&FILES);
    let first = bench.job("/app.css");
    bench.asked(&first).await;
    bench.write("_part.import.scss", FOR_IMPORT);
    bench.write("_more.scss", "m { n: o }");
    bench.write("_more.import.scss", "m { n: for-import }");
    bench.write("app.scss", "@import 'part'; @import 'more';");
    let (_, css) = {
        let job = bench.job("/app.css");
        bench.asked(&job).await
    };
    assert_eq!(css, "p {\n  q: for-import;\n}\n\nm {\n  n: for-import;\n}\n");
    bench.stop().await;
}

#[tokio::test]
async fn twin_takes_the_place_of_the_file_that_it_was_beside() {
    let mut bench = Bench::start(&FILES);
    let first = bench.job("/app.css");
    bench.asked(&first).await;
    std::fs::rename(bench.site.path().join("_part.scss"), bench.site.path().join("part.scss")).unwrap();
    bench.write("part.scss", "p { q: renamed }");
    let refresh = bench.refresh("/app.css");
    let manifest = bench.run(&refresh).await;
    assert_eq!(bench.css("/app.css", &manifest).await, "p {\n  q: renamed;\n}\n");
    bench.stop().await;
}
