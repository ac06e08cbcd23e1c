//! The indented syntax as sasso 0.21 can read it.
//!
//! Behind `$a: 96%` or `@if $a > 96%` it waits for the second operand of a modulo. In parentheses a percentage
//! at a line's end is what it is.

use std::borrow::Cow;

/// What ends in a Sass value, at a line's end.
const BEGINNINGS: [&str; 7] = ["$", "@if ", "@else if ", "@while ", "@return ", "@for ", "@each "];

pub(super) fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut readable = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        match percentage_at_end(line) {
            Some((before, number, behind)) => readable.extend([before, "(", number, ")", behind]),
            None => readable.push_str(line),
        }
    }
    Cow::Owned(readable)
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
    fn only_percentages_that_end_a_value_are_put_in_parentheses() {
        let text = "$l: 96%\n@if $l > 1.5% // why\r\n  @return 3%  \n.a\n  width: 96%\n  50%\n$m: $l%\n$n: 7 % 2\n$e: 1%";
        let expected = "$l: (96%)\n@if $l > (1.5%) // why\r\n  @return (3%)  \n.a\n  width: 96%\n  50%\n$m: $l%\n$n: 7 % 2\n$e: (1%)";
        assert_eq!(readable(text), expected);
        assert!(matches!(readable("$a: 1px\n"), Cow::Borrowed(_)));
    }
}
