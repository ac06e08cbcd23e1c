//! The hostile inputs, by families.

mod bombs;
mod bytes;
mod imports;
mod loops;
mod nesting;

use std::collections::BTreeSet;

/// A style sheet and what it imports, by paths below the site's root.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// Where the style sheet itself lies.
pub(crate) const ENTRY: &str = "main.scss";

impl Input {
    /// Of one file.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), files: vec![(ENTRY.to_owned(), text.into())] }
    }

    fn with(mut self, path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), text.into()));
        self
    }
}

pub(crate) fn all() -> Vec<Input> {
    [nesting::inputs(), loops::inputs(), bombs::inputs(), imports::inputs(), bytes::inputs()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn there_are_at_least_two_hundred_different_ones() {
    let inputs = all();
    let names: BTreeSet<_> = inputs.iter().map(|input| &input.name).collect();
    assert_eq!(names.len(), inputs.len(), "names are given twice");
    let contents: BTreeSet<_> = inputs.iter().map(|input| &input.files).collect();
    assert_eq!(contents.len(), inputs.len(), "contents are given twice");
    assert!(inputs.len() >= 200, "{}", inputs.len());
}
