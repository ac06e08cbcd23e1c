//! Style sheets, with what dart-sass 1.108 makes of them, white space aside.

/// Paths and texts; the first file is the style sheet.
pub(super) type Files = &'static [(&'static str, &'static str)];

/// The row's words, the sources, and what comes of them; `None` where that is an error.
type Sample = (&'static str, Files, Option<&'static str>);

/// What grass gets wrong, by the row's words.
pub(super) static WRONG_IN_GRASS: &[Sample] = &[
    (
        "functions of sass:color for colour spaces",
        &[("/app.scss", "@use 'sass:color'; a { b: color.channel(red, 'red'); }")],
        Some("a { b: 255; }"),
    ),
    (
        "members of sass:color that only a bare name shows",
        &[("/app.scss", "@use 'sass:color' as *; a { b: space(red); }")],
        Some("a { b: rgb; }"),
    ),
    (
        "color.mix($method:)",
        &[("/app.scss", "@use 'sass:color'; a { b: color.mix(red, blue, $method: oklch); }")],
        Some("a { b: hsl(298.0621910541, 159.4931345486%, 29.2910601787%); }"),
    ),
    (
        "colour spaces of color.adjust and its kin",
        &[("/app.scss", "@use 'sass:color'; a { b: color.adjust(red, $lightness: -10%, $space: oklch); }")],
        Some("a { b: hsl(356.1829483861, 163.0295386353%, 32.3865602682%); }"),
    ),
    (
        "lightness() of colours that are no whole percentage",
        &[("/app.scss", "a { @if lightness(#808080) > 50 { b: c; } }")],
        Some("a { b: c; }"),
    ),
    (
        "relative colours",
        &[("/app.scss", "a { b: rgb(from var(--x) r g b / 50%); }")],
        Some("a { b: rgb(from var(--x) r g b/50%); }"),
    ),
    (
        "colours in other spaces",
        &[("/app.scss", "a { b: oklch(0.5 0.1 20); c: type-of(lab(50% 1 2)); }")],
        Some("a { b: oklch(50% 0.1 20deg); c: color; }"),
    ),
    ("color()", &[("/app.scss", "a { b: type-of(color(display-p3 1 0 0)); }")], Some("a { b: color; }")),
    (
        "round() with more than one argument",
        &[("/app.scss", "a { b: round(up, 10.4px, 3px); }")],
        Some("a { b: 12px; }"),
    ),
    (
        "CSS's mathematical functions",
        &[("/app.scss", "a { b: sin(30deg); c: pow(2, 3); d: atan2(1, 1); }")],
        Some("a { b: 0.5; c: 8; d: 45deg; }"),
    ),
    (
        "CSS's mathematical functions",
        &[
            ("/app.scss", "@use 'part'; a { b: pow(2, 3); c: part.pow(2, 3); }"),
            ("/_part.scss", "@function pow($a, $b) { @return $a * $b; }"),
        ],
        Some("a { b: 8; c: 6; }"),
    ),
    (
        "CSS's mathematical functions",
        &[("/app.scss", "/*\n// */ a { b: pow(2, 3); }")],
        Some("/* // */ a { b: 8; }"),
    ),
    (
        "Sass beside an interpolation in a calculation",
        &[(
            "/app.scss",
            "@use 'sass:math'; $x: 3px; a { b: calc(#{$x} * 2 + $x); c: min(#{$x}, math.div(4vw, 2)); }",
        )],
        Some("a { b: calc(3px * 2 + 3px); c: min(3px, 2vw); }"),
    ),
    (
        "words in a calculation, such as min(200px, auto)",
        &[("/app.scss", "a { b: min(200px, auto); }")],
        Some("a { b: min(200px, auto); }"),
    ),
    (
        "constants and units in a calculation",
        &[("/app.scss", "a { b: calc(pi * 1px); c: calc(1px / 1s * 2s); }")],
        Some("a { b: 3.1415926536px; c: 2px; }"),
    ),
    (
        "the new if()",
        &[(
            "/app.scss",
            "$t: true; a { b: if(sass($t): 1; else: 2); c: if(media(width > 1px): 3; else: 4); }",
        )],
        Some("a { b: 1; c: if(media(width > 1px): 3; else: 4); }"),
    ),
    (
        "@extend",
        &[("/app.scss", "@use 'part'; a { @extend %p; c: d; }"), ("/_part.scss", "%p { x: y; }")],
        Some("a { x: y; } a { c: d; }"),
    ),
    (
        "meta.load-css()",
        &[
            ("/app.scss", "@use 'sass:meta'; a { @include meta.load-css('part', $with: (c: blue)); }"),
            ("/_part.scss", "$c: red !default; .x { y: $c; }"),
        ],
        Some("a .x { y: blue; }"),
    ),
    (
        "mixins as values",
        &[(
            "/app.scss",
            "@use 'sass:meta'; @mixin m($x) { q: $x; } a { @include meta.apply(meta.get-mixin('m'), 3); }",
        )],
        Some("a { q: 3; }"),
    ),
    (
        "unique-id(), which gives the same twice",
        &[("/app.scss", "a { @if unique-id() != unique-id() { b: c; } }")],
        Some("a { b: c; }"),
    ),
    (
        "@function --name, which Sass leaves to CSS",
        &[("/app.scss", "@function --double(--x) { result: calc(var(--x) * 2); } a { b: --double(1px); }")],
        Some("@function --double(--x) { result: calc(var(--x) * 2); } a { b: --double(1px); }"),
    ),
    (
        "a dot in an imported file's name",
        &[
            ("/app.scss", "@use 'grid.v2' as grid;"),
            ("/_grid.v2.scss", "a { b: two; }"),
            ("/_grid.scss", "a { b: one; }"),
        ],
        Some("a { b: two; }"),
    ),
    (
        "import-only files, which are not for @use",
        &[
            ("/app.scss", "@use 'part';"),
            ("/_part.scss", "a { b: used; }"),
            ("/_part.import.scss", "a { b: imported; }"),
        ],
        Some("a { b: used; }"),
    ),
    (
        "nested plain CSS",
        &[("/app.scss", "@use 'plain';"), ("/plain.css", ".x { y: z; &:hover { a: b; } }")],
        Some(".x { y: z; &:hover { a: b; } }"),
    ),
    (
        "hue and saturation of mixed colours",
        &[("/app.scss", "$c: mix(#f8f9fa, white, 28%); a { b: darken($c, 5%); }")],
        Some("a { b: rgb(93.3980392157%, 94.3411764706%, 95.2843137255%); }"),
    ),
    (
        "hue and saturation of computed colours",
        &[("/app.scss", "a { b: darken(mix(#f8f9fa, white, 28%), 5%); }")],
        Some("a { b: rgb(93.3980392157%, 94.3411764706%, 95.2843137255%); }"),
    ),
    (
        "computed colours in strings",
        &[("/app.scss", "a { b: \"#{hsl(120, 50%, 50%)}\"; }")],
        Some("a { b: \"hsl(120, 50%, 50%)\"; }"),
    ),
    (
        "strings added to colours",
        &[("/app.scss", "$c: #abc; a { b: $c + ''; c: red + 'y'; }")],
        Some("a { b: \"#abc\"; c: \"redy\"; }"),
    ),
    (
        "variables beside a slash among channels",
        &[("/app.scss", "a { b: rgb(1 2 var(--x) / .5); }")],
        Some("a { b: rgb(1, 2, var(--x), 0.5); }"),
    ),
    (
        "functions called as calculations are",
        &[("/app.scss", "@function max($a...) { @return own; } a { b: max(1, 2); }")],
        Some("a { b: own; }"),
    ),
    (
        "signs at an interpolation in a calculation",
        &[("/app.scss", "a { b: calc(100%-#{3px}); }")],
        Some("a { b: calc(100% -3px); }"),
    ),
    ("bare numbers added in a calculation", &[("/app.scss", "a { b: calc(1 + 1px); }")], None),
    (
        "units that calculations do not convert",
        &[("/app.scss", "a { b: calc(1Q + 1px); }")],
        Some("a { b: calc(1Q + 1px); }"),
    ),
    (
        "numbers without an end",
        &[("/app.scss", "@use 'sass:math'; a { b: math.div(1, 0); c: math.log(0); }")],
        Some("a { b: calc(infinity); c: calc(-infinity); }"),
    ),
    (
        "roots of negative numbers",
        &[("/app.scss", "@use 'sass:math'; a { b: math.sqrt(-1); }")],
        Some("a { b: calc(NaN); }"),
    ),
    (
        "inspect() of products of units",
        &[("/app.scss", "a { b: inspect(1px * 1em); }")],
        Some("a { b: calc(1px * 1em); }"),
    ),
    (
        "maps that grow as lists",
        &[(
            "/app.scss",
            "$m: (x: 1, y: 2); a { b: inspect(append($m, z 3)); c: inspect(append((x: 1, y: 2), z 3)); }",
        )],
        Some("a { b: x 1, y 2, z 3; c: x 1, y 2, z 3; }"),
    ),
    (
        "maps that are empty lists",
        &[("/app.scss", "a { b: map-remove((a: 1), a) == (); c: () == map-remove((a: 1), a); }")],
        Some("a { b: true; c: true; }"),
    ),
    (
        "arguments from a list with spaces",
        &[("/app.scss", "@mixin x($a...) { b: $a; } c { @include x(1 2...); }")],
        Some("c { b: 1 2; }"),
    ),
    (
        "string.split()",
        &[("/app.scss", "@use 'sass:string'; a { b: inspect(string.split('abc', '')); }")],
        Some("a { b: [\"a\", \"b\", \"c\"]; }"),
    ),
    (
        "function-exists() of newer functions",
        &[("/app.scss", "a { b: function-exists('oklch'); }")],
        Some("a { b: true; }"),
    ),
    ("@extend", &[("/app.scss", ".a { @extend .nope; b: c; }")], None),
    ("@extend", &[("/app.scss", ".c { d: e; } @media print { .a { @extend .c; } }")], None),
    (
        "@extend",
        &[("/app.scss", ".d { @extend .a; } .e { @extend .d; } .a { b: c; }")],
        Some(".a, .d, .e { b: c; }"),
    ),
    (
        "@extend",
        &[("/app.scss", ".a > .b { c: d; } .f > .e { @extend .b; }")],
        Some(".a > .b, .a.f > .e { c: d; }"),
    ),
    ("@extend", &[("/app.scss", ".a, .b, .c { d: e; } .c { @extend .a; }")], Some(".a, .c, .b { d: e; }")),
    (
        "meta.load-css()",
        &[
            ("/app.scss", "@use 'sass:meta'; .x { @include meta.load-css('part'); }"),
            ("/_part.scss", ".y { .z & { a: b; } }"),
        ],
        Some(".x .z .y { a: b; }"),
    ),
    (
        "@at-root that says what it leaves",
        &[(
            "/app.scss",
            "@supports (a: b) { @media print { .a { @at-root (without: supports) { b: c; } } } }",
        )],
        Some("@media print { .a { b: c; } }"),
    ),
    (
        "declarations behind @at-root",
        &[("/app.scss", "a { @at-root .b { c: d; } e: f; }")],
        Some(".b { c: d; } a { e: f; }"),
    ),
    ("@font-face in a rule", &[("/app.scss", ".a { @font-face { d: e; } }")], Some("@font-face { d: e; }")),
    (
        "negated media types",
        &[("/app.scss", "@media not screen { @media screen { a { b: c; } } } d { e: f; }")],
        Some("d { e: f; }"),
    ),
    (
        "combinators that nothing is between",
        &[("/app.scss", "a >>> b { c: d; } .e + { f: g; } h { i: j; }")],
        Some("h { i: j; }"),
    ),
    ("nothing as a value", &[("/app.scss", "a { b: (); }")], None),
    (
        "modules of what is imported twice",
        &[
            ("/app.scss", "@import 'part'; @import 'part';"),
            ("/_part.scss", "@use 'module'; c { d: module.$v; }"),
            ("/_module.scss", "$v: 1; e { f: g; }"),
        ],
        Some("e { f: g; } c { d: 1; } e { f: g; } c { d: 1; }"),
    ),
    (
        "imports that may mean two files",
        &[("/app.scss", "@import 'part';"), ("/_part.scss", "a { b: c; }"), ("/part.scss", "a { b: c; }")],
        None,
    ),
    (
        "hidden variables",
        &[
            ("/app.scss", "@use 'part'; a { b: part.$w; }"),
            ("/_part.scss", "@forward 'inner' hide $w;"),
            ("/_inner.scss", "$w: 1;"),
        ],
        None,
    ),
    (
        "one name from two modules",
        &[
            ("/app.scss", "@use 'one' as *; @use 'two' as *; a { b: $v; }"),
            ("/_one.scss", "$v: 1;"),
            ("/_two.scss", "$v: 2;"),
        ],
        None,
    ),
    (
        "colour channels that are missing",
        &[("/app.scss", "a { b: rgb(none 0 0); }")],
        Some("a { b: rgb(none 0 0); }"),
    ),
];

/// What sasso gets wrong and grass right, likewise. A comment shows what grass would get wrong, were it none.
pub(super) static WRONG_IN_SASSO: &[Sample] = &[
    (
        "negated features of @media merged",
        &[("/app.scss", "/* lab() */ @media not (a: 1) { @media (c: 2) { b { c: d; } } }")],
        Some("/* lab() */ @media (not (a: 1)) and (c: 2) { b { c: d; } }"),
    ),
    (
        "@extend in :nth-child(of)",
        &[("/app.scss", "/* lab() */ :nth-child(2 of .a) { b: c; } .d { @extend .a; }")],
        Some("/* lab() */ :nth-child(2 of .a, .d) { b: c; }"),
    ),
    (
        "@at-root out of a layer",
        &[("/app.scss", "@layer x { .a { @at-root (without: layer) { b: c; } } }")],
        Some("@layer x {} .a { b: c; }"),
    ),
    (
        "map.deep-remove() of what is not there",
        &[("/app.scss", "/* lab() */ @use 'sass:map'; a { b: inspect(map.deep-remove((f: 1), q, r)); }")],
        Some("/* lab() */ a { b: (f: 1, q: null); }"),
    ),
    ("two pipes in a selector", &[("/app.scss", "a || b { c: d; }")], None),
    ("comments without an end", &[("/app.scss", "a { b: c; } /* d")], None),
];

/// What sasso gets right only since it is spelled otherwise for it.
pub(super) static RESPELLED: &[(Files, &str)] = &[
    (
        &[("/app.scss", ":not(.a):not(.b) { c: d; } .e { @extend .a; @extend .b; }")],
        ":not(.a):not(.e):not(.b):not(.e) { c: d; }",
    ),
    (
        &[("/app.scss", "a:not(.x):not(.y):not(.z) { c: d; } .y { @extend .x; } .z { @extend .y; }")],
        "a:not(.x):not(.y):not(.z):not(.y):not(.z):not(.z) { c: d; }",
    ),
    (
        &[(
            "/app.scss",
            "$l: 1, 2, 3; @function f($l) { @return $l; } a { b: rgba($l, var(--x)); c: rgb(f($l), var(--x)); $l: red; d: rgba($l, var(--x)); }",
        )],
        "a { b: rgba(1, 2, 3, var(--x)); c: rgb(1, 2, 3, var(--x)); d: rgba(255, 0, 0, var(--x)); }",
    ),
    (&[("/app.scss", "a { b: x%; c: 5%; d: e% }")], "a { b: x %; c: 5%; d: e %; }"),
    (&[("/app.scss", "a { b: abs(10% - 20px); c: abs(-2px); }")], "a { b: abs(10% - 20px); c: 2px; }"),
    (
        &[(
            "/app.sass",
            "$l: 1, 2, 3\na:not(.b):not(.c)\n  d: rgba($l, var(--x))\n.e\n  @extend .b\n.f\n  @extend .c\n  @if 97% > 96%\n    g: h\n",
        )],
        "a:not(.b):not(.e):not(.c):not(.f) { d: rgba(1, 2, 3, var(--x)); } .f { g: h; }",
    ),
    (
        &[(
            "/app.sass",
            "=from($d)\n  @media (min-width: $d)\n    @content\n=until($d)\n  @media (max-width: $d)\n    @content\n=both($f, $u)\n  @media (min-width: $f) and (max-width: $u)\n    @content\n=bp($b)\n  $from: map-get($b, \"from\")\n  $until: map-get($b, \"until\")\n  @if $from and $until\n    +both($from, $until)\n      @content\n  @else if $from\n    +from($from)\n      @content\n  @else if $until\n    +until($until)\n      @content\n+bp((\"until\": 5px))\n  .a\n    b: c\n$l: lightness(red)\n",
        )],
        "@media (max-width: 5px) { .a { b: c; } }",
    ),
    (
        &[
            ("/app.scss", "/* lab() */ @import 'one/all';"),
            ("/one/_all.scss", "@import 'grid';"),
            ("/one/_grid.scss", "@import '../base'; d { e: f; }"),
            ("/_base.scss", "@import 'two/all';"),
            ("/two/_all.scss", "@import 'grid';"),
            ("/two/_grid.scss", "a { b: c; }"),
        ],
        "/* lab() */ a { b: c; } d { e: f; }",
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
            ("/app.scss", "@import 'grid/row'; .x { @include row; }"),
            ("/lib/grid/_row.scss", ".row { display: flex; } @mixin row { a: b; }"),
        ],
        ".row { display: flex; } .x { a: b; }",
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
    (&[("/app.scss", "@function pow($a, $b) { @return $a * $b; } a { b: pow(2, 3); }")], "a { b: 6; }"),
    (&[("/app.scss", "a { b: c; }\n/*# sourceMappingURL=app.css.map */")], "a { b: c; }"),
    (
        &[(
            "/app.scss",
            "@function f($a) { @return if(not $a, 1, 2); } a { b: f(true); c: if($condition: true, $if-true: 1, $if-false: 2); }",
        )],
        "a { b: 2; c: 1; }",
    ),
    (
        &[("/app.scss", ".x { @at-root .y { c: d; } } i { transform: scale(2); j: mix(red, blue, 100%); }")],
        ".y { c: d; } i { transform: scale(2); j: red; }",
    ),
];
