//! The rows by where their signs are looked for.

use std::{collections::HashMap, sync::LazyLock};

use super::super::known_wrong::{KnownWrong, Sign, WRONG_IN_GRASS, WRONG_IN_SASSO};

pub(in super::super) type Row = &'static KnownWrong;
type Names = &'static [&'static str];
type Passes = fn(&str) -> bool;
type PassesBlock = fn(&[&str], &str) -> bool;

pub(super) enum CallSign {
    OfNoModule(Passes),
    Any(Passes),
    InString,
}

#[derive(Default)]
pub(in super::super) struct Signs {
    pub(super) calls: HashMap<&'static str, Vec<(CallSign, Row)>>,
    pub(super) both_calls: Vec<([Names; 2], Row)>,
    pub(super) at_rules: Vec<(Names, Passes, Row)>,
    pub(super) arguments: Vec<(&'static str, Row)>,
    pub(super) blocks: Vec<(PassesBlock, Row)>,
    pub(super) blocks_beside_extend: Vec<(PassesBlock, Row)>,
    pub(super) statements: Vec<(Passes, Row)>,
    pub(super) sources: Vec<(Passes, Row)>,
    pub(super) behind_at_root: Vec<Row>,
    pub(super) open_comment: Vec<Row>,
    pub(super) import_only_beside_modules: Vec<Row>,
    pub(super) repeated_import_beside_modules: Vec<Row>,
    pub(super) ambiguous_import: Vec<Row>,
}

/// Signs of what each engine gets wrong.
pub(in super::super) static GRASS: LazyLock<Signs> = LazyLock::new(|| Signs::of(&WRONG_IN_GRASS));
pub(in super::super) static SASSO: LazyLock<Signs> = LazyLock::new(|| Signs::of(&WRONG_IN_SASSO));

impl Signs {
    fn of(rows: &'static [KnownWrong]) -> Self {
        let mut signs = Self::default();
        for row in rows {
            signs.add(row);
        }
        signs
    }

    fn add(&mut self, row: Row) {
        match row.sign {
            Sign::Call(names, passes) => self.add_calls(names, || CallSign::OfNoModule(passes), row),
            Sign::AnyCall(names, passes) => self.add_calls(names, || CallSign::Any(passes), row),
            Sign::CallInString(names) => self.add_calls(names, || CallSign::InString, row),
            Sign::BothCalls(one, other) => self.both_calls.push(([one, other], row)),
            Sign::Argument(names) => self.arguments.extend(names.iter().map(|name| (*name, row))),
            Sign::AtRule(names, passes) => self.at_rules.push((names, passes, row)),
            Sign::Block(passes) => self.blocks.push((passes, row)),
            Sign::BlockBesideExtend(passes) => self.blocks_beside_extend.push((passes, row)),
            Sign::Statement(passes) => self.statements.push((passes, row)),
            Sign::Source(passes) => self.sources.push((passes, row)),
            Sign::DeclarationBehindAtRoot => self.behind_at_root.push(row),
            Sign::OpenComment => self.open_comment.push(row),
            Sign::ImportOnlyFileBesideModules => self.import_only_beside_modules.push(row),
            Sign::RepeatedImportBesideModules => self.repeated_import_beside_modules.push(row),
            Sign::AmbiguousImport => self.ambiguous_import.push(row),
            Sign::Error => {}
        }
    }

    fn add_calls(&mut self, names: Names, sign: impl Fn() -> CallSign, row: Row) {
        for name in names {
            self.calls.entry(name).or_default().push((sign(), row));
        }
    }
}
