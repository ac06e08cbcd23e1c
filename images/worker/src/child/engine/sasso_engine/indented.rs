//! The indented syntax as sasso 0.21 can read it.
//!
//! Behind `$a: 96%` it waits for the second operand of a modulo, and behind `@if $a` it takes a line such as
//! `+b` for the second summand. In parentheses both are what they are.

use std::borrow::Cow;

/// What ends in a Sass value, at a line's end.
const BEGINNINGS: [&str; 4] = ["$", "@return ", "@for ", "@each "];
/// What is a condition from there to the line's end.
const CONDITIONS: [&str; 3] = ["@if ", "@else if ", "@while "];

pub(super) fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '@']) {
        return Cow::Borrowed(text);
    }
    let mut readable = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        match condition(line).or_else(|| percentage_at_end(line)) {
            Some((before, value, behind)) => readable.extend([before, "(", value, ")", behind]),
            None => readable.push_str(line),
        }
    }
    Cow::Owned(readable)
}

/// The line up to its condition, that, and the rest: white space, or a comment.
fn condition(line: &str) -> Option<(&str, &str, &str)> {
    let begins = line.trim_start();
    let beginning = CONDITIONS.iter().find(|beginning| begins.starts_with(**beginning))?;
    let start = line.len() - begins.len() + beginning.len();
    let code = line.split_once(" //").map_or(line, |(code, _)| code).trim_end();
    let condition = code.get(start..).filter(|condition| !condition.is_empty())?;
    // One that goes on in the next line is left alone.
    let count = |signs: [char; 2]| condition.matches(signs).count();
    let is_whole = count(['(', '[']) == count([')', ']']) && !condition.ends_with(',');
    is_whole.then_some((line.get(..start)?, condition, line.get(code.len()..)?))
}

/// The line up to the percentage at its end, the percentage, and the rest: white space, or a comment.
fn percentage_at_end(line: &str) -> Option<(&str, &str, &str)> {
    let begins = line.trim_start();
    if !BEGINNINGS.iter().any(|beginning| begins.starts_with(beginning)) {
        return None;
    }
    let code = line.split_once(" //").map_or(line, |(code, _)| code).trim_end();
    let digits = code.strip_suffix('%')?;
    let number = digits.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (before, _) = code.split_at_checked(number.len())?;
    let percentage = code.get(number.len()..).filter(|percentage| percentage.len() > 1)?;
    Some((before, percentage, line.get(code.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_percentages_that_end_a_value_are_put_in_parentheses() {
        let text = "$l: 96%\n@if $l > 1.5% // why\r\n  @return 3%  \n.a\n  width: 96%\n  50%\n$m: $l%\n$n: 7 % 2\n$e: 1%";
        let expected = "$l: (96%)\n@if ($l > 1.5%) // why\r\n  @return (3%)  \n.a\n  width: 96%\n  50%\n$m: $l%\n$n: 7 % 2\n$e: (1%)";
        assert_eq!(readable(text), expected);
        let text = "  @else if not $a\n    +b\n@if f($a,\n  $b)\n@else\n  c: d";
        let expected = "  @else if (not $a)\n    +b\n@if f($a,\n  $b)\n@else\n  c: d";
        assert_eq!(readable(text), expected);
        assert!(matches!(readable("$a: 1px\n"), Cow::Borrowed(_)));
    }
}
