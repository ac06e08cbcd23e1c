//! Which place in the Sass each place in the CSS is from (ECMA-426), also where sources were spelled otherwise
//! for an engine, and where the CSS was changed after it.
//!
//! Lines and columns count from 0; columns are UTF-16 code units.

use sourcemap::{SourceMap, SourceMapBuilder, Token};

/// Line and column.
type Place = (u32, u32);

/// A style sheet, with its map where the engine makes one.
#[derive(Debug, PartialEq)]
pub(super) struct Css {
    pub(super) text: String,
    pub(super) map: Option<SourceMap>,
}

/// A source as the site has it, and as the engine was given it.
pub(super) struct Spelled {
    pub(super) original: String,
    pub(super) given: String,
}

/// A change of the CSS: what stood up to this byte became longer by so many columns, or shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) end: usize,
    pub(super) grown: i64,
}

impl Css {
    /// With the map in a comment at its end, or a word on why there is none.
    pub(super) fn with_map_inline(self) -> String {
        let Self { mut text, map } = self;
        let comment = match map.and_then(|map| map.to_data_url().ok()) {
            Some(url) => format!("/*# sourceMappingURL={url} */\n"),
            None => {
                "/* No source map: grass made this, which makes none. The engine Sasso does. */\n".to_owned()
            }
        };
        text.push_str(&comment);
        text
    }
}

/// The map of what the engine was given, as one of what the site has, whose texts it holds.
pub(super) fn to_originals(map: &SourceMap, spelled: impl Fn(&str) -> Option<Spelled>) -> SourceMap {
    let sources: Vec<_> = map.sources().map(|path| spelled(path).map(Lines::new)).collect();
    let mut moved = rebuild(map, |token| {
        let (line, column) = token.get_src();
        let lines = sources.get(token.get_src_id() as usize).and_then(Option::as_ref);
        let column = lines.map_or(column, |lines| lines.original_column(line, column));
        (token.get_dst(), (line, column))
    });
    for (source, lines) in (0..).zip(&sources) {
        moved.set_source_contents(source, lines.as_ref().map(|lines| lines.spelled.original.as_str()));
    }
    moved
}

/// The map of `css` as one of what it became by changes, which stand in their order.
pub(super) fn follow(map: &SourceMap, css: &str, changes: &[Change]) -> SourceMap {
    let mut starts = vec![0];
    starts.extend(css.match_indices('\n').map(|(at, _)| at + 1));
    let places: Vec<(u32, u32, i64)> = changes
        .iter()
        .filter_map(|Change { end, grown }| {
            let line = starts.partition_point(|start| start <= end).checked_sub(1)?;
            let before = css.get(*starts.get(line)?..*end)?;
            Some((u32::try_from(line).ok()?, columns(before)?, *grown))
        })
        .collect();
    rebuild(map, |token| {
        let (line, column) = token.get_dst();
        let grown: i64 = places
            .iter()
            .skip(places.partition_point(|place| place.0 < line))
            .take_while(|(changed, end, _)| *changed == line && *end <= column)
            .map(|(_, _, grown)| grown)
            .sum();
        let column = u32::try_from(i64::from(column) + grown).unwrap_or(column);
        ((line, column), token.get_src())
    })
}

/// The same map with places changed: where a token stands in the CSS, and in its source.
fn rebuild(map: &SourceMap, place: impl Fn(&Token<'_>) -> (Place, Place)) -> SourceMap {
    let mut builder = SourceMapBuilder::new(map.get_file());
    for (source, path) in (0..).zip(map.sources()) {
        let known = builder.add_source(path);
        builder.set_source_contents(known, map.get_source_contents(source));
    }
    for token in map.tokens() {
        let ((line, column), (source_line, source_column)) = place(&token);
        let source = token.has_source().then(|| token.get_src_id());
        builder.add_raw(line, column, source_line, source_column, source, None, false);
    }
    builder.into_sourcemap()
}

/// A spelled source by its lines.
struct Lines {
    spelled: Spelled,
    /// Whether something was spelled otherwise, and each line is still the same one.
    is_changed: bool,
}

impl Lines {
    fn new(spelled: Spelled) -> Self {
        let Spelled { original, given } = &spelled;
        let is_changed = original != given && original.lines().count() == given.lines().count();
        Self { spelled, is_changed }
    }

    /// A place within what was changed is where that begins.
    fn original_column(&self, line: u32, column: u32) -> u32 {
        let line = line as usize;
        let Spelled { original, given } = &self.spelled;
        let lines = original.lines().nth(line).zip(given.lines().nth(line));
        match lines.filter(|_| self.is_changed) {
            Some((original, given)) if original != given => unchanged_column(original, given, column),
            Some(_) | None => column,
        }
    }
}

fn unchanged_column(original: &str, given: &str, column: u32) -> u32 {
    let (original, given): (Vec<u16>, Vec<u16>) =
        (original.encode_utf16().collect(), given.encode_utf16().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&u16, &u16)>| pairs.take_while(|(a, b)| a == b).count();
    let before = same(&mut original.iter().zip(&given));
    let shorter = original.len().min(given.len());
    let behind = same(&mut original.iter().rev().zip(given.iter().rev())).min(shorter - before);
    let at = column as usize;
    let column = if at <= before {
        at
    } else if at + behind >= given.len() {
        (at + original.len()).saturating_sub(given.len())
    } else {
        before
    };
    u32::try_from(column).unwrap_or(u32::MAX)
}

/// How long it is in columns.
pub(super) fn columns(text: &str) -> Option<u32> {
    u32::try_from(text.encode_utf16().count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(tokens: &[(Place, Place)]) -> SourceMap {
        let mut builder = SourceMapBuilder::new(None);
        for ((line, column), (source_line, source_column)) in tokens {
            builder.add(*line, *column, *source_line, *source_column, Some("/a.scss"), None, false);
        }
        builder.into_sourcemap()
    }

    fn places(map: &SourceMap) -> Vec<(Place, Place)> {
        map.tokens().map(|token| (token.get_dst(), token.get_src())).collect()
    }

    #[test]
    fn places_behind_a_change_follow_it_to_the_end_of_the_line() {
        let css = "a{b:ä;c:u(x);d:e}\nf{g:h}\n";
        let at = |word| css.find(word).unwrap();
        let changes = [Change { end: at(";c"), grown: 2 }, Change { end: at(";d"), grown: -1 }];
        let before = map(&[((0, 2), (1, 2)), ((0, 6), (2, 2)), ((0, 13), (3, 2)), ((1, 2), (4, 2))]);
        let after = [((0, 2), (1, 2)), ((0, 8), (2, 2)), ((0, 14), (3, 2)), ((1, 2), (4, 2))];
        assert_eq!(places(&follow(&before, css, &changes)), after);
    }

    #[test]
    fn places_are_those_of_the_text_as_the_site_has_it() {
        let spelled =
            |_: &str| Some(Spelled { original: "a:96%  b\nc".to_owned(), given: "a:(96%)  b\nc".to_owned() });
        let given = map(&[((0, 0), (0, 2)), ((0, 1), (0, 4)), ((0, 2), (0, 9)), ((0, 3), (1, 0))]);
        let originals = to_originals(&given, spelled);
        assert_eq!(
            places(&originals),
            [((0, 0), (0, 2)), ((0, 1), (0, 2)), ((0, 2), (0, 7)), ((0, 3), (1, 0))]
        );
        assert_eq!(originals.get_source_contents(0), Some("a:96%  b\nc"));
    }

    #[test]
    fn style_sheet_without_a_map_says_why() {
        let css = Css { text: "a{}".to_owned(), map: None };
        assert!(css.with_map_inline().starts_with("a{}/* No source map: grass"));
    }
}
