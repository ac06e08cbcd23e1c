//! The listeners' loop over loopback: both protocols, bounds, and the graceful end.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::Request, routing::get};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use web::{ServeSettings, serve};

/// Longer than anything here takes, and shorter than a person's patience with a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
    /// Each permit lets one request to `/held` be answered.
    gate: Arc<Semaphore>,
    /// Requests to `/held` that have come.
    came: Arc<AtomicU32>,
}

impl Server {
    async fn start(settings: ServeSettings) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let came = Arc::new(AtomicU32::new(0));
        let (opened, counted) = (gate.clone(), came.clone());
        let held = async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            opened.acquire().await.unwrap().forget();
            "held"
        };
        let slept = async || {
            tokio::time::sleep(Duration::from_mins(10)).await;
            "slept"
        };
        let router = Router::new()
            .route("/", get(async || "now"))
            .route("/held", get(held))
            .route("/slept", get(slept));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router, settings, stop.clone()));
        Self { address, stop, served, gate, came }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn until_held(&self, requests: u32) {
        let came = async {
            while self.came.load(Ordering::SeqCst) < requests {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, came).await.unwrap();
    }

    async fn ended(self) {
        timeout(PATIENCE, self.served).await.unwrap().unwrap().unwrap();
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

/// One answer, whose body is as long as `body`.
async fn read_answer(stream: &mut TcpStream, body: &str) -> String {
    let mut answer = String::new();
    let whole = async {
        while !answer.ends_with(&format!("\r\n\r\n{body}")) {
            let byte = stream.read_u8().await.unwrap();
            answer.push(byte.into());
        }
    };
    timeout(PATIENCE, whole).await.unwrap();
    answer
}

async fn read_rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut rest)).await.unwrap().unwrap();
    rest
}

#[tokio::test]
async fn connection_is_kept_for_the_next_request() {
    let server = Server::start(ServeSettings::PUBLIC).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(request("/").as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream, "now").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    server.stop.cancel();
    assert_eq!(read_rest(&mut stream).await, "", "an idle connection is closed at the end");
    server.ended().await;
}

#[tokio::test]
async fn one_http2_connection_holds_thousands_of_requests() {
    const REQUESTS: u32 = 10_000;
    let server = Server::start(ServeSettings::INTERNAL).await;
    let io = TokioIo::new(server.connect().await);
    let (sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let mut answers = JoinSet::new();
    for _ in 0..REQUESTS {
        let mut sender = sender.clone();
        answers.spawn(async move {
            sender.ready().await.unwrap();
            let request = Request::get("http://a.example/held").body(Empty::new()).unwrap();
            sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        });
    }
    server.until_held(REQUESTS).await;
    server.gate.add_permits(REQUESTS as usize);
    let bodies = timeout(PATIENCE, answers.join_all()).await.unwrap();
    assert_eq!(bodies.len(), REQUESTS as usize);
    assert!(bodies.iter().all(|body| &**body == b"held"));
}

#[tokio::test(start_paused = true)]
async fn client_that_drips_its_head_is_cut_and_one_that_waits_for_its_answer_is_not() {
    let server = Server::start(ServeSettings::PUBLIC).await;
    for start in ["", "P", "GET / HTTP/1.1\r\nHost: a.exa"] {
        let started = Instant::now();
        let mut slow = server.connect().await;
        slow.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = slow.read_to_end(&mut rest).await;
        assert_eq!(rest, b"", "{start:?}");
        let took = started.elapsed();
        let limit = ServeSettings::PUBLIC.head_timeout;
        assert!(took >= limit && took < limit * 2, "{start:?} was cut after {took:?}");
    }
    let mut patient = server.connect().await;
    patient.write_all(request("/slept").as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    patient.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn graceful_end_gives_the_running_answer_and_takes_no_new_connection() {
    let server = Server::start(ServeSettings::PUBLIC).await;
    let mut held = server.connect().await;
    held.write_all(request("/held").as_bytes()).await.unwrap();
    server.until_held(1).await;
    server.stop.cancel();
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    assert!(!server.served.is_finished(), "an answer was not waited for");
    server.gate.add_permits(1);
    let answer = read_rest(&mut held).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nheld"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn connection_past_the_bound_waits_for_a_place() {
    let server = Server::start(ServeSettings { max_connections: 1, ..ServeSettings::PUBLIC }).await;
    let mut first = server.connect().await;
    first.write_all(request("/held").as_bytes()).await.unwrap();
    server.until_held(1).await;
    let mut second = server.connect().await;
    second.write_all(request("/").as_bytes()).await.unwrap();
    server.gate.add_permits(1);
    read_answer(&mut first, "held").await;
    let early = timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err(), "a second connection was served beside the only one");
    drop(first);
    read_answer(&mut second, "now").await;
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let server = Server::start(ServeSettings::PUBLIC).await;
    let mut stream = server.connect().await;
    let padding = "x".repeat(ServeSettings::PUBLIC.max_head_bytes.into());
    let large = format!("GET / HTTP/1.1\r\nHost: a.example\r\nX: {padding}\r\n\r\n");
    stream.write_all(large.as_bytes()).await.unwrap();
    let answer = read_rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn dropped_server_cuts_its_connections() {
    let server = Server::start(ServeSettings::PUBLIC).await;
    let mut held = server.connect().await;
    held.write_all(request("/held").as_bytes()).await.unwrap();
    server.until_held(1).await;
    server.served.abort();
    assert_eq!(read_rest(&mut held).await, "");
}
