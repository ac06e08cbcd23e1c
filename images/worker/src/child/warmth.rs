//! What a child does before it says that it waits, so that its job does not have to: a first compile, of a
//! style sheet of ours, which brings the engines' code and tables into memory.

use std::{hint::black_box, io, rc::Rc};

use pipeline::options::{Engine, OutputStyle};

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

/// The C library gives memory back to the kernel where more than twice as much as its largest block so far
/// lies idle. With this one it keeps what a compile uses, which it else gives back and asks for anew.
const LARGEST_BLOCK_BYTES: usize = 16 << 20;
/// On a thread that is not the first the C library asks the kernel for some pages at a time, hundreds of times
/// in a compile. This much it asks for at once, and keeps.
const ROOM_BYTES: usize = 15 << 20;
/// So much of it the kernel provides already: a framework's share. The rest takes no memory until it is used.
const PROVIDED_BYTES: usize = 10 << 20;

/// Everything goes on without, so errors are of no interest.
pub(super) fn warm_up() {
    drop(black_box(Vec::<u8>::with_capacity(LARGEST_BLOCK_BYTES)));
    drop(black_box(Vec::<u8>::with_capacity(ROOM_BYTES)));
    drop(black_box(vec![1_u8; PROVIDED_BYTES]));
    let task = Task { entry: ENTRY, load_paths: &[], style: OutputStyle::Expanded };
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
        let task = Task { entry: ENTRY, load_paths: &[], style: OutputStyle::Expanded };
        for rule in [Engine::Grass, Engine::Sasso] {
            let css = engine::compile(rule, task, &OwnSheet, |_| Ok(())).unwrap().unwrap();
            assert!(css.contains(".a-a:hover > b"), "{css}");
        }
    }
}
