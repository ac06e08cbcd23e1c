//! This process's compile children, as the kernel's files tell of them.

use std::{collections::BTreeSet, fs, process, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};
use worker::child::CHILD_ARGUMENT;

/// Less than a child rests: none is gone for that.
const SOON: Duration = Duration::from_secs(8);

/// Nobody else's children are counted meanwhile.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Those that compile, or wait to.
pub(crate) fn children() -> BTreeSet<i32> {
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
pub(crate) async fn until(count: usize, before: &BTreeSet<i32>) -> BTreeSet<i32> {
    let reached = async {
        loop {
            let children = children();
            if children.len() == count && children != *before {
                return children;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, reached).await.expect("there are not so many children")
}

pub(crate) async fn kill_all(children: &BTreeSet<i32>) {
    for id in children {
        kill(Pid::from_raw(*id), Signal::SIGKILL).unwrap();
    }
    until(0, children).await;
}
