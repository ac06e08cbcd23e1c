//! What is small to write and large to hold.

use super::Input;

/// One step of growth, done `TIMES` times by a loop.
const DOUBLINGS: [(&str, &str); 12] = [
    ("sums of strings", "$x: $x + $x;"),
    ("interpolated strings", "$x: '#{$x}#{$x}';"),
    ("unquoted strings", "$x: unquote($x + $x);"),
    ("inserted strings", "$x: str-insert($x, $x, 1);"),
    ("upper case", "$x: to-upper-case($x + $x);"),
    ("joined lists", "$x: join($x, $x);"),
    ("nested lists", "$x: $x $x;"),
    ("appended lists", "$x: append($x, $x);"),
    ("maps of themselves", "$x: (a: $x, b: $x);"),
    ("merged maps", "$x: map-merge((a: $x), (b: $x));"),
    ("zipped lists", "$x: zip($x $x, $x $x);"),
    ("inspected values", "$x: inspect($x $x);"),
];
const TIMES: [usize; 2] = [26, 60];

pub(super) fn inputs() -> Vec<Input> {
    let doubled = DOUBLINGS.iter().flat_map(|(name, step)| {
        TIMES.map(|times| {
            let text = format!("$x: 'ab'; @for $i from 1 through {times} {{ {step} }} a {{ b: $x; }}");
            Input::new(format!("{name}, doubled {times} times"), text)
        })
    });
    doubled.chain(selectors()).chain(extensions()).chain(long_ones()).chain(numbers()).collect()
}

fn selectors() -> Vec<Input> {
    let of = |parts: usize, depth: usize| {
        let list = vec!["&"; parts].join(",");
        let text = format!("a,b{{{}c:d{}}}", format!("{list}{{").repeat(depth), "}".repeat(depth));
        Input::new(format!("{parts} parents, {depth} deep"), text)
    };
    let mut inputs: Vec<_> =
        [(2, 12), (2, 40), (4, 10), (4, 40), (50, 5)].map(|(n, depth)| of(n, depth)).into();
    inputs.extend((2..6).map(|depth| {
        let text = format!("{}d:e{}", ".a &, .b &, .c & {".repeat(depth * 5), "}".repeat(depth * 5));
        Input::new(format!("suffixed parents, {} deep", depth * 5), format!("x{{{text}}}"))
    }));
    let call = |name: &str, step: &str| {
        let text = format!("$x: 'a,b'; @for $i from 1 through 40 {{ $x: {step}; }} #{{$x}} {{ c: d }}");
        Input::new(name, text)
    };
    inputs.push(call("selector-nest", "selector-nest($x, $x)"));
    inputs.push(call("selector-append", "selector-append('.a,.b', $x)"));
    inputs.push(call("selector-unify", "selector-unify('.a .b .c .d', $x)"));
    inputs
}

fn extensions() -> Vec<Input> {
    let chain: String = (0..3_000).map(|i| format!(".a{i}{{@extend .a{};b:c}}", i + 1)).collect();
    let circle: String = (0..300).map(|i| format!(".a{i}{{@extend .a{};b:c}}", (i + 1) % 300)).collect();
    let everybody: String = (0..60)
        .map(|i| format!(".a{i}{{b:c;{}}}", (0..60).map(|j| format!("@extend .a{j};")).collect::<String>()))
        .collect();
    let weave: String = (0..12).map(|i| format!(".x{i} .y{i} .z{i}{{@extend .t}}")).collect();
    let compound = format!(".t{}{{b:c}}", ".t".repeat(200)) + ".u{@extend .t} .v{@extend .u} .w{@extend .v}";
    let inside = format!("{}.t{}{{b:c}} .u:not(.t){{@extend .t}}", ":not(".repeat(20), ")".repeat(20));
    let wide = format!("{}{{b:c}} {}{{@extend .t}}", ".t .t .t .t .t", ".p .q .r .s");
    [
        ("a chain of extends", chain + &format!(".a{}{{b:c}}", 3_000)),
        ("a circle of extends", circle),
        ("everybody extends everybody", everybody),
        ("extends that weave", format!("{weave} .t .t .t .t {{b:c}}")),
        ("extends of a long compound", compound),
        ("extends inside of :not", inside),
        ("extends at every place", wide),
        ("extend of itself", ".a { @extend .a; b: c }".to_owned()),
        ("extend of a placeholder that is not there", "a { @extend %b; }".to_owned()),
    ]
    .into_iter()
    .map(|(name, text)| Input::new(name, text))
    .collect()
}

fn long_ones() -> Vec<Input> {
    let long = "x".repeat(1 << 20);
    let many = |item: &str, count| item.repeat(count);
    [
        ("a long name", format!("{long}{{b:c}}")),
        ("a long class", format!(".{long}{{b:c}}")),
        ("a long variable", format!("${long}: 1; a {{ b: ${long} }}")),
        ("a long property", format!("a{{{long}:c}}")),
        ("a long value", format!("a{{b:{long}}}")),
        ("a long string", format!("a{{b:'{long}'}}")),
        ("a long address", format!("a{{b:url({long})}}")),
        ("a long at-rule", format!("@{long} a;")),
        ("a long comment", format!("/*{long}*/")),
        ("many comments", many("/**/", 200_000)),
        ("many silent comments", many("//\n", 200_000)),
        ("comments in comments", many("/*", 200_000) + "*/"),
        ("many semicolons", many(";", 500_000)),
        ("many rules", many("a{b:c}", 100_000)),
        ("many declarations", format!("a{{{}}}", many("b:c;", 200_000))),
        ("many selectors", format!("{}a{{b:c}}", many("a,", 200_000))),
        ("many classes of one element", format!("{}{{b:c}}", many(".a", 100_000))),
        ("many descendants", format!("{}{{b:c}}", many("a ", 100_000))),
        ("many combinators", format!("{}a{{b:c}}", many("a>", 50_000))),
        ("many variables", (0..100_000).map(|i| format!("$a{i}:1;")).collect()),
        ("many arguments", format!("@mixin m($a...) {{}} @include m({}1);", many("1,", 100_000))),
        ("many media queries", format!("@media {}a{{b{{c:d}}}}", many("a,", 50_000))),
        ("media queries that multiply", "@media a,b,c,d,e,f,g,h{".repeat(12) + "x{y:z}" + &"}".repeat(12)),
        ("many keyframes", format!("@keyframes a{{{}}}", many("1%{b:c}", 50_000))),
        ("many attributes", format!("{}{{b:c}}", many("[a='(((a*)*)*)*b']", 20_000))),
        ("many escapes", format!("a{{b:'{}'}}", many("\\26 ", 100_000))),
        ("many unicode ranges", format!("a{{b:{}u+0}}", many("u+0-10ffff,", 50_000))),
        ("wild unicode range", format!("a{{b:u+{}}}", many("?", 100_000))),
        ("many spaces", format!("a{{b:{}c}}", many(" ", 1_000_000))),
        ("many lines", many("\n", 1_000_000) + "a{b:c"),
        ("error with a long message", format!("@error '{long}';")),
        ("warnings without end", "@for $i from 1 to 100000000 { @warn 'a'; }".to_owned()),
        ("debugging without end", "@for $i from 1 to 100000000 { @debug 'a'; }".to_owned()),
    ]
    .into_iter()
    .map(|(name, text)| Input::new(name, text))
    .collect()
}

fn numbers() -> Vec<Input> {
    let digits = "9".repeat(100_000);
    let values = [
        digits.clone(),
        format!("0.{digits}"),
        format!("1e{digits}"),
        format!("-{digits}px * {digits}"),
        "1e308 * 10".to_owned(),
        "1e309 - 1e309".to_owned(),
        "1e-400 / 0".to_owned(),
        "0 / 0".to_owned(),
        "nth(1 2 3, 1e18)".to_owned(),
        "str-slice('abc', -1e18, 1e18)".to_owned(),
        "random(1e18)".to_owned(),
        "5 % 1e-300".to_owned(),
        "rgba(1e30, -1e30, 1e400, 1e9)".to_owned(),
        "hsl(1e300deg, 1e30%, 1e30%)".to_owned(),
        "#ffffffffffffffffffff".to_owned(),
        format!("{}1px", "1px*".repeat(20_000)),
        format!("{}1", "1px/1em*".repeat(5_000)),
        "u+ffffffffffff".to_owned(),
        format!("percentage({digits})"),
    ];
    let inputs = values.into_iter().enumerate();
    inputs.map(|(i, value)| Input::new(format!("number {i}"), format!("a{{b:{value}}}"))).collect()
}
