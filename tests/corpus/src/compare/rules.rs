//! A style sheet as a flat list of declarations, each with the rules around it. Reads what compilers write; it
//! checks nothing, and drops comments.

use std::collections::BTreeMap;

/// A declaration, or an at-rule that ends with a semicolon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    /// The at-rules and selectors around it, outermost first.
    pub(super) path: Vec<String>,
    pub(super) text: String,
}

impl Declaration {
    /// What stands before the colon.
    pub(super) fn property(&self) -> &str {
        self.text.split(':').next().unwrap_or_default().trim()
    }
}

/// The declarations in the order of the text. An empty rule leaves none.
pub(super) fn flatten(css: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut rest = css.strip_prefix('\u{feff}').unwrap_or(css);
    while let Some(character) = rest.chars().next() {
        let length = piece_length(rest);
        let (piece, after) = rest.split_at(length);
        rest = after;
        match character {
            '/' if piece.starts_with("/*") => {}
            '{' => path.push(take(&mut text)),
            '}' | ';' => {
                let done = take(&mut text);
                if !done.is_empty() {
                    found.push(Declaration { path: path.clone(), text: done });
                }
                if character == '}' {
                    path.pop();
                }
            }
            _ => text.push_str(piece),
        }
    }
    found
}

/// The same declarations, those of one path together, in the order of the paths' texts.
pub(super) fn gather(css: &str) -> String {
    let mut groups: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for Declaration { path, text } in flatten(css) {
        groups.entry(path).or_default().push(text);
    }
    let mut gathered = String::new();
    for (path, texts) in groups {
        for prelude in &path {
            gathered.push_str(prelude);
            gathered.push('{');
        }
        for text in texts {
            gathered.push_str(&text);
            gathered.push(';');
        }
        gathered.push_str(&"}".repeat(path.len()));
        gathered.push('\n');
    }
    gathered
}

fn take(text: &mut String) -> String {
    std::mem::take(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes up to where the next character may mean something: a comment, string or parenthesis is one piece.
fn piece_length(rest: &str) -> usize {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    if let Some(comment) = rest.strip_prefix("/*") {
        return comment.find("*/").map_or(rest.len(), |end| end + 4);
    }
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => string_length(rest, quote),
        Some('\\') => first + rest.chars().nth(1).map_or(0, char::len_utf8),
        Some('(') => {
            let mut length = first;
            while let Some(inner) = rest.get(length..).filter(|inner| !inner.is_empty()) {
                length += piece_length(inner);
                if inner.starts_with(')') {
                    break;
                }
            }
            length
        }
        _ => first,
    }
}

fn string_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if character == quote && !escaped {
            return at + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_know_the_rules_around_them() {
        let found =
            flatten("/* {x} */ @media  print { a:is(b;c) { d: \"}\" ; e: url(;{) } } f{} @import \"g\";");
        let declaration = |path: &[&str], text: &str| Declaration {
            path: path.iter().copied().map(str::to_owned).collect(),
            text: text.into(),
        };
        assert_eq!(
            found,
            [
                declaration(&["@media print", "a:is(b;c)"], "d: \"}\""),
                declaration(&["@media print", "a:is(b;c)"], "e: url(;{)"),
                declaration(&[], "@import \"g\""),
            ]
        );
    }

    #[test]
    fn gathering_puts_the_parts_of_a_rule_together() {
        assert_eq!(gather("a{b:c} a d{e:f} a{g:h}"), "a{b:c;g:h;}\na d{e:f;}\n");
    }
}
