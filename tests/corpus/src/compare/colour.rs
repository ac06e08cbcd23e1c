//! Whether two normalised style sheets differ only by single steps in 8-bit colour channels.

/// Colours that lightningcss writes by name because the name is shorter, and their channels.
const NAMED: &str = "aqua 0ff azure f0ffff beige f5f5dc bisque ffe4c4 black 000 blue 00f brown a52a2a coral ff7f50 \
    cyan 0ff fuchsia f0f gold ffd700 gray 808080 green 008000 grey 808080 indigo 4b0082 ivory fffff0 khaki f0e68c \
    lime 0f0 linen faf0e6 magenta f0f maroon 800000 navy 000080 olive 808000 orange ffa500 orchid da70d6 \
    peru cd853f pink ffc0cb plum dda0dd purple 800080 red f00 salmon fa8072 sienna a0522d silver c0c0c0 \
    snow fffafa tan d2b48c teal 008080 tomato ff6347 violet ee82ee wheat f5deb3 white fff yellow ff0";

/// A text without its colours, and they apart.
#[derive(Debug, PartialEq, Eq)]
struct Split {
    text: String,
    colours: Vec<Colour>,
}

#[derive(Debug, PartialEq, Eq)]
struct Colour {
    channels: [u8; 4],
    /// Bytes of the style sheet before it.
    at: usize,
}

impl Colour {
    fn is_one_step_from(&self, other: &Self) -> bool {
        self.channels.iter().zip(other.channels).all(|(left, right)| left.abs_diff(right) <= 1)
    }
}

/// True where nothing but channels differ, each by one step at most.
pub(super) fn is_one_step(left: &str, right: &str) -> bool {
    let (left, right) = (split(left), split(right));
    left.text == right.text
        && left.colours.len() == right.colours.len()
        && left.colours.iter().zip(&right.colours).all(|(left, right)| left.is_one_step_from(right))
}

/// Where two style sheets that differ in colours only have the first that is further off.
pub(super) fn find_further(left: &str, right: &str) -> Option<(usize, usize)> {
    let (left, right) = (split(left), split(right));
    let mut pairs = left.colours.iter().zip(&right.colours);
    let (left_colour, right_colour) = pairs.find(|(left, right)| !left.is_one_step_from(right))?;
    (left.text == right.text).then_some((left_colour.at, right_colour.at))
}

/// True where they differ by more than that.
pub(super) fn is_unlike(left: &str, right: &str) -> bool {
    left != right && !is_one_step(left, right)
}

fn split(css: &str) -> Split {
    let mut parts = Split { text: String::new(), colours: Vec::new() };
    let mut rest = css;
    while let Some(character) = rest.chars().next() {
        // A data URL writes the number sign as %23.
        let digits = rest.strip_prefix('#').or_else(|| rest.strip_prefix("%23"));
        if let Some((colour, after)) = digits.and_then(leading_hex).or_else(|| leading_percentages(rest)) {
            parts.text.push('#');
            parts.colours.push(Colour { channels: colour, at: css.len() - rest.len() });
            rest = after;
            continue;
        }
        let word = rest.len() - rest.trim_start_matches(is_word).len();
        let length = if word == 0 { character.len_utf8() } else { word };
        let (piece, after) = rest.split_at(length);
        if let Some(colour) = named(piece) {
            parts.text.push('#');
            parts.colours.push(Colour { channels: colour, at: css.len() - rest.len() });
        } else {
            parts.text.push_str(piece);
        }
        rest = after;
    }
    parts
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_')
}

fn named(word: &str) -> Option<[u8; 4]> {
    let mut words = NAMED.split_whitespace();
    words.find(|name| *name == word)?;
    channels(words.next()?)
}

fn leading_hex(rest: &str) -> Option<([u8; 4], &str)> {
    let length = rest.len() - rest.trim_start_matches(is_word).len();
    let (digits, after) = rest.split_at(length);
    Some((channels(digits)?, after))
}

/// A colour of three percentages in a data URL, where lightningcss leaves it as it is.
fn leading_percentages(rest: &str) -> Option<([u8; 4], &str)> {
    let (inner, after) = rest.strip_prefix("rgb%28")?.split_once("%29")?;
    let mut channels = [255; 4];
    let mut parts = inner.split(", ");
    for channel in channels.iter_mut().take(3) {
        let percent: f64 = parts.next()?.strip_suffix('%')?.parse().ok()?;
        *channel = (0..=255).find(|value| f64::from(*value) + 0.5 > percent * 2.55)?;
    }
    parts.next().is_none().then_some((channels, after))
}

/// Red, green, blue and alpha of 3, 4, 6 or 8 hexadecimal digits.
fn channels(digits: &str) -> Option<[u8; 4]> {
    let values: Option<Vec<u8>> =
        digits.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let values = values?;
    let bytes: Vec<u8> = match values.len() {
        3 | 4 => values.iter().map(|value| value * 17).collect(),
        6 | 8 => {
            values.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, value| byte * 16 + value)).collect()
        }
        _ => return None,
    };
    let mut channels = [255; 4];
    channels.iter_mut().zip(bytes).for_each(|(channel, byte)| *channel = byte);
    Some(channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_like_and_two_are_not() {
        assert!(is_one_step("a{color:#0d6efd}", "a{color:#0d6efc}"));
        assert!(is_one_step("a{color:red;b:#fff}", "a{color:#fe0000;b:#fffffe}"));
        assert!(is_one_step("url(fill='%2301fefe')", "url(fill='%2300fdff')"));
        assert!(is_one_step("fill='rgb%280%, 100%, 99.9%%29'", "fill='%2300ffff'"));
        assert!(!is_one_step("a{color:#0d6efd}", "a{color:#0d6efb}"));
        assert_eq!(find_further("a{b:#fff;c:#111}", "a{b:#fffffe;c:#333}"), Some((11, 14)));
        assert!(!is_one_step("a{color:#0d6efd}", "b{color:#0d6efd}"));
        assert!(!is_one_step("a{color:#0d6efd}", "a{width:12}"));
    }
}
