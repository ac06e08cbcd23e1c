//! What a visitor of a cold file waits for, one thing after the other: every call of a port takes 5 ms of
//! virtual time, and nothing else takes any. Two web pods and a worker on embedded ports.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod pods;
mod still;

use tokio::time::Instant;

use pods::{Pipeline, Pod};

/// The pod that the visitor came to owns the key.
const AT_THE_OWNER: [&str; 14] = [
    "0-5 web: get manifest",
    "5-10 web: send",
    "10-15 worker: receive",
    "15-20 worker: fetch app.scss",
    "15-20 worker: get manifest",
    "20-25 worker: put body",
    "20-25 worker: put body",
    "20-25 worker: put body",
    "25-30 worker: put manifest",
    "30-35 worker: notify web",
    "30-35 worker: publish",
    "35-40 web: get manifest",
    "35-40 worker: delete",
    "40-45 web: get body",
];

/// Another pod does.
const ELSEWHERE: [&str; 15] = [
    "0-5 web: get manifest",
    "5-10 web: forward",
    "10-15 owner: send",
    "15-20 worker: receive",
    "20-25 worker: fetch app.scss",
    "20-25 worker: get manifest",
    "25-30 worker: put body",
    "25-30 worker: put body",
    "25-30 worker: put body",
    "30-35 worker: put manifest",
    "35-40 worker: notify owner",
    "35-40 worker: publish",
    "40-45 owner: get manifest",
    "40-45 worker: delete",
    "45-50 web: get body",
];

#[tokio::test(start_paused = true)]
async fn visitor_waits_for_ten_calls_in_a_row_and_at_the_owner_for_nine() {
    let mut seen = Vec::new();
    for visited in [Pod::First, Pod::Second] {
        let pipeline = Pipeline::start(visited);
        let asked = Instant::now();
        let css = pipeline.visit("/app.css").await;
        let waited = asked.elapsed();
        assert_eq!(css, "a {\n  b: c;\n}\n");
        let mut timeline = pipeline.calls();
        // Of what begins at the same moment anything may come first.
        timeline.sort_by(|a, b| (a.began, &a.name).cmp(&(b.began, &b.name)));
        // What is asked for beside the source that is there is not waited for.
        let others = ["worker: fetch app.sass", "worker: fetch app.css"];
        timeline.retain(|call| !others.contains(&call.name.as_str()));
        let last = timeline.iter().filter_map(|call| call.ended).max().unwrap();
        assert_eq!(waited, last, "nothing but the calls takes time");
        seen.push(timeline.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    // Which of the two pods owns the key depends on its fingerprint, and so on the engine's version.
    seen.sort_by_key(Vec::len);
    assert_eq!(seen[0], AT_THE_OWNER);
    assert_eq!(seen[1], ELSEWHERE);
}
