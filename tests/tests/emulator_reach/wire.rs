//! A wire between a program and an emulator, which passes on everything and keeps what was said on it.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// By which keys, and in which session, a request is signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signer {
    pub(crate) key_id: String,
    pub(crate) session_token: Option<String>,
}

/// Both sides of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Talk {
    pub(crate) asked: String,
    pub(crate) answered: String,
}

#[derive(Clone, Copy)]
enum Side {
    Asks,
    Answers,
}

type Talks = Arc<Mutex<Vec<Talk>>>;

/// Cut when dropped.
pub(crate) struct Wire {
    address: SocketAddr,
    talks: Talks,
    listening: JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn to(endpoint: &str) -> Result<Self> {
        let target: SocketAddr = endpoint.trim_start_matches("http://").parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let (address, talks) = (listener.local_addr()?, Talks::default());
        let heard = talks.clone();
        let listening = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let Ok(to) = TcpStream::connect(target).await else { continue };
                let number = push(&heard);
                let ((asks, replies), (answers, passes)) = (from.into_split(), to.into_split());
                tokio::spawn(pass(asks, passes, heard.clone(), (number, Side::Asks)));
                tokio::spawn(pass(answers, replies, heard.clone(), (number, Side::Answers)));
            }
        });
        Ok(Self { address, talks, listening })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn talks(&self) -> Vec<Talk> {
        self.talks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of all requests, those without a signature left out.
    pub(crate) fn signers(&self) -> BTreeSet<Signer> {
        self.talks().iter().flat_map(|talk| talk.asked.split("\r\n\r\n")).filter_map(signer).collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn push(talks: &Talks) -> usize {
    let mut talks = talks.lock().unwrap_or_else(PoisonError::into_inner);
    talks.push(Talk::default());
    talks.len() - 1
}

/// Ends with the connection.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, talks: Talks, (number, side): (usize, Side)) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let piece = &buffer[..length];
        {
            let talk = &mut talks.lock().unwrap_or_else(PoisonError::into_inner)[number];
            let text = match side {
                Side::Asks => &mut talk.asked,
                Side::Answers => &mut talk.answered,
            };
            text.push_str(&String::from_utf8_lossy(piece));
        }
        if to.write_all(piece).await.is_err() {
            break;
        }
    }
}

/// What a request's head says, which may follow the body of the one before.
fn signer(head: &str) -> Option<Signer> {
    let header = |name: &str| {
        head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
    };
    let (_, credential) = header("authorization")?.1.split_once("Credential=")?;
    Some(Signer {
        key_id: credential.split('/').next()?.to_owned(),
        session_token: header("x-amz-security-token").map(|(_, token)| token.trim().to_owned()),
    })
}
