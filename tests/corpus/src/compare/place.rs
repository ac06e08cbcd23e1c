//! Whether an engine wrote declarations before the nested rules that they follow in the source.
//!
//! Sass moved such declarations up until the CSS working group decided that nesting keeps their place; the
//! reference follows that now, and an older engine does not.

use super::rules::{Declaration, flatten};

/// True where the engine has the reference's declarations, some of them earlier, and every rule that such a
/// declaration went past is one that can be nested in its own.
pub(super) fn is_only_earlier(reference: &str, engine: &str) -> bool {
    let mut waiting = flatten(reference);
    for moved in flatten(engine) {
        let is_it = |at: &Declaration| at.path == moved.path && at.property() == moved.property();
        let Some(place) = waiting.iter().position(is_it) else { return false };
        if !waiting.iter().take(place).all(|passed| may_be_nested(passed, &moved)) {
            return false;
        }
        waiting.remove(place);
    }
    waiting.is_empty()
}

/// At-rules that lose the selector around them when they are written out.
const WITHOUT_SELECTOR: [&str; 4] = ["@font-face", "@keyframes", "@-", "@page"];

/// True where the passed rule's selector holds a part of the moved declaration's own.
fn may_be_nested(passed: &Declaration, moved: &Declaration) -> bool {
    let loses_selector = |prelude: &String| WITHOUT_SELECTOR.iter().any(|name| prelude.starts_with(name));
    if passed.path.iter().any(loses_selector) {
        return passed.path != moved.path;
    }
    let selector = |declaration: &Declaration| {
        declaration.path.iter().rev().find(|prelude| !prelude.starts_with('@')).cloned().unwrap_or_default()
    };
    let (outer, inner) = (selector(moved), selector(passed));
    outer.split(',').map(str::trim).any(|part| !part.is_empty() && inner.contains(part))
        && (moved.path != passed.path || moved.property() != passed.property())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_may_go_past_rules_nested_in_their_own() {
        let reference = "a {b: c} a d {e: f} a {g: h}";
        assert!(is_only_earlier(reference, "a {b: c; g: h} a d {e: f}"));
        assert!(is_only_earlier("@media print {a {b: c}} a {d: e}", "a {d: e} @media print {a {b: c}}"));
    }

    #[test]
    fn other_orders_and_other_declarations_are_no_such_difference() {
        assert!(!is_only_earlier("a {b: c} d {e: f} a {g: h}", "a {b: c; g: h} d {e: f}"));
        assert!(!is_only_earlier("a {b: c} a d {e: f}", "a {b: c}"));
        assert!(!is_only_earlier("a {b: c}", "a {b: c} a d {e: f}"));
    }
}
