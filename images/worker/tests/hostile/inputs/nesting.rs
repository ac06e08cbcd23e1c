//! What engines recurse over, nested deep, and left open.

use super::Input;

/// Name, what comes first, what opens, the middle, what closes, what comes last.
const NESTED: [(&str, &str, &str, &str, &str, &str); 22] = [
    ("rules", "", "a{", "b:c", "}", ""),
    ("parent selectors", "", "& a{", "b:c", "}", ""),
    ("media queries", "", "@media a{", "b{c:d}", "}", ""),
    ("supports rules", "", "@supports (a:b){", "b{c:d}", "}", ""),
    ("unknown rules", "", "@x{", "b{c:d}", "}", ""),
    ("conditions", "", "@if true{", "a{b:c}", "}", ""),
    ("else branches", "@if false{}", "@else if false{}", "", "", ""),
    ("for loops", "", "@for $i from 1 through 1{", "a{b:c}", "}", ""),
    ("each loops", "", "@each $i in 1{", "a{b:c}", "}", ""),
    ("parentheses", "a{b:", "(", "c", ")", "}"),
    ("brackets", "a{b:", "[", "c", "]", "}"),
    ("maps", "$a:", "(a:", "b", ")", ";"),
    ("calculations", "a{b:", "calc(1px + ", "1%", ")", "}"),
    ("functions", "a{b:", "min(1px, ", "2px", ")", "}"),
    ("unknown functions", "a{b:", "f(", "c", ")", "}"),
    ("signs", "a{b:", "- ", "c", "", "}"),
    ("negations", "a{b:", "not ", "c", "", "}"),
    ("sums", "a{b:", "1+", "1", "", "}"),
    ("interpolations", "a{b:", "#{", "c", "}", "}"),
    ("selector pseudo classes", "", ":not(", "a", ")", "{b:c}"),
    ("nested properties", "a{", "b:{", "c:d", "}", "}"),
    ("custom property values", "a{--b:", "{", "c", "}", "}"),
];

const DEPTHS: [usize; 3] = [500, 5_000, 50_000];

pub(super) fn inputs() -> Vec<Input> {
    let closed = NESTED.iter().flat_map(|(name, first, open, middle, close, last)| {
        DEPTHS.map(|depth| {
            let text = format!("{first}{}{middle}{}{last}", open.repeat(depth), close.repeat(depth));
            Input::new(format!("{depth} {name}"), text)
        })
    });
    let left_open = NESTED.iter().map(|(name, first, open, ..)| {
        Input::new(format!("{name} that are not closed"), format!("{first}{}", open.repeat(5_001)))
    });
    closed.chain(left_open).collect()
}
