//! Whether two style sheets are the same, and if they are not, whether by one of the two accepted differences.

mod colour;
mod place;
mod rules;

use anyhow::Result;

use crate::oracle::{Oracle, Outcome};

/// What the reference and an engine made of the same job.
#[derive(Debug, Clone)]
pub struct Pair {
    pub reference: Outcome,
    pub engine: Outcome,
    pub tolerance: Tolerance,
}

/// What an engine is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    Exact,
    /// The differences of [`Accepted`].
    Old,
}

/// How an engine's answer stands to the reference's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes, or an error on both sides.
    Identical,
    /// The same after normalising.
    Equal,
    /// Different only by what is accepted of an engine.
    Accepted(Vec<Accepted>),
    Differs(Difference),
    /// The reference compiles it, the engine says this.
    EngineErrs(String),
    /// The engine compiles what the reference calls an error.
    ReferenceErrs(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// An 8-bit colour channel is one step off.
    ColourStep,
    /// A declaration that follows a nested rule stands before it.
    DeclarationPlace,
}

/// Where two style sheets part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub reference: String,
    pub engine: String,
}

/// Characters of each side that a difference shows, and how many of them before the place.
const SHOWN: usize = 120;
const SHOWN_BEFORE: usize = 40;

/// Judges every pair; the normaliser is asked twice in all.
pub fn judge_all(oracle: &Oracle, pairs: &[Pair]) -> Result<Vec<Verdict>> {
    let normal = normalise_pairs(oracle, &pairs.iter().map(css_of).collect::<Vec<_>>())?;
    let gathered = pairs.iter().zip(&normal).map(|(pair, normal)| {
        let unlike = normal.as_ref().is_some_and(|(reference, engine)| colour::is_unlike(reference, engine));
        css_of(pair)
            .filter(|_| unlike)
            .map(|(reference, engine)| (rules::gather(&reference), rules::gather(&engine)))
    });
    let gathered = normalise_pairs(oracle, &gathered.collect::<Vec<_>>())?;
    Ok(pairs
        .iter()
        .zip(normal.iter().zip(&gathered))
        .map(|(pair, (normal, gathered))| judge(pair, normal.as_ref(), gathered.as_ref()))
        .collect())
}

fn css_of(pair: &Pair) -> Option<(String, String)> {
    match (&pair.reference, &pair.engine) {
        (Ok(reference), Ok(engine)) => Some((reference.clone(), engine.clone())),
        _ => None,
    }
}

fn judge(pair: &Pair, normal: Option<&(String, String)>, gathered: Option<&(String, String)>) -> Verdict {
    let (reference, engine) = match (&pair.reference, &pair.engine) {
        (Ok(reference), Ok(engine)) => (reference, engine),
        (Err(_), Err(_)) => return Verdict::Identical,
        (Ok(_), Err(error)) => return Verdict::EngineErrs(error.clone()),
        (Err(error), Ok(_)) => return Verdict::ReferenceErrs(error.clone()),
    };
    if reference == engine {
        return Verdict::Identical;
    }
    let Some((left, right)) = normal else { return Verdict::Equal };
    if left == right {
        return Verdict::Equal;
    }
    match pair.tolerance {
        Tolerance::Exact => Verdict::Differs(find_difference(left, right)),
        Tolerance::Old => judge_old((reference, engine), (left, right), gathered),
    }
}

/// The accepted differences, or the first of the others.
fn judge_old(
    (reference, engine): (&str, &str),
    (left, right): (&str, &str),
    gathered: Option<&(String, String)>,
) -> Verdict {
    if colour::is_one_step(left, right) {
        return Verdict::Accepted(vec![Accepted::ColourStep]);
    }
    let Some((left, right)) = gathered.filter(|_| place::is_only_earlier(reference, engine)) else {
        return Verdict::Differs(find_difference(left, right));
    };
    if left == right {
        Verdict::Accepted(vec![Accepted::DeclarationPlace])
    } else if colour::is_one_step(left, right) {
        Verdict::Accepted(vec![Accepted::ColourStep, Accepted::DeclarationPlace])
    } else {
        Verdict::Differs(find_difference(left, right))
    }
}

fn find_difference(reference: &str, engine: &str) -> Difference {
    let same = reference.chars().zip(engine.chars()).take_while(|(left, right)| left == right).count();
    let (left, right) = colour::find_further(reference, engine).unwrap_or((same, same));
    Difference { reference: excerpt(reference, left), engine: excerpt(engine, right) }
}

fn excerpt(css: &str, at: usize) -> String {
    css.chars().skip(at.saturating_sub(SHOWN_BEFORE)).take(SHOWN).collect()
}

/// Both sides normalised; or, where lightningcss cannot read one of them, both with white space collapsed.
fn normalise_pairs(
    oracle: &Oracle,
    pairs: &[Option<(String, String)>],
) -> Result<Vec<Option<(String, String)>>> {
    let sheets: Vec<&str> = pairs
        .iter()
        .flatten()
        .flat_map(|(reference, engine)| [without_mark(reference), without_mark(engine)])
        .collect();
    let mut normal = oracle.normalise(&sheets)?.into_iter();
    let mut normalised = Vec::with_capacity(pairs.len());
    for pair in pairs {
        normalised.push(pair.as_ref().map(|(reference, engine)| match (normal.next(), normal.next()) {
            (Some(Ok(left)), Some(Ok(right))) => (left, right),
            _ => (collapse(reference), collapse(engine)),
        }));
    }
    Ok(normalised)
}

/// How the encoding is told depends on how characters are escaped; lightningcss loses the first comment by it.
fn without_mark(css: &str) -> &str {
    let css = css.strip_prefix('\u{feff}').unwrap_or(css);
    css.strip_prefix("@charset \"UTF-8\";").unwrap_or(css)
}

/// `\\0` is the replacement character to CSS, and some compilers write that.
fn collapse(css: &str) -> String {
    let css = css.replace("\\0 ", "\u{fffd}").replace("\\0)", "\u{fffd})");
    css.split_whitespace().collect::<Vec<_>>().join(" ")
}
