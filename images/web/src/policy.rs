//! What a manifest means for a visitor now: pure.

use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    manifest::{Good, Manifest, OriginFailure, Outcome},
    names::Digest,
};

/// How a compile error is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum ErrorDisplay {
    /// In the page: 200, so that browsers apply the style sheet that shows it.
    Show,
    /// By the status 422; an earlier good file is served instead of it.
    Status,
}

/// For how long what is served how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub errors: ErrorDisplay,
    /// A compiled file is fresh for this long after its sources were read.
    pub max_age: Duration,
    /// Past this age a file is compiled again before it is served.
    pub max_stale: Duration,
    /// How long a failure is believed; then the origin is asked again.
    pub backoff: Backoff,
    /// What was made of sources that were read before this is not served.
    pub purged: Option<Timestamp>,
}

/// How long a failure is believed: twice as long with each further one in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// For sites that are visited.
    pub const PRODUCTION: Self = Self { first: Duration::from_secs(5), longest: Duration::from_mins(5) };
    /// For sites under development: the origin is asked at every visit, yet once a second at the most.
    pub const DEVELOPMENT: Self = Self { first: Duration::from_secs(1), longest: Duration::from_secs(1) };

    /// Whichever lets the origin be asked sooner.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        if other.longest < self.longest { other } else { self }
    }

    /// `failures` is how many there were in a row, the one in question included.
    pub fn after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// What a visitor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This file, whose sources were read this long ago.
    Serve { good: Good, age: Duration, staleness: Staleness },
    /// A failure: nothing better is known. The engine is as manifests tell it.
    Fail { failure: Failure, message: String, engine: String },
    /// Nothing yet: a job has to end first.
    Wait,
}

impl Verdict {
    /// Of the file that is served.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Serve { good, .. } => Some(&good.digest),
            Self::Fail { .. } | Self::Wait => None,
        }
    }

    /// Whether no job is needed to answer this visit or the next one.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Serve { staleness: Staleness::Fresh | Staleness::InsteadOfFailure, .. }
            | Self::Fail { .. } => true,
            Self::Serve { staleness: Staleness::Refresh, .. } | Self::Wait => false,
        }
    }
}

/// Whether a served file is still fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    Fresh,
    /// Served as it is, while a job makes a newer one.
    Refresh,
    /// Served instead of the failure of the latest job.
    InsteadOfFailure,
}

/// How a style sheet failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    CompileErrorShown,
    CompileErrorStatus,
    SourceNotFound,
    Origin(OriginFailure),
    Abandoned,
}

impl Policy {
    /// Whether the sources of this outcome were read too early to be believed.
    pub(crate) fn is_purged(&self, sources_read_at: Timestamp) -> bool {
        self.purged.is_some_and(|purged| sources_read_at < purged)
    }

    /// The file that may be served; one from before a purge is none.
    fn good_of(&self, manifest: &Manifest) -> Option<Good> {
        manifest.good().filter(|good| !self.is_purged(good.sources_read_at))
    }

    /// The verdict on a manifest that a visit finds at `now`.
    pub(crate) fn judge(&self, manifest: Option<&Manifest>, now: Timestamp) -> Verdict {
        let Some(manifest) = manifest.filter(|manifest| !self.is_purged(manifest.sources_read_at)) else {
            return Verdict::Wait;
        };
        let age = age_of(manifest.sources_read_at, now);
        match (&manifest.outcome, self.good_of(manifest)) {
            (Outcome::Compiled { .. }, Some(good)) => {
                if age < self.max_age {
                    Verdict::Serve { good, age, staleness: Staleness::Fresh }
                } else if age < self.max_stale {
                    Verdict::Serve { good, age, staleness: Staleness::Refresh }
                } else {
                    Verdict::Wait
                }
            }
            (_, last_good) => {
                if age < self.backoff.after(manifest.failures) {
                    self.judge_failure(manifest, last_good, now)
                } else {
                    self.judge_old_failure(&manifest.outcome, last_good, now)
                }
            }
        }
    }

    /// The verdict on the outcome of the job that this visit waited for: fresh, whatever the clocks of
    /// worker and web say and however long the job took. Only a purge makes it worthless.
    pub(crate) fn judge_answer(&self, manifest: &Manifest, now: Timestamp) -> Verdict {
        if self.is_purged(manifest.sources_read_at) {
            return Verdict::Wait;
        }
        match (&manifest.outcome, self.good_of(manifest)) {
            (Outcome::Compiled { .. }, Some(good)) => {
                let age = age_of(manifest.sources_read_at, now);
                Verdict::Serve { good, age, staleness: Staleness::Fresh }
            }
            (_, last_good) => self.judge_failure(manifest, last_good, now),
        }
    }

    /// What is served of a manifest while its origin is left alone, whatever its age; `None` where it holds
    /// nothing to serve.
    pub(crate) fn judge_without_origin(&self, manifest: &Manifest, now: Timestamp) -> Option<Verdict> {
        let is_error = matches!(manifest.outcome, Outcome::CompileError { .. });
        if is_error && self.errors == ErrorDisplay::Show {
            return Some(self.judge_answer(manifest, now)).filter(|verdict| *verdict != Verdict::Wait);
        }
        let good = self.good_of(manifest)?;
        let age = age_of(good.sources_read_at, now);
        Some(Verdict::Serve { good, age, staleness: Staleness::InsteadOfFailure })
    }

    fn judge_failure(&self, manifest: &Manifest, last_good: Option<Good>, now: Timestamp) -> Verdict {
        let Manifest { outcome, engine, .. } = manifest;
        let fail = |failure, message: &String| {
            let (message, engine) = (message.clone(), engine.clone());
            Verdict::Fail { failure, message, engine }
        };
        let (failure, message) = match outcome {
            Outcome::CompileError { message } => match self.errors {
                ErrorDisplay::Show => return fail(Failure::CompileErrorShown, message),
                ErrorDisplay::Status => (Failure::CompileErrorStatus, message),
            },
            Outcome::SourceNotFound { message } => (Failure::SourceNotFound, message),
            Outcome::OriginFailed { failure, message } => (Failure::Origin(*failure), message),
            Outcome::Abandoned { message } => (Failure::Abandoned, message),
            Outcome::Compiled { .. } => return Verdict::Wait,
        };
        match last_good {
            Some(good) => {
                let age = age_of(good.sources_read_at, now);
                Verdict::Serve { good, age, staleness: Staleness::InsteadOfFailure }
            }
            None => fail(failure, message),
        }
    }

    /// A failure that is too old to believe: what was good before bridges the time until the next job.
    fn judge_old_failure(&self, outcome: &Outcome, last_good: Option<Good>, now: Timestamp) -> Verdict {
        let is_shown = matches!(outcome, Outcome::CompileError { .. }) && self.errors == ErrorDisplay::Show;
        match last_good {
            Some(good) if !is_shown => {
                let age = age_of(good.sources_read_at, now);
                if age < self.max_stale {
                    Verdict::Serve { good, age, staleness: Staleness::Refresh }
                } else {
                    Verdict::Wait
                }
            }
            Some(_) | None => Verdict::Wait,
        }
    }
}

/// Never negative: the worker's clock may be ahead of ours.
fn age_of(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(SignedDuration::from_secs(0).max(now.duration_since(time))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
