//! Why a decision is as it is.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Reason {
    /// There are more jobs than the pods should have.
    Backlog,
    /// Visitors would wait for longer than the target.
    Latency,
    /// As many jobs come, and take as long, as need more pods.
    Load,
    /// Jobs wait, and none of the pods takes any.
    Untaken,
    /// Pods have gone silent, and the others are not enough.
    Lost,
    /// The spec asks for more pods than there are.
    BelowMinimum,
    /// A schedule asks for more pods than there are.
    Scheduled,
    /// The spec allows fewer pods than there are.
    AboveMaximum,
    /// The queue has been empty for the whole delay.
    Idle,
    /// Fewer pods have done for long enough.
    Surplus,
    /// There are jobs, and enough pods for them.
    Enough,
    /// The queue is empty, and the delay is not over.
    Waiting,
    /// The queue is empty, and there are as few pods as the spec allows.
    AtRest,
    /// A signal that is asked for is missing, so that nobody is let go.
    SignalsMissing,
    /// The signals have failed for so long that the fallback holds.
    Fallback,
    /// A person has said that this is not to change.
    Paused,
}

impl Reason {
    /// The reason as events and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "Backlog",
            Self::Latency => "Latency",
            Self::Load => "Load",
            Self::Untaken => "Untaken",
            Self::Lost => "Lost",
            Self::BelowMinimum => "BelowMinimum",
            Self::Scheduled => "Scheduled",
            Self::AboveMaximum => "AboveMaximum",
            Self::Idle => "Idle",
            Self::Surplus => "Surplus",
            Self::Enough => "Enough",
            Self::Waiting => "Waiting",
            Self::AtRest => "AtRest",
            Self::SignalsMissing => "SignalsMissing",
            Self::Fallback => "Fallback",
            Self::Paused => "Paused",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
