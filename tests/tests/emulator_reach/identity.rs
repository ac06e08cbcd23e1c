//! The two ways in which EKS gives pods a role, as the programs meet them: the agent of EKS Pod Identity, and the
//! web identity of IRSA. Either tier has a role of its own, and no key is in its environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::NamedTempFile;
use tests::moto::Moto;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    site::{Site, Variables},
    wire::{Signer, Wire},
};

/// A token of a `ServiceAccount` as it is mounted: a file whose text ends with the token.
fn token_file(token: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(token.as_bytes())?;
    Ok(file)
}

fn path_of(file: &NamedTempFile) -> String {
    file.path().to_string_lossy().into_owned()
}

/// Stands where the node's agent does: hands out credentials to whoever shows a token that it knows.
struct Agent {
    endpoint: String,
    server: JoinHandle<()>,
}

impl Agent {
    /// Signers by tokens.
    async fn listen(signers: BTreeMap<&'static str, Signer>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let endpoint = format!("http://{}/v1/credentials", listener.local_addr()?);
        let routes = Router::new().route("/v1/credentials", get(hand_out)).with_state(Arc::new(signers));
        let server = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { endpoint, server })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hand_out(
    State(signers): State<Arc<BTreeMap<&'static str, Signer>>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let shown = headers.get(AUTHORIZATION).and_then(|token| token.to_str().ok());
    let signer = shown.and_then(|token| signers.get(token)).ok_or(StatusCode::UNAUTHORIZED)?;
    let handed_out = json!({
        "AccessKeyId": signer.key_id,
        "SecretAccessKey": "of-the-agent",
        "Token": signer.session_token,
        "AccountId": "123456789012",
        "Expiration": (Timestamp::now() + SignedDuration::from_hours(6)).to_string(),
    });
    Ok(handed_out.to_string())
}

fn signer(key_id: &str) -> Signer {
    Signer { key_id: key_id.to_owned(), session_token: Some(format!("session-of-{key_id}")) }
}

/// A pipeline on moto, and a wire there for each tier's program.
async fn set_up(moto: &Moto) -> Result<(Site, Wire, Wire)> {
    let site = Site::make(&[("AWS_ENDPOINT_URL", moto.endpoint())]).await?;
    Ok((site, Wire::to(&moto.endpoint()).await?, Wire::to(&moto.endpoint()).await?))
}

/// A visitor's style sheet takes calls of both tiers.
async fn serve(site: &Site, web: &Variables, worker: &Variables) -> Result<()> {
    let _worker = site.start_worker(worker)?;
    let web = site.start_web(web)?;
    let answer = web.visit().await?;
    ensure!(answer.status == 200 && answer.body.contains("color"), "{} {}", answer.status, answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_sign_by_what_the_pod_identity_agent_gives_for_their_own_token() -> Result<()> {
    let moto = Moto::start()?;
    let (site, web_wire, worker_wire) = set_up(&moto).await?;
    let [of_web, of_worker] = ["ASIAWEB", "ASIAWORKER"].map(signer);
    let agent = Agent::listen([("web-token", of_web.clone()), ("worker-token", of_worker.clone())].into());
    let agent = agent.await?;
    let (web_token, worker_token) = (token_file("web-token")?, token_file("worker-token")?);
    let variables = |wire: &Wire, token: &NamedTempFile| {
        vec![
            ("AWS_ENDPOINT_URL", wire.endpoint()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.endpoint.clone()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path_of(token)),
        ]
    };
    serve(&site, &variables(&web_wire, &web_token), &variables(&worker_wire, &worker_token)).await?;
    assert_eq!(web_wire.signers(), BTreeSet::from([of_web]));
    assert_eq!(worker_wire.signers(), BTreeSet::from([of_worker]));
    Ok(())
}

/// Whom STS told the program to be, and what it was asked.
fn taken(sts: &Wire) -> Result<(Signer, String)> {
    let talks = sts.talks();
    let [talk] = &talks[..] else { anyhow::bail!("STS was talked to {} times", talks.len()) };
    let of = |tag: &str| {
        let (_, rest) = talk.answered.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    let signer = Signer {
        key_id: of("AccessKeyId").context("STS gave no key")?,
        session_token: Some(of("SessionToken").context("STS gave no session")?),
    };
    Ok((signer, talk.asked.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_sign_as_the_role_that_sts_gives_them_for_their_web_identity() -> Result<()> {
    let moto = Moto::start()?;
    let (site, web_wire, worker_wire) = set_up(&moto).await?;
    let (web_sts, worker_sts) = (Wire::to(&moto.endpoint()).await?, Wire::to(&moto.endpoint()).await?);
    let (web_token, worker_token) = (token_file("web-token")?, token_file("worker-token")?);
    let variables = |[wire, sts]: [&Wire; 2], token: &NamedTempFile, role: &str| {
        vec![
            ("AWS_ENDPOINT_URL", wire.endpoint()),
            ("AWS_ENDPOINT_URL_STS", sts.endpoint()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path_of(token)),
            ("AWS_ROLE_ARN", format!("arn:aws:iam::123456789012:role/{role}")),
        ]
    };
    let web = variables([&web_wire, &web_sts], &web_token, "web");
    let worker = variables([&worker_wire, &worker_sts], &worker_token, "worker");
    serve(&site, &web, &worker).await?;
    for (name, wire, sts) in [("web", &web_wire, &web_sts), ("worker", &worker_wire, &worker_sts)] {
        let (role, asked) = taken(sts)?;
        assert!(asked.contains("Action=AssumeRoleWithWebIdentity"), "{asked}");
        assert!(asked.contains(&format!("WebIdentityToken={name}-token")), "{asked}");
        assert!(
            asked.contains(&format!("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F{name}")),
            "{asked}"
        );
        // The token is all that STS is shown.
        assert_eq!(sts.signers(), BTreeSet::new());
        assert_eq!(wire.signers(), BTreeSet::from([role]));
    }
    Ok(())
}
