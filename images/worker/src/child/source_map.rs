//! Which place in the Sass each place in the CSS is from (ECMA-426), also where sources were spelled otherwise
//! for an engine, and where the CSS was changed after it.
//!
//! Lines and columns count from 0; columns are UTF-16 code units.

use std::collections::HashMap;

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
    let respell = |source: Spelled| {
        let lines = Respelled::lines_of(&source);
        (source, lines)
    };
    let sources: Vec<_> = map.sources().map(|path| spelled(path).map(respell)).collect();
    let mut moved = rebuild(map, |token| {
        let (line, column) = token.get_src();
        let source = sources.get(token.get_src_id() as usize).and_then(Option::as_ref);
        let column = source.map_or(column, |(_, lines)| lines.original_column(line, column));
        (token.get_dst(), (line, column))
    });
    for (place, source) in (0..).zip(&sources) {
        moved.set_source_contents(place, source.as_ref().map(|(source, _)| source.original.as_str()));
    }
    moved
}

/// The map of `css` as one of what it became by changes, which stand in their order.
pub(super) fn follow(map: &SourceMap, css: &str, changes: &[Change]) -> SourceMap {
    let mut starts = vec![0];
    starts.extend(css.match_indices('\n').map(|(at, _)| at + 1));
    // Where each change ends, and what those of its line have grown up to there.
    let mut grown: Vec<(Place, i64)> = Vec::new();
    let (mut line_so_far, mut counted) = (None, (0, 0));
    for change in changes {
        let line = starts.partition_point(|start| *start <= change.end).saturating_sub(1);
        let start = starts.get(line).copied().unwrap_or_default();
        if line_so_far != Some(line) {
            (line_so_far, counted) = (Some(line), (start, 0));
        }
        let (from, column) = counted;
        let column = column + columns(css.get(from..change.end).unwrap_or_default()).unwrap_or_default();
        counted = (change.end, column);
        let place = (u32::try_from(line).unwrap_or(u32::MAX), column);
        let before = grown.last().filter(|(last, _)| last.0 == place.0).map_or(0, |(_, grown)| *grown);
        grown.push((place, before + change.grown));
    }
    rebuild(map, |token| {
        let (line, column) = token.get_dst();
        let behind = grown.partition_point(|(place, _)| *place <= (line, column)).checked_sub(1);
        let behind = behind.and_then(|index| grown.get(index)).filter(|(place, _)| place.0 == line);
        let column = behind.map_or(i64::from(column), |(_, grown)| i64::from(column) + grown);
        ((line, u32::try_from(column).unwrap_or_default()), token.get_src())
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

/// The lines of a source that were spelled otherwise; none where lines were added or removed.
struct Respelled(HashMap<u32, Respelling>);

/// What is the same at both ends of a line, and its lengths, in columns.
struct Respelling {
    before: u32,
    behind: u32,
    original: u32,
    given: u32,
}

impl Respelled {
    fn lines_of(source: &Spelled) -> Self {
        let Spelled { original, given } = source;
        if original == given || original.lines().count() != given.lines().count() {
            return Self(HashMap::new());
        }
        let lines = (0..).zip(original.lines().zip(given.lines()));
        let changed = lines.filter(|(_, (original, given))| original != given);
        Self(changed.filter_map(|(line, (a, b))| Some((line, Respelling::new(a, b)?))).collect())
    }

    fn original_column(&self, line: u32, column: u32) -> u32 {
        self.0.get(&line).map_or(column, |respelling| respelling.original_column(column))
    }
}

impl Respelling {
    fn new(original: &str, given: &str) -> Option<Self> {
        let (original, given): (Vec<u16>, Vec<u16>) =
            (original.encode_utf16().collect(), given.encode_utf16().collect());
        let same = |pairs: &mut dyn Iterator<Item = (&u16, &u16)>| pairs.take_while(|(a, b)| a == b).count();
        let before = same(&mut original.iter().zip(&given));
        let shorter = original.len().min(given.len());
        let behind = same(&mut original.iter().rev().zip(given.iter().rev())).min(shorter - before);
        let count = |count: usize| u32::try_from(count).ok();
        Some(Self {
            before: count(before)?,
            behind: count(behind)?,
            original: count(original.len())?,
            given: count(given.len())?,
        })
    }

    /// A place within what was changed is where that begins.
    fn original_column(&self, column: u32) -> u32 {
        let Self { before, behind, original, given } = *self;
        if column <= before {
            column
        } else if column.saturating_add(behind) >= given {
            column.saturating_add(original).saturating_sub(given)
        } else {
            before
        }
    }
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
