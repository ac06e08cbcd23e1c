//! Fetches what a style sheet loads before it is compiled: each source is looked through as it arrives, and
//! what it loads is asked for at once, so that round trips grow with the depth of the tree of imports.
//!
//! For each load the two spellings that nearly all style sheets use are asked for first. Where one is there,
//! its twin and the files for `@import` alone are assumed absent until they are verified, and the other
//! spellings decide nothing: an engine is told that they are absent, and nobody asks for them. Which these are
//! depends on nothing but what the origin has. Where none is there, all spellings are asked for, then those of
//! the index file, then the load paths'.
//!
//! An origin that fails ends it, and so do the limits: whether that matters shows when the compiler asks.

mod search;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use futures::FutureExt;
use pipeline::ports::{OriginError, SourceFile};
use url::Url;

use super::{
    Answer, MAX_PARALLEL_FETCHES, MAX_PATH_BYTES, Sources,
    imports::{By, find_loads},
};
use crate::resolve::{Spellings, Syntax, normalize};
use search::{Search, Step};

/// Lower ones are asked for first. What waits for a place is dropped once it decides nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The likeliest spelling.
    First,
    Decisive,
    /// May become decisive.
    Ahead,
}

/// One look ahead over one style sheet.
struct Ahead<'s> {
    sources: &'s mut Sources,
    load_paths: &'s [String],
    syntax: Syntax,
    searches: Vec<Search>,
    /// The searches that wait for a path's answer.
    waiting: HashMap<String, Vec<usize>>,
    /// By rank and turn. A path may stand in it more than once.
    queue: BTreeMap<(Rank, usize), String>,
    turn: usize,
    open: usize,
    looked_through: HashSet<String>,
    /// What each search looks for, at the place where it looks first.
    looked_for: HashSet<String>,
}

impl Sources {
    /// Fetches whatever `entry`, which was read already, loads directly and through others.
    pub(crate) async fn fetch_ahead(&mut self, entry: &str, load_paths: &[String]) {
        self.is_fetching = true;
        let mut ahead = Ahead {
            sources: self,
            load_paths,
            syntax: Syntax::of(entry),
            searches: Vec::new(),
            waiting: HashMap::new(),
            queue: BTreeMap::new(),
            turn: 0,
            open: 0,
            looked_through: HashSet::new(),
            looked_for: HashSet::new(),
        };
        ahead.look_through(entry);
        ahead.run().await;
        self.is_fetching = false;
    }

    /// Whether there is something at a path: `None` where nobody has asked.
    fn is_there(&self, path: &str) -> Option<bool> {
        let url = self.url_of(path)?;
        self.by_url.get(url.as_str()).map(Option::is_some)
    }

    fn found_at(&self, path: &str) -> Option<&SourceFile> {
        let url = self.url_of(path)?;
        self.by_url.get(url.as_str())?.as_ref()
    }
}

impl Ahead<'_> {
    /// Until each load has its file, or none. What decides nothing any more may still be under way then.
    async fn run(&mut self) {
        while self.open > 0 {
            self.start();
            let Some(first) = self.sources.under_way.next().await else { return };
            // All that has come, before anything is made of it: it may make more requests needless.
            let (mut came, mut waiting) = (Some(first), BTreeSet::new());
            while let Some(answer) = came {
                match self.take(answer) {
                    Ok(searches) => waiting.extend(searches),
                    Err(_) => return,
                }
                came = self.sources.under_way.next().now_or_never().flatten();
            }
            if self.sources.check_limits().is_err() {
                return;
            }
            for index in waiting {
                self.go_on(index);
            }
        }
    }

    fn start(&mut self) {
        while self.sources.under_way.len() < MAX_PARALLEL_FETCHES
            && let Some((path, url)) = self.next()
        {
            self.sources.under_way.start(self.sources.origin.clone(), path, url);
        }
    }

    /// The searches that go on with this answer.
    fn take(&mut self, Answer { path, url, source }: Answer) -> Result<Vec<usize>, OriginError> {
        let waiting = self.waiting.remove(&path).unwrap_or_default();
        let is_awaited = waiting.iter().any(|index| self.is_open(*index));
        let is_decisive = self.sources.assumed_absent.contains_key(&path);
        let source = match source {
            Ok(source) => source,
            Err(error) if is_awaited || is_decisive => return Err(error),
            Err(_) => return Ok(waiting),
        };
        let is_found = source.is_some();
        if self.sources.assumed_absent.remove(&path).is_some() {
            self.sources.asked.insert(path.clone(), url.to_string());
        }
        self.sources.by_url.insert(url.into(), source);
        if is_found && is_awaited {
            self.look_through(&path);
        }
        Ok(waiting)
    }

    /// The next path that still decides something.
    fn next(&mut self) -> Option<(String, Url)> {
        while let Some((_, path)) = self.queue.pop_first() {
            let mut waiting = self.waiting.get(&path).into_iter().flatten();
            if !waiting.any(|index| self.is_open(*index)) {
                self.waiting.remove(&path);
            } else if let Some(url) = self.sources.url_of(&path)
                && !self.sources.under_way.has(&path)
            {
                return Some((path, url));
            }
        }
        None
    }

    fn is_open(&self, index: usize) -> bool {
        self.searches.get(index).is_some_and(Search::is_open)
    }

    /// Begins a search for each load of the source at `path`.
    fn look_through(&mut self, path: &str) {
        if !self.looked_through.insert(path.to_owned()) {
            return;
        }
        let Some(source) = self.sources.found_at(path) else { return };
        let body = source.body.clone();
        let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
        for load in find_loads(str::from_utf8(&body).unwrap_or_default()) {
            let places = self.places(folder, load.url);
            let is_bounded = self.searches.len() < self.sources.limits.files
                && places.iter().all(|place| place.len() < MAX_PATH_BYTES);
            if is_bounded && places.first().is_some_and(|first| self.looked_for.insert(first.clone())) {
                let search = Search::new(&places, self.syntax);
                self.begin(search, load.by);
            }
        }
    }

    /// Where a load is looked for, in this order.
    fn places(&self, folder: &Path, url: &str) -> Vec<String> {
        let folders = [folder].into_iter().chain(self.load_paths.iter().map(Path::new));
        folders.filter_map(|folder| normalize(&folder.join(url))).collect()
    }

    fn begin(&mut self, search: Search, by: By) {
        let index = self.searches.len();
        let ahead: Vec<String> = search.later(by).flat_map(|spellings| spellings.likely.clone()).collect();
        self.searches.push(search);
        self.open += 1;
        self.go_on(index);
        if self.is_open(index) {
            self.ask_all(ahead, Rank::Ahead, index);
        }
    }

    /// Takes a search as far as it comes with what is known.
    fn go_on(&mut self, index: usize) {
        loop {
            let Some(search) = self.searches.get_mut(index) else { return };
            let sources = &*self.sources;
            match search.step(|path| sources.is_there(path)) {
                Step::Wait { first, others } => {
                    self.ask_all(first, Rank::First, index);
                    self.ask_all(others, Rank::Decisive, index);
                    return;
                }
                Step::Found { path, spellings } => {
                    self.open -= 1;
                    self.settle_found(&path, &spellings);
                    self.look_through(&path);
                    return;
                }
                Step::Missing { spellings } => self.settle(spellings.all()),
                Step::Nowhere => {
                    self.open -= 1;
                    return;
                }
                Step::Over => return,
            }
        }
    }

    fn ask_all(&mut self, paths: impl IntoIterator<Item = String>, rank: Rank, index: usize) {
        for path in paths {
            if self.sources.is_there(&path).is_some() {
                continue;
            }
            let waiting = self.waiting.entry(path.clone()).or_default();
            if !waiting.contains(&index) {
                waiting.push(index);
                self.turn += 1;
                self.queue.insert((rank, self.turn), path);
            }
        }
    }

    fn settle_found(&mut self, found: &str, spellings: &Spellings) {
        let Spellings { likely, for_import_alone, others } = spellings;
        if !likely.iter().any(|path| path == found) {
            self.settle(spellings.all());
            return;
        }
        self.settle(likely.iter().chain(for_import_alone));
        self.sources.undecisive.extend(others.iter().cloned());
    }

    /// Takes paths into the closure: with what is known of them, or as absent until that is verified.
    fn settle<'p>(&mut self, paths: impl Iterator<Item = &'p String>) {
        for path in paths {
            let Some(url) = self.sources.url_of(path) else { continue };
            if self.sources.by_url.contains_key(url.as_str()) {
                self.sources.asked.insert(path.clone(), url.into());
            } else {
                self.sources.assumed_absent.insert(path.clone(), url);
            }
        }
    }
}
