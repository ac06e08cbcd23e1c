use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;

use pipeline::ports::{Fetched, Validators};

use super::*;

/// Files by URL; notes every URL that is asked for.
struct FakeOrigin {
    files: HashMap<&'static str, &'static str>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Origin for FakeOrigin {
    async fn fetch(&self, url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        self.asked.lock().unwrap().push(url.to_string());
        let body = self.files.get(url.as_str());
        Ok(body.map_or(Fetched::Absent, |body| {
            Fetched::Found(SourceFile {
                body: (*body).into(),
                etag: Some("\"1\"".to_owned()),
                last_modified: None,
            })
        }))
    }
}

const NO_LIMITS: SourceLimits = SourceLimits { files: 100, bytes: 1000, requests: 1000 };

fn sources(limits: SourceLimits) -> (Arc<FakeOrigin>, Sources) {
    let files =
        HashMap::from([("http://o/_a.scss", "a{}"), ("http://o/b.scss", "b{}"), ("http://o/_b.scss", "x{}")]);
    let origin = Arc::new(FakeOrigin { files, asked: Mutex::default() });
    (origin.clone(), Sources::new(origin, "http://o/".parse().unwrap(), limits))
}

#[tokio::test]
async fn every_url_is_asked_for_once() {
    let (origin, mut sources) = sources(NO_LIMITS);
    for path in ["/a.import.sass", "/a.scss", "/_a.scss", "/a.css"] {
        assert_eq!(sources.probe(path).await.unwrap(), ["/_a.scss"], "{path}");
    }
    assert!(sources.read("/_a.scss").await.unwrap().is_some());
    let mut asked = origin.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 12);
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 12);
}

#[tokio::test]
async fn closure_holds_what_was_read_and_what_was_absent_but_not_what_was_only_seen() {
    let (_, mut sources) = sources(NO_LIMITS);
    sources.probe("/b.scss").await.unwrap();
    sources.read("/b.scss").await.unwrap();
    let closure = sources.closure();
    let read: Vec<_> = closure.read.iter().map(|source| source.url.as_str()).collect();
    assert_eq!(read, ["http://o/b.scss"]);
    assert_eq!(closure.read[0].etag.as_deref(), Some("\"1\""));
    assert_eq!(closure.absent.len(), 10);
}

#[tokio::test]
async fn first_source_that_is_there_is_found_and_what_comes_behind_it_decides_nothing() {
    let (_, mut sources) = sources(NO_LIMITS);
    let paths = ["/a.scss", "/_a.scss", "/b.scss"].map(str::to_owned);
    assert_eq!(sources.find_first(&paths).await.unwrap().as_deref(), Some("/_a.scss"));
    let closure = sources.closure();
    assert_eq!((closure.read, closure.absent), (Vec::new(), vec!["http://o/a.scss".to_owned()]));
    let absent = ["/x.scss", "/x.css"].map(str::to_owned);
    assert_eq!(sources.find_first(&absent).await.unwrap(), None);
    assert_eq!(sources.closure().absent, ["http://o/a.scss", "http://o/x.css", "http://o/x.scss"]);
}

#[tokio::test]
async fn made_up_paths_cannot_fill_the_closure() {
    let (origin, mut sources) = sources(SourceLimits { requests: 100_000, ..NO_LIMITS });
    let error = sources.probe(&format!("/{}.scss", "x".repeat(1024))).await.unwrap_err().to_string();
    assert!(error.contains("1 KiB each"), "{error}");
    assert!(origin.asked.lock().unwrap().is_empty(), "it was asked for all the same");
    let mut asked = 0;
    while sources.probe(&format!("/{asked:0900}.scss")).await.is_ok() {
        asked += 1;
        assert!(asked < 1000, "the paths' total has no bound");
    }
}

#[tokio::test]
async fn limits_end_the_job_with_their_number() {
    let cases = [
        (SourceLimits { files: 1, ..NO_LIMITS }, "more than 1 files"),
        (SourceLimits { bytes: 5, ..NO_LIMITS }, "more than 5 bytes"),
        (SourceLimits { requests: 11, ..NO_LIMITS }, "more than 11 URLs"),
    ];
    for (limits, expected) in cases {
        let (_, mut sources) = sources(limits);
        let error = sources.probe("/b.scss").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
