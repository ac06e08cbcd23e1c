//! What an engine will read in any case, looked through before it begins: a run that is to end early anyway is
//! spared.
//!
//! From the entry on, the loads that stand outside of all blocks are followed, in their order. An engine reads
//! those whatever the style sheet computes, unless it reports an error before: so what is found here it would
//! have come upon, too. Only what the parent gave with the order is looked at.

use std::{collections::HashSet, io, rc::Rc};

use super::{Task, sasso_engine::importer::find};
use crate::{
    child::{
        blocks::{Piece, walk_scss},
        scan::{Scan, Signs},
        sources::Sources,
    },
    closure::loads_of,
    resolve::{By, has_ending},
};

/// What was found, and where it was looked for.
pub(in super::super) struct Foresight {
    pub(in super::super) scan: Scan,
    pub(in super::super) looked_through: HashSet<String>,
}

/// Up to the first thing that the engine gets wrong.
pub(super) fn foresee(task: Task<'_>, sources: &dyn Sources, signs: &'static Signs) -> io::Result<Foresight> {
    let mut foresight = Foresight { scan: Scan::new(signs), looked_through: HashSet::new() };
    let known = Known(sources);
    // Depth first, as engines read; the next one stands last.
    let mut to_read = vec![task.entry.to_owned()];
    while let Some(path) = to_read.pop() {
        let Some(text) = sources.peek(&path).filter(|_| !foresight.looked_through.contains(&path)) else {
            continue;
        };
        foresight.scan.add(&path, &text);
        if foresight.scan.found().is_some() {
            // The choice depends on all of them.
            for path in foresight.looked_through.iter().chain([&path]) {
                sources.read(path)?;
            }
            break;
        }
        let loads = loads_outside_of_blocks(&path, &text);
        let found = loads.iter().rev().filter_map(|(url, by)| {
            find(&known, task.load_paths, &path, url, *by == By::Import).ok().flatten()
        });
        to_read.extend(found);
        foresight.looked_through.insert(path);
    }
    Ok(foresight)
}

fn loads_outside_of_blocks(path: &str, text: &str) -> Vec<(String, By)> {
    let mut loads = Vec::new();
    let mut add = |statement: &str| {
        let found = statement.strip_prefix('@').map(loads_of).unwrap_or_default();
        loads.extend(found.into_iter().map(|load| (load.url.to_owned(), load.by)));
    };
    if has_ending(path, "sass") {
        // What is indented may be a comment that goes on.
        text.lines().for_each(add);
    } else if !has_ending(path, "css") {
        walk_scss(text, &mut |stack, piece| match piece {
            Piece::Statement(statement) if stack.is_empty() => add(statement),
            Piece::Statement(_) | Piece::Block(_) => {}
        });
    }
    loads
}

/// The sources as far as they are known; anything else is an error.
struct Known<'s>(&'s dyn Sources);

impl Sources for Known<'_> {
    fn has(&self, path: &str) -> io::Result<bool> {
        self.0.knows(path).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        Ok(self.0.peek(path))
    }
}
