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

/// Sheets of a site that the test has made.
struct Site {
    folder: tempfile::TempDir,
    origin: Arc<FileOrigin>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.scss"), "a { b: c }").unwrap();
        fs::write(folder.path().join("wrong.scss"), "a { b: $none }").unwrap();
        let origin = Arc::new(FileOrigin { root: folder.path().to_owned(), load_roots: Vec::new() });
        Self { folder, origin }
    }

    fn sheet(&self, entry: &str, tenant: Option<&str>) -> LoneSheet {
        let base = Url::from_directory_path(self.folder.path()).unwrap();
        let sheet = LoneSheet::new(self.origin.clone(), base, entry, CompileOptions::default());
        match tenant {
            Some(tenant) => sheet.of_tenant(tenant.parse().unwrap()),
            None => sheet,
        }
    }

    async fn compile(&self, compiler: &Compiler, tenant: Option<&str>) {
        let mut sheet = self.sheet("/a.scss", tenant);
        let made = timeout(PATIENCE, sheet.compile(compiler)).await.unwrap().unwrap();
        assert_eq!(made.css, "a {\n  b: c;\n}\n");
    }

    async fn fail(&self, compiler: &Compiler, tenant: Option<&str>) {
        let mut sheet = self.sheet("/wrong.scss", tenant);
        timeout(PATIENCE, sheet.compile(compiler)).await.unwrap().unwrap_err();
    }
}

async fn kill_all(children: &BTreeSet<i32>) {
    for id in children {
        kill(Pid::from_raw(*id), Signal::SIGKILL).unwrap();
    }
    until(0, children).await;
}

/// One test, since it counts this process's children.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_wait_serve_one_tenant_and_are_replaced() {
    let site = Site::new();
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), LIMITS);
    let nobody = BTreeSet::new();
    site.compile(&compiler, None).await;
    until(0, &BTreeSet::from([0])).await;

    compiler.keep_warm_for(KEPT - 1).await.unwrap();
    let first = until(KEPT.into(), &nobody).await;
    site.compile(&compiler, None).await;
    let second = until(KEPT.into(), &first).await;
    assert_eq!(first.intersection(&second).count(), 1, "one was used and replaced, the other one waits on");

    kill_all(&second).await;
    site.compile(&compiler, None).await;
    let waiting = until(KEPT.into(), &second).await;
    assert!(waiting.is_disjoint(&second), "dead ones are passed over");

    site.compile(&compiler, Some("one")).await;
    let with_one = until(usize::from(KEPT) + 1, &waiting).await;
    assert!(waiting.is_subset(&with_one), "the one that served stays, and another one waits in its place");
    for _ in 0..3 {
        site.compile(&compiler, Some("one")).await;
        assert_eq!(children(), with_one, "a tenant's child serves it again");
    }
    site.compile(&compiler, Some("two")).await;
    let with_two = until(usize::from(KEPT) + 1, &with_one).await;
    assert_eq!(with_one.difference(&with_two).count(), 1, "where too many rest, the oldest is ended");

    site.fail(&compiler, Some("two")).await;
    let without = until(KEPT.into(), &with_two).await;
    assert!(without.is_subset(&with_two), "one that failed is ended, and none took its place");

    site.compile(&compiler, Some("two")).await;
    let resting = until(usize::from(KEPT) + 1, &without).await;
    kill_all(&resting).await;
    site.compile(&compiler, Some("two")).await;
    let last = until(usize::from(KEPT) + 1, &resting).await;
    assert!(last.is_disjoint(&resting), "a dead one is passed over, its tenant's, too");

    drop(compiler);
    until(0, &last).await;
}

#[tokio::test]
async fn program_that_is_no_child_cannot_be_kept_waiting() {
    for program in ["/bin/true", "/bin/none"] {
        Compiler::new(program.into(), LIMITS).keep_warm_for(KEPT - 1).await.unwrap_err();
    }
}
