//! The origin of the code bases: this program once more, so that what serving costs is not counted.
//!
//! The first folder of each path is any word at all: each job is given one of its own, and finds nothing that an
//! earlier one has fetched.

use std::{
    cell::Cell,
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::spawn_blocking};
use url::Url;

use super::companion::Companion;

/// Has this program be the origin.
pub(crate) const ORIGIN_ARGUMENT: &str = "--origin";

struct Folder {
    root: PathBuf,
    /// What a package has built already, and a job is to make.
    hidden: HashSet<String>,
}

/// Serves the corpus until its stdin ends, and says where.
pub(crate) async fn run(root: PathBuf, hidden: HashSet<String>) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().fallback(answer).with_state(Arc::new(Folder { root, hidden }));
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served?,
        ended = spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())) => { ended??; }
    }
    Ok(())
}

async fn answer(State(folder): State<Arc<Folder>>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/').split_once('/').map_or("", |(_, path)| path);
    let body = if path.contains("..") || folder.hidden.contains(path) { None } else { read(&folder, path) };
    let Some(body) = body else { return StatusCode::NOT_FOUND.into_response() };
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let etag = format!("\"{:x}\"", hasher.finish());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    ([(header::ETAG, etag)], body).into_response()
}

fn read(folder: &Folder, path: &str) -> Option<Vec<u8>> {
    fs::read(folder.root.join(path)).ok()
}

/// The origin's process, which ends when this is dropped.
pub(crate) struct OriginProcess {
    process: Companion,
    address: SocketAddr,
    sites_given: Cell<u32>,
}

impl OriginProcess {
    pub(crate) fn start(checkout: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = Companion::start(command.arg(ORIGIN_ARGUMENT).arg("--checkout").arg(checkout))?;
        let address = process.hear()?.trim().parse().context("the origin did not start")?;
        Ok(Self { process, address, sites_given: Cell::default() })
    }

    /// The code bases under a name that nobody was given yet.
    pub(crate) fn next_site(&self) -> anyhow::Result<Url> {
        let number = self.sites_given.get() + 1;
        self.sites_given.set(number);
        Ok(Url::parse(&format!("http://{}/{number}/", self.address))?)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}
