//! `dev` as a developer uses it: the real program on a folder of their own.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{fs, path::Path, process::Stdio, time::Duration};

use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps a compile child busy for a while, yet far below its limit of CPU time.
const SLOW_SASS: &str = "$n: 0; @for $i from 1 through 300000 { $n: $n + $i; } a { b: $n; }";

/// A running `dev`, ended with the test.
struct Dev {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Dev {
    async fn start(site: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-assets"));
        command.arg("dev").arg(site).args(["--listen", "127.0.0.1:0"]).args(more);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, output.next_line()).await.expect("dev did not start").unwrap().unwrap();
        let address =
            first.split("http://").nth(1).and_then(|rest| rest.split(';').next()).unwrap().to_owned();
        Self { process, output, address }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let url = format!("http://{}{path}", self.address);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.get(url).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }
}

fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(site.path().join(name), text).unwrap();
    }
    site
}

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
