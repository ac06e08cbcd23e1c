//! What the loud tenant has compiled: one hostile style sheet of each kind, each of which ends in an error.

/// A style sheet and what it imports, by paths at its origin.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<(String, String)>,
}

/// Where the style sheet itself lies.
const ENTRY: &str = "main";

impl Input {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, files: vec![(format!("{ENTRY}.scss"), text.into())] }
    }

    fn with(mut self, name: &str, text: String) -> Self {
        self.files.push((format!("_{name}.scss"), text));
        self
    }
}

pub(crate) fn inputs() -> Vec<Input> {
    let doubled = |step: &str| format!("$x: 'ab'; @for $i from 1 through 60 {{ {step} }} a {{ b: $x }}");
    let nested = |open: &str, middle: &str, close: &str| open.repeat(50_000) + middle + &close.repeat(50_000);
    let parents = format!("{}{{", vec!["&"; 50].join(","));
    vec![
        Input::new("a loop without end", "@while true {}"),
        Input::new("a string that grows without end", "$a: 'a'; @while true { $a: $a + 'a'; }"),
        Input::new("a string that doubles", doubled("$x: $x + $x;")),
        Input::new("a list that doubles", doubled("$x: $x $x;")),
        Input::new("rules, 50,000 deep", nested("a{", "b:c", "}")),
        Input::new("parentheses, 50,000 deep", format!("a{{b:{}}}", nested("(", "c", ")"))),
        Input::new("selectors that multiply", format!("a,b{{{}c:d{}}}", parents.repeat(5), "}".repeat(5))),
        Input::new("a number of 100,000 digits", format!("a{{b: nth(1 2, {})}}", "9".repeat(100_000))),
        circle(20),
        doubling_imports(30),
    ]
}

fn circle(length: usize) -> Input {
    (1..=length).fold(Input::new("imports in a circle", "@import 'a1';"), |input, i| {
        let next = if i == length { ENTRY.to_owned() } else { format!("a{}", i + 1) };
        input.with(&format!("a{i}"), format!("@import '{next}';"))
    })
}

fn doubling_imports(depth: usize) -> Input {
    let twice = |i: usize| format!("@import 'a{i}'; @import 'a{i}';");
    (0..depth).fold(Input::new("imports that double", twice(0)), |input, i| {
        let text = if i + 1 == depth { "a { b: c }".to_owned() } else { twice(i + 1) };
        input.with(&format!("a{i}"), text)
    })
}
