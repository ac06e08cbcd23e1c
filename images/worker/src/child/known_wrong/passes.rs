//! What a text must be like to be a sign. Each is given what stands behind a name or a parenthesis, a piece or
//! a whole source; none knows more of Sass than it says.

use memchr::memmem;

use super::super::blocks::is_selector;

/// What stays as it is where a whole calculation does.
const CSS_FUNCTIONS: [&str; 7] = ["calc", "min", "max", "clamp", "var", "env", "constant"];
const SPACES: [&str; 7] = ["srgb", "display-p3", "a98-rgb", "prophoto-rgb", "rec2020", "xyz", "from"];
const NEWER_FUNCTIONS: [&str; 5] = ["oklch", "oklab", "lch", "lab", "hwb"];
const COLOR_FUNCTIONS: [&str; 7] =
    ["darken(", "lighten(", "saturate(", "desaturate(", "adjust-hue(", "mix(", "adjust("];
const NAMED_COLORS: [&str; 11] =
    ["red", "green", "blue", "white", "black", "yellow", "orange", "purple", "gray", "grey", "transparent"];

/// How much of a call is looked at; what is longer counts as a sign.
const LONGEST_CALL: usize = 2_000;
/// How much before a place is looked at, where nothing else bounds it.
const LONGEST_TAIL: usize = 1_000;
/// Calls that are compared with the whole source. More of them count as a sign.
const MOST_COMPARED: usize = 500;

/// What a text ends with.
pub(in super::super) fn tail(text: &str) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(LONGEST_TAIL))..).unwrap_or(text)
}

pub(super) fn any(_: &str) -> bool {
    true
}

// Of calls.

pub(super) fn begins_with_from(text: &str) -> bool {
    let text = text.trim_start();
    text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("from"))
}

pub(super) fn begins_with_a_space(text: &str) -> bool {
    SPACES.iter().any(|space| text.trim_start().starts_with(space))
}

/// Conditions end with a colon. So does the name of an argument, which begins otherwise.
pub(super) fn is_new_if(text: &str) -> bool {
    let first = first_argument(text);
    let mut depth = 0_u32;
    let is_colon = |byte: u8| {
        depth = nesting(depth, byte);
        depth == 0 && byte == b':'
    };
    !first.trim_start().starts_with('$') && first.bytes().any(is_colon)
}

/// Whether there is a comma before the call's end that is in no parenthesis.
pub(super) fn has_two_arguments(text: &str) -> bool {
    let first = first_argument(text);
    first.len() >= LONGEST_CALL || text.as_bytes().get(first.len()) == Some(&b',')
}

/// What stands in the call: the text before the parenthesis that ends it.
fn inside(text: &str) -> &str {
    let mut depth = 0_u32;
    let ends = |byte: u8| {
        let is_end = depth == 0 && byte == b')';
        depth = nesting(depth, byte);
        is_end
    };
    let length = text.bytes().take(LONGEST_CALL).position(ends);
    text.get(..length.unwrap_or_else(|| text.floor_char_boundary(LONGEST_CALL))).unwrap_or(text)
}

fn first_argument(text: &str) -> &str {
    let mut depth = 0_u32;
    let ends = |byte: u8| {
        depth = nesting(depth, byte);
        depth == 0 && byte == b','
    };
    let inside = inside(text);
    let length = inside.bytes().position(ends).unwrap_or(inside.len());
    inside.get(..length).unwrap_or(inside)
}

fn nesting(depth: u32, byte: u8) -> u32 {
    match byte {
        b'(' | b'[' | b'{' => depth + 1,
        b')' | b']' | b'}' => depth.saturating_sub(1),
        _ => depth,
    }
}

pub(super) fn has_slash_and_var(text: &str) -> bool {
    let inside = inside(text);
    inside.contains('/') && inside.contains("var(")
}

pub(super) fn nests_color_function(text: &str) -> bool {
    let inside = inside(text);
    COLOR_FUNCTIONS.iter().any(|function| inside.contains(function))
}

pub(super) fn ends_with_zero(text: &str) -> bool {
    let last = inside(text).rsplit(',').next().unwrap_or_default().trim();
    last.starts_with('0') && last.trim_start_matches(['0', '.']).chars().all(char::is_alphabetic)
}

pub(super) fn is_negative(text: &str) -> bool {
    text.trim_start().starts_with('-')
}

pub(super) fn computes_units(text: &str) -> bool {
    let inside = inside(text);
    inside.contains(['*', '/']) || inside.contains("div(")
}

pub(super) fn names_newer_function(text: &str) -> bool {
    let name = inside(text).trim_matches(|character: char| !character.is_alphabetic());
    NEWER_FUNCTIONS.contains(&name)
}

/// grass gives the whole of such a calculation as text: what is Sass in it is neither computed nor replaced.
pub(super) fn mixes_interpolation(text: &str) -> bool {
    let (mut depth, mut interpolations) = (0_u32, 0_u32);
    let (mut is_mixed, mut word) = (false, 0);
    for (at, byte) in text.bytes().enumerate().take(LONGEST_CALL) {
        let is_inside = interpolations > 0;
        match byte {
            b'{' => interpolations += 1,
            b'}' => interpolations = interpolations.saturating_sub(1),
            b'$' if !is_inside => is_mixed = true,
            b'(' => {
                let name = text.get(word..at).unwrap_or_default();
                let is_css =
                    name.is_empty() || CSS_FUNCTIONS.iter().any(|css| name.eq_ignore_ascii_case(css));
                is_mixed |= !is_inside && !is_css;
                depth += 1;
            }
            b')' if depth == 0 => return is_mixed && text.get(..at).is_some_and(|call| call.contains("#{")),
            b')' => depth -= 1,
            _ => {}
        }
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
            word = at + 1;
        }
    }
    true
}

/// A number with a sign behind it and an interpolation right behind that.
pub(super) fn adds_to_interpolation(text: &str) -> bool {
    inside(text).split("#{").any(|before| {
        let signed = before.strip_suffix(['+', '-']);
        let is_of_unit = |character: char| character == '%' || character.is_ascii_alphabetic();
        signed.is_some_and(|number| {
            number.trim_end_matches(is_of_unit).ends_with(|digit: char| digit.is_ascii_digit())
        })
    })
}

/// A sum of which one side is a number without a unit.
pub(super) fn adds_bare_number(text: &str) -> bool {
    let inside = inside(text);
    inside.match_indices([' ', '\n']).any(|(at, _)| {
        let (before, after) = inside.split_at(at);
        let after = after.trim_start();
        let Some(right) =
            after.strip_prefix(['+', '-']).filter(|right| right.starts_with(char::is_whitespace))
        else {
            return false;
        };
        let is_of_operand = |character: char| !character.is_whitespace() && !"()*/,".contains(character);
        let left = before.trim_end().rsplit(|character| !is_of_operand(character)).next();
        let right = right.trim_start().split(|character| !is_of_operand(character)).next();
        [left, right].iter().flatten().any(|operand| operand.parse::<f64>().is_ok())
    })
}

/// A quarter of a millimetre, or a unit in capitals.
pub(super) fn has_odd_unit(text: &str) -> bool {
    inside(text).split(|character: char| !character.is_alphanumeric() && character != '.').any(|number| {
        let unit =
            number.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.');
        let is_odd = unit == "q" || unit.contains(|letter: char| letter.is_ascii_uppercase());
        unit.len() < number.len() && is_odd
    })
}

// Of at-rules.

fn statement(text: &str) -> &str {
    text.split([';', '{', '}', '\n']).next().unwrap_or(text)
}

pub(super) fn is_custom(text: &str) -> bool {
    text.trim_start().starts_with("--")
}

pub(super) fn is_named_as_calculation(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or_default().trim();
    matches!(name, "min" | "max")
}

pub(super) fn takes_all_of_color(text: &str) -> bool {
    let statement = statement(text);
    statement.contains("sass:color") && statement.contains('*')
}

/// Whether a quoted name has a dot that begins no ending of a style sheet.
pub(super) fn names_with_dot(text: &str) -> bool {
    statement(text).split(['"', '\'']).skip(1).step_by(2).any(|url| {
        let name = url.rsplit('/').next().unwrap_or(url);
        let is_style_sheet = |(_, ending): &(&str, &str)| matches!(*ending, "scss" | "sass" | "css");
        let stem = name.rsplit_once('.').filter(is_style_sheet).map_or(name, |(stem, _)| stem);
        stem.contains('.')
    })
}

pub(super) fn hides_variable(text: &str) -> bool {
    statement(text).split_once(" hide ").is_some_and(|(_, hidden)| hidden.contains('$'))
}

/// `not` of a media type, not of a feature.
pub(super) fn negates_type(text: &str) -> bool {
    let begins_type = |negated: &str| negated.trim_start().starts_with(|first: char| first != '(');
    statement(text).split("not ").skip(1).any(begins_type)
}

pub(super) fn begins_with_parenthesis(text: &str) -> bool {
    text.trim_start().starts_with('(')
}

pub(super) fn names_layer(text: &str) -> bool {
    statement(text).contains("layer")
}

// Of pieces.

pub(super) fn is_font_face_in_rule(around: &[&str], prelude: &str) -> bool {
    prelude.starts_with("@font-face") && around.iter().any(|outer| is_selector(outer))
}

/// `@media` in another one, or in what may be one, where either negates a feature.
pub(super) fn merges_negation(around: &[&str], prelude: &str) -> bool {
    let negates =
        |query: &str| query.split("not ").skip(1).any(|negated| negated.trim_start().starts_with('('));
    let mut outer =
        around.iter().filter(|outer| ["@media", "@include", "+"].iter().any(|it| outer.starts_with(it)));
    prelude.starts_with("@media") && outer.any(|outer| negates(outer) || negates(prelude))
}

/// Two combinators with nothing between them, or one at the end.
pub(super) fn repeats_combinator(_: &[&str], prelude: &str) -> bool {
    let mut was_combinator = false;
    let is_repeated = |byte: u8| {
        let is_combinator = matches!(byte, b'>' | b'+' | b'~');
        let is_repeated = was_combinator && is_combinator;
        was_combinator = is_combinator;
        is_repeated
    };
    let mut bytes = prelude.bytes().filter(|byte| !byte.is_ascii_whitespace());
    is_selector(prelude) && (bytes.any(is_repeated) || prelude.ends_with(['>', '+', '~']))
}

pub(super) fn is_column_selector(_: &[&str], prelude: &str) -> bool {
    is_selector(prelude) && prelude.contains("||")
}

pub(super) fn is_of_selector(_: &[&str], prelude: &str) -> bool {
    prelude.split_once(":nth-").is_some_and(|(_, behind)| behind.contains(" of "))
}

pub(super) fn is_nothing(statement: &str) -> bool {
    let is_declaration = !statement.starts_with(['$', '@']);
    is_declaration && statement.split_once(':').is_some_and(|(_, value)| value.trim() == "()")
}

// Of sources.

/// Each place of a text in another one, with that text.
fn places_of<'t>(text: &'t str, sought: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    memmem::find_iter(text.as_bytes(), sought.as_bytes()).map(move |at| (at, sought))
}

/// Such as `red + "x"`, `#abc + "x"`, or `$any + ""`.
pub(super) fn adds_string_to_colour(text: &str) -> bool {
    text.match_indices('+').any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let added = after.get(1..).unwrap_or_default().trim_start();
        let left = before.trim_end();
        let word = left.rsplit(|character: char| !character.is_alphanumeric() && !"#$-_".contains(character));
        let word = word.into_iter().next().unwrap_or_default();
        let is_colour = NAMED_COLORS.contains(&word) || word.starts_with('#') && word.len() > 3;
        let is_empty = added.starts_with("\"\"") || added.starts_with("''");
        added.starts_with(['"', '\'']) && is_colour || is_empty && word.starts_with('$')
    })
}

pub(super) fn compares_with_empty_list(text: &str) -> bool {
    let is_comparison = |operator: &str| matches!(operator, "==" | "!=");
    places_of(text, "()").any(|(at, nothing)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + nothing.len()..));
        let before = before.trim_end();
        before.len().checked_sub(2).and_then(|at| before.get(at..)).is_some_and(is_comparison)
            || after.and_then(|after| after.trim_start().get(..2)).is_some_and(is_comparison)
    })
}

/// `append` or `join`, called with a map as far as the source shows.
pub(super) fn grows_map(text: &str) -> bool {
    let is_map = |value: &str| {
        let inner = value.trim_start().strip_prefix('(').map(first_argument);
        inner.is_some_and(|pair| pair.contains(':'))
    };
    let calls = || ["append(", "join("].iter().flat_map(|call| places_of(text, call));
    calls().nth(MOST_COMPARED).is_some()
        || calls().any(|(at, call)| {
            let list = text.get(at + call.len()..).map(first_argument).unwrap_or_default().trim();
            let is_given_map = |value: &str| value.trim_start().strip_prefix(':').is_some_and(is_map);
            is_map(list) || list.starts_with('$') && text.split(list).skip(1).any(is_given_map)
        })
}

pub(super) fn splats_list(text: &str) -> bool {
    places_of(text, "...").any(|(at, dots)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + dots.len()..));
        let argument =
            tail(before).rsplit(['(', ',', ')', '"', '\'', '\n']).next().unwrap_or_default().trim();
        after.is_some_and(|after| after.trim_start().starts_with(')')) && argument.contains(' ')
    })
}

pub(super) fn has_two_bare_modules(text: &str) -> bool {
    let is_bare = |used: &&str| {
        let used = statement(used);
        used.contains(" as *") && !used.contains("sass:")
    };
    text.split("@use").skip(1).filter(is_bare).count() > 1
}
