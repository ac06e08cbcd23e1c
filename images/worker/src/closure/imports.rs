//! What a source loads, by a quick look at its text: the strings behind `@use`, `@forward`, `@import` and
//! `load-css(`.
//!
//! A look, not a parser. What it misses the compiler asks for, and what it takes for an import and is none costs
//! a request. It passes over line comments, and not over blocks of comment. Its time grows with the text alone,
//! whatever stands in it.

use memchr::{memchr3_iter, memmem};

use super::MAX_PATH_BYTES;
use crate::resolve::{By, has_ending};

/// A load as it stands in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load<'t> {
    pub(crate) url: &'t str,
    pub(crate) by: By,
}

const LOAD_CSS: &str = "load-css(";

/// The loads in a source, some more than `most` where there are so many; of modules of Sass's own, of URLs and of
/// plain CSS imports none.
pub(super) fn find_loads(text: &str, most: usize) -> Vec<Load<'_>> {
    let mut loads = Vec::new();
    let bytes = text.as_bytes();
    let mut is_comment = false;
    for at in memchr3_iter(b'@', b'/', b'\n', bytes) {
        if loads.len() > most {
            return loads;
        }
        let behind = text.get(at + 1..).unwrap_or_default();
        match bytes.get(at) {
            Some(b'\n') => is_comment = false,
            // Not the one of `http://`.
            Some(b'/') => {
                let is_of_url = text.get(..at).is_some_and(|before| before.ends_with(':'));
                is_comment |= behind.starts_with('/') && !is_of_url;
            }
            Some(_) if is_comment => {}
            Some(_) | None => add_rule(&mut loads, behind),
        }
    }
    for at in memmem::find_iter(text.as_bytes(), LOAD_CSS) {
        let arguments = text.get(at + LOAD_CSS.len()..).unwrap_or_default().trim_start();
        let named = arguments.strip_prefix("$url").map(str::trim_start);
        let value = named.and_then(|rest| rest.strip_prefix(':')).unwrap_or(arguments);
        add(&mut loads, quoted(value.trim_start()), By::Module);
    }
    loads
}

/// The loads of one at-rule, given what stands behind its `@`.
pub(crate) fn loads_of(rule: &str) -> Vec<Load<'_>> {
    let mut loads = Vec::new();
    add_rule(&mut loads, rule);
    loads
}

fn add_rule<'t>(loads: &mut Vec<Load<'t>>, rule: &'t str) {
    match split_name(rule) {
        ("use" | "forward", rest) => add(loads, quoted(rest.trim_start()), By::Module),
        ("import", rest) => add_imports(loads, rest),
        _ => {}
    }
}

/// `"a", "b"`; in the indented syntax also without quotes.
fn add_imports<'t>(loads: &mut Vec<Load<'t>>, mut rest: &'t str) {
    loop {
        rest = rest.trim_start();
        let Some((url, behind)) = quoted(rest).or_else(|| bare(rest)) else { return };
        let behind = behind.trim_start_matches([' ', '\t']);
        match behind.as_bytes().first() {
            Some(b',') => {
                add(loads, Some((url, behind)), By::Import);
                rest = behind.get(1..).unwrap_or_default();
            }
            Some(b';' | b'}' | b'\n' | b'\r' | b'/') | None => {
                return add(loads, Some((url, behind)), By::Import);
            }
            // A media query: plain CSS.
            Some(_) => return,
        }
    }
}

fn add<'t>(loads: &mut Vec<Load<'t>>, found: Option<(&'t str, &'t str)>, by: By) {
    let Some((url, _)) = found else { return };
    let is_css = by == By::Import && has_ending(url, "css");
    // A scheme, Sass's own modules included, another host, or something that is computed.
    if !url.is_empty() && !is_css && !url.contains([':', '\\', '#']) && !url.starts_with("//") {
        loads.push(Load { url, by });
    }
}

/// The string that the text begins with, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.bytes().next().filter(|first| matches!(first, b'"' | b'\''))?;
    let string = text.get(1..)?;
    let end = find(string, |byte| byte == quote || byte == b'\n').filter(|end| *end < string.len())?;
    let (url, behind) = string.split_at(end);
    Some((url, behind.strip_prefix(char::from(quote))?))
}

/// A word without quotes. `url(…)` is none.
fn bare(text: &str) -> Option<(&str, &str)> {
    let is_end = |byte| matches!(byte, b',' | b';' | b'\n' | b'\r' | b' ' | b'(' | b'"' | b'\'' | b'@');
    let (word, behind) = text.split_at(find(text, is_end)?);
    (!word.is_empty() && !behind.starts_with('(')).then_some((word, behind))
}

/// Where the first such byte is, or the end of the text; `None` beyond what a path may have.
fn find(text: &str, is_end: impl Fn(u8) -> bool) -> Option<usize> {
    let found = text.bytes().take(MAX_PATH_BYTES).position(is_end);
    found.or((text.len() <= MAX_PATH_BYTES).then_some(text.len()))
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(text: &str) -> Vec<(&str, By)> {
        find_loads(text, 100).into_iter().map(|Load { url, by }| (url, by)).collect()
    }

    #[test]
    fn every_form_is_seen() {
        use By::{Import, Module};
        for (text, expected) in [
            ("@use 'a'; @use \"b/c\" as *;", vec![("a", Module), ("b/c", Module)]),
            ("@forward 'a' hide $b;\n@use\n'c' with ($d: 1);", vec![("a", Module), ("c", Module)]),
            ("@import 'a', \"b\" ,\n'c';", vec![("a", Import), ("b", Import), ("c", Import)]),
            ("@import a, b/c\n@import d", vec![("a", Import), ("b/c", Import), ("d", Import)]),
            (".a{@import 'b'}", vec![("b", Import)]),
            ("@import 'a' // the base\n", vec![("a", Import)]),
            (".a{@include meta.load-css('b')}", vec![("b", Module)]),
            (".a{@include load-css( $url : \"b\", $with: (c: 1))}", vec![("b", Module)]),
            ("a { b: url(http://c.example/d) } @import 'e'", vec![("e", Import)]),
            ("@use 'a.css';", vec![("a.css", Module)]),
        ] {
            assert_eq!(loads(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_file_of_the_site_is_passed_over() {
        for text in [
            "@use 'sass:math'; @use 'pkg:a';",
            "// @import 'a';\n  // @use 'b';\na { b: c } // @use 'd';",
            "@import url(a.css); @import 'a.css', 'b.css'; @import 'https://a.example/b', '//a.example/b';",
            "@import 'a' screen; @import \"a\" supports(display: grid);",
            "@imports 'a'; @user 'b'; @import #{$a}; @use",
            "@import 'never closed",
            "@use 'a\nb';",
            "",
        ] {
            assert_eq!(loads(text), [], "{text}");
        }
    }
}
