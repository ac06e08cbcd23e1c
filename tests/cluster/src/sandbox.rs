//! A mount namespace for everything that the cluster runs.
//!
//! The components of Kubernetes write to fixed places (`/run`, `/var/lib`, …) and mount a great
//! deal. Inside the namespace those places are overlays whose changes lie in the state folder, and
//! every mount ends with the last process. So nothing of it has to be found and undone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, write_whole};
use crate::cgroup::{Groups, HOST};
use crate::process::ProcessId;

/// Set in every process that is started here, so that a stray one is known by it.
pub const MARK: &str = "ASSETPIPELINE_CLUSTER";

/// Folders outside the cache that the cluster's programs write to.
const WRITTEN: [&str; 4] = ["/opt", "/run", "/var/lib", "/var/log"];

/// A process that keeps the namespace open while everything else may end.
const HOLD: &str = r#"
set -eu
echo $$ > "$1"; shift
upper=$1; shift
for folder in "$@"; do
  name=$(echo "$folder" | tr / _)
  mkdir -p "$upper/$name.new" "$upper/$name.work"
  mount --no-mtab -t overlay "assetpipeline$name" -o "lowerdir=$folder,upperdir=$upper/$name.new,workdir=$upper/$name.work" "$folder"
done
mount --no-mtab --make-rshared /
exec sleep infinity
"#;

/// An open namespace.
#[derive(Debug)]
pub struct Sandbox {
    holder: ProcessId,
    state: PathBuf,
    groups: Groups,
}

impl Sandbox {
    /// The namespace of a cluster that runs, if it does.
    pub fn open(state: &Path) -> Result<Option<Self>> {
        let Ok(bytes) = fs::read(state.join("run/sandbox.json")) else { return Ok(None) };
        let Ok(holder) = serde_json::from_slice::<ProcessId>(&bytes) else { return Ok(None) };
        if !holder.is_alive() {
            return Ok(None);
        }
        Ok(Some(Self { holder, state: state.to_path_buf(), groups: Groups::find()? }))
    }

    /// Creates the namespace and leaves a process in it.
    pub fn create(state: &Path) -> Result<Self> {
        let groups = Groups::find()?;
        groups.create(HOST)?;
        for folder in ["run", "home", "tmp", "log", "outside"] {
            Cache::ensure(state.join(folder))?;
        }
        let log =
            fs::File::create(state.join("log/sandbox.log")).context("cannot create the sandbox's log")?;
        // A folder above the state cannot be overlaid by something inside it.
        let overlaid =
            WRITTEN.into_iter().filter(|folder| Path::new(folder).is_dir() && !state.starts_with(folder));
        let child = Command::new("setsid")
            .args(["unshare", "--mount", "--propagation", "private", "sh", "-c", HOLD, "sh"])
            .arg(groups.join_file(HOST)?)
            .arg(state.join("outside"))
            .args(overlaid)
            .env(MARK, state)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share a log file")?)
            .stderr(log)
            .spawn()
            .context("cannot start `setsid unshare`: install util-linux")?;
        let pid = i32::try_from(child.id()).context("process id out of range")?;
        let holder = wait_for_holder(pid, state)?;
        write_whole(&state.join("run/sandbox.json"), serde_json::to_vec(&holder)?)?;
        Ok(Self { holder, state: state.to_path_buf(), groups })
    }

    /// A command that runs inside the namespace and is tracked in `group`. All words replace their
    /// process by the next, so that the process id stays the one of the program.
    pub fn command(&self, group: &str, program: &Path, arguments: &[String]) -> Result<Command> {
        let mut command = Command::new("setsid");
        command
            .args(["nsenter", &format!("--mount=/proc/{}/ns/mnt", self.holder.pid)])
            .args(["sh", "-c", r#"echo $$ > "$1" && shift && exec "$@""#, "sh"])
            .arg(self.groups.join_file(group)?)
            .arg(program)
            .args(arguments)
            .env(MARK, &self.state)
            .env("HOME", self.state.join("home"))
            .env("TMPDIR", self.state.join("tmp"));
        Ok(command)
    }
}

/// The shell becomes `sleep` when all is mounted.
fn wait_for_holder(pid: i32, state: &Path) -> Result<ProcessId> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        let Some(holder) = ProcessId::of_running(pid) else { break };
        if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep") {
            return Ok(holder);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = crate::command::tail_of(&state.join("log/sandbox.log"));
    bail!("cannot set up the cluster's mount namespace:\n{log}")
}
