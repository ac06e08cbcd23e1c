//! Sass as nested blocks and statements, as far as telling them apart needs no Sass. Reports no errors: what it
//! cannot make out it reads somehow.

/// What a block holds, or begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// What stands before a block: a selector, or an at-rule.
    Block(&'t str),
    /// A declaration, or an at-rule without a block.
    Statement(&'t str),
}

/// How a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    WithinComment,
}

/// Is told of each piece, with what stands before the blocks around it, outermost first.
pub(super) type Visit<'v, 't> = &'v mut dyn FnMut(&[&'t str], Piece<'t>);

/// Whether it stands before a style rule; else it stands before an at-rule, a map or nested properties.
pub(super) fn is_selector(prelude: &str) -> bool {
    let is_short_include =
        prelude.strip_prefix('+').is_some_and(|name| name.starts_with(char::is_alphabetic));
    !prelude.is_empty()
        && !prelude.starts_with(['@', '=', '$'])
        && !prelude.ends_with(':')
        && !is_short_include
}

/// Blocks in braces, statements before semicolons.
pub(super) fn walk_scss<'t>(text: &'t str, visit: Visit<'_, 't>) -> End {
    let mut stack: Vec<&'t str> = Vec::new();
    let (mut start, mut at, mut parentheses) = (0, 0, 0_u32);
    while let Some((byte, rest)) = next_that_counts(text, &mut at) {
        let piece = text.get(start..at).unwrap_or_default().trim();
        if let Some(length) = comment_length(rest, parentheses) {
            at += length;
            start = if piece.is_empty() { at } else { start };
            continue;
        }
        if let Some(length) = opaque_length(rest) {
            at += length;
            continue;
        }
        at += 1;
        match byte {
            b'(' => parentheses += 1,
            b')' => parentheses = parentheses.saturating_sub(1),
            b'{' => {
                visit(&stack, Piece::Block(piece));
                stack.push(piece);
                (start, parentheses) = (at, 0);
            }
            b'}' => {
                visit_statement(&stack, piece, visit);
                stack.pop();
                (start, parentheses) = (at, 0);
            }
            b';' if parentheses == 0 => {
                visit_statement(&stack, piece, visit);
                start = at;
            }
            _ => {}
        }
    }
    if at > text.len() {
        return End::WithinComment;
    }
    visit_statement(&stack, text.get(start..).unwrap_or_default().trim(), visit);
    End::Whole
}

fn visit_statement<'t>(stack: &[&'t str], piece: &'t str, visit: Visit<'_, 't>) {
    if !piece.is_empty() {
        visit(stack, Piece::Statement(piece));
    }
}

/// Moves to the next byte that may end something or begin what is not looked into.
fn next_that_counts<'t>(text: &'t str, at: &mut usize) -> Option<(u8, &'t str)> {
    let rest = text.as_bytes().get(*at..)?;
    let counts =
        |byte: &u8| matches!(byte, b'"' | b'\'' | b'/' | b'#' | b'\\' | b'{' | b'}' | b';' | b'(' | b')');
    let Some(length) = rest.iter().position(counts) else {
        *at = text.len();
        return None;
    };
    *at += length;
    Some((*rest.get(length)?, text.get(*at..)?))
}

/// One that does not end is longer than the text. Two slashes in parentheses are of a URL.
fn comment_length(rest: &str, parentheses: u32) -> Option<usize> {
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len() + 1, |end| end + 2));
    }
    (rest.starts_with("//") && parentheses == 0).then(|| rest.find('\n').unwrap_or(rest.len()))
}

/// Strings, interpolations and escapes.
fn opaque_length(rest: &str) -> Option<usize> {
    let length = match rest.as_bytes() {
        [quote @ (b'"' | b'\''), inside @ ..] => {
            let mut escaped = false;
            let ends = |byte: &u8| {
                let is_end = !escaped && (byte == quote || *byte == b'\n');
                escaped = !escaped && *byte == b'\\';
                is_end
            };
            inside.iter().position(ends).map_or(rest.len(), |end| end + 2)
        }
        [b'#', b'{', ..] => {
            let mut depth = 0_u32;
            let ends = |byte: u8| {
                depth = match byte {
                    b'{' => depth + 1,
                    b'}' => depth.saturating_sub(1),
                    _ => depth,
                };
                byte == b'}' && depth == 0
            };
            rest.bytes().position(ends).map_or(rest.len(), |end| end + 1)
        }
        [b'\\', ..] => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
        _ => return None,
    };
    Some(length.min(rest.len()))
}

/// Blocks by how far lines are indented.
pub(super) fn walk_indented<'t>(text: &'t str, visit: Visit<'_, 't>) {
    let mut stack: Vec<(usize, &'t str)> = Vec::new();
    let mut lines = lines_of(text).into_iter().peekable();
    while let Some((indentation, line)) = lines.next() {
        while stack.pop_if(|(outer, _)| *outer >= indentation).is_some() {}
        let around: Vec<&str> = stack.iter().map(|(_, prelude)| *prelude).collect();
        if lines.peek().is_some_and(|(next, _)| *next > indentation) {
            visit(&around, Piece::Block(line));
            stack.push((indentation, line));
        } else {
            visit(&around, Piece::Statement(line));
        }
    }
}

/// How far each line is indented, and what it says; comments and empty ones aside. One that ends with a comma
/// goes on.
fn lines_of(text: &str) -> Vec<(usize, &str)> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    let mut begun = None;
    for line in text.split_inclusive('\n') {
        let start_of_line = at;
        at += line.len();
        let said = line.trim();
        if said.is_empty() || said.starts_with("//") || said.starts_with("/*") {
            continue;
        }
        let start = *begun.get_or_insert(start_of_line);
        if !said.ends_with(',') {
            let whole = text.get(start..at).unwrap_or_default();
            lines.push((whole.len() - whole.trim_start().len(), whole.trim()));
            begun = None;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stack: &[&str], piece: Piece<'_>) -> String {
        match piece {
            Piece::Block(prelude) => format!("{} {{ {prelude} {{", stack.join(" / ")),
            Piece::Statement(text) => format!("{} {{ {text};", stack.join(" / ")),
        }
    }

    fn scss(text: &str) -> (Vec<String>, End) {
        let mut pieces = Vec::new();
        let end = walk_scss(text, &mut |stack, piece| pieces.push(shown(stack, piece)));
        (pieces, end)
    }

    #[test]
    fn braces_and_semicolons_make_blocks_and_statements() {
        let text =
            "/* ; */ $a: \"};\"; // }\n.b#{$c}, d { e: url(//f;g); @media (h: 1) { i: j } \n k: l\\; }\nm: n";
        let expected = [
            " { $a: \"};\";",
            " { .b#{$c}, d {",
            ".b#{$c}, d { e: url(//f;g);",
            ".b#{$c}, d { @media (h: 1) {",
            ".b#{$c}, d / @media (h: 1) { i: j;",
            ".b#{$c}, d { k: l\\;;",
            " { m: n;",
        ];
        assert_eq!(scss(text), (expected.map(str::to_owned).to_vec(), End::Whole));
    }

    #[test]
    fn selectors_are_told_from_other_preludes() {
        assert!([".a", "+ b", "> c:hover", "%d", "&-e", "#{$f}"].into_iter().all(is_selector));
        assert!(!["", "@media x", "=mixin", "+mixin", "$map:", "font:"].into_iter().any(is_selector));
    }

    #[test]
    fn what_does_not_end_is_read_to_the_end() {
        assert_eq!(scss("a { b: c } /* d").1, End::WithinComment);
        for text in ["\"a", "#{a", "a { \\", "}}; a", "((; a {", "/", "'ü\\"] {
            assert_eq!(scss(text).1, End::Whole, "{text}");
        }
    }

    #[test]
    fn indentation_makes_blocks() {
        let mut pieces = Vec::new();
        let text = "$a: 1\n\n.b,\n.c\n  // d\n  e: f\n  &:g\n    h: i\nj\n  k: l";
        walk_indented(text, &mut |stack, piece| pieces.push(shown(stack, piece)));
        let expected = [
            " { $a: 1;",
            " { .b,\n.c {",
            ".b,\n.c { e: f;",
            ".b,\n.c { &:g {",
            ".b,\n.c / &:g { h: i;",
            " { j {",
            "j { k: l;",
        ];
        assert_eq!(pieces, expected);
    }
}
