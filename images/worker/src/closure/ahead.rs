//! Fetches what a style sheet loads before it is compiled: each source is looked through as it arrives, and
//! what it loads is asked for at once, so that round trips grow with the depth of the tree of imports.
//!
//! For each load the two spellings that nearly all style sheets use are asked for first. Where one is there,
//! its twin and the files for `@import` alone are assumed absent until they are verified, and the other
//! spellings decide nothing: an engine is told that they are absent, and nobody asks for them. Which these are
//! depends on nothing but what the origin has. Where none is there, all spellings are asked for, then those of
//! the index file, then the load paths'.
//!
//! A request that fails ends the searches that wait for it, and the limits end them all: whether that matters shows
//! when the compiler asks.

mod search;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use futures::FutureExt;
use pipeline::ports::SourceFile;
use url::Url;

use super::{
    Answer, MAX_PARALLEL_FETCHES, MAX_PATH_BYTES, MAX_PATHS_BYTES, Sources,
    assumed::Assumed,
    imports::{By, find_loads},
};
use crate::resolve::{Spellings, Syntax, normalize};
use search::{Search, Step};

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
    open: usize,
    /// Whether there is something at a path, as far as that is known: each path's URL is built once.
    there: HashMap<String, Option<bool>>,
    requests: usize,
    looked_through: HashSet<String>,
    /// What each search looks for, and the folder of who loads it.
    looked_for: HashSet<(String, String)>,
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
            there: HashMap::new(),
            requests: 0,
            looked_through: HashSet::new(),
            looked_for: HashSet::new(),
        };
        ahead.look_through(entry);
        ahead.run().await;
        self.is_fetching = false;
    }

    fn found_at(&self, path: &str) -> Option<&SourceFile> {
        let url = self.url_of(path)?;
        self.by_url.get(url.as_str())?.as_ref()
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
        while self.sources.under_way.len() < MAX_PARALLEL_FETCHES
            && let Some((path, url)) = self.next()
        {
            self.requests += 1;
            self.sources.under_way.start(self.sources.origin.clone(), path, url);
        }
    }

    /// The searches that go on with this answer. Those that waited for one that failed are over: the compiler asks
    /// for it again, if it matters.
    fn take(&mut self, Answer { path, url, source }: Answer) -> Vec<usize> {
        let waiting = self.waiting.remove(&path).unwrap_or_default();
        let Ok(source) = source else {
            for index in &waiting {
                self.give_up(*index);
            }
            return Vec::new();
        };
        let is_found = source.is_some();
        if self.sources.assumed_absent.remove(&path).is_some() {
            self.sources.asked.insert(path.clone(), url.to_string());
        }
        self.there.insert(path.clone(), Some(is_found));
        self.sources.note(url, source);
        if is_found && waiting.iter().any(|index| self.is_open(*index)) {
            self.look_through(&path);
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
            if is_bounded && self.looked_for.insert((folder_name.clone(), load.url.to_owned())) {
                let search = Search::new(&self.places(folder, load.url), self.syntax);
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
            let (sources, there) = (&*self.sources, &mut self.there);
            match search.step(|path| look_up(sources, there, path)) {
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
            if look_up(self.sources, &mut self.there, &path).is_some() {
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
        self.settle_beside(found, likely.iter().chain(for_import_alone));
        let sources = &mut *self.sources;
        let is_decided =
            |path: &&String| sources.asked.contains_key(*path) || sources.assumed_absent.contains_key(*path);
        let others: Vec<String> = others.iter().filter(|path| !is_decided(path)).cloned().collect();
        sources.paths_bytes += others.iter().map(String::len).sum::<usize>();
        sources.undecisive.extend(others);
    }

    /// Takes paths into the closure of which everything is known.
    fn settle<'p>(&mut self, paths: impl Iterator<Item = &'p String>) {
        self.settle_beside("", paths);
    }

    /// Takes paths into the closure: with what is known of them, or as absent until that is verified.
    fn settle_beside<'p>(&mut self, found: &str, paths: impl Iterator<Item = &'p String>) {
        for path in paths {
            let Some(url) = self.sources.url_of(path) else { continue };
            // What another load takes for undecisive, this one does not.
            self.sources.undecisive.remove(path);
            let is_known = self.sources.by_url.contains_key(url.as_str());
            let is_new = if is_known {
                self.sources.asked.insert(path.clone(), url.into()).is_none()
            } else {
                let assumed = Assumed { url, beside: found.to_owned() };
                self.sources.assumed_absent.insert(path.clone(), assumed).is_none()
            };
            self.sources.paths_bytes += if is_new { path.len() } else { 0 };
        }
    }
}

/// Whether there is something at a path: `None` where nobody has asked.
fn look_up(sources: &Sources, there: &mut HashMap<String, Option<bool>>, path: &str) -> Option<bool> {
    if let Some(known) = there.get(path) {
        return *known;
    }
    let url = sources.url_of(path);
    let known = url.and_then(|url| sources.by_url.get(url.as_str()).map(Option::is_some));
    there.insert(path.to_owned(), known);
    known
}
