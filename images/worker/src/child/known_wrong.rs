//! What grass is known to get wrong, as data: the rule `Auto` chooses by.
//!
//! A row that grass answers with an error of its own needs no sign, yet may have one that spares a run in
//! vain. The others are those that matter: there grass gives a wrong style sheet and says nothing.

/// One thing that grass gets wrong.
pub(super) struct KnownWrong {
    pub(super) what: &'static str,
    /// Number of the issue at github.com/connorskees/grass, where there is one.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people, and for the test's messages"))]
    pub(super) upstream: Option<u32>,
    pub(super) sign: Sign,
}

/// How a source shows that it holds the thing. A sign too many costs time only.
pub(super) enum Sign {
    /// A call by one of these names, of no module, whose text behind the parenthesis passes.
    Call(&'static [&'static str], fn(&str) -> bool),
    /// A call by one of these names, of a module or of none.
    AnyCall(&'static [&'static str]),
    /// Likewise, but not in the indented syntax, of which sasso 0.21 gets more wrong than this is worth: it
    /// forgets media queries around blocks that are handed on within `@else if`.
    AnyScssCall(&'static [&'static str]),
    /// A named argument.
    Argument(&'static [&'static str]),
    /// An at-rule by one of these names whose text behind the name passes.
    AtRule(&'static [&'static str], fn(&str) -> bool),
    /// This text anywhere.
    Text(&'static str),
    /// `@extend` in one source of the closure, and a module that is a file in another one or in the same.
    ExtendBesideModules,
    /// A file for `@import` alone was read, and there are modules.
    ImportOnlyFileBesideModules,
    /// None is needed: grass reports an error.
    Error,
}

use Sign::{
    AnyCall, AnyScssCall, Argument, AtRule, Call, Error, ExtendBesideModules, ImportOnlyFileBesideModules,
    Text,
};

pub(super) static KNOWN_WRONG: [KnownWrong; 23] = [
    row("functions of sass:color for colour spaces", None, AnyCall(&["channel", "to-space", "to-gamut"])),
    row("members of sass:color that only a bare name shows", None, AtRule(&["use"], takes_all_of_color)),
    row("color.mix($method:)", Some(105), Argument(&["method"])),
    row("colour spaces of color.adjust and its kin", None, Error),
    row("lightness() of colours that are no whole percentage", None, AnyScssCall(&["lightness"])),
    row("relative colours", Some(107), Call(COLORS, begins_with_from)),
    row("colours in other spaces", None, Call(&["oklch", "oklab", "lab", "lch", "hwb"], any)),
    row("color()", None, Call(&["color"], begins_with_a_space)),
    row("round() with more than one argument", Some(106), Call(&["round"], has_two_arguments)),
    row("CSS's mathematical functions", None, Call(MATHEMATICAL, any)),
    row("Sass beside an interpolation in a calculation", None, Call(CALCULATIONS, mixes_interpolation)),
    row("words in a calculation, such as min(200px, auto)", Some(87), Error),
    row("constants and units in a calculation", None, Error),
    row("the new if()", None, Call(&["if"], is_new_if)),
    row("@extend of what is in another module", Some(104), ExtendBesideModules),
    row("meta.load-css($with:)", None, Argument(&["with"])),
    row("mixins as values", None, AnyCall(&["get-mixin", "module-mixins", "accepts-content"])),
    row("unique-id(), which gives the same twice", None, AnyCall(&["unique-id"])),
    row("@function --name, which Sass leaves to CSS", None, AtRule(&["function", "mixin"], is_custom)),
    row("comments that name a source map", None, Text("sourceMappingURL=")),
    row("a dot in an imported file's name", None, AtRule(&["use", "forward", "import"], names_with_dot)),
    row("import-only files, which are not for @use", None, ImportOnlyFileBesideModules),
    row("nested plain CSS", None, Error),
];

const fn row(what: &'static str, upstream: Option<u32>, sign: Sign) -> KnownWrong {
    KnownWrong { what, upstream, sign }
}

const COLORS: &[&str] =
    &["rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color", "color-mix"];
const MATHEMATICAL: &[&str] = &[
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "pow", "sqrt", "hypot", "log", "exp", "sign",
    "mod", "rem",
];
const CALCULATIONS: &[&str] = &["calc", "-webkit-calc", "-moz-calc", "min", "max", "clamp"];
/// What stays as it is where a whole calculation does.
const CSS_FUNCTIONS: [&str; 7] = ["calc", "min", "max", "clamp", "var", "env", "constant"];
const SPACES: [&str; 7] = ["srgb", "display-p3", "a98-rgb", "prophoto-rgb", "rec2020", "xyz", "from"];

/// How much of a call is looked at; what is longer counts as a sign.
const LONGEST_CALL: usize = 2_000;

fn any(_: &str) -> bool {
    true
}

fn begins_with_from(text: &str) -> bool {
    let text = text.trim_start();
    text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("from"))
}

fn begins_with_a_space(text: &str) -> bool {
    SPACES.iter().any(|space| text.trim_start().starts_with(space))
}

fn is_new_if(text: &str) -> bool {
    let conditions = ["sass(", "media(", "style(", "supports(", "not ", "else", "("];
    conditions.iter().any(|condition| text.trim_start().starts_with(condition))
}

fn is_custom(text: &str) -> bool {
    text.trim_start().starts_with("--")
}

fn takes_all_of_color(text: &str) -> bool {
    let statement = statement(text);
    statement.contains("sass:color") && statement.contains('*')
}

/// Whether a quoted name has a dot that begins no ending of a style sheet.
fn names_with_dot(text: &str) -> bool {
    statement(text).split(['"', '\'']).skip(1).step_by(2).any(|url| {
        let name = url.rsplit('/').next().unwrap_or(url);
        let is_style_sheet = |(_, ending): &(&str, &str)| matches!(*ending, "scss" | "sass" | "css");
        let stem = name.rsplit_once('.').filter(is_style_sheet).map_or(name, |(stem, _)| stem);
        stem.contains('.')
    })
}

fn statement(text: &str) -> &str {
    text.split([';', '{', '}', '\n']).next().unwrap_or(text)
}

/// Whether there is a comma before the call's end that is in no parenthesis.
fn has_two_arguments(text: &str) -> bool {
    let mut depth = 0_u32;
    for byte in text.bytes().take(LONGEST_CALL) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return false,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => return true,
            _ => {}
        }
    }
    true
}

/// grass gives the whole of such a calculation as text: what is Sass in it is neither computed nor replaced.
fn mixes_interpolation(text: &str) -> bool {
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
