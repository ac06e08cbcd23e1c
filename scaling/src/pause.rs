//! A person's word that scaling is to stand still.

use std::str::FromStr;

use serde::Serialize;

/// What is not done while it holds. It goes before everything else, bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Pause {
    /// Nothing changes.
    All,
    /// No pod is let go.
    In,
    /// No pod is added.
    Out,
}

/// The annotation's value is none that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no way to pause scaling; one of all, in and out is")]
pub struct InvalidPause(String);

impl Pause {
    /// The number of pods where `replicas` would follow on `current`.
    pub(crate) fn hold(self, current: u32, replicas: u32) -> u32 {
        match self {
            Self::All => current,
            Self::In => replicas.max(current),
            Self::Out => replicas.min(current),
        }
    }
}

impl FromStr for Pause {
    type Err = InvalidPause;

    /// As the annotation has it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "in" => Ok(Self::In),
            "out" => Ok(Self::Out),
            other => Err(InvalidPause(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotation_names_what_is_not_done() {
        for (text, expected) in [("all", [4, 4, 4]), ("in", [4, 4, 9]), ("out", [1, 4, 4])] {
            let pause: Pause = text.parse().unwrap();
            assert_eq!([1, 4, 9].map(|replicas| pause.hold(4, replicas)), expected, "{text}");
        }
        let refused = "both".parse::<Pause>().unwrap_err();
        assert_eq!(refused.to_string(), "\"both\" is no way to pause scaling; one of all, in and out is");
    }
}
