//! What a web pod told, for a person. Pure.

use std::fmt::Write;

use pipeline::{
    manifest::{Closure, Manifest, Outcome},
    purge::{Purge, PurgeScope},
    why::{Answer, Why, WhyTenant},
};

/// Sources that are named one by one; `-o json` tells all.
const MAX_SOURCES: usize = 20;

pub(super) fn to_text(why: &Why) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<10}{value}");
    };
    line("URL", &format!("{}{}", why.host, why.path));
    line("Answer", describe_answer(why.answer));
    for reason in &why.reasons {
        line("", &format!("- {reason}"));
    }
    if let Some(WhyTenant { key, origin, source, development }) = &why.tenant {
        let kind = if *development { ", under development" } else { "" };
        line("Tenant", &format!("{}{kind}, origin {origin}", key.tenant_id));
        line("Source", source.as_ref().map_or("none: the origin can have no path", |source| source.as_str()));
    }
    if let Some(manifest) = &why.manifest {
        line("Outcome", &describe_outcome(&manifest.outcome));
        let with = if manifest.engine.is_empty() { "without an engine" } else { "with" };
        line("Job", format!("{} {with} {}", manifest.job, manifest.engine).trim_end());
        for (index, source) in describe_closure(manifest).iter().enumerate() {
            line(if index == 0 { "Closure" } else { "" }, source);
        }
    }
    for (index, purge) in why.purges.iter().enumerate() {
        line(if index == 0 { "Purges" } else { "" }, &describe_purge(purge));
    }
    text
}

fn describe_answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Fresh => "the file, which is fresh",
        Answer::Stale => "the file, while a newer one is looked for",
        Answer::LastGood => "the last good file, instead of a failure",
        Answer::Failure => "the failure",
        Answer::Wait => "nothing until a job has ended: visitors wait",
        Answer::UnknownHost => "404: the host is unknown",
    }
}

fn describe_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Compiled { digest, encodings } => {
            let encodings = encodings.iter().map(|body| format!("{} {} bytes", body.encoding, body.length));
            format!("compiled, {digest} ({})", encodings.collect::<Vec<_>>().join(", "))
        }
        Outcome::CompileError { message } => format!("compile error: {}", first_line(message)),
        Outcome::SourceNotFound { message } => format!("source not found: {}", first_line(message)),
        Outcome::OriginFailed { failure: _, message } => format!("origin failed: {}", first_line(message)),
        Outcome::Abandoned { message } => format!("abandoned: {}", first_line(message)),
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn describe_closure(manifest: &Manifest) -> Vec<String> {
    let Closure { read, absent } = &manifest.closure;
    let mut lines: Vec<String> = read
        .iter()
        .take(MAX_SOURCES)
        .map(|source| {
            let validator = source.etag.as_ref().or(source.last_modified.as_ref());
            format!("{} ({})", source.url, validator.map_or("no validator", String::as_str))
        })
        .collect();
    if let Some(more) = read.len().checked_sub(MAX_SOURCES).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.push(format!("{} URLs that do not exist", absent.len()));
    lines
}

fn describe_purge(Purge { scope, at }: &Purge) -> String {
    match scope {
        PurgeScope::Path(path) => format!("{at} of {path}"),
        PurgeScope::Dependency(url) => format!("{at} of everything made with {url}"),
        PurgeScope::Tenant => format!("{at} of everything"),
    }
}

#[cfg(test)]
mod tests {
    use pipeline::{
        key::{Encoding, Key},
        manifest::{MANIFEST_VERSION, SourceRead, StoredBody},
        names::Digest,
    };

    use super::*;

    fn why() -> Why {
        let key = Key {
            fingerprint: "00112233445566aa".parse().unwrap(),
            tenant_id: "shop-g1".parse().unwrap(),
            path: "/app.css".parse().unwrap(),
        };
        let source = |url: &str, etag: Option<&str>| SourceRead {
            url: url.to_owned(),
            sha256: Digest::of(b""),
            etag: etag.map(str::to_owned),
            last_modified: None,
        };
        let closure = Closure {
            read: vec![
                source("https://o.example/_a.scss", None),
                source("https://o.example/app.scss", Some("\"1\"")),
            ],
            absent: vec!["https://o.example/a.scss".to_owned()],
        };
        let encodings = vec![StoredBody { encoding: Encoding::Br, length: 12 }];
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::Compiled { digest: Digest::of(b"x"), encodings },
            closure,
            sources_read_at: jiff::Timestamp::UNIX_EPOCH,
            modified_at: None,
            engine: "grass/0.13.4".to_owned(),
            job: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            failures: 0,
            last_good: None,
        };
        Why {
            host: "shop.example".parse().unwrap(),
            path: "/app.css".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            tenant: Some(WhyTenant {
                key,
                origin: "https://o.example/".parse().unwrap(),
                source: Some("https://o.example/app.scss".parse().unwrap()),
                development: true,
            }),
            purges: vec![Purge { scope: PurgeScope::Tenant, at: jiff::Timestamp::UNIX_EPOCH }],
            manifest: Some(manifest),
            reasons: vec!["its sources were read at 1970-01-01T00:00:00Z".to_owned()],
            answer: Answer::Fresh,
        }
    }

    #[test]
    fn everything_that_is_known_is_told_line_by_line() {
        let expected = "\
URL       shop.example/app.css
Answer    the file, which is fresh
          - its sources were read at 1970-01-01T00:00:00Z
Tenant    shop-g1, under development, origin https://o.example/
Source    https://o.example/app.scss
Outcome   compiled, 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 (br 12 bytes)
Job       0123456789abcdef0123456789abcdef with grass/0.13.4
Closure   https://o.example/_a.scss (no validator)
          https://o.example/app.scss (\"1\")
          1 URLs that do not exist
Purges    1970-01-01T00:00:00Z of everything
";
        assert_eq!(to_text(&why()), expected);
    }

    #[test]
    fn unknown_host_and_unasked_file_are_told_without_what_nobody_knows() {
        let reasons = vec!["no tenant of this pipeline has the host shop.example".to_owned()];
        let unknown = Why {
            tenant: None,
            manifest: None,
            purges: Vec::new(),
            reasons,
            answer: Answer::UnknownHost,
            ..why()
        };
        let expected = "\
URL       shop.example/app.css
Answer    404: the host is unknown
          - no tenant of this pipeline has the host shop.example
";
        assert_eq!(to_text(&unknown), expected);
        let json = serde_json::to_string(&why()).unwrap();
        assert_eq!(serde_json::from_str::<Why>(&json).unwrap(), why());
    }
}
