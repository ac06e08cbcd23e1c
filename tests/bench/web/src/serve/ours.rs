//! The web tier, with the bodies in its store.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    embedded::MemoryStore,
    key::{Encoding, Key},
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::{Digest, JobId},
    options::CompileOptions,
    record::{write_body, write_manifest},
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use web::{ServeSettings, public_service, serve};

use super::material::{SIZES, Size, sheet};
use crate::site;

const HOLD: Duration = Duration::from_secs(25);
/// Of the files when the server starts: `Age` has four digits throughout, and so all answers one length.
const AGE: SignedDuration = SignedDuration::from_secs(1_000);

/// Serves until it is killed.
#[tokio::main]
pub(crate) async fn run() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::default());
    site::register(&store).await?;
    let read_at = Timestamp::now() - AGE;
    for size in SIZES {
        write_file(&store, size, read_at).await?;
    }
    let web = site::web(store, HOLD, &mut Registry::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    site::announce(&listener)?;
    serve(listener, public_service(web), ServeSettings::PUBLIC, CancellationToken::new()).await?;
    Ok(())
}

async fn write_file(store: &MemoryStore, size: Size, sources_read_at: Timestamp) -> anyhow::Result<()> {
    let fingerprint = CompileOptions::default().fingerprint();
    let key = Key { fingerprint, tenant_id: site::tenant()?.id, path: size.path().parse()? };
    let sheet = sheet(size);
    let digest = Digest::of(&sheet.plain);
    let mut encodings = Vec::new();
    for (encoding, body) in [(Encoding::Identity, sheet.plain), (Encoding::Gzip, sheet.gzip)] {
        encodings.push(StoredBody { encoding, length: body.len() as u64 });
        write_body(store, &key, &digest, encoding, body).await?;
    }
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        outcome: Outcome::Compiled { digest, encodings },
        closure: Closure::default(),
        sources_read_at,
        modified_at: None,
        engine: "bench/0".to_owned(),
        job: JobId::random(),
        last_good: None,
        failures: 0,
    };
    write_manifest(store, &key, manifest).await?;
    Ok(())
}
