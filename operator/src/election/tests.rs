//! Elections in virtual time, by an API server in memory that keeps one Lease.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{pause, sleep_until},
};
use tower::service_fn;

use super::*;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fair,
    /// It is never answered, and does nothing.
    Unreachable,
    /// It does what it should, and the answer is lost.
    Deaf,
    /// It does what it should after a while.
    Slow,
}

const SLOWNESS: Duration = Duration::from_secs(4);

/// The Lease as it is, and how often it was written.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(Option<Value>, u64)>>);

impl Server {
    fn lease(&self) -> Option<Value> {
        self.0.lock().unwrap().0.clone()
    }

    fn holder(&self) -> Option<String> {
        Some(self.lease()?["spec"]["holderIdentity"].as_str()?.to_owned())
    }

    fn remove(&self) {
        self.0.lock().unwrap().0 = None;
    }

    /// A client whose requests meet `weather` as it is when they are made.
    fn client(&self, weather: Arc<Mutex<Weather>>) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let (server, weather) = (server.clone(), *weather.lock().unwrap());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let lost = Duration::from_hours(1);
                match weather {
                    Weather::Unreachable => sleep(lost).await,
                    Weather::Slow => sleep(SLOWNESS).await,
                    Weather::Fair | Weather::Deaf => {}
                }
                let (status, answer) = server.answer(&parts.method, &body);
                if weather == Weather::Deaf {
                    sleep(lost).await;
                }
                let answer =
                    Response::builder().status(status).body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        Client::new(service, "system")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> (StatusCode, Value) {
        let mut state = self.0.lock().unwrap();
        let (lease, writes) = &mut *state;
        let mut write = |mut new: Value| {
            *writes += 1;
            new["metadata"]["resourceVersion"] = writes.to_string().into();
            new
        };
        let failure = |status: StatusCode, reason: &str| {
            (
                status,
                json!({"kind": "Status", "status": "Failure", "code": status.as_u16(), "reason": reason}),
            )
        };
        match (method, &mut *lease) {
            (&Method::GET, Some(lease)) => (StatusCode::OK, lease.clone()),
            (&Method::POST, slot @ None) => {
                let new = write(serde_json::from_slice(body).unwrap());
                *slot = Some(new.clone());
                (StatusCode::CREATED, new)
            }
            (&Method::POST, Some(_)) => failure(StatusCode::CONFLICT, "AlreadyExists"),
            (&Method::PUT, Some(lease)) => {
                let new: Value = serde_json::from_slice(body).unwrap();
                if new["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"] {
                    return failure(StatusCode::CONFLICT, "Conflict");
                }
                *lease = write(new);
                (StatusCode::OK, lease.clone())
            }
            (_, None) => failure(StatusCode::NOT_FOUND, "NotFound"),
            (method, Some(_)) => panic!("{method} is not answered"),
        }
    }
}

fn elector(server: &Server, identity: &str) -> (Election, Arc<Mutex<Weather>>) {
    let weather = Arc::new(Mutex::new(Weather::Fair));
    let client = server.client(weather.clone());
    (Election::new(client, "system", "operator".into(), identity.into()), weather)
}

async fn win(election: &mut Election) -> Term {
    election.win(&CancellationToken::new()).await.unwrap()
}

/// Keeps the term until the token is cancelled or the term is lost.
fn keep(mut election: Election, term: &Term, done: &CancellationToken) -> JoinHandle<Election> {
    let (term, done) = (term.clone(), done.clone());
    tokio::spawn(async move {
        election.keep(&term, &done).await;
        election
    })
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_next_one_follows_at_once_where_it_resigns() {
    let server = Server::default();
    let ((mut first, _), (mut second, _)) = (elector(&server, "a"), elector(&server, "b"));
    let term = win(&mut first).await;
    let done = CancellationToken::new();
    let kept = keep(first, &term, &done);
    let waiting = tokio::spawn(async move { (win(&mut second).await, Instant::now()) });
    sleep(Duration::from_mins(10)).await;
    assert!(!waiting.is_finished() && term.check().is_ok());
    done.cancel();
    let resigned = Instant::now();
    kept.await.unwrap().resign().await;
    let (_, won) = waiting.await.unwrap();
    assert!(won - resigned <= PERIOD, "{:?}", won - resigned);
    assert_eq!(server.lease().unwrap()["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn paused_leader_writes_nothing_once_its_lease_may_be_anothers() {
    let server = Server::default();
    let ((mut first, _), (mut second, _)) = (elector(&server, "a"), elector(&server, "b"));
    let start = Instant::now();
    // It renews nothing, and is told nothing: it does not run.
    let paused = win(&mut first).await;
    let won = win(&mut second).await;
    assert!(start.elapsed() >= LEASE && start.elapsed() <= LEASE + 2 * PERIOD, "{:?}", start.elapsed());
    assert!(paused.check().is_err() && won.check().is_ok());
    // It goes on where it was.
    first.keep(&paused, &CancellationToken::new()).await;
    assert!(paused.check().is_err(), "a lost term was extended");
    assert_eq!(server.holder().as_deref(), Some("b"));
    first.resign().await;
    assert_eq!(server.holder().as_deref(), Some("b"), "another's lease was given away");
}

#[tokio::test(start_paused = true)]
async fn leader_that_reaches_nobody_stops_before_the_next_one_begins() {
    let server = Server::default();
    let ((mut first, weather), (mut second, _)) = (elector(&server, "a"), elector(&server, "b"));
    let term = win(&mut first).await;
    let kept = keep(first, &term, &CancellationToken::new());
    *weather.lock().unwrap() = Weather::Unreachable;
    let before = Instant::now();
    win(&mut second).await;
    assert!(term.check().is_err());
    assert!(before.elapsed() > TERM);
    kept.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lost_answers_cost_no_term() {
    let server = Server::default();
    let (mut first, weather) = elector(&server, "a");
    *weather.lock().unwrap() = Weather::Deaf;
    let waiting = tokio::spawn(async move {
        let term = win(&mut first).await;
        (first, term)
    });
    sleep(REQUEST_TIMEOUT / 2).await;
    *weather.lock().unwrap() = Weather::Fair;
    let (first, term) = waiting.await.unwrap();
    let done = CancellationToken::new();
    let kept = keep(first, &term, &done);
    for sky in [Weather::Deaf, Weather::Fair] {
        *weather.lock().unwrap() = sky;
        sleep(PERIOD + REQUEST_TIMEOUT / 2).await;
    }
    sleep(Duration::from_mins(1)).await;
    assert!(term.check().is_ok() && !kept.is_finished());
    assert_eq!(server.lease().unwrap()["spec"]["leaseTransitions"], 0);
    done.cancel();
    kept.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lease_that_somebody_deletes_ends_the_term() {
    let server = Server::default();
    let (mut first, _) = elector(&server, "a");
    let term = win(&mut first).await;
    server.remove();
    first.keep(&term, &CancellationToken::new()).await;
    sleep(TERM).await;
    assert!(term.check().is_err());
    win(&mut first).await;
    assert_eq!(server.holder().as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_stop_waits_no_longer() {
    let server = Server::default();
    let ((mut first, _), (mut second, _)) = (elector(&server, "a"), elector(&server, "b"));
    win(&mut first).await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    assert!(second.win(&shutdown).await.is_none());
    assert!(first.win(&shutdown).await.is_none(), "one that leads and is to stop began a new term");
}

/// Leads again and again, and tells each term that it has.
async fn run(mut election: Election, terms: Arc<Mutex<Vec<Term>>>) {
    loop {
        let term = win(&mut election).await;
        terms.lock().unwrap().push(term.clone());
        election.keep(&term, &CancellationToken::new()).await;
    }
}

/// How many may write at the same moment, at the most, and how often somebody could.
async fn observe(changes: Vec<(usize, Weather, u64)>) -> (usize, usize) {
    let server = Server::default();
    let terms = Arc::<Mutex<Vec<Term>>>::default();
    let mut running = JoinSet::new();
    let weathers = ["a", "b", "c"].map(|identity| {
        let (election, weather) = elector(&server, identity);
        running.spawn(run(election, terms.clone()));
        weather
    });
    let (mut most, mut led) = (0, 0);
    for (who, sky, milliseconds) in changes {
        *weathers[who].lock().unwrap() = sky;
        let until = Instant::now() + Duration::from_millis(milliseconds);
        while Instant::now() < until {
            sleep_until(Instant::now() + Duration::from_millis(50)).await;
            let writing = terms.lock().unwrap().iter().filter(|term| term.check().is_ok()).count();
            most = most.max(writing);
            led += usize::from(writing > 0);
        }
    }
    (most, led)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_two_may_write_at_once_whatever_is_lost(
        changes in prop::collection::vec(
            (
                0..3_usize,
                prop::sample::select(vec![Weather::Fair, Weather::Unreachable, Weather::Deaf, Weather::Slow]),
                100..20_000_u64,
            ),
            20..40,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (most, led) = runtime.block_on(async {
            pause();
            observe(changes).await
        });
        prop_assert!(most <= 1, "{most} may write");
        prop_assert!(led > 0, "nobody ever led");
    }
}
