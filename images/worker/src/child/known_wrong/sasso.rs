//! What sasso 0.21 gets wrong and grass right: there grass's word stands. Numbers are those of
//! github.com/momiji-rs/sasso. A sign too many here leaves to grass what it gets wrong, so these are narrow.

use super::{
    KnownWrong,
    Sign::{AnyCall, AtRule, Block, BlockBesideExtend, OpenComment},
    passes::{any, is_column_selector, is_of_selector, merges_negation, names_layer},
    row,
};

pub(in super::super) static WRONG_IN_SASSO: [KnownWrong; 6] = [
    without_extend(row("negated features of @media merged", None, Block(merges_negation))),
    without_extend(row("@at-root out of a layer", None, AtRule(&["at-root"], names_layer))),
    without_extend(row("map.deep-remove() of what is not there", None, AnyCall(&["deep-remove"], any))),
    row("@extend in :nth-child(of)", None, BlockBesideExtend(is_of_selector)),
    KnownWrong {
        missed: Some("Expected identifier."),
        ..row("two pipes in a selector", None, Block(is_column_selector))
    },
    KnownWrong { missed: Some("expected more input."), ..row("comments without an end", None, OpenComment) },
];

const fn without_extend(row: KnownWrong) -> KnownWrong {
    KnownWrong { counts_beside_extend: false, ..row }
}
