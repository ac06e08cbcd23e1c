//! `dev` as a developer uses it: the real program on a folder of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod browser;
mod fonts;
mod process;

use std::{fs, time::Duration};

use process::{Dev, PATIENCE, site};
use reqwest::StatusCode;
use rustix::process::Signal;
use tokio::{process::Command, time::timeout};

/// Keeps a compile child busy for a while, yet far below its limit of CPU time.
const SLOW_SASS: &str = "$n: 0; @for $i from 1 through 300000 { $n: $n + $i; } a { b: $n; }";

#[tokio::test]
async fn every_visit_gets_what_the_files_say_now() {
    let library = site(&[("_colors.scss", "$link: red;")]);
    let site = site(&[("app.scss", "@use 'colors'; a { color: colors.$link }")]);
    let mut dev = Dev::start(site.path(), &["--load-path", library.path().to_str().unwrap()]).await;
    let listed = timeout(PATIENCE, dev.output.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(listed, format!("  http://{}/app.css", dev.address));
    assert_eq!(dev.get("/app.css").await, (StatusCode::OK, "a {\n  color: red;\n}\n".to_owned()));
    fs::write(library.path().join("_colors.scss"), "$link: blue;").unwrap();
    assert_eq!(dev.get("/app.css").await.1, "a {\n  color: blue;\n}\n");
    fs::write(site.path().join("app.scss"), "a { color: $gone }").unwrap();
    let (status, sheet) = dev.get("/app.css").await;
    assert_eq!(status, StatusCode::OK, "browsers apply only successful style sheets");
    assert!(sheet.contains("body::before") && sheet.contains("Undefined variable"), "{sheet}");
    assert_eq!(dev.get("/none.css").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn source_maps_are_there_where_they_are_wanted_and_can_be_made() {
    let made_by_grass = "a { b: c }";
    let site = site(&[("plain.scss", made_by_grass), ("app.scss", "%x { b: c } a { @extend %x; }")]);
    let with = Dev::start(site.path(), &["--source-maps"]).await;
    let (_, css) = with.get("/app.css").await;
    assert!(css.contains("\n/*# sourceMappingURL=data:application/json;"), "{css}");
    let (_, css) = with.get("/plain.css").await;
    assert!(
        css.ends_with("/* No source map: grass made this, which makes none. The engine Sasso does. */\n")
    );
    let without = Dev::start(site.path(), &[]).await;
    for path in ["/app.css", "/plain.css"] {
        assert!(!without.get(path).await.1.contains("/*"), "{path}");
    }
}

#[tokio::test]
async fn sigterm_answers_those_who_wait_and_ends() {
    let site = site(&[("slow.scss", SLOW_SASS)]);
    let mut dev = Dev::start(site.path(), &[]).await;
    let (answer, ()) = tokio::join!(dev.get("/slow.css"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        dev.signal(Signal::TERM);
    });
    assert_eq!(answer, (StatusCode::OK, "a {\n  b: 45000150000;\n}\n".to_owned()));
    let status = timeout(PATIENCE, dev.process.wait()).await.expect("dev did not end").unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn unusable_input_is_one_line_with_the_way_out() {
    let lacking = site(&[("package.json", r#"{"dependencies": {"bootstrap": "5.3.8"}}"#)]);
    let lacking = lacking.path().to_str().unwrap();
    for (arguments, expected) in [
        (vec!["dev", lacking], "npm ci --prefix"),
        (vec!["dev", "no/such/folder"], "no/such/folder"),
        (vec!["dev", ".", "--listen", "192.0.2.1:80"], "--listen"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_kubectl-assets")).args(&arguments).output().await.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
