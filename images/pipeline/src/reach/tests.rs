use std::net::SocketAddr;

use axum::{Router, http::StatusCode, response::Redirect, routing::get};
use tokio::net::TcpListener;

use super::*;

const TOPIC: &str = "arn:aws:sns:eu-central-1:1:work_complete";

fn keys() -> SigningKeys {
    SigningKeys::from_text("0123456789abcdef").unwrap()
}

/// Serves for as long as the test runs.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn question(url: &str) -> Question {
    Question { endpoint: url.parse().unwrap(), topic_arn: TOPIC.to_owned(), keys: keys() }
}

/// Loopback, where the tests' servers are, is askable in tests alone. What was met is told as of a public address.
async fn ask(url: &str) -> Result<(), Unreached> {
    EndpointReach::within(|_| true).unwrap().ask_anyone(&question(url), &Arc::default()).await
}

/// A web pod that listens to this topic and has these keys.
fn pod(status: StatusCode, topic: &'static str, keys: SigningKeys) -> Router {
    let answer = async move || (status, [(REACHED_HEADER, prove(&keys, topic, Timestamp::now()))]);
    Router::new().route("/work_complete", get(answer))
}

#[tokio::test]
async fn web_pod_of_the_pipeline_is_known_by_its_proof_and_nobody_else_is() {
    let others = SigningKeys::from_text("fedcba9876543210").unwrap();
    let ours = pod(StatusCode::NO_CONTENT, TOPIC, keys());
    for (router, expected) in [
        (ours, Ok(())),
        (pod(StatusCode::NO_CONTENT, TOPIC, others), Err(Unreached::Foreign(204))),
        (
            pod(StatusCode::NO_CONTENT, "arn:aws:sns:eu-central-1:1:other", keys()),
            Err(Unreached::Foreign(204)),
        ),
        (pod(StatusCode::OK, TOPIC, keys()), Err(Unreached::Foreign(200))),
        (Router::new(), Err(Unreached::Foreign(404))),
    ] {
        let address = serve(router).await;
        assert_eq!(ask(&format!("http://{address}/work_complete")).await, expected);
        assert_eq!(ask(&format!("http://localhost:{}/work_complete", address.port())).await, expected);
    }
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let ours = serve(pod(StatusCode::NO_CONTENT, TOPIC, keys())).await;
    let to = async move || Redirect::temporary(&format!("http://{ours}/work_complete"));
    let address = serve(Router::new().route("/work_complete", get(to))).await;
    let met = ask(&format!("http://{address}/work_complete")).await.unwrap_err();
    assert_eq!(met, Unreached::Foreign(307));
    assert!(
        met.to_string().ends_with("make the endpoint the URL that it leads to, by https perhaps"),
        "{met}"
    );
    assert!(Unreached::Foreign(404).to_string().ends_with("is no web pod of this pipeline"));
}

#[tokio::test]
async fn failure_is_told_by_what_was_seen() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = ask(&format!("http://{closed}/work_complete")).await.unwrap_err();
    assert!(matches!(&refused, Unreached::Connection(why) if why.contains("refused")), "{refused}");
    assert_eq!(ask("http://nowhere.invalid/work_complete").await, Err(Unreached::Name));
    let plain = serve(Router::new()).await;
    let tls = ask(&format!("https://{plain}/work_complete")).await.unwrap_err();
    assert!(matches!(tls, Unreached::Connection(_)), "{tls}");
}

#[tokio::test]
async fn what_is_in_the_operators_network_is_told_to_nobody() {
    let foreign = serve(Router::new()).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let reach = EndpointReach::within(|_| true).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        for port in [foreign.port(), closed.port()] {
            let asked = reach.ask(&question(&format!("http://{host}:{port}/work_complete"))).await;
            assert_eq!(asked, Err(Unreached::Private), "{host}:{port}");
        }
    }
    let ours = serve(pod(StatusCode::NO_CONTENT, TOPIC, keys())).await;
    assert_eq!(reach.ask(&question(&format!("http://{ours}/work_complete"))).await, Ok(()));
}

#[tokio::test]
async fn own_machine_and_the_clouds_secrets_are_never_asked() {
    let address = serve(pod(StatusCode::NO_CONTENT, TOPIC, keys())).await;
    let port = address.port();
    let reach = EndpointReach::new().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"] {
        let asked = reach.ask(&question(&format!("http://{host}:{port}/work_complete"))).await;
        assert_eq!(asked, Err(Unreached::Forbidden), "{host}");
    }
}

#[test]
fn private_networks_are_askable_and_what_hides_in_an_address_is_seen() {
    for (address, expected) in [
        ("10.0.0.1", true),
        ("192.168.1.1", true),
        ("93.184.216.34", true),
        ("2600:1f18::1", true),
        ("fd12::1", true),
        ("64:ff9b::5db8:d822", true),
        ("64:ff9b::a9fe:a9fe", false),
        ("2002:7f00:1::", false),
        ("fd00:ec2::254", false),
        ("fe80::1", false),
        ("100.100.100.200", false),
        ("168.63.129.16", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("ff02::1", false),
    ] {
        assert_eq!(is_askable(address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn what_others_write_is_told_in_one_short_line() {
    let told = shorten(&format!("names\n\u{1b}[31m{}", "x".repeat(500)));
    assert_eq!(told.len(), MAX_DETAIL);
    assert!(told.starts_with("names[31mxxx"), "{told}");
}
