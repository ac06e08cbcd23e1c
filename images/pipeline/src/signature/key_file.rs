//! Following the mounted file of keys: a rotation reaches pods that run.

use std::{path::PathBuf, time::Duration};

use tokio::{
    fs,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::SigningKeys;
use crate::chain;

/// Between two looks at the file; kubelet needs about a minute to write it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Takes over the keys of a file whenever they change, until the process ends.
pub struct KeyFile {
    keys: SigningKeys,
    path: PathBuf,
    /// What was last read, be it good or not, so that each change is told once.
    seen: Option<String>,
}

impl KeyFile {
    /// `keys` were read from the file at `path`; all their clones follow it.
    pub fn new(keys: SigningKeys, path: PathBuf) -> Self {
        Self { keys, path, seen: None }
    }

    /// Looks at the file every few seconds until `ended`. A file that is broken or away changes nothing.
    pub async fn follow(mut self, ended: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let path = self.path.display();
        let text = match fs::read_to_string(&self.path).await {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%path, %error, "could not read the signing keys; keeping those that are known");
                return;
            }
        };
        if self.seen.as_ref() == Some(&text) {
            return;
        }
        match SigningKeys::from_text(&text) {
            Ok(keys) if self.keys.replace(&keys) => {
                tracing::info!(%path, keys = keys.count(), "took over other signing keys");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%path, error = chain(&error), "keeping the signing keys that are known");
            }
        }
        self.seen = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Whether what the other one signs is accepted.
    fn accepts(keys: &SigningKeys, signer: &str) -> bool {
        let now = Timestamp::now();
        keys.is_signed(&SigningKeys::from_text(signer).unwrap().sign(b"x", now), b"x", now)
    }

    #[tokio::test]
    async fn changed_file_is_taken_over_and_a_broken_one_is_not() {
        const OLD: &str = "old-old-old-old-old\n";
        const NEW: &str = "new-new-new-new-new\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, OLD).unwrap();
        let keys = SigningKeys::from_file(&path).unwrap();
        let mut file = KeyFile::new(keys.clone(), path.clone());
        for (written, old, new) in [
            (Some(OLD.to_owned()), true, false),
            (Some(format!("{OLD}{NEW}")), true, true),
            (Some("short\n".to_owned()), true, true),
            (Some(String::new()), true, true),
            (None, true, true),
            (Some(NEW.to_owned()), false, true),
        ] {
            match &written {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            file.look().await;
            assert_eq!((accepts(&keys, OLD), accepts(&keys, NEW)), (old, new), "{written:?}");
        }
    }
}
