//! An AWS emulator of a test's own: moto on a free port of loopback, gone with the test.

use std::{
    fs::File,
    net::SocketAddr,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aws_config::{Region, SdkConfig};
use cluster::{
    Cache,
    cache::key_of_files,
    http,
    moto::{self, HEALTH_PATH},
    signer::Signer,
};
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_mins(1);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);
/// What is read of the log: more than a start writes.
const LOG_BYTES: usize = 16 * 1024;

/// Port 0 lets the kernel choose.
const ADDRESS: [&str; 4] = ["-H", "127.0.0.1", "-p", "0"];
/// The process ends with its standard input, so that it is gone even where the test was killed.
const END_WITH_STDIN: (&str, &str) = ("END_WITH_STDIN", "yes");
/// What moto's web server logs once it listens, in front of the address.
const LISTENS: &str = "Running on http://";

/// A running emulator that knows no bucket, queue or topic. Killed when dropped.
pub struct Moto {
    process: Child,
    address: SocketAddr,
    _keys: TempDir,
}

impl Moto {
    /// Starts the emulator from the environment that `cargo xtask test` makes, and waits until it answers.
    /// Blocks for a second or two.
    pub fn start() -> Result<Self> {
        let log = tempfile::tempfile().context("cannot make a log file")?;
        let cache = Cache::locate()?;
        let keys = tempfile::tempdir().context("cannot make a folder for keys")?;
        let signer = Signer::in_folder(keys.path().to_owned());
        signer.ensure()?;
        let process = Command::new(python(&cache)?)
            .arg(moto::program(&cache))
            .args(ADDRESS)
            .envs(signer.environment())
            .envs([END_WITH_STDIN])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.try_clone().context("cannot share the log file")?)
            .spawn()
            .context("cannot start moto")?;
        let mut moto = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)), _keys: keys };
        moto.address = moto.wait_for_address(&log).with_context(|| match head_of(&log) {
            Ok(log) => format!("moto did not start, it wrote:\n{log}"),
            Err(error) => format!("moto did not start, and its log cannot be read: {error}"),
        })?;
        moto.check_health()?;
        Ok(moto)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The data plane's own client settings, pointed at this emulator.
    pub async fn sdk_config(&self) -> SdkConfig {
        pipeline::aws::config_loader()
            .endpoint_url(self.endpoint())
            .region(Region::from_static("eu-central-1"))
            .test_credentials()
            .load()
            .await
    }

    fn wait_for_address(&mut self, log: &File) -> Result<SocketAddr> {
        let deadline = Instant::now() + STARTS_WITHIN;
        while Instant::now() < deadline {
            if let Some(address) = address_in(&head_of(log)?) {
                return address.parse().with_context(|| format!("{address} is no address"));
            }
            if let Some(status) = self.process.try_wait().context("cannot ask for the process")? {
                bail!("it ended with {status}");
            }
            thread::sleep(POLL);
        }
        bail!("it did not listen within {STARTS_WITHIN:?}")
    }

    fn check_health(&self) -> Result<()> {
        let answer = http::get(self.address, "moto", HEALTH_PATH, &[], ANSWERS_WITHIN)
            .context("moto listens but does not answer")?;
        ensure!(answer.status < 300, "moto is not well: status {}", answer.status);
        Ok(())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Both fail only where the process has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of the pinned virtual environment, named as `cluster::moto` names it.
fn python(cache: &Cache) -> Result<PathBuf> {
    let requirements = cache.checkout.join("tests/cluster/moto/requirements.txt");
    let folder = cache.root.join(format!("venv-moto-{}", key_of_files(&[requirements])?));
    ensure!(
        folder.join("done").exists(),
        "the AWS emulator is not installed: run `cargo xtask test`, or `cargo xtask up` once"
    );
    Ok(folder.join("bin/python"))
}

/// Reads at an offset of its own: the process writes at the file's.
fn head_of(log: &File) -> std::io::Result<String> {
    let mut head = vec![0; LOG_BYTES];
    let length = log.read_at(&mut head, 0)?;
    head.truncate(length);
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The address, once its whole line was written.
fn address_in(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once(LISTENS)?;
    Some(rest.split_once('\n')?.0.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_read_from_a_whole_line_only() {
        let log = "WARNING: a development server.\n * Running on http://127.0.0.1:45497\n";
        assert_eq!(address_in(log), Some("127.0.0.1:45497"));
        assert_eq!(address_in(log.trim_end()), None);
        assert_eq!(address_in("WARNING"), None);
    }
}
