//! What grass 0.13.4 gets wrong. Numbers are those of github.com/connorskees/grass.
//!
//! `@extend` is wrong in many ways, and worse, by chance: of two rules with one selector grass forgets to extend
//! one where its address in memory happens to hash alike, so the same sources make now this and now that.

use super::{
    KnownWrong,
    Sign::{
        AmbiguousImport, AnyCall, Argument, AtRule, Block, BothCalls, Call, CallInString,
        DeclarationBehindAtRoot, Error, ImportOnlyFileBesideModules, RepeatedImportBesideModules, Source,
        Statement,
    },
    passes::{
        adds_bare_number, adds_string_to_colour, adds_to_interpolation, any, begins_with_a_space,
        begins_with_from, begins_with_parenthesis, compares_with_empty_list, computes_units, ends_with_zero,
        grows_map, has_odd_unit, has_slash_and_var, has_two_arguments, has_two_bare_modules, hides_variable,
        is_custom, is_font_face_in_rule, is_named_as_calculation, is_negative, is_new_if, is_nothing,
        mixes_interpolation, names_newer_function, names_with_dot, negates_type, nests_color_function,
        repeats_combinator, splats_list, takes_all_of_color,
    },
    row,
};

pub(in super::super) static WRONG_IN_GRASS: [KnownWrong; 50] = [
    row(
        "functions of sass:color for colour spaces",
        None,
        AnyCall(&["channel", "to-space", "to-gamut"], any),
    ),
    row("members of sass:color that only a bare name shows", None, AtRule(&["use"], takes_all_of_color)),
    row("color.mix($method:)", Some(105), Argument(&["method"])),
    row("colour spaces of color.adjust and its kin", None, Error),
    row("lightness() of colours that are no whole percentage", None, AnyCall(&["lightness"], any)),
    row("hue and saturation of mixed colours", None, BothCalls(OF_HSL, &["mix"])),
    row("hue and saturation of computed colours", None, AnyCall(NESTING, nests_color_function)),
    row("computed colours in strings", None, CallInString(COMPUTED)),
    row("strings added to colours", None, Source(adds_string_to_colour)),
    row("variables beside a slash among channels", None, Call(COLORS, has_slash_and_var)),
    row("relative colours", Some(107), Call(COLORS, begins_with_from)),
    row("colours in other spaces", None, Call(&["oklch", "oklab", "lab", "lch", "hwb"], any)),
    row("color()", None, Call(&["color"], begins_with_a_space)),
    row("round() with more than one argument", Some(106), Call(&["round"], has_two_arguments)),
    row("CSS's mathematical functions", None, Call(MATHEMATICAL, any)),
    row("functions called as calculations are", None, AtRule(&["function"], is_named_as_calculation)),
    row("Sass beside an interpolation in a calculation", None, Call(CALCULATIONS, mixes_interpolation)),
    row("signs at an interpolation in a calculation", None, Call(CALCULATIONS, adds_to_interpolation)),
    row("bare numbers added in a calculation", None, Call(CALCULATIONS, adds_bare_number)),
    row("units that calculations do not convert", None, Call(CALCULATIONS, has_odd_unit)),
    row("words in a calculation, such as min(200px, auto)", Some(87), Error),
    row("constants and units in a calculation", None, Error),
    row("numbers without an end", None, AnyCall(&["div", "log"], ends_with_zero)),
    row("roots of negative numbers", None, AnyCall(&["sqrt"], is_negative)),
    row("inspect() of products of units", None, AnyCall(&["inspect"], computes_units)),
    row("the new if()", None, Call(&["if"], is_new_if)),
    row("maps that grow as lists", None, Source(grows_map)),
    row("maps that are empty lists", None, Source(compares_with_empty_list)),
    row("arguments from a list with spaces", None, Source(splats_list)),
    row("string.split()", None, AnyCall(&["split"], any)),
    row("function-exists() of newer functions", None, AnyCall(&["function-exists"], names_newer_function)),
    row("@extend", Some(104), AtRule(&["extend"], any)),
    row("meta.load-css()", None, AnyCall(&["load-css"], any)),
    row("mixins as values", None, AnyCall(&["get-mixin", "module-mixins", "accepts-content"], any)),
    row("unique-id(), which gives the same twice", None, AnyCall(&["unique-id"], any)),
    row("@function --name, which Sass leaves to CSS", None, AtRule(&["function", "mixin"], is_custom)),
    row("@at-root that says what it leaves", None, AtRule(&["at-root"], begins_with_parenthesis)),
    row("declarations behind @at-root", None, DeclarationBehindAtRoot),
    row("@font-face in a rule", None, Block(is_font_face_in_rule)),
    row("negated media types", None, AtRule(&["media"], negates_type)),
    row("combinators that nothing is between", None, Block(repeats_combinator)),
    row("nothing as a value", None, Statement(is_nothing)),
    row("a dot in an imported file's name", None, AtRule(&["use", "forward", "import"], names_with_dot)),
    row("import-only files, which are not for @use", None, ImportOnlyFileBesideModules),
    row("modules of what is imported twice", None, RepeatedImportBesideModules),
    row("imports that may mean two files", None, AmbiguousImport),
    row("hidden variables", None, AtRule(&["forward"], hides_variable)),
    row("one name from two modules", None, Source(has_two_bare_modules)),
    row("nested plain CSS", None, Error),
    row("colour channels that are missing", None, Error),
];

const COLORS: &[&str] =
    &["rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color", "color-mix"];
/// Functions that go by way of hue, saturation and lightness.
const OF_HSL: &[&str] = &[
    "darken",
    "lighten",
    "saturate",
    "desaturate",
    "adjust-hue",
    "adjust-color",
    "scale-color",
    "change-color",
    "complement",
    ".adjust",
    ".scale",
    ".change",
];
const NESTING: &[&str] = &["darken", "lighten", "saturate", "desaturate", "adjust-hue"];
/// Functions whose colours are no whole 8-bit channels.
const COMPUTED: &[&str] =
    &["darken", "lighten", "saturate", "desaturate", "adjust-hue", "mix", "hsl", "hsla"];
const MATHEMATICAL: &[&str] = &[
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "pow", "sqrt", "hypot", "log", "exp", "sign",
    "mod", "rem",
];
const CALCULATIONS: &[&str] = &["calc", "-webkit-calc", "-moz-calc", "min", "max", "clamp"];
