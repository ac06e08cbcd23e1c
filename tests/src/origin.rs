//! A tenant's own web server, in the test's process: its files can be changed, held back and broken.
//!
//! For pods it listens on the bridge, where they reach the host.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use cluster::layout::HOST_ADDRESS;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Listens until it is dropped. A path that was not put answers 404.
pub struct Origin {
    address: SocketAddr,
    site: Arc<Mutex<Site>>,
    server: JoinHandle<()>,
}

/// Holds requests of one path back until it is opened or dropped.
#[must_use]
pub struct Gate {
    _closed: watch::Sender<()>,
    site: Arc<Mutex<Site>>,
    path: String,
}

/// How often a path was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests that arrived.
    pub arrived: u32,
    /// Those of them whose asker went away before the answer.
    pub abandoned: u32,
}

#[derive(Default)]
struct Site {
    pages: HashMap<String, (StatusCode, String)>,
    gates: HashMap<String, watch::Receiver<()>>,
    asked: HashMap<String, Asked>,
}

impl Origin {
    /// For pods.
    pub async fn listen() -> Result<Self> {
        let listener = TcpListener::bind((HOST_ADDRESS, 0)).await;
        Self::serve(listener.context("cannot listen on the cluster's bridge: run `cargo xtask test`")?)
    }

    /// For programs on this machine alone.
    pub async fn listen_on_loopback() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        Self::serve(listener.context("cannot listen on loopback")?)
    }

    fn serve(listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        let site = Arc::new(Mutex::new(Site::default()));
        let routes = Router::new().fallback(answer).with_state(site.clone());
        let server = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, site, server })
    }

    /// As tenants write it into their pipeline.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `path` answers 200 with this text.
    pub fn put(&self, path: &str, text: &str) {
        lock(&self.site).pages.insert(path.to_owned(), (StatusCode::OK, text.to_owned()));
    }

    /// From now on `path` answers this status.
    pub fn fail(&self, path: &str, status: StatusCode) {
        lock(&self.site).pages.insert(path.to_owned(), (status, status.to_string()));
    }

    /// From now on requests for `path` wait until the gate is opened.
    pub fn close_gate(&self, path: &str) -> Gate {
        let (closed, gate) = watch::channel(());
        lock(&self.site).gates.insert(path.to_owned(), gate);
        Gate { _closed: closed, site: self.site.clone(), path: path.to_owned() }
    }

    /// A style sheet that takes as long to read as its gates are closed, one after the other: `/<name>.scss`
    /// imports another file, which imports a third. Gives the gates in the order in which they are met.
    pub fn put_slow(&self, name: &str, sass: &str) -> [Gate; 3] {
        self.put(&format!("/{name}.scss"), &format!("@import \"{name}-slow\";\n"));
        self.put(&format!("/_{name}-slow.scss"), &format!("@import \"{name}-slower\";\n"));
        self.put(&format!("/_{name}-slower.scss"), sass);
        [format!("/{name}.scss"), format!("/_{name}-slow.scss"), format!("/_{name}-slower.scss")]
            .map(|path| self.close_gate(&path))
    }

    pub fn asked(&self, path: &str) -> Asked {
        lock(&self.site).asked.get(path).copied().unwrap_or_default()
    }
}

impl Gate {
    /// Whether somebody has asked for what is behind it.
    pub fn is_met(&self) -> bool {
        lock(&self.site).asked.contains_key(&self.path)
    }

    pub fn open(self) {}
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(site): State<Arc<Mutex<Site>>>, uri: Uri) -> Response {
    let path = uri.path();
    let gate = {
        let mut site = lock(&site);
        site.asked.entry(path.to_owned()).or_default().arrived += 1;
        site.gates.get(path).cloned()
    };
    let mut asker = Asker { site: &site, path, is_answered: false };
    if let Some(mut gate) = gate {
        // Nothing is ever sent: the wait ends when the gate is dropped.
        let _ = gate.changed().await;
    }
    asker.is_answered = true;
    match lock(&site).pages.get(path) {
        Some((status, text)) => (*status, [(CONTENT_TYPE, "text/x-scss")], text.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The server drops a request's task when its connection ends.
struct Asker<'a> {
    site: &'a Mutex<Site>,
    path: &'a str,
    is_answered: bool,
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            lock(self.site).asked.entry(self.path.to_owned()).or_default().abandoned += 1;
        }
    }
}

/// Every entry is whole after every call.
fn lock(site: &Mutex<Site>) -> MutexGuard<'_, Site> {
    site.lock().unwrap_or_else(PoisonError::into_inner)
}
