//! Both parties of a connection over loopback: the front answers `/ready`, the engine everything else.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{Router, body::Body, body::Bytes, http::Request, response::Response, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::*;
use crate::serve::{Fronted, Head, ServeSettings, serve};

const PATIENCE: Duration = Duration::from_secs(20);
const READY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready";

#[derive(Clone)]
struct Site {
    router: Router,
    front: Arc<Given>,
}

/// Has one answer, and counts how often it gave it.
struct Given {
    whole: Arc<Whole>,
    given: AtomicU32,
}

impl Front for Given {
    fn find(&self, head: &Head<'_>) -> Option<Arc<Whole>> {
        (head.target == "/ready").then(|| {
            self.given.fetch_add(1, Ordering::SeqCst);
            self.whole.clone()
        })
    }
}

impl Fronted for Site {
    fn front(&self) -> Option<Arc<dyn Front>> {
        Some(self.front.clone())
    }
}

impl Service<Request<hyper::body::Incoming>> for Site {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<hyper::body::Incoming>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<hyper::body::Incoming>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, request: Request<hyper::body::Incoming>) -> Self::Future {
        self.router.call(request)
    }
}

struct Server {
    stream: TcpStream,
    front: Arc<Given>,
    /// Lets the rest of `/slow` be given.
    gate: Arc<Notify>,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(body: Bytes) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let whole = Arc::new(Whole::new(head.into(), body, None));
        let front = Arc::new(Given { whole, given: AtomicU32::new(0) });
        let gate = Arc::new(Notify::new());
        let opened = gate.clone();
        let slow = async move || {
            let rest = futures::stream::once(async move {
                opened.notified().await;
                Ok::<_, Infallible>("rest")
            });
            let first = futures::stream::iter([Ok("first")]);
            Body::from_stream(futures::StreamExt::chain(first, rest))
        };
        let router = Router::new()
            .route("/ready", get(async || "engine"))
            .route("/engine", get(async || "engine").post(async |body: String| body))
            .route("/slow", get(slow));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let service = Site { router, front: front.clone() };
        let served = tokio::spawn(serve(listener, service, ServeSettings::PUBLIC, stop.clone()));
        Self { stream, front, gate, stop, served }
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes until it ends like this.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        let whole = async {
            while !heard.ends_with(end.as_bytes()) {
                heard.push(self.stream.read_u8().await.unwrap());
            }
        };
        let in_time = timeout(PATIENCE, whole).await;
        let heard = String::from_utf8(heard).unwrap();
        assert!(in_time.is_ok(), "heard only {heard}");
        heard
    }

    fn given(&self) -> u32 {
        self.front.given.load(Ordering::SeqCst)
    }
}

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n{more}\r\n")
}

fn ask(path: &str) -> String {
    request("GET", path, "")
}

async fn ready() -> Server {
    Server::start(Bytes::from_static(b"ready")).await
}

#[tokio::test]
async fn front_and_engine_take_turns_on_one_connection() {
    let mut server = ready().await;
    for turn in 1..=3 {
        for _ in 0..2 {
            server.say(&ask("/ready")).await;
            assert_eq!(server.hear("ready").await, READY);
        }
        server.say(&ask("/engine")).await;
        assert!(server.hear("engine").await.ends_with("\r\n\r\nengine"));
        server.say(&request("HEAD", "/engine", "")).await;
        assert!(server.hear("\r\n\r\n").await.contains("content-length: 6\r\n"));
        server.say(&request("GET", "/ready", "If-None-Match: *\r\n")).await;
        assert!(server.hear("engine").await.ends_with("\r\n\r\nengine"));
        assert_eq!(server.given(), 2 * turn);
    }
}

#[tokio::test]
async fn body_that_looks_like_a_request_is_never_answered_as_one() {
    let mut server = ready().await;
    let hidden = ask("/ready");
    let length = hidden.len();
    server.say(&request("POST", "/engine", &format!("Content-Length: {length}\r\n"))).await;
    tokio::task::yield_now().await;
    server.say(&hidden).await;
    let echo = server.hear(&hidden).await;
    assert!(echo.starts_with("HTTP/1.1 200 OK\r\n") && echo.matches("HTTP/1.1 200").count() == 1, "{echo}");
    let chunks = format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n");
    server.say(&request("POST", "/engine", "Transfer-Encoding: chunked\r\n")).await;
    server.say(&chunks).await;
    assert_eq!(server.hear(&hidden).await.matches("HTTP/1.1 200").count(), 1);
    assert_eq!(server.given(), 0);
}

#[tokio::test]
async fn requests_that_come_together_or_in_pieces_are_answered_in_their_order() {
    let mut server = ready().await;
    server.say(&[ask("/engine"), ask("/ready"), ask("/engine")].concat()).await;
    for _ in 0..3 {
        server.hear("\r\n\r\nengine").await;
    }
    assert_eq!(server.given(), 0);
    server.say(&ask("/ready")).await;
    server.hear("\r\n\r\nengine").await;
    assert_eq!(server.given(), 0, "the front no longer knows where a request begins");
    let mut server = ready().await;
    for part in ask("/ready").split_inclusive(' ') {
        server.say(part).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.hear("\r\n\r\nengine").await;
    assert_eq!(server.given(), 0, "the engine had its beginning");
    server.say(&ask("/ready")).await;
    assert_eq!(server.hear("ready").await, READY);
}

#[tokio::test]
async fn answer_that_is_still_being_given_is_not_interrupted() {
    let mut server = ready().await;
    server.say(&ask("/slow")).await;
    server.hear("first\r\n").await;
    server.say(&ask("/ready")).await;
    let early = timeout(Duration::from_millis(50), server.stream.read_u8()).await;
    assert!(early.is_err(), "something came in the middle of an answer");
    server.gate.notify_one();
    assert_eq!(server.hear("\r\n0\r\n\r\n").await, "4\r\nrest\r\n0\r\n\r\n");
    assert!(server.hear("engine").await.starts_with("HTTP/1.1 200"));
    assert_eq!(server.given(), 0);
}

#[tokio::test]
async fn client_that_reads_slowly_gets_all_of_it_also_at_the_end() {
    let body = Bytes::from(vec![b'b'; 16 << 20]);
    let mut server = Server::start(body.clone()).await;
    server.say(&ask("/ready")).await;
    server.hear("\r\n\r\n").await;
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut rest = Vec::new();
    timeout(PATIENCE, server.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest == body, "{} bytes came", rest.len());
    timeout(PATIENCE, server.served).await.unwrap().unwrap().unwrap();
    assert_eq!(server.front.given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn idle_connection_is_closed_at_the_end_whoever_answered_last() {
    for path in ["/ready", "/engine"] {
        let mut server = ready().await;
        server.say(&ask(path)).await;
        server.hear(&path[1..]).await;
        server.stop.cancel();
        let mut rest = Vec::new();
        timeout(PATIENCE, server.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(rest, b"");
        timeout(PATIENCE, server.served).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn client_that_has_said_all_is_answered() {
    let mut server = ready().await;
    server.say(&ask("/ready")).await;
    server.stream.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, server.stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, READY);
}

#[tokio::test(start_paused = true)]
async fn client_that_stops_reading_is_cut_when_its_time_is_over() {
    let mut server = Server::start(Bytes::from(vec![b'b'; 64 << 20])).await;
    server.say(&ask("/ready")).await;
    while server.given() == 0 {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    // Its place is free again, whatever the client does.
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
    let took = begun.elapsed();
    let limit = ServeSettings::PUBLIC.idle_timeout;
    assert!(took >= limit && took < 2 * limit, "{took:?}");
}
