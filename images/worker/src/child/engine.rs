//! grass, reading its sources through the parent.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Read, stdout},
    path::{Path, PathBuf},
};

use pipeline::options::{Engine, OutputStyle};

use super::protocol::{self, FromChild, Order, ToChild};
use crate::resolve::normalize;

/// The CSS, or the compiler's error as it shows it to people.
pub(super) fn compile(order: &Order, input: impl Read) -> Result<String, String> {
    let Order { entry, load_paths, options, limits: _ } = order;
    let Engine::Grass = options.engine;
    let sources = ParentSources { input: RefCell::new(input) };
    let style = match options.style {
        OutputStyle::Expanded => grass::OutputStyle::Expanded,
        OutputStyle::Compressed => grass::OutputStyle::Compressed,
    };
    let options = grass::Options::default().fs(&sources).load_paths(load_paths).style(style).quiet(true);
    grass::from_path(entry, &options).map_err(|error| error.to_string())
}

/// The tenant's files, one question at a time.
struct ParentSources<R> {
    input: RefCell<R>,
}

impl<R: Read> ParentSources<R> {
    fn ask(&self, question: &FromChild) -> io::Result<ToChild> {
        protocol::write(&mut stdout(), question)?;
        protocol::read(&mut *self.input.borrow_mut())
    }

    fn probe(&self, path: &Path) -> io::Result<bool> {
        let Some(path) = normalize(path) else { return Ok(false) };
        match self.ask(&FromChild::Probe { path })? {
            ToChild::Probed { exists } => Ok(exists),
            ToChild::Compile(_) | ToChild::Source(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl<R> fmt::Debug for ParentSources<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParentSources")
    }
}

impl<R: Read> grass::Fs for ParentSources<R> {
    /// An origin has no folders to ask for; every path may have an index file below it.
    fn is_dir(&self, _path: &Path) -> bool {
        true
    }

    fn is_file(&self, path: &Path) -> bool {
        // A parent that is gone ends this process with the next write.
        self.probe(path).unwrap_or(false)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = normalize(path).ok_or(io::ErrorKind::NotFound)?;
        match self.ask(&FromChild::Read { path })? {
            ToChild::Source(Some(text)) => Ok(text.into_bytes()),
            ToChild::Source(None) => Err(io::ErrorKind::NotFound.into()),
            ToChild::Compile(_) | ToChild::Probed { .. } => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        normalize(path).map(PathBuf::from).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
