//! Fetches what a style sheet loads before it is compiled: each source is looked through as it arrives, and
//! what it loads is asked for at once, so that round trips grow with the depth of the tree of imports.
//!
//! For each load the two spellings that nearly all style sheets use are asked for first. Where one is there,
//! its twin and, for `@import`, the files for it alone are assumed absent until they are verified (from a far
//! origin already while other sources are on their way), and the other spellings decide nothing: nobody asks for
//! them, and engines take them for absent. Which these are depends on nothing but what the origin has. Where
//! none is there, all spellings are asked for, then those of the index file, then the load paths'; of a far
//! origin the likely ones of these already while it is not known whether they are needed.
//!
//! A request that fails ends the searches that wait for it, and the limits end them all: whether that matters shows
//! when the compiler asks.

mod search;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use futures::FutureExt;
use url::Url;

use super::{Answer, MAX_PARALLEL_FETCHES, MAX_PATH_BYTES, MAX_PATHS_BYTES, Sources, imports::find_loads};
use crate::resolve::{By, Spellings, Syntax, normalize};
use search::{Search, Step};

/// At the same time, beside what decides.
const MOST_VERIFIED_AHEAD: usize = MAX_PARALLEL_FETCHES / 2;
/// What one source may load; a framework's entry loads some hundred files.
const MAX_LOADS: usize = 10_000;

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
    /// What was assumed absent of late and may be verified ahead, and what is being verified.
    unverified: Vec<String>,
    verifying: HashSet<String>,
    open: usize,
    requests: usize,
    looked_through: HashSet<String>,
    /// What each search looks for, and the folder of who loads it.
    looked_for: HashSet<(String, String, By)>,
}

impl Sources {
    /// Fetches whatever `entry`, which was read already, loads directly and through others.
    pub(crate) async fn fetch_ahead(&mut self, entry: &str, load_paths: &[String]) {
        self.is_fetching = true;
        self.syntax = Some(Syntax::of(entry));
        let mut ahead = Ahead {
            sources: self,
            load_paths,
            syntax: Syntax::of(entry),
            searches: Vec::new(),
            waiting: HashMap::new(),
            queue: BTreeMap::new(),
            turn: 0,
            unverified: Vec::new(),
            verifying: HashSet::new(),
            open: 0,
            requests: 0,
            looked_through: HashSet::new(),
            looked_for: HashSet::new(),
        };
        ahead.look_through(entry);
        ahead.run().await;
        self.is_fetching = false;
    }
}

impl Ahead<'_> {
    /// Until each load has its file, or none. What decides nothing any more may still be under way then.
    async fn run(&mut self) {
        while self.open > 0 && !self.is_too_much() {
            self.start();
            let Some(first) = self.sources.under_way.next().await else { return };
            // All that has come, before anything is made of it: it may make more requests needless.
            let (mut came, mut waiting) = (Some(first), BTreeMap::new());
            while let Some(answer) = came {
                for index in self.take(answer) {
                    *waiting.entry(index).or_insert(0) += 1;
                }
                came = self.sources.under_way.next().now_or_never().flatten();
            }
            for (index, answers) in waiting {
                if self.searches.get_mut(index).is_some_and(|search| search.is_worth_a_step(answers)) {
                    self.go_on(index);
                }
            }
        }
    }

    /// The compiler says which limit it is when it asks itself.
    fn is_too_much(&self) -> bool {
        let limits = self.sources.limits;
        self.requests > limits.requests
            || self.sources.paths_bytes > MAX_PATHS_BYTES
            || self.sources.arrived_bytes > limits.bytes
    }

    fn start(&mut self) {
        while self.sources.under_way.len() < MAX_PARALLEL_FETCHES + self.verifying.len()
            && let Some((path, url)) = self.next()
        {
            self.requests += 1;
            self.sources.under_way.start(self.sources.origin.clone(), path, url);
        }
        if self.sources.is_far() {
            self.verify();
        }
    }

    /// Takes no place from what decides, and nobody waits for it here.
    fn verify(&mut self) {
        while self.verifying.len() < MOST_VERIFIED_AHEAD
            && let Some(path) = self.unverified.pop()
        {
            let is_open = self.sources.assumed_absent.contains_key(&path);
            if let Some(url) = self.sources.url_of(&path).filter(|_| is_open)
                && !self.sources.under_way.has(&path)
            {
                self.verifying.insert(path.clone());
                self.sources.under_way.start(self.sources.origin.clone(), path, url);
            }
        }
    }

    /// The searches that go on with this answer. Those that waited for one that failed are over: the compiler asks
    /// for it again, if it matters.
    fn take(&mut self, answer: Answer) -> Vec<usize> {
        let path = answer.path.clone();
        let waiting = self.waiting.remove(&path).unwrap_or_default();
        self.verifying.remove(&path);
        if self.sources.note(answer).is_err() {
            for index in &waiting {
                self.give_up(*index);
            }
            return Vec::new();
        }
        let is_found = self.sources.found_at(&path).is_some();
        if is_found && waiting.iter().any(|index| self.is_open(*index)) {
            self.look_through(&path);
        }
        if self.sources.assumed_absent.remove(&path).is_some() {
            self.sources.asked.insert(path);
        }
        waiting
    }

    fn give_up(&mut self, index: usize) {
        if let Some(search) = self.searches.get_mut(index).filter(|search| search.is_open()) {
            search.close();
            self.open -= 1;
        }
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
        let folder_name = folder.to_string_lossy().into_owned();
        for load in find_loads(str::from_utf8(&body).unwrap_or_default(), MAX_LOADS) {
            let is_bounded = folder_name.len() + load.url.len() < MAX_PATH_BYTES;
            if self.searches.len() >= self.sources.limits.files {
                return;
            }
            if is_bounded && self.looked_for.insert((folder_name.clone(), load.url.to_owned(), load.by)) {
                self.begin(Search::new(&self.places(folder, load.url), self.syntax, load.by));
            }
        }
    }

    /// Where a load is looked for, in this order.
    fn places(&self, folder: &Path, url: &str) -> Vec<String> {
        let folders = [folder].into_iter().chain(self.load_paths.iter().map(Path::new));
        folders.filter_map(|folder| normalize(&folder.join(url))).collect()
    }

    fn begin(&mut self, search: Search) {
        let index = self.searches.len();
        search.spellings().iter().for_each(|spellings| spellings.note_written(&mut self.sources.settled));
        self.searches.push(search);
        self.open += 1;
        self.go_on(index);
        let search = self.searches.get(index).filter(|search| search.is_open() && self.sources.is_far());
        if let Some(search) = search {
            let ahead: Vec<String> = search.later().cloned().collect();
            self.ask_all(ahead, Rank::Ahead, index);
        }
    }

    /// Takes a search as far as it comes with what is known.
    fn go_on(&mut self, index: usize) {
        loop {
            let Some(search) = self.searches.get_mut(index) else { return };
            let sources = &*self.sources;
            match search.step(|path| sources.by_path.get(path).map(|had| had.source.is_some())) {
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
                Step::Missing { spellings } => self.settle_beside("", spellings.all()),
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
            if self.sources.by_path.contains_key(&path) {
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
        if spellings.likely.iter().any(|path| path == found) {
            spellings.settle(found, &mut self.sources.settled);
            let beside = spellings.likely.iter().cloned().chain(spellings.for_import_alone());
            self.settle_beside(found, beside);
        } else {
            self.settle_beside(found, spellings.all());
        }
    }

    /// Takes paths into the closure: with what is known of them, or as absent until that is verified.
    fn settle_beside(&mut self, found: &str, paths: impl Iterator<Item = String>) {
        let Sources { by_path, asked, assumed_absent, paths_bytes, .. } = &mut *self.sources;
        for path in paths {
            let length = path.len();
            let is_new = if by_path.contains_key(&path) {
                asked.insert(path)
            } else {
                let is_new = assumed_absent.insert(path.clone(), found.to_owned()).is_none();
                self.unverified.extend(is_new.then_some(path));
                is_new
            };
            *paths_bytes += if is_new { length } else { 0 };
        }
    }
}
