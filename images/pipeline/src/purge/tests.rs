use super::*;
use crate::{
    manifest::{Closure, Good, MANIFEST_VERSION, Outcome, SourceRead},
    names::{Digest, JobId},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn path(text: &str) -> AssetPath {
    text.parse().unwrap()
}

fn purges(all: &[(PurgeScope, i64)]) -> Purges {
    let mut purges = Purges::default();
    for (scope, second) in all {
        purges.add(Purge { scope: scope.clone(), at: at(*second) });
    }
    purges
}

fn of(text: &str) -> PurgeScope {
    PurgeScope::Path(path(text))
}

fn dependency(url: &str) -> PurgeScope {
    PurgeScope::Dependency(url.to_owned())
}

#[test]
fn cutoff_lies_the_clocks_margin_after_the_latest_purge_that_is_meant() {
    let purges =
        purges(&[(of("/a.css"), 10), (of("/b.css"), 20), (of("/a.css"), 30), (dependency("http://o/x"), 40)]);
    assert_eq!(purges.of_path(&path("/a.css")), Some(at(32)));
    assert_eq!(purges.of_path(&path("/b.css")), Some(at(22)));
    assert_eq!(purges.of_path(&path("/c.css")), None);
    assert_eq!(purges.at_most_of_path(&path("/c.css")), Some(at(42)));
    assert_eq!(purges.len(), 3);
}

#[test]
fn purge_of_the_tenant_covers_what_is_older_and_nothing_else() {
    let all = [(of("/a.css"), 10), (PurgeScope::Tenant, 20), (of("/b.css"), 15), (of("/c.css"), 30)];
    let purges = purges(&all);
    assert_eq!(purges.len(), 2);
    for (text, cutoff) in [("/a.css", 22), ("/b.css", 22), ("/c.css", 32)] {
        assert_eq!(purges.of_path(&path(text)), Some(at(cutoff)), "{text}");
    }
}

#[test]
fn more_purges_than_are_kept_become_one_of_the_tenant() {
    let mut all: Vec<_> = (0..32).map(|number| (of(&format!("/{number}.css")), number)).collect();
    assert_eq!(purges(&all).of_path(&path("/other.css")), None);
    all.push((dependency("http://o/x"), 5));
    let purges = purges(&all);
    assert_eq!(purges.len(), 1);
    assert_eq!(purges.of_path(&path("/other.css")), Some(at(33)));
}

#[test]
fn dependencies_are_what_was_read_or_absent_for_the_file_or_the_last_good_one() {
    let closure = |read: &str, absent: &str| Closure {
        read: vec![SourceRead {
            url: read.to_owned(),
            sha256: Digest::of(b""),
            etag: None,
            last_modified: None,
        }],
        absent: vec![absent.to_owned()],
    };
    let good = Good {
        digest: Digest::of(b""),
        encodings: Vec::new(),
        closure: closure("r2", "a2"),
        sources_read_at: at(0),
        modified_at: None,
        engine: "grass/0".to_owned(),
    };
    let failed = Outcome::CompileError { message: String::new() };
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        outcome: failed,
        closure: closure("r1", "a1"),
        sources_read_at: at(0),
        modified_at: None,
        engine: "grass/0".to_owned(),
        job: JobId::random(),
        failures: 1,
        last_good: Some(good),
    };
    for (url, is_meant) in [("r1", true), ("a1", true), ("r2", true), ("a2", true), ("r", false)] {
        assert_eq!(
            purges(&[(dependency(url), 1)]).of_dependencies(&manifest),
            is_meant.then(|| at(3)),
            "{url}"
        );
    }
    let unknown = Manifest { closure: Closure::default(), ..manifest };
    assert_eq!(purges(&[(dependency("r"), 1)]).of_dependencies(&unknown), Some(at(3)));
}

#[test]
fn records_keep_their_shape() {
    let purges = purges(&[(of("/a.css"), 0), (dependency("http://o/x.scss"), 1), (PurgeScope::Tenant, -1)]);
    let json = serde_json::to_value(&purges).unwrap();
    let expected = serde_json::json!([
        {"scope": {"Path": "/a.css"}, "at": "1970-01-01T00:00:00Z"},
        {"scope": {"Dependency": "http://o/x.scss"}, "at": "1970-01-01T00:00:01Z"},
        {"scope": "Tenant", "at": "1969-12-31T23:59:59Z"},
    ]);
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Purges>(json).unwrap(), purges);
}
