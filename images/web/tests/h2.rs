//! Requests from pod to pod over loopback: one connection for all of them, and peers that fall silent.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{Request, StatusCode},
    routing::post,
};
use bytes::Bytes;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::Barrier,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use web::{H2Transport, Member, ServeSettings, Transport, serve};

const WAITS: usize = 2_000;
const PATIENCE: Duration = Duration::from_mins(1);

fn wait() -> Request<Bytes> {
    Request::post("/wait?x=1").body(Bytes::from_static(b"{}")).unwrap()
}

/// Passes bytes on to `target`, and counts the connections.
async fn count_connections(target: std::net::SocketAddr) -> (Member, Arc<AtomicU32>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = Member(listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let passing = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            connections.spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (member, count, passing)
}

#[tokio::test]
async fn all_waits_at_one_pod_share_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (member, connections, passing) = count_connections(listener.local_addr().unwrap()).await;
    // Nobody is answered before all have come.
    let all = Arc::new(Barrier::new(WAITS));
    let router = Router::new().route(
        "/wait",
        post(async move |body: Bytes| {
            all.wait().await;
            body
        }),
    );
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router, ServeSettings::INTERNAL, stop.clone()));
    let transport = Arc::new(H2Transport::new(PATIENCE).unwrap());
    let mut waits = JoinSet::new();
    for _ in 0..WAITS {
        let transport = transport.clone();
        waits.spawn(async move { transport.call(member, wait()).await.unwrap() });
    }
    for answer in timeout(PATIENCE, waits.join_all()).await.unwrap() {
        assert_eq!((answer.status(), &**answer.body()), (StatusCode::OK, &b"{}"[..]));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    stop.cancel();
    passing.abort();
    drop(transport);
    timeout(PATIENCE, served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn pod_that_falls_silent_is_given_up_long_before_the_wait_would_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = Member(listener.local_addr().unwrap());
    // Takes everything and says nothing, as a pod whose node lost its power seems to.
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut taken = [0; 1024];
        while stream.read(&mut taken).await.unwrap() > 0 {}
    });
    let transport = H2Transport::new(PATIENCE).unwrap();
    let started = Instant::now();
    let lost = transport.call(member, wait()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    assert!(lost.to_string().contains(&member.to_string()), "{lost}");
    timeout(PATIENCE, silent).await.unwrap().unwrap();
    let refused = transport.call(member, wait()).await;
    assert!(refused.is_err(), "nobody listens there any more");
}
