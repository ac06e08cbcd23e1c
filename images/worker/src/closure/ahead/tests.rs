//! Round trips, requests and closures, in virtual time: answers take 20 ms where nothing else is said.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use pipeline::ports::{Fetched, Origin, OriginError, SourceFile, Validators};
use tokio::time::{Instant, sleep};
use url::Url;

use super::super::{Assumptions, SourceLimits, Sources};

const ROUND_TRIP: Duration = Duration::from_millis(20);
const NEAR: Duration = Duration::from_millis(1);
const LIMITS: SourceLimits = SourceLimits { files: 100, bytes: 10_000, requests: 10_000 };

/// Files by path. Fails at paths that hold `broken`.
struct FarOrigin {
    distance: Duration,
    files: Vec<(String, String)>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Origin for FarOrigin {
    async fn fetch(&self, url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        self.asked.lock().unwrap().push(url.path().to_owned());
        sleep(self.distance).await;
        if url.path().contains("broken") {
            return Err(OriginError::Failed("it is broken".to_owned()));
        }
        let file = self.files.iter().find(|(path, _)| path == url.path());
        Ok(file.map_or(Fetched::Absent, |(_, text)| {
            let body = text.clone().into();
            Fetched::Found(SourceFile { body, etag: None, last_modified: None })
        }))
    }
}

struct Look {
    origin: Arc<FarOrigin>,
    sources: Sources,
    round_trips: u128,
}

impl Look {
    fn requests(&self) -> usize {
        self.origin.asked.lock().unwrap().len()
    }

    /// Asks for what was assumed, and answers what that came to.
    async fn verify(&mut self) -> Assumptions {
        let verified = self.sources.unverified().ask().await.unwrap();
        self.sources.note_verified(verified).unwrap()
    }

    /// The paths of the closure at which there is nothing.
    fn absent(&self) -> BTreeSet<String> {
        let absent = self.sources.closure().absent.into_iter();
        absent.map(|url| url.trim_start_matches("http://o").to_owned()).collect()
    }
}

/// Looks ahead from the first of the files.
async fn look(files: &[(&str, &str)], load_paths: &[&str]) -> Look {
    look_within(LIMITS, files, load_paths).await
}

async fn look_within(limits: SourceLimits, files: &[(&str, &str)], load_paths: &[&str]) -> Look {
    look_at(ROUND_TRIP, limits, files, load_paths).await
}

/// At an origin whose answers take `distance`.
async fn look_at(
    distance: Duration,
    limits: SourceLimits,
    files: &[(&str, &str)],
    load_paths: &[&str],
) -> Look {
    let entry = files[0].0;
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let origin = Arc::new(FarOrigin { distance, files, asked: Mutex::default() });
    let mut sources = Sources::new(origin.clone(), "http://o/".parse().unwrap(), limits);
    sources.read(entry).await.unwrap();
    let load_paths: Vec<String> = load_paths.iter().map(|path| (*path).to_owned()).collect();
    let begun = Instant::now();
    sources.fetch_ahead(entry, &load_paths).await;
    let round_trips = begun.elapsed().as_millis() / ROUND_TRIP.as_millis();
    Look { origin, sources, round_trips }
}

fn imports(count: usize, name: &str) -> String {
    let imports: Vec<_> = (0..count).map(|file| format!("@import '{name}{file}';")).collect();
    imports.concat()
}

#[tokio::test(start_paused = true)]
async fn round_trips_grow_with_the_depth_and_not_with_the_files() {
    let wide = imports(40, "part/");
    let parts: Vec<_> = (0..40).map(|file| (format!("/part/_{file}.scss"), String::new())).collect();
    let mut files = vec![("/app.scss", wide.as_str())];
    files.extend(parts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let mut wide = look(&files, &[]).await;
    assert_eq!(wide.round_trips, 1);
    // The entry, each file, and the twins of those that found a place.
    assert_eq!(wide.requests(), 1 + 40 + 8);
    assert_eq!(wide.verify().await, Assumptions::Right);
    // Each file's twin and two files for `@import` alone.
    assert_eq!((wide.requests(), wide.absent().len()), (1 + 4 * 40, 3 * 40));

    let deep = [
        ("/app.scss", "@use 'a/b';"),
        ("/a/_b.scss", "@forward 'c';"),
        ("/a/_c.scss", "@import '../d'"),
        ("/d.scss", ""),
    ];
    assert_eq!(look(&deep, &[]).await.round_trips, 3);
}

#[tokio::test(start_paused = true)]
async fn index_files_and_load_paths_cost_no_further_round_trip_where_modules_load_them() {
    let files = [
        ("/app.scss", "@use 'theme'; @use 'kit/buttons';"),
        ("/theme/_index.scss", "@use 'colors';"),
        ("/theme/_colors.scss", ""),
        ("/node_modules/kit/_buttons.scss", ""),
    ];
    let mut look = look(&files, &["/node_modules"]).await;
    // The second one is for `colors`, and for what comes before an index file.
    assert_eq!(look.round_trips, 2);
    assert_eq!(look.verify().await, Assumptions::Right);
    assert!(!look.absent().iter().any(|path| path.contains(".import.")), "a module is no import");
    for path in ["/theme.scss", "/theme.css", "/_theme.sass", "/kit/buttons/_index.css"] {
        assert!(look.absent().contains(path), "{path} decides which file is loaded");
    }
    let read = look.sources.read("/theme/_colors.scss").await.unwrap();
    assert!(read.is_some());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_before_it_is_needed_where_answers_come_at_once() {
    let files = [("/app.scss", "@use 'a';"), ("/_a.scss", "")];
    assert_eq!(look(&files, &["/lib"]).await.requests(), 1 + 2 + 2 + 4);
    let near = look_at(NEAR, LIMITS, &files, &["/lib"]).await;
    assert_eq!(near.requests(), 1 + 2);
}

#[tokio::test(start_paused = true)]
async fn spelling_that_was_taken_for_absent_and_is_there_is_noticed() {
    for (beside, expected) in [
        ("/_a.import.scss", Assumptions::Wrong),
        ("/a.scss", Assumptions::Wrong),
        ("/a.css", Assumptions::Right),
        ("/_a.sass", Assumptions::Right),
    ] {
        // More loads than places, so that no twin is asked for ahead.
        let loads = imports(60, "none");
        let files = [("/app.scss", format!("@import 'a';{loads}")), ("/_a.scss", String::new())];
        let mut files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        files.push((beside, ""));
        let mut look = look_at(NEAR, LIMITS, &files, &[]).await;
        let before = look.sources.probe("/a.scss").await.unwrap();
        assert_eq!(before, ["/_a.scss"], "{beside} was there at once");
        assert_eq!(look.verify().await, expected, "{beside}");
        let found = look.sources.probe("/a.scss").await.unwrap();
        assert_eq!(found.contains(&beside.to_owned()), expected == Assumptions::Wrong, "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_for_absent_is_verified_while_other_sources_are_on_their_way_from_afar() {
    let files = [
        ("/app.scss", "@import 'a';"),
        ("/_a.scss", "@import 'b';"),
        ("/_a.import.scss", ""),
        ("/_b.scss", ""),
    ];
    let mut look = look(&files, &[]).await;
    assert_eq!(look.round_trips, 2, "nobody waits for it");
    let found = look.sources.probe("/a.scss").await.unwrap();
    assert_eq!(found, ["/_a.import.scss", "/_a.scss"], "it is known before anything is compiled");
    assert_eq!(look.verify().await, Assumptions::Right);
    let near = look_at(NEAR, LIMITS, &files, &[]).await;
    assert!(!near.absent().contains("/a.import.scss"), "of a near origin nothing is verified ahead");
}

#[tokio::test(start_paused = true)]
async fn compiler_is_told_all_spellings_that_decide() {
    let files = [("/app.sass", "@import a"), ("/_a.sass", "@import b"), ("/b.scss", "")];
    let look = look(&files, &[]).await;
    let known = look.sources.known();
    assert_eq!(known.sources.keys().collect::<Vec<_>>(), ["/_a.sass", "/app.sass", "/b.scss"]);
    // Beside a likely one its twin and those for `@import` alone; beside an unlikely one all.
    assert_eq!(known.absent.len(), 3 + 11);
}

#[tokio::test(start_paused = true)]
async fn trouble_ends_the_look_and_is_left_to_the_compiler() {
    let files = [("/app.scss", "@import 'broken'; @import 'a'"), ("/_a.scss", "")];
    let mut look = look(&files, &[]).await;
    assert!(look.sources.read("/_a.scss").await.unwrap().is_some());
    let error = look.sources.probe("/broken.scss").await.unwrap_err();
    assert_eq!(error.to_string(), "it is broken");

    let loads = imports(60, "part");
    let parts: Vec<_> = (0..60).map(|file| (format!("/_part{file}.scss"), "x".repeat(1000))).collect();
    let mut files = vec![("/app.scss", loads.as_str())];
    files.extend(parts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let look = look_within(LIMITS, &files, &[]).await;
    assert!(look.requests() <= 1 + 48 + 48, "{} requests after the limit of 10 files", look.requests());
}

#[tokio::test(start_paused = true)]
async fn circles_and_repetitions_are_walked_once() {
    let files = [
        ("/app.scss", "@import 'a', 'b', 'a';"),
        ("/_a.scss", "@import 'b', 'app', 'a';"),
        ("/_b.scss", "@import 'a'; // @import 'c';"),
    ];
    let mut look = look(&files, &[]).await;
    assert_eq!(look.verify().await, Assumptions::Right);
    let mut asked = look.origin.asked.lock().unwrap().clone();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "something was asked for twice");
    assert!(!asked.iter().any(|path| path.contains('c') && path.ends_with("c.scss")), "{asked:?}");
}
