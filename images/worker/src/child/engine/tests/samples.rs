//! Style sheets, with what dart-sass 1.108 makes of them, white space aside.

/// Paths and texts; the first file is the style sheet.
pub(super) type Files = &'static [(&'static str, &'static str)];

/// What grass gets wrong, by the row's words.
pub(super) static SAMPLES: &[(&str, Files, &str)] = &[
    (
        "functions of sass:color for colour spaces",
        &[("/app.scss", "@use 'sass:color'; a { b: color.channel(red, 'red'); }")],
        "a { b: 255; }",
    ),
    (
        "members of sass:color that only a bare name shows",
        &[("/app.scss", "@use 'sass:color' as *; a { b: space(red); }")],
        "a { b: rgb; }",
    ),
    (
        "color.mix($method:)",
        &[("/app.scss", "@use 'sass:color'; a { b: color.mix(red, blue, $method: oklch); }")],
        "a { b: hsl(298.0621910541, 159.4931345486%, 29.2910601787%); }",
    ),
    (
        "colour spaces of color.adjust and its kin",
        &[("/app.scss", "@use 'sass:color'; a { b: color.adjust(red, $lightness: -10%, $space: oklch); }")],
        "a { b: hsl(356.1829483861, 163.0295386353%, 32.3865602682%); }",
    ),
    (
        "lightness() of colours that are no whole percentage",
        &[("/app.scss", "a { @if lightness(#808080) > 50 { b: c; } }")],
        "a { b: c; }",
    ),
    (
        "relative colours",
        &[("/app.scss", "a { b: rgb(from var(--x) r g b / 50%); }")],
        "a { b: rgb(from var(--x) r g b/50%); }",
    ),
    (
        "colours in other spaces",
        &[("/app.scss", "a { b: oklch(0.5 0.1 20); c: type-of(lab(50% 1 2)); }")],
        "a { b: oklch(50% 0.1 20deg); c: color; }",
    ),
    ("color()", &[("/app.scss", "a { b: type-of(color(display-p3 1 0 0)); }")], "a { b: color; }"),
    (
        "round() with more than one argument",
        &[("/app.scss", "a { b: round(up, 10.4px, 3px); }")],
        "a { b: 12px; }",
    ),
    (
        "CSS's mathematical functions",
        &[("/app.scss", "a { b: sin(30deg); c: pow(2, 3); d: atan2(1, 1); }")],
        "a { b: 0.5; c: 8; d: 45deg; }",
    ),
    (
        "CSS's mathematical functions",
        &[
            ("/app.scss", "@use 'part'; a { b: pow(2, 3); c: part.pow(2, 3); }"),
            ("/_part.scss", "@function pow($a, $b) { @return $a * $b; }"),
        ],
        "a { b: 8; c: 6; }",
    ),
    (
        "CSS's mathematical functions",
        &[("/app.scss", "/*\n// */ a { b: pow(2, 3); }")],
        "/* // */ a { b: 8; }",
    ),
    (
        "Sass beside an interpolation in a calculation",
        &[(
            "/app.scss",
            "@use 'sass:math'; $x: 3px; a { b: calc(#{$x} * 2 + $x); c: min(#{$x}, math.div(4vw, 2)); }",
        )],
        "a { b: calc(3px * 2 + 3px); c: min(3px, 2vw); }",
    ),
    (
        "words in a calculation, such as min(200px, auto)",
        &[("/app.scss", "a { b: min(200px, auto); }")],
        "a { b: min(200px, auto); }",
    ),
    (
        "constants and units in a calculation",
        &[("/app.scss", "a { b: calc(pi * 1px); c: calc(1px / 1s * 2s); }")],
        "a { b: 3.1415926536px; c: 2px; }",
    ),
    (
        "the new if()",
        &[(
            "/app.scss",
            "$t: true; a { b: if(sass($t): 1; else: 2); c: if(media(width > 1px): 3; else: 4); }",
        )],
        "a { b: 1; c: if(media(width > 1px): 3; else: 4); }",
    ),
    (
        "@extend of what is in another module",
        &[("/app.scss", "@use 'part'; a { @extend %p; c: d; }"), ("/_part.scss", "%p { x: y; }")],
        "a { x: y; } a { c: d; }",
    ),
    (
        "meta.load-css($with:)",
        &[
            ("/app.scss", "@use 'sass:meta'; a { @include meta.load-css('part', $with: (c: blue)); }"),
            ("/_part.scss", "$c: red !default; .x { y: $c; }"),
        ],
        "a .x { y: blue; }",
    ),
    (
        "mixins as values",
        &[(
            "/app.scss",
            "@use 'sass:meta'; @mixin m($x) { q: $x; } a { @include meta.apply(meta.get-mixin('m'), 3); }",
        )],
        "a { q: 3; }",
    ),
    (
        "unique-id(), which gives the same twice",
        &[("/app.scss", "a { @if unique-id() != unique-id() { b: c; } }")],
        "a { b: c; }",
    ),
    (
        "@function --name, which Sass leaves to CSS",
        &[("/app.scss", "@function --double(--x) { result: calc(var(--x) * 2); } a { b: --double(1px); }")],
        "@function --double(--x) { result: calc(var(--x) * 2); } a { b: --double(1px); }",
    ),
    (
        "comments that name a source map",
        &[("/app.scss", "a { b: c; }\n/*# sourceMappingURL=app.css.map */")],
        "a { b: c; }",
    ),
    (
        "a dot in an imported file's name",
        &[
            ("/app.scss", "@use 'grid.v2' as grid;"),
            ("/_grid.v2.scss", "a { b: two; }"),
            ("/_grid.scss", "a { b: one; }"),
        ],
        "a { b: two; }",
    ),
    (
        "import-only files, which are not for @use",
        &[
            ("/app.scss", "@use 'part';"),
            ("/_part.scss", "a { b: used; }"),
            ("/_part.import.scss", "a { b: imported; }"),
        ],
        "a { b: used; }",
    ),
    (
        "nested plain CSS",
        &[("/app.scss", "@use 'plain';"), ("/plain.css", ".x { y: z; &:hover { a: b; } }")],
        ".x { y: z; &:hover { a: b; } }",
    ),
];

/// What grass gets right.
pub(super) static RIGHT: &[(Files, &str)] = &[
    (
        &[
            (
                "/app.scss",
                "@use 'sass:math'; @use 'part' as p; $m: (a: 1); .x { width: math.div(p.$w, 2); c: calc(100% - #{p.$w}); d: rgba(red, .5); @include p.m { b: map-get($m, a); } }",
            ),
            ("/_part.scss", "$w: 4px !default; @mixin m { &:hover { @content; } }"),
        ],
        ".x { width: 2px; c: calc(100% - 4px); d: rgba(255, 0, 0, 0.5); } .x:hover { b: 1; }",
    ),
    (
        &[
            ("/app.scss", "@import 'grid/row'; %p { a: b; } .x { @extend %p; } .y { @extend .row; }"),
            ("/lib/grid/_row.scss", ".row { display: flex; }"),
        ],
        ".row, .y { display: flex; } .x { a: b; }",
    ),
    (
        &[(
            "/app.scss",
            "@mixin media($w) { @media (min-width: $w) { @content; } } .a { @include media(10px) { b: color-mix(in srgb, red, blue); } } @layer base { .b { c: min(1px, 2vw); } }",
        )],
        "@media (min-width: 10px) { .a { b: color-mix(in srgb, red, blue); } } @layer base { .b { c: min(1px, 2vw); } }",
    ),
    (
        &[
            ("/app.sass", "@use 'part'\n.a\n  b: part.$v\n  &:hover\n    c: round(1.6)\n"),
            ("/_part.sass", "$v: 1px\n"),
        ],
        ".a { b: 1px; } .a:hover { c: 2; }",
    ),
    (
        &[(
            "/app.css",
            "@layer a { .b { color: oklch(0.5 0.1 20); } }\n.c { d: min(1px, var(--x)); /* e */ }\n",
        )],
        "@layer a { .b { color: oklch(0.5 0.1 20); } } .c { d: min(1px, var(--x)); /* e */ }",
    ),
    (
        &[
            ("/app.scss", "@use 'sass:string'; @import 'plain'; .x { y: string.slice('abc', 2); }"),
            ("/plain.css", ".p { q: r; }"),
        ],
        ".p { q: r; } .x { y: \"bc\"; }",
    ),
    (
        &[("/app.scss", "// color.channel(\n$url: '@extendable'; a { b: $url; c: if(true, 1, 2); }")],
        "a { b: \"@extendable\"; c: 1; }",
    ),
    (
        &[(
            "/app.sass",
            "=mobile\n  @media print\n    @content\n=for($name)\n  @if $name == 'all'\n    .x\n      @content\n  @else if $name == 'mobile'\n    +mobile\n      @content\n+for('mobile')\n  @if lightness(white) > 96%\n    .b\n      c: d\n",
        )],
        "@media print { .b { c: d; } }",
    ),
    (&[("/app.scss", "@function pow($a, $b) { @return $a * $b; } a { b: pow(2, 3); }")], "a { b: 6; }"),
];
