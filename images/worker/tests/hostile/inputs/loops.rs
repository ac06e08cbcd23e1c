//! What never ends, or after years.

use super::Input;

const LOOPS: [(&str, &str); 30] = [
    ("empty while", "@while true {}"),
    ("while that makes rules", "@while true { a { b: c } }"),
    ("while that makes comments", "@while true { /* a */ }"),
    ("while that counts", "$i: 0; @while true { $i: $i + 1; }"),
    ("while in a function", "@function f() { @while true {} @return 1; } a { b: f(); }"),
    ("while that makes variables", "@while true { $a: 1 !global; }"),
    ("while that grows a string", "$a: 'a'; @while true { $a: $a + 'a'; }"),
    ("while that grows a list", "$a: (); @while true { $a: append($a, 1); }"),
    ("while that grows a map", "$a: (); $i: 0; @while true { $i: $i + 1; $a: map-merge($a, ($i: $i)); }"),
    ("while that nests a list", "$a: (); @while true { $a: ($a,); }"),
    ("while that nests a map", "$a: (); @while true { $a: (a: $a); }"),
    ("while that grows a selector", "a { @while true { &b { c: d } } }"),
    ("while that extends", ".a { b: c } @while true { .d { @extend .a; } }"),
    ("while that makes keyframes", "@while true { @keyframes a { from { b: c } } }"),
    ("while that makes media queries", "a { @while true { @media b { c: d } } }"),
    ("for to a thousand millions", "@for $i from 1 through 1000000000 {}"),
    ("for that makes rules", "@for $i from 1 through 1000000000 { .a#{$i} { b: $i } }"),
    ("for of fors", "@for $i from 1 to 100000 { @for $j from 1 to 100000 { a { b: $j } } }"),
    ("for downwards", "@for $i from 1000000000 through 1 { a { b: c } }"),
    ("mixin that includes itself", "@mixin t { @include t(); } a { @include t(); }"),
    ("mixins that include each other", "@mixin a { @include b; } @mixin b { @include a; } a { @include a; }"),
    ("mixin that nests itself", "@mixin t { a { @include t; } } @include t;"),
    ("mixin that hands its content on", "@mixin t { @include t { @content; } } a { @include t { b: c } }"),
    ("mixin that includes itself twice", "@mixin t { @include t; @include t; } @include t;"),
    ("function that calls itself", "@function f($x) { @return f($x); } a { b: f(1); }"),
    (
        "functions that call each other",
        "@function f($x) { @return g($x); } @function g($x) { @return f($x); } a { b: f(1); }",
    ),
    ("function that grows its argument", "@function f($x) { @return f($x $x); } a { b: f(1); }"),
    ("function that is its own default", "@function f($x: f()) { @return $x; } a { b: f(); }"),
    (
        "function that calls itself by name",
        "@function f() { @return call(get-function('f')); } a { b: f(); }",
    ),
    (
        "function that calls itself twice",
        "@function f($n) { @if $n == 0 { @return 1; } @return f($n - 1) + f($n - 1); } a { b: f(60); }",
    ),
];

pub(super) fn inputs() -> Vec<Input> {
    LOOPS.into_iter().map(|(name, text)| Input::new(name, text)).collect()
}
