//! Sass spelled otherwise, so that sasso 0.21 makes of it what it means.

use std::borrow::Cow;

/// The text in spellings that sasso gets right.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    let mut edits = Vec::new();
    for rewrite in [tell_negations_apart, give_lists_as_text, quote_lone_percents, keep_sums_of_percents] {
        rewrite(text, &mut edits);
    }
    apply(text, edits)
}

/// What sasso says of an import of a URL that is spelled as one is that is being loaded, of whatever folder.
pub(super) const FALSE_LOOP: &str = "This file is already being loaded.";

/// The text with its imports spelled as those of no other folder, of which each has a number.
pub(super) fn tell_imports_apart(text: &str, folder: usize) -> Cow<'_, str> {
    let mut edits = Vec::new();
    for (at, name) in text.match_indices("@import ").filter(|_| folder > 0) {
        let statement = text.get(at + name.len()..).unwrap_or_default();
        let statement = statement.split([';', '}']).next().unwrap_or_default();
        let quotes = statement.match_indices(['"', '\'']).step_by(2);
        for url in quotes.map(|(quote, _)| quote + 1) {
            let is_sass = !["http:", "https:", "/"].iter().any(|beginning| {
                statement.get(url..).is_some_and(|statement| statement.starts_with(beginning))
            });
            if is_sass {
                edits.push(Edit { at: at + name.len() + url, length: 0, text: "./".repeat(folder) });
            }
        }
    }
    apply(text, edits)
}

pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> Cow<'_, str> {
    if edits.is_empty() {
        return Cow::Borrowed(text);
    }
    edits.sort_by_key(|edit| edit.at);
    let mut spelled = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for Edit { at, length, text: new } in edits {
        // Of two edits of one place the first is made.
        if let Some(kept) = text.get(done..at) {
            spelled.extend([kept, &new]);
            done = at + length;
        }
    }
    spelled.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(spelled)
}

pub(super) struct Edit {
    pub(super) at: usize,
    pub(super) length: usize,
    pub(super) text: String,
}

/// `:not` as CSS also lets it be spelled.
const NEGATIONS: [&str; 5] = ["nOt", "noT", "nOT", "NoT", "NOt"];

/// Of `:not(.a):not(.b)` sasso drops the second one where `@extend` makes the first one the same, and the
/// selector loses weight. It does not see those as the same that are spelled otherwise.
fn tell_negations_apart(text: &str, edits: &mut Vec<Edit>) {
    const NEXT: &str = "):not(";
    for ((at, _), spelling) in text.match_indices(NEXT).zip(NEGATIONS.iter().cycle()) {
        edits.push(Edit { at: at + 2, length: 3, text: (*spelling).to_owned() });
    }
}

/// The style sheet with its negations as they are usually spelled.
pub(super) fn restore(css: String) -> String {
    NEGATIONS.iter().fold(css, |css, spelling| {
        let spelled = format!(":{spelling}(");
        if css.contains(&spelled) { css.replace(&spelled, ":not(") } else { css }
    })
}

/// `rgba($list, var(--x))` is `rgba(1, 2, 3, var(--x))` to Sass, and an error to sasso.
fn give_lists_as_text(text: &str, edits: &mut Vec<Edit>) {
    for (at, call) in ["rgb(", "rgba(", "hsl(", "hsla("].iter().flat_map(|call| text.match_indices(call)) {
        let is_whole_name = !text.get(..at).unwrap_or_default().ends_with(is_of_call);
        let at = at + call.len();
        let arguments = text.get(at..).unwrap_or_default();
        let Some((channels, alpha)) = split_argument(arguments).filter(|_| is_whole_name) else { continue };
        let is_computed = channels.contains('$') && !channels.contains("#{") && !channels.contains("var(");
        if is_computed && alpha.trim_start().starts_with("var(") {
            let given = format!("if(type-of({channels}) == list, #{{{channels}}}, {channels})");
            edits.push(Edit { at, length: channels.len(), text: given });
        }
    }
}

/// The first argument, where it ends at a comma, and what is behind that.
fn split_argument(arguments: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    for (at, character) in arguments.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => return Some((arguments.get(..at)?, arguments.get(at + 1..)?)),
            ')' | ']' | '}' | ';' => return None,
            _ => {}
        }
    }
    None
}

/// A percent sign behind a word is a word of its own where the value ends; sasso ends the declaration before it.
fn quote_lone_percents(text: &str, edits: &mut Vec<Edit>) {
    for (at, _) in text.match_indices('%') {
        let (before, behind) = text.split_at(at);
        let ends = behind.get(1..).is_some_and(|behind| behind.trim_start().starts_with([';', '}']));
        if ends
            && before.ends_with(|character: char| character.is_ascii_alphabetic())
            && is_code(before.rsplit('\n').next().unwrap_or_default())
        {
            edits.push(Edit { at, length: 1, text: " unquote(\"%\")".to_owned() });
        }
    }
}

/// Whether a line that begins like this goes on outside of comments and strings.
fn is_code(line: &str) -> bool {
    let is_comment = line.contains("//") || line.contains("/*") || line.trim_start().starts_with('*');
    !is_comment && ['"', '\''].iter().all(|quote| line.matches(*quote).count() % 2 == 0)
}

/// `abs(10% - 20px)` is the browser's to compute, and an error to sasso.
fn keep_sums_of_percents(text: &str, edits: &mut Vec<Edit>) {
    for (at, call) in text.match_indices("abs(") {
        let (before, behind) = text.split_at(at);
        let Some(end) = behind.find(')') else { return };
        let sum = behind.get(call.len()..end).unwrap_or_default();
        let is_literal =
            sum.chars().all(|character| character.is_alphanumeric() || "%.+- ".contains(character));
        let has_both = sum.contains('%') && sum.contains(|character: char| character.is_ascii_alphabetic());
        if is_literal && has_both && !before.ends_with(is_of_call) {
            edits.push(Edit { at, length: end + 1, text: format!("#{{\"abs({sum})\"}}") });
        }
    }
}

/// Whether it may stand before a function's name, and make it another one.
fn is_of_call(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sasso_gets_wrong_is_spelled_otherwise() {
        for (text, expected) in [
            ("a:not(.b):not(.c):not(.d) {}", "a:not(.b):nOt(.c):noT(.d) {}"),
            (
                "b: rgba(d($c, 1), var(--x))",
                "b: rgba(if(type-of(d($c, 1)) == list, #{d($c, 1)}, d($c, 1)), var(--x))",
            ),
            ("a { b: x%; c: y% }", "a { b: x unquote(\"%\"); c: y unquote(\"%\") }"),
            ("b: abs(10% - 20px);", "b: #{\"abs(10% - 20px)\"};"),
        ] {
            assert_eq!(readable(text), expected);
        }
        for text in [
            ":not(.a) :not(.b)",
            "rgba($c, .5) rgb($c) rgba(var(--c), var(--x)) to-rgb($c, var(--x)) lib.rgba($c, var(--x))",
            "rgba(red, var(--x))",
            "a { b: 5%; c: #{d}%; e: 'f%;' } .e%f {} // x%;",
            "abs(10%) abs($a - 20%) abs(1px - 2px) my-abs(10% - 20px) math.abs(1% - 2px)",
        ] {
            assert!(matches!(readable(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn imports_of_two_folders_are_spelled_apart() {
        let text = "@import 'a', \"b/c\"; d { @import '/e' } @import 'https://f';";
        let expected = "@import '././a', \"././b/c\"; d { @import '/e' } @import 'https://f';";
        assert_eq!(tell_imports_apart(text, 2), expected);
        assert!(matches!(tell_imports_apart(text, 0), Cow::Borrowed(_)));
    }

    #[test]
    fn negations_come_back_as_they_were() {
        let text = "a:not(.b):not(.c):not(.d):not(.e):not(.f):not(.g):not(.h) {}";
        assert_eq!(restore(readable(text).into_owned()), text);
    }
}
