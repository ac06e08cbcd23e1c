//! What the engines are known to get wrong, as data: the rule `Auto` chooses by.
//!
//! A row that grass answers with an error of its own needs no sign, yet may have one that spares a run in
//! vain. The others are those that matter: there an engine gives a wrong style sheet and says nothing.

mod grass;
mod passes;
mod sasso;

pub(super) use grass::WRONG_IN_GRASS;
pub(super) use passes::tail;
pub(super) use sasso::WRONG_IN_SASSO;

/// One thing that an engine gets wrong.
pub(super) struct KnownWrong {
    pub(super) what: &'static str,
    /// Number of the issue in the engine's repository, where there is one.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people, and for the test's messages"))]
    pub(super) upstream: Option<u32>,
    pub(super) sign: Sign,
    /// Where the engine takes what is an error: what the other one says then.
    pub(super) missed: Option<&'static str>,
    /// Whether it counts where there is `@extend`, too, of which grass makes now this and now that.
    pub(super) counts_beside_extend: bool,
}

/// How a source, or all that were read, show that they hold the thing. A sign too many costs time only.
pub(super) enum Sign {
    /// A call by one of these names, of no module, whose text behind the parenthesis passes.
    Call(&'static [&'static str], fn(&str) -> bool),
    /// Likewise, of a module or of none.
    AnyCall(&'static [&'static str], fn(&str) -> bool),
    /// A call by one of these names within a string.
    CallInString(&'static [&'static str]),
    /// Calls by a name of each list; one with a dot in front is a module's.
    BothCalls(&'static [&'static str], &'static [&'static str]),
    /// A named argument.
    Argument(&'static [&'static str]),
    /// An at-rule by one of these names whose text behind the name passes.
    AtRule(&'static [&'static str], fn(&str) -> bool),
    /// Passes what stands before the blocks around, and before the block itself.
    Block(fn(&[&str], &str) -> bool),
    /// Likewise, where there is `@extend`, too.
    BlockBesideExtend(fn(&[&str], &str) -> bool),
    /// Passes what ends at a semicolon.
    Statement(fn(&str) -> bool),
    /// Passes the whole source.
    Source(fn(&str) -> bool),
    /// A declaration that follows an `@at-root` block within a rule.
    DeclarationBehindAtRoot,
    /// A comment without an end.
    OpenComment,
    /// A file for `@import` alone was read, and there are modules.
    ImportOnlyFileBesideModules,
    /// The same was imported twice, and there are modules.
    RepeatedImportBesideModules,
    /// Two files that the same import may mean.
    AmbiguousImport,
    /// None is needed: the engine reports an error.
    Error,
}

const fn row(what: &'static str, upstream: Option<u32>, sign: Sign) -> KnownWrong {
    KnownWrong { what, upstream, sign, missed: None, counts_beside_extend: true }
}
