//! What a child does before it says that it waits, so that its job does not have to: a first compile, of a
//! style sheet of ours, which brings the engines' code and tables into memory.

use std::{hint::black_box, io, rc::Rc};

use pipeline::options::{Engine, OutputStyle, SourceMaps};

use super::{
    engine::{self, Task},
    sources::Sources,
};

const ENTRY: &str = "/warm.scss";

/// Some of what most style sheets use.
const SHEET: &str = "
@use 'sass:math';
$colors: (a: #336699, b: rgba(0, 0, 0, .5));
@function half($length) { @return math.div($length, 2); }
@mixin at($width) { @media (min-width: $width) { @content; } }
%base { margin: 0 auto; }
@each $name, $color in $colors {
  .a-#{$name} {
    @extend %base;
    color: lighten($color, 10%);
    &:hover > b { padding: half(3px) calc(1px + 2em); }
    @include at(576px) { @if $name == a { width: 50% !important; } }
  }
}
";

/// So much memory the kernel provides already, which the allocator keeps for some seconds: a framework's share.
const PROVIDED_BYTES: usize = 10 << 20;

/// Everything goes on without, so errors are of no interest.
pub(super) fn warm_up() {
    drop(black_box(vec![1_u8; PROVIDED_BYTES]));
    let task =
        Task { entry: ENTRY, load_paths: &[], style: OutputStyle::Expanded, source_maps: SourceMaps::None };
    for rule in [Engine::Grass, Engine::Sasso] {
        drop(black_box(engine::compile(rule, task, &OwnSheet, |_| Ok(()))));
    }
}

struct OwnSheet;

impl Sources for OwnSheet {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(path == ENTRY)
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        Ok((path == ENTRY).then(|| SHEET.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_sheet_compiles_with_both_engines() {
        let task = Task {
            entry: ENTRY,
            load_paths: &[],
            style: OutputStyle::Expanded,
            source_maps: SourceMaps::None,
        };
        for rule in [Engine::Grass, Engine::Sasso] {
            let css = engine::compile(rule, task, &OwnSheet, |_| Ok(())).unwrap().unwrap().text;
            assert!(css.contains(".a-a:hover > b"), "{css}");
        }
    }
}
