//! Which file one load means, step by step with what is known of the origin. Pure.

use crate::{
    closure::imports::By,
    resolve::{Spellings, Syntax},
};

/// A load's likely spellings.
const LIKELY: usize = 2;

/// One load on its way to its file.
#[derive(Debug)]
pub(super) struct Search {
    /// Where it may lie, in their order: beside the file that loads it, there as an index file, and the same for
    /// each load path.
    candidates: Vec<String>,
    syntax: Syntax,
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
    pub(super) fn new(places: &[String], syntax: Syntax) -> Self {
        let candidates = places.iter().flat_map(|place| [place.clone(), format!("{place}/index")]);
        Self { candidates: candidates.collect(), syntax, at: 0, is_open: true, awaited: 0 }
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
    pub(super) fn later(&self, by: By) -> impl Iterator<Item = Spellings> {
        let is_likely = move |place: usize| match by {
            By::Module => true,
            By::Import => place.is_multiple_of(2),
        };
        self.spellings_from(1)
            .enumerate()
            .filter(move |(place, _)| is_likely(place + 1))
            .map(|(_, later)| later)
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
        let Some(spellings) = self.spellings_from(self.at).next() else {
            self.is_open = false;
            return Step::Nowhere;
        };
        let [partial, plain] = &spellings.likely;
        let (partial_is, plain_is) = (known(partial), known(plain));
        let likely = match (partial_is, plain_is) {
            (Some(true), _) => Some(partial),
            (Some(false), Some(true)) => Some(plain),
            (Some(false), Some(false)) => None,
            (None, _) | (_, None) => {
                let first = partial_is.is_none().then(|| partial.clone());
                let others = if plain_is.is_none() { vec![plain.clone()] } else { Vec::new() };
                return Step::Wait { first, others };
            }
        };
        if let Some(found) = likely {
            let path = found.clone();
            return Step::Found { path, spellings: self.end(spellings) };
        }
        if spellings.all().any(|path| known(path).is_none()) {
            return Step::Wait { first: None, others: self.undecided(&mut known) };
        }
        let found = spellings.all().find(|path| known(path) == Some(true)).cloned();
        if let Some(path) = found {
            return Step::Found { path, spellings: self.end(spellings) };
        }
        self.at += 1;
        Step::Missing { spellings }
    }

    /// All that may decide where no likely spelling is there, up to the next place where one is: in one round.
    fn undecided(&self, known: &mut impl FnMut(&str) -> Option<bool>) -> Vec<String> {
        let candidates = self.spellings_from(self.at);
        let missing =
            candidates.take_while(|spellings| !spellings.likely.iter().any(|path| known(path) == Some(true)));
        let mut paths: Vec<String> =
            missing.flat_map(|spellings| spellings.all().cloned().collect::<Vec<_>>()).collect();
        paths.retain(|path| known(path).is_none());
        paths
    }

    fn spellings_from(&self, place: usize) -> impl Iterator<Item = Spellings> {
        self.candidates.iter().skip(place).map(|path| Spellings::new(path, self.syntax))
    }

    fn end(&mut self, spellings: Spellings) -> Spellings {
        self.is_open = false;
        spellings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search asks for and ends with, at an origin that has `there`.
    fn search(places: &[&str], there: &[&str]) -> (Vec<String>, Option<String>) {
        let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
        let mut search = Search::new(&places, Syntax::Scss);
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
        for (there, requests, found) in [
            (&["/a/_x.scss"][..], 2, Some("/a/_x.scss")),
            (&["/a/x.scss"], 2, Some("/a/x.scss")),
            (&["/a/_x.scss", "/a/_x.sass"], 2, Some("/a/_x.scss")),
            (&["/a/_x.sass"], 48, Some("/a/_x.sass")),
            (&["/a/x.import.scss"], 48, Some("/a/x.import.scss")),
            (&["/a/x/_index.scss"], 48, Some("/a/x/_index.scss")),
            (&["/lib/x.css"], 48, Some("/lib/x.css")),
            (&[], 48, None),
        ] {
            let (asked, came_to) = search(&["/a/x", "/lib/x"], there);
            assert_eq!((asked.len(), came_to.as_deref()), (requests, found), "{there:?}");
        }
    }

    #[test]
    fn index_files_are_worth_asking_for_where_modules_are_loaded() {
        let search = Search::new(&["/a/x".to_owned(), "/lib/x".to_owned()], Syntax::Scss);
        let later = |by| search.later(by).map(|spellings| spellings.likely[0].clone()).collect::<Vec<_>>();
        assert_eq!(later(By::Module), ["/a/x/_index.scss", "/lib/_x.scss", "/lib/x/_index.scss"]);
        assert_eq!(later(By::Import), ["/lib/_x.scss"]);
    }
}
