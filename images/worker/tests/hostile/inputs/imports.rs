//! Imports in circles, in masses, and to nowhere.

use super::{ENTRY, Input};

pub(super) fn inputs() -> Vec<Input> {
    let mut inputs = circles();
    inputs.extend(masses());
    let nowhere = [
        "../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "//169.254.169.254/latest/meta-data/x",
        "\\0",
        "a\\0 b",
        "",
        ".",
        "..",
        "/",
        "a/",
        "%2e%2e%2fetc",
        "sass:none",
        "pkg:none",
        "data:text/css,a{b:c}",
        "\u{202e}a",
    ];
    let rules = ["@import", "@use", "@forward"];
    inputs.extend(nowhere.into_iter().zip(rules.into_iter().cycle()).map(|(url, rule)| {
        Input::new(format!("{rule} of {}", url.escape_debug()), format!("{rule} '{url}';"))
    }));
    inputs.push(Input::new("import of a long path", format!("@import '{}';", "a/".repeat(10_000))));
    inputs
}

fn circles() -> Vec<Input> {
    let rules = ["@import", "@use", "@forward", "a { @import"];
    let around = |rule: &str, url: &str| {
        let end = if rule.contains('{') { " }" } else { "" };
        format!("{rule} '{url}';{end}")
    };
    let circle = |rule: &str, length: usize| {
        let input = Input::new(format!("{rule} in a circle of {length}"), around(rule, "a1"));
        (1..=length).fold(input, |input, i| {
            let next = if i == length { "main".to_owned() } else { format!("a{}", i + 1) };
            input.with(format!("_a{i}.scss"), around(rule, &next))
        })
    };
    let mut inputs: Vec<_> =
        rules.iter().flat_map(|rule| [1, 2, 20].map(|length| circle(rule, length))).collect();
    inputs.extend(rules.iter().map(|rule| Input::new(format!("{rule} of itself"), around(rule, "main"))));
    let load = "@use 'sass:meta'; @include meta.load-css('main');";
    inputs.push(Input::new("load-css of itself", load));
    inputs
}

fn masses() -> Vec<Input> {
    let doubling = |depth: usize| {
        let input = Input::new(format!("imports that double {depth} times"), "@import 'a0'; @import 'a0';");
        (0..depth).fold(input, |input, i| {
            let next = format!("@import 'a{0}'; @import 'a{0}';", i + 1);
            input.with(format!("_a{i}.scss"), if i + 1 == depth { "a{b:c}".to_owned() } else { next })
        })
    };
    let chain = (0..150).fold(Input::new("a chain of 150 imports", "@import 'a0';"), |input, i| {
        input.with(format!("_a{i}.scss"), format!("@import 'a{}';", i + 1))
    });
    let absent: String = (0..2_000).map(|i| format!("@import 'none{i}';")).collect();
    let in_loop =
        Input::new("imports in a loop", "@for $i from 1 to 1000000 { a { @include m; } } @mixin m {}");
    vec![
        doubling(8),
        doubling(30),
        chain,
        in_loop,
        Input::new("2000 absent imports", absent),
        Input::new("one import, many times", "@import 'a';".repeat(20_000)).with("_a.scss", "a{b:c}"),
        Input::new("two sources for one import", "@import 'a';").with("_a.scss", "").with("a.scss", ""),
        Input::new("entry that is there twice", "@import 'main';")
            .with(format!("_{ENTRY}"), "@import 'main';"),
    ]
}
