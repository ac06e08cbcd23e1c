//! The three servers of a run, shown to give the same before anything is measured.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, ensure};
use cluster::http::{Answer, get};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    material::{SIZES, Size, sheet},
    nginx,
};
use crate::{processes::Server, site::HOST};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// What servers say of themselves and of the time; everything else must be the same.
const OF_SERVER: [&str; 4] = ["server", "date", "connection", "age"];
/// Made by the servers' HTTP code, not by what stands behind it.
const MADE_BY_HTTP: [&str; 2] = ["date", "connection"];

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Ours,
    Bare,
    Nginx,
}

pub(crate) const PEERS: [Peer; 3] = [Peer::Ours, Peer::Bare, Peer::Nginx];

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "web tier",
            Self::Bare => "bare hyper",
            Self::Nginx => "nginx",
        }
    }
}

/// All servers, ended when this is dropped.
pub(crate) struct Peers {
    ours: Server,
    bare: Vec<(Size, Server)>,
    nginx: Server,
}

impl Peers {
    /// Starts them in `folder`, and compares what they answer.
    pub(crate) fn start(folder: &Path, config: &Path) -> anyhow::Result<Self> {
        let ours = Server::start_own(&["serve-ours"])?;
        let mut bare = Vec::new();
        let mut given = HeaderMap::new();
        for size in SIZES {
            // Twice: the first one comes from the store.
            ask(ours.address, size)?;
            let answer = ask(ours.address, size)?;
            ensure!(answer.header("cache-status") == Some("AssetPipeline; hit; detail=memory"), "{answer:?}");
            given = headers_of(&answer)?;
            let file = folder.join(format!("headers-{}", size.kilobytes()));
            fs::write(&file, lines_of(&answer)).context("cannot write the headers")?;
            let file = file.to_str().context("the run's folder has a strange name")?;
            bare.push((size, Server::start_own(&["serve-bare", &size.kilobytes().to_string(), file])?));
        }
        // nginx has one set of headers; etags differ by file, in bytes of the same number.
        let nginx = nginx::start(folder, config, &given)?;
        let peers = Self { ours, bare, nginx };
        peers.verify()?;
        Ok(peers)
    }

    pub(crate) fn server(&self, peer: Peer, size: Size) -> anyhow::Result<&Server> {
        match peer {
            Peer::Ours => Ok(&self.ours),
            Peer::Bare => {
                let bare = self.bare.iter().find(|(own, _)| *own == size).map(|(_, server)| server);
                bare.context("a bare server is missing")
            }
            Peer::Nginx => Ok(&self.nginx),
        }
    }

    /// Every body byte for byte, every header by name and, but for the entity tag, by value.
    pub(crate) fn verify(&self) -> anyhow::Result<()> {
        for size in SIZES {
            let body = sheet(size).gzip;
            let expected = compared(&ask(self.ours.address, size)?);
            for peer in PEERS {
                let answer = ask(self.server(peer, size)?.address, size)?;
                ensure!(answer.status == 200, "{} answers {}", peer.name(), answer.status);
                ensure!(answer.body == body, "{} gives another body at {size:?}", peer.name());
                let headers = compared(&answer);
                ensure!(
                    headers == expected,
                    "{} has other headers at {size:?}:\n{headers:?}\n{expected:?}",
                    peer.name()
                );
            }
        }
        Ok(())
    }
}

fn ask(address: SocketAddr, size: Size) -> anyhow::Result<Answer> {
    get(address, HOST, &size.path(), &[("Accept-Encoding", "gzip")], ANSWERS_WITHIN)
}

/// What has to be the same: the tag is compared by its length.
fn compared(answer: &Answer) -> Vec<(String, String)> {
    let shared = answer.headers.iter().filter(|(name, _)| !OF_SERVER.contains(&name.as_str()));
    let mut headers: Vec<_> = shared
        .map(|(name, value)| {
            let value = if name == "etag" { value.len().to_string() } else { value.clone() };
            (name.clone(), value)
        })
        .collect();
    headers.sort();
    headers
}

fn lines_of(answer: &Answer) -> String {
    let given = answer.headers.iter().filter(|(name, _)| !MADE_BY_HTTP.contains(&name.as_str()));
    given.flat_map(|(name, value)| [name, ": ", value, "\n"]).collect()
}

fn headers_of(answer: &Answer) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.iter().filter(|(name, _)| !MADE_BY_HTTP.contains(&name.as_str())) {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(headers)
}
