//! Maps of hundreds of entries, as sets of icons have them, in a spelling that sasso 0.21 does not take the square
//! of their length for: it looks for each key among all the ones before it.
//!
//! `$a: (b: c, …)` is given to it as a call, `$a: -large-map(b, c, …)`, of a function of ours that makes the same
//! map and looks for keys by their hash. What is spelled so is found by a narrow look: a variable's whole value, of
//! keys and values that are single words. What is no plain text or number cannot go to a function and back as what
//! it was, and is refused; then, and at any other error, the style sheet is compiled once more as it is written.

use std::{borrow::Cow, collections::HashSet, rc::Rc};

use memchr::memchr_iter;
use sasso::HostFunction;

use super::respelled::{Edit, apply};
use crate::child::blocks::{Piece, walk_scss};

/// Smaller ones take no time that matters.
const LEAST_ENTRIES: usize = 256;
/// Of an entry: `a:b,`.
const LEAST_ENTRY_BYTES: usize = 4;

/// The function as it is called, and as sasso is told of it.
const NAME: &str = "-large-map";
pub(super) const SIGNATURE: &str = "-large-map($entries...)";

/// Whether the text has any, at a first look.
pub(super) fn has_any(text: &str) -> bool {
    find_all(text).next().is_some()
}

/// The text with its large maps as calls.
pub(super) fn as_calls(text: &str) -> Cow<'_, str> {
    let mut found = find_all(text).peekable();
    if found.peek().is_none() {
        return text.into();
    }
    // What stands in comments and strings is no map.
    let mut values = Vec::new();
    walk_scss(text, &mut |_, piece| {
        if let Piece::Statement(statement) = piece
            && statement.starts_with('$')
        {
            values.push(statement.as_bytes().as_ptr_range());
        }
    });
    let is_value = |map: &LargeMap| {
        let at = text.as_bytes().get(map.start..).map(<[u8]>::as_ptr);
        at.is_some_and(|at| values.iter().any(|value| value.contains(&at)))
    };
    let edits = found.filter(is_value).flat_map(|LargeMap { start, colons }| {
        let name = Edit { at: start, length: 0, text: NAME.to_owned() };
        let commas = colons.into_iter().map(|at| Edit { at, length: 1, text: ",".to_owned() });
        [name].into_iter().chain(commas)
    });
    apply(text, edits.collect())
}

/// Where the map's parenthesis stands, and the colons behind its keys.
struct LargeMap {
    start: usize,
    colons: Vec<usize>,
}

fn find_all(text: &str) -> impl Iterator<Item = LargeMap> {
    let is_long = text.len() >= LEAST_ENTRIES * LEAST_ENTRY_BYTES;
    let parentheses = is_long.then(|| memchr_iter(b'(', text.as_bytes())).into_iter().flatten();
    parentheses.filter(|start| is_of_variable(text.get(..*start).unwrap_or_default())).filter_map(|start| {
        let colons = colons_of(text, start + 1)?;
        (colons.len() >= LEAST_ENTRIES).then_some(LargeMap { start, colons })
    })
}

/// Whether what comes next is a variable's value.
fn is_of_variable(before: &str) -> bool {
    let name = before.trim_ascii_end().strip_suffix(':').map(str::trim_ascii_end);
    let name = name.map(|name| name.trim_end_matches(is_of_word));
    name.is_some_and(|name| name.ends_with('$'))
}

/// The colons of a map of single words, from behind its parenthesis up to the one that ends it.
fn colons_of(text: &str, mut at: usize) -> Option<Vec<usize>> {
    let mut colons = Vec::new();
    loop {
        at += white_space(text.get(at..)?);
        if text.get(at..)?.starts_with(')') {
            return Some(colons);
        }
        at += word(text.get(at..)?)?;
        at += white_space(text.get(at..)?);
        if !text.get(at..)?.starts_with(':') {
            return None;
        }
        colons.push(at);
        at += 1;
        at += white_space(text.get(at..)?);
        at += word(text.get(at..)?)?;
        at += white_space(text.get(at..)?);
        match text.as_bytes().get(at)? {
            b',' => at += 1,
            b')' => {}
            _ => return None,
        }
    }
}

fn white_space(text: &str) -> usize {
    text.len() - text.trim_ascii_start().len()
}

/// The length of a string without anything in it to compute, of a variable, or of what is spelled in letters,
/// digits and escapes.
fn word(text: &str) -> Option<usize> {
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let inside = text.get(1..)?;
        let end = inside.find([quote, '\n', '#'])?;
        return inside.get(end..)?.starts_with(quote).then_some(end + 2);
    }
    let name = text.strip_prefix('$').unwrap_or(text);
    let end = name.find(|character| !is_of_word(character) && character != '\\').unwrap_or(name.len());
    (end > 0).then_some(text.len() - name.len() + end)
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

/// Makes the map of its keys and values in turn, in sasso's own notation for what a host's function is given and
/// gives back (`sasso::HostFunction`).
pub(super) fn function() -> HostFunction {
    Rc::new(|arguments: &[u8]| make_map(arguments).ok_or_else(|| "this is no large map of text".to_owned()))
}

const NULL: u8 = 0;
const BOOL: u8 = 1;
const NUMBER: u8 = 2;
const STRING: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;

/// `None` where a key is no text, or stands there twice, and where a value is neither text nor number.
fn make_map(arguments: &[u8]) -> Option<Vec<u8>> {
    let mut rest = arguments;
    // One argument, which is a list by commas without brackets.
    let (1, LIST) = (take_count(&mut rest)?, take_byte(&mut rest)?) else { return None };
    take(&mut rest, 2)?;
    let count = take_count(&mut rest)?;
    let entries = rest;
    let mut keys = HashSet::with_capacity(count / 2);
    for place in 0..count {
        match take_value(&mut rest)? {
            Taken::Text(key) if place % 2 == 0 => keys.insert(key).then_some(())?,
            Taken::Other if place % 2 == 0 => return None,
            Taken::Text(_) | Taken::Other => {}
        }
    }
    let entries = entries.get(..entries.len() - rest.len())?;
    let mut map = Vec::with_capacity(entries.len() + 5);
    map.push(MAP);
    map.extend_from_slice(&u32::try_from(count / 2).ok()?.to_le_bytes());
    map.extend_from_slice(entries);
    (count % 2 == 0).then_some(map)
}

/// A value that comes back as what it was.
enum Taken<'b> {
    Text(&'b [u8]),
    Other,
}

fn take_value<'b>(rest: &mut &'b [u8]) -> Option<Taken<'b>> {
    match take_byte(rest)? {
        NULL => Some(Taken::Other),
        BOOL => take(rest, 1).map(|_| Taken::Other),
        NUMBER => {
            take(rest, size_of::<f64>())?;
            for _of_numerator_and_denominator in 0..2 {
                for _unit in 0..take_count(rest)? {
                    take_text(rest)?;
                }
            }
            Some(Taken::Other)
        }
        STRING => {
            let _is_quoted = take_byte(rest)?;
            take_text(rest).map(Taken::Text)
        }
        _ => None,
    }
}

fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take_count(rest)?;
    take(rest, length)
}

fn take_count(rest: &mut &[u8]) -> Option<usize> {
    let count = take(rest, size_of::<u32>())?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(count)).ok()
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    take(rest, 1)?.first().copied()
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fmt::Write, io};

    use pipeline::options::{OutputStyle, SourceMaps};

    use super::{
        super::{CompileSass, Sasso, Task},
        *,
    };
    use crate::child::sources::Sources;

    /// So many entries, each with its number for `#`.
    fn entries(count: usize, entry: &str) -> String {
        (0..count).fold(String::new(), |mut text, number| {
            write!(text, "{},", entry.replace('#', &number.to_string())).unwrap();
            text
        })
    }

    struct OneText<'t> {
        text: &'t str,
        is_given: bool,
        reads: Cell<usize>,
    }

    impl Sources for OneText<'_> {
        fn has(&self, _path: &str) -> io::Result<bool> {
            Ok(false)
        }

        fn read(&self, _path: &str) -> io::Result<Option<Rc<str>>> {
            self.reads.set(self.reads.get() + 1);
            Ok(Some(self.text.into()))
        }

        fn has_known(&self, passes: fn(&str) -> bool) -> bool {
            self.is_given && passes(self.text)
        }
    }

    /// What comes of a text, and in how many runs.
    fn compile(text: &str, is_given: bool) -> (Result<String, String>, usize) {
        let sources = OneText { text, is_given, reads: Cell::default() };
        let (style, source_maps) = (OutputStyle::Expanded, SourceMaps::None);
        let task = Task { entry: "/a.scss", load_paths: &[], style, source_maps };
        let made = Sasso.compile(task, &sources).map(|css| css.text);
        (made, sources.reads.get())
    }

    #[test]
    fn only_large_maps_of_words_become_calls() {
        let large = format!("$icons : (\n{});", entries(256, "\n  \"i-#\" : $i_#"));
        let call = large.replace(" : $", " , $").replace(": (", ": -large-map(");
        for (before, behind) in [("", ""), ("@use 'a'; // (\n$b: 1; c { ", " }"), ("/* ( */", "$b: (c: d);")]
        {
            let [text, expected] = [&large, &call].map(|map| format!("{before}{map}{behind}"));
            assert!(has_any(&text));
            assert_eq!(as_calls(&text), expected);
        }
        for text in [
            format!("$icons: ({});", entries(255, "i-#: $i-#")),
            format!("$icons: ({});", entries(256, "i-#: $i-# + 1")),
            format!("$icons: ({});", entries(256, "i-#: (a: b)")),
            format!("$icons: ({});", entries(256, "'i-#': b").replace("i-", "#{$i}")),
            format!("$icons: ({});", entries(256, "i-#")),
            format!("$icons: ({}", entries(256, "i-#: b")),
            format!("--icons: ({});", entries(256, "i-#: b")),
            format!("a: ({});", entries(256, "i-#: b")),
        ] {
            assert!(!has_any(&text), "{text}");
            assert!(matches!(as_calls(&text), Cow::Borrowed(_)), "{text}");
        }
        for (before, behind) in [("/* ", " */"), ("// ", ""), ("a { b: \"", "\"; }")] {
            let text = format!("{before}$icons: ({});{behind}", entries(256, "i-#: b"));
            assert!(matches!(as_calls(&text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn maps_that_were_calls_are_what_they_are_as_written() {
        let uses = "
            a { n: length($m); k: map-get($m, 'i-7'); o: map-keys($m); v: map-values($m); i: inspect($m); }
            @each $key, $value in $m { .#{$key} { content: $value; type: type-of($value) type-of($key); } }";
        let variables =
            (0..300).fold(String::new(), |text, number| format!("{text}$i-{number}: \\f{number};"));
        for (entry, flag) in [
            ("\"i-#\": $i-#", ""),
            ("'i-#': \"\\f#\"", " !default"),
            ("i-#: 1#px", ""),
            ("i-#: F0#", " !global"),
            ("i-#: null", ""),
            ("i-#: true", ""),
        ] {
            let text = format!("{variables} $m: ({}){flag}; {uses}", entries(300, entry));
            let (made, runs) = compile(&text, true);
            assert_eq!(runs, 1, "{entry}: {made:?}");
            assert_eq!(made, compile(&text, false).0, "{entry}");
        }
    }

    #[test]
    fn what_no_function_can_be_given_is_compiled_as_it_is_written() {
        for (map, is_right) in [
            (entries(300, "i-#: red"), true),
            (entries(300, "#: b"), true),
            (format!("{}i-7: b", entries(300, "i-#: b")), false),
            (entries(300, "i-#: $none"), false),
        ] {
            let text = format!("$m: ({map});\na {{ b: inspect($m); }}");
            let (made, runs) = compile(&text, true);
            assert_eq!((runs, made.is_ok()), (2, is_right), "{made:?}");
            assert_eq!(made, compile(&text, false).0);
        }
    }

    #[test]
    fn nonsense_makes_no_map() {
        let text = |text: &str| [&[STRING, 0][..], &u32::to_le_bytes(1), text.as_bytes()].concat();
        let call = |values: &[Vec<u8>]| {
            let counts = [1_u32, u32::try_from(values.len()).unwrap()].map(u32::to_le_bytes);
            [&counts[0][..], &[LIST, 1, 0], &counts[1], &values.concat()].concat()
        };
        let of_one = call(&[text("a"), text("b")]);
        let map = [&[MAP][..], &u32::to_le_bytes(1), &text("a"), &text("b")].concat();
        assert_eq!(make_map(&of_one), Some(map));
        assert_eq!(make_map(&call(&[text("a")])), None);
        for end in 0..of_one.len() {
            assert_eq!(make_map(&of_one[..end]), None);
        }
    }
}
