//! An https origin, whose certificate's authority the client's system trusts: a process of its own is told which.

use std::{env, fs, net::Ipv4Addr, sync::Arc};

use axum::{Router, http::Version, response::IntoResponse, routing::get};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use pipeline::ports::{Fetched, Origin, OriginError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{net::TcpListener, process::Command};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use url::Url;

use crate::origin;

const ADDRESS: &str = "ORIGIN_ADDRESS";

/// Answers with the version of HTTP that it was asked by.
async fn serve(certified: &CertifiedKey<rcgen::KeyPair>, protocols: &[&str]) -> u16 {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
    let port = listener.local_addr().unwrap().port();
    let version = async |version: Version| format!("{version:?}").into_response();
    let app = Router::new().route("/a.scss", get(version));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    port
}

/// What a process that trusts the authority in this file, and no other, gets from there.
async fn ask(port: u16, trusted: &std::path::Path) -> String {
    let asked = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tls::asks_an_https_origin", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env(ADDRESS, format!("https://127.0.0.1:{port}/a.scss"))
        .output();
    let output = asked.await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
#[ignore = "run by other tests, with the address of an origin"]
async fn asks_an_https_origin() {
    let Ok(address) = env::var(ADDRESS) else { return };
    match origin().fetch(&address.parse::<Url>().unwrap(), None).await {
        Ok(Fetched::Found(source)) => println!("found {}", String::from_utf8_lossy(&source.body)),
        Ok(other) => println!("{other:?}"),
        Err(OriginError::Failed(message)) => println!("failed: {message}"),
        Err(error) => println!("{error:?}"),
    }
}

#[tokio::test]
async fn https_origin_is_asked_by_what_both_know_where_its_certificate_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, other] = ["ours.pem", "other.pem"].map(|name| {
        let certified = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let file = folder.path().join(name);
        fs::write(&file, certified.cert.pem()).unwrap();
        (certified, file)
    });
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let said = ask(serve(&ours.0, protocols).await, &ours.1).await;
        assert!(said.contains(&format!("found {version}")), "{protocols:?}: {said}");
    }
    let said = ask(serve(&ours.0, &[]).await, &other.1).await;
    assert!(said.contains("failed: https://127.0.0.1:") && said.contains("certificate"), "{said}");
}
