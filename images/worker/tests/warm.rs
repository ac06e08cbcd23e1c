//! Children that are started ahead of their jobs.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{collections::BTreeSet, fs, process, sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pipeline::options::CompileOptions;
use tokio::time::{sleep, timeout};
use url::Url;
use worker::{ChildLimits, Compiler, Limits, LoneSheet, child::CHILD_ARGUMENT, origin::FileOrigin};

const LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 1, memory_bytes: 256 << 20 }, output_bytes: 1 << 20 };
const PATIENCE: Duration = Duration::from_secs(20);
const KEPT: u16 = 2;

/// This process's children that compile, or wait to.
fn children() -> BTreeSet<i32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let ids = processes.filter_map(|name| name.parse::<i32>().ok());
    ids.filter(|id| is_child(*id).unwrap_or(false)).collect()
}

/// `None` of a process that is gone meanwhile.
fn is_child(id: i32) -> Option<bool> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
    let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
    let is_ours = arguments.starts_with(env!("CARGO_BIN_EXE_worker"));
    Some(parent == process::id() && is_ours && arguments.split('\0').any(|text| text == CHILD_ARGUMENT))
}

/// As soon as there are so many, other than `before` altogether.
async fn until(count: usize, before: &BTreeSet<i32>) -> BTreeSet<i32> {
    let reached = async {
        loop {
            let children = children();
            if children.len() == count && children != *before {
                return children;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("there are never so many children")
}

/// One test, since it counts this process's children.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_job_has_a_child_of_its_own_that_waited_and_is_replaced() {
    let site = tempfile::tempdir().unwrap();
    fs::write(site.path().join("a.scss"), "a { b: c }").unwrap();
    let origin = Arc::new(FileOrigin { root: site.path().to_owned(), load_roots: Vec::new() });
    let base = Url::from_directory_path(site.path()).unwrap();
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), LIMITS);
    let compile = async |compiler: &Compiler| {
        let mut sheet = LoneSheet::new(origin.clone(), base.clone(), "/a.scss", CompileOptions::default());
        let made = timeout(PATIENCE, sheet.compile(compiler)).await.unwrap().unwrap();
        assert_eq!(made.css, "a {\n  b: c;\n}\n");
    };

    let nobody = BTreeSet::new();
    compile(&compiler).await;
    until(0, &BTreeSet::from([0])).await;

    compiler.keep_warm_for(KEPT - 1).await.unwrap();
    let first = until(KEPT.into(), &nobody).await;
    compile(&compiler).await;
    let second = until(KEPT.into(), &first).await;
    assert_eq!(first.intersection(&second).count(), 1, "one was used and replaced, the other one waits on");

    for id in &second {
        kill(Pid::from_raw(*id), Signal::SIGKILL).unwrap();
    }
    until(0, &second).await;
    compile(&compiler).await;
    assert!(until(KEPT.into(), &second).await.is_disjoint(&second), "dead ones are passed over");

    drop(compiler);
    until(0, &second).await;
}

#[tokio::test]
async fn program_that_is_no_child_cannot_be_kept_waiting() {
    for program in ["/bin/true", "/bin/none"] {
        Compiler::new(program.into(), LIMITS).keep_warm_for(KEPT - 1).await.unwrap_err();
    }
}
