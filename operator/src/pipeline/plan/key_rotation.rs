//! When the key that signs what pods say to pods is replaced, and how: pure.
//!
//! Pods read the keys from a mounted Secret, each of them some time after it was written. No step may
//! therefore ask of a pod what another one does not know yet: a new key is accepted everywhere before it
//! signs anything, and an old one is accepted until nothing signs with it any more.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

/// After this time a key is replaced.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longer than the way of a written Secret into every pod: kubelet looks at its Secrets every minute or so,
/// and pods look at the mounted file every few seconds. Signatures count for one minute more.
const STEP: SignedDuration = SignedDuration::from_mins(10);

/// How far a replacement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// One key signs, and no other is accepted.
    Settled,
    /// A new key is accepted behind the one that signs.
    Introduced,
    /// The new key signs, and the old one is still accepted.
    Switched,
}

/// A stage and when it began, as an annotation tells them: `Settled since 2026-11-21T15:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    pub(super) since: Timestamp,
}

/// The keys of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRing {
    /// The first one signs, every one is accepted.
    pub(super) keys: Vec<String>,
    pub(super) progress: Progress,
    /// The wish for a replacement that was last followed.
    pub(super) followed: Option<String>,
}

/// What is known of a ring that is there. Whoever lost its progress loses a replacement's course, no key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObservedRing {
    pub(super) keys: Vec<String>,
    pub(super) progress: Option<Progress>,
    pub(super) followed: Option<String>,
}

/// The ring as it should be at `now`. `wish` is what a person last asked a replacement by: another text than
/// before asks for another one.
pub(super) fn plan_ring(
    observed: ObservedRing,
    wish: Option<&str>,
    fresh_key: &str,
    now: Timestamp,
) -> KeyRing {
    let ObservedRing { mut keys, progress, followed } = observed;
    let at = |stage| Progress { stage, since: now };
    if keys.is_empty() {
        let keys = vec![fresh_key.to_owned()];
        return KeyRing { keys, progress: at(Stage::Settled), followed: wish.map(str::to_owned) };
    }
    let stage = if keys.len() == 1 { Stage::Settled } else { Stage::Switched };
    let Some(progress) = progress.filter(|progress| (progress.stage == Stage::Settled) == (keys.len() == 1))
    else {
        return KeyRing { keys, progress: at(stage), followed };
    };
    let age = now.duration_since(progress.since);
    let is_wished = wish.is_some() && wish != followed.as_deref();
    match progress.stage {
        Stage::Settled if age >= KEY_LIFE || is_wished => {
            keys.push(fresh_key.to_owned());
            let followed = wish.map(str::to_owned).or(followed);
            KeyRing { keys, progress: at(Stage::Introduced), followed }
        }
        Stage::Introduced if age >= STEP => {
            keys.rotate_right(1);
            KeyRing { keys, progress: at(Stage::Switched), followed }
        }
        Stage::Switched if age >= STEP => {
            keys.truncate(1);
            KeyRing { keys, progress: at(Stage::Settled), followed }
        }
        Stage::Settled | Stage::Introduced | Stage::Switched => KeyRing { keys, progress, followed },
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Settled => "Settled",
            Stage::Introduced => "Introduced",
            Stage::Switched => "Switched",
        };
        write!(f, "{stage} since {}", self.since)
    }
}

/// The text is nobody's progress.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} tells no progress of a key's replacement, such as Settled since 2026-11-21T15:00:00Z")]
pub(super) struct UnknownProgress(String);

impl FromStr for Progress {
    type Err = UnknownProgress;

    fn from_str(text: &str) -> Result<Self, UnknownProgress> {
        let unknown = || UnknownProgress(text.to_owned());
        let (stage, since) = text.split_once(" since ").ok_or_else(unknown)?;
        let stage = match stage {
            "Settled" => Stage::Settled,
            "Introduced" => Stage::Introduced,
            "Switched" => Stage::Switched,
            _ => return Err(unknown()),
        };
        Ok(Self { stage, since: since.parse().map_err(|_| unknown())? })
    }
}

#[cfg(test)]
mod tests;
