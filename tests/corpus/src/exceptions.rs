//! The cases that `Auto` gets wrong: a list that must be exactly right, and short.

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::compare::Verdict;

/// A case that is known to come out otherwise than the reference has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Area and name.
    pub case: String,
    /// The least source that shows it.
    pub reproduction: String,
    /// What should come of that.
    pub expected: String,
    /// The issue at the engine's repository; none has been found where this is missing.
    pub upstream: Option<String>,
}

/// Reads the list.
pub fn read_all(list: &Path) -> Result<Vec<Exception>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let exceptions: Vec<Exception> = serde_json::from_str(&text)
        .with_context(|| format!("{} is no list of exceptions", list.display()))?;
    let cases: HashSet<&str> = exceptions.iter().map(|exception| exception.case.as_str()).collect();
    ensure!(cases.len() == exceptions.len(), "{} has a case twice", list.display());
    Ok(exceptions)
}

/// Whether a job is as it should be: equal, or listed and not equal.
pub fn is_as_expected(name: &str, verdict: &Verdict, exceptions: &[Exception]) -> bool {
    let is_listed = exceptions.iter().any(|exception| exception.case == name);
    match verdict {
        Verdict::Identical | Verdict::Equal | Verdict::Accepted(_) => !is_listed,
        Verdict::Differs(_) | Verdict::EngineErrs(_) | Verdict::ReferenceErrs(_) => is_listed,
    }
}

/// Of all cases, how many may be exceptions: one in a hundred.
pub fn most_for(cases: usize) -> usize {
    cases / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;

    fn folder() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn listed_are_cases_and_few() {
        let cases = case::read_all(&folder().join("cases")).unwrap();
        let exceptions = read_all(&folder().join("exceptions.json")).unwrap();
        for Exception { case, .. } in &exceptions {
            assert!(cases.iter().any(|known| known.id() == *case), "{case} is no case");
        }
        assert!(exceptions.len() <= most_for(cases.len()), "{} exceptions", exceptions.len());
    }

    #[test]
    fn listed_must_differ_and_others_must_not() {
        let exception = Exception {
            case: "a: b".into(),
            reproduction: "a { b: c }".into(),
            expected: "nothing".into(),
            upstream: None,
        };
        let wrong = Verdict::EngineErrs("no".into());
        for (name, verdict, expected) in [
            ("a: b", &Verdict::Equal, false),
            ("a: b", &wrong, true),
            ("a: c", &Verdict::Equal, true),
            ("a: c", &wrong, false),
        ] {
            assert_eq!(is_as_expected(name, verdict, std::slice::from_ref(&exception)), expected, "{name}");
        }
    }
}
