//! Which file one load means, step by step with what is known of the origin. Pure.

use crate::resolve::{By, Spellings, Syntax};

/// A load's likely spellings.
const LIKELY: usize = 2;

/// One load on its way to its file.
#[derive(Debug)]
pub(super) struct Search {
    /// Where it may lie, in their order: beside the file that loads it, there as an index file, and the same for
    /// each load path.
    candidates: Vec<Spellings>,
    by: By,
    at: usize,
    is_open: bool,
    /// Answers that the last step asked for and that have not come.
    awaited: usize,
}

/// What a search needs, or has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Answers for these paths.
    Wait { first: Option<String>, others: Vec<String> },
    /// The file is there; these were its spellings. The search is over.
    Found { path: String, spellings: Spellings },
    /// None of these is there; the next step looks elsewhere.
    Missing { spellings: Spellings },
    /// The file is nowhere. The search is over.
    Nowhere,
    /// It was over before.
    Over,
}

impl Search {
    pub(super) fn new(places: &[String], syntax: Syntax, by: By) -> Self {
        let candidates = places.iter().flat_map(|place| [place.clone(), format!("{place}/index")]);
        let candidates = candidates.map(|path| Spellings::new(&path, syntax, by)).collect();
        Self { candidates, by, at: 0, is_open: true, awaited: 0 }
    }

    /// Of all places.
    pub(super) fn spellings(&self) -> &[Spellings] {
        &self.candidates
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// Counts answers. The likely spellings decide one by one, the others together.
    pub(super) fn is_worth_a_step(&mut self, answers: usize) -> bool {
        self.awaited = self.awaited.saturating_sub(answers);
        self.awaited <= LIKELY
    }

    /// What is worth asking for before it is known to decide anything. `@import` is older than index files, so
    /// most of what it names are files.
    pub(super) fn later(&self) -> impl Iterator<Item = &String> {
        let is_likely = |place: usize| match self.by {
            By::Module => true,
            By::Import => place.is_multiple_of(2),
        };
        let later = self.candidates.iter().enumerate().skip(1).filter(move |(place, _)| is_likely(*place));
        later.flat_map(|(_, later)| &later.likely)
    }

    /// Goes on with what is known: whether there is something at a path, or `None` where nobody has asked.
    pub(super) fn step(&mut self, known: impl FnMut(&str) -> Option<bool>) -> Step {
        let step = self.next(known);
        if let Step::Wait { first, others } = &step {
            self.awaited = others.len() + usize::from(first.is_some());
        }
        step
    }

    fn next(&mut self, mut known: impl FnMut(&str) -> Option<bool>) -> Step {
        if !self.is_open {
            return Step::Over;
        }
        let Some(spellings) = self.candidates.get(self.at) else {
            self.is_open = false;
            return Step::Nowhere;
        };
        let [first, second] = &spellings.likely;
        let found = match (known(first), known(second)) {
            (Some(true), _) => first,
            (Some(false), Some(true)) => second,
            (Some(false), Some(false)) => return self.next_unlikely(known),
            (first_is, second_is) => {
                let first = first_is.is_none().then(|| first.clone());
                let others = second_is.is_none().then(|| second.clone());
                return Step::Wait { first, others: others.into_iter().collect() };
            }
        };
        self.is_open = false;
        Step::Found { path: found.clone(), spellings: spellings.clone() }
    }

    /// Neither of the likely ones is there.
    fn next_unlikely(&mut self, mut known: impl FnMut(&str) -> Option<bool>) -> Step {
        let candidates = self.candidates.get(self.at..).unwrap_or_default();
        let Some(spellings) = candidates.first().cloned() else { return Step::Nowhere };
        if spellings.all().any(|path| known(&path).is_none()) {
            return Step::Wait { first: None, others: undecided(candidates, &mut known) };
        }
        let found = spellings.all().find(|path| known(path) == Some(true));
        if let Some(path) = found {
            self.is_open = false;
            return Step::Found { path, spellings };
        }
        self.at += 1;
        Step::Missing { spellings }
    }
}

/// All that may decide where no likely spelling is there, up to the next place where one is: in one round.
fn undecided(candidates: &[Spellings], known: &mut impl FnMut(&str) -> Option<bool>) -> Vec<String> {
    let missing = candidates
        .iter()
        .take_while(|spellings| !spellings.likely.iter().any(|path| known(path) == Some(true)));
    let mut paths: Vec<String> = missing.flat_map(Spellings::all).collect();
    paths.retain(|path| known(path).is_none());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search asks for and ends with, at an origin that has `there`.
    fn search(by: By, places: &[&str], there: &[&str]) -> (Vec<String>, Option<String>) {
        let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
        let mut search = Search::new(&places, Syntax::Scss, by);
        let mut asked: Vec<String> = Vec::new();
        loop {
            let known = |path: &str| asked.iter().any(|asked| asked == path).then(|| there.contains(&path));
            match search.step(known) {
                Step::Wait { first, others } => asked.extend(first.into_iter().chain(others)),
                Step::Found { path, .. } => return (asked, Some(path)),
                Step::Missing { .. } => {}
                Step::Nowhere => return (asked, None),
                Step::Over => panic!("it went on after its end"),
            }
        }
    }

    #[test]
    fn other_spellings_are_asked_for_where_no_likely_one_is_there() {
        for (there, for_module, for_import, found) in [
            (&["/a/_x.scss"][..], 2, 2, Some("/a/_x.scss")),
            (&["/a/x.scss"], 2, 2, Some("/a/x.scss")),
            (&["/a/_x.scss", "/a/_x.sass"], 2, 2, Some("/a/_x.scss")),
            (&["/a/_x.sass"], 24, 48, Some("/a/_x.sass")),
            (&["/a/x/_index.scss"], 24, 48, Some("/a/x/_index.scss")),
            (&["/lib/x.css"], 24, 48, Some("/lib/x.css")),
            (&[], 24, 48, None),
        ] {
            for (by, requests) in [(By::Module, for_module), (By::Import, for_import)] {
                let (asked, came_to) = search(by, &["/a/x", "/lib/x"], there);
                assert_eq!((asked.len(), came_to.as_deref()), (requests, found), "{by:?} {there:?}");
            }
        }
        let there = ["/a/x.import.scss"];
        assert_eq!(search(By::Import, &["/a/x"], &there).1.as_deref(), Some("/a/x.import.scss"));
        assert_eq!(search(By::Module, &["/a/x"], &there).1, None);
        assert_eq!(search(By::Import, &["/a/_x"], &["/a/_x.scss"]).0.len(), 2);
    }

    #[test]
    fn index_files_are_worth_asking_for_where_modules_are_loaded() {
        let places = ["/a/x".to_owned(), "/lib/x".to_owned()];
        let search = |by| Search::new(&places, Syntax::Scss, by);
        let later = |by| search(by).later().step_by(2).cloned().collect::<Vec<_>>();
        assert_eq!(later(By::Module), ["/a/x/_index.scss", "/lib/_x.scss", "/lib/x/_index.scss"]);
        assert_eq!(later(By::Import), ["/lib/_x.scss"]);
    }
}
