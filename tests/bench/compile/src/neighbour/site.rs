//! The loud tenant's origin: hostile style sheets, and benign ones that take as long as they are told to.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use anyhow::{Context, anyhow};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use pipeline::job::{Job, Task};
use tokio::net::TcpListener;

use super::hostile::Input;
use crate::cpu::ours::Sheet;

const TENANT: &str = "loud-g1";
/// The folder of the benign ones; below it, a number of turns.
const BENIGN: &str = "/benign/";

/// Listens until the process ends.
pub(crate) struct LoudSite {
    address: SocketAddr,
}

/// By path.
type Files = HashMap<String, String>;

impl LoudSite {
    pub(crate) async fn serve(inputs: &[Input]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let folders = inputs.iter().enumerate();
        let files = folders.flat_map(|(number, input)| {
            input.files.iter().map(move |(path, text)| (format!("/{number}/{path}"), text.clone()))
        });
        let app = Router::new().fallback(answer).with_state(Arc::new(files.collect::<Files>()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address })
    }

    pub(crate) fn hostile_job(&self, number: usize) -> anyhow::Result<Job> {
        self.job(format!("/{number}/main.css"))
    }

    /// A loop of so many turns.
    pub(crate) fn benign_job(&self, turns: f64) -> anyhow::Result<Job> {
        self.job(format!("{BENIGN}{turns:.0}/main.css"))
    }

    fn job(&self, path: String) -> anyhow::Result<Job> {
        let tenant_id = TENANT.parse().map_err(|_| anyhow!("no tenant"))?;
        let sheet = Sheet { tenant_id, path, load_paths: Vec::new() };
        sheet.job(format!("http://{}/", self.address).parse().context("no URL")?, Task::Compile)
    }
}

async fn answer(State(files): State<Arc<Files>>, uri: Uri) -> Response {
    let path = uri.path();
    let turns = path.strip_prefix(BENIGN).and_then(|path| path.strip_suffix("/main.scss"));
    match turns.map(build_benign).or_else(|| files.get(path).cloned()) {
        Some(text) => text.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn build_benign(turns: &str) -> String {
    format!("@for $i from 0 to {turns} {{ $x: $i * 2; }} a {{ b: c }}")
}
