//! Random requests, most of them hostile: nobody sees another tenant's bytes, and no spelling of a request
//! makes a second job.

mod case;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use pipeline::{job::Job, key::Encoding, manifest::Outcome, names::Digest, ports::Queue};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{sync::Mutex, task::JoinSet};
use web::Policy;

use self::case::{COLD, Case, GONE, Request, WARM};
use crate::town::{Answer, POLICY, Town, UNLIMITED, coded, send};

/// Host and name of each tenant. Some hosts begin or end with another one.
const TENANTS: [(&str, &str); 5] = [
    ("a.example", "alpha"),
    ("b.example", "beta"),
    ("a.example.b.example", "gamma"),
    ("xa.example", "delta"),
    ("a.example.com", "epsilon"),
];

/// Cases that run at the same time.
const CROWD: usize = 32;

#[tokio::test(start_paused = true)]
async fn nobody_sees_anothers_bytes_and_no_spelling_makes_a_second_job() {
    check(100_000).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "long: a million cases, a minute or two"]
async fn nobody_sees_anothers_bytes_in_a_million_cases() {
    check(1_000_000).await;
}

async fn check(cases: usize) {
    let seed = rand::random::<u64>();
    println!("the seed is {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let town = Arc::new(build_town().await);
    let jobs = Arc::new(Mutex::new(HashMap::new()));
    let worker = tokio::spawn(work(town.clone(), jobs.clone()));
    let mut tally = Tally::default();
    for first in (0..cases).step_by(CROWD) {
        let mut crowd = JoinSet::new();
        for number in first..(first + CROWD).min(cases) {
            let case = Case::draw(&mut random);
            let Some(request) = case.request.build() else { continue };
            let public = town.public.clone();
            crowd.spawn(async move {
                let answer = send(&public, request).await;
                (number, case, answer)
            });
        }
        for (number, case, answer) in crowd.join_all().await {
            let told = || format!("seed {seed}, case {number}: {case:?} got {answer:?}");
            judge(&case, &answer).unwrap_or_else(|wrong| panic!("{wrong}: {}", told()));
            tally.count(&case, &answer);
        }
    }
    worker.abort();
    tally.assert_whole(cases);
    let jobs = jobs.lock().await;
    assert!(jobs.values().all(|times| *times == 1), "seed {seed}: {jobs:?}");
    assert_eq!(jobs.len(), TENANTS.len() * (COLD.len() + GONE.len()), "seed {seed}: {jobs:?}");
    assert_eq!(town.count("assets_web_jobs_sent_total"), jobs.len() as u64);
}

/// What each tenant's style sheet of a path says; no two of them say the same.
fn css_of(tenant: &str, path: &str) -> String {
    format!("/* secret of {tenant} at {path} */")
}

/// All tenants, with all that is warm.
async fn build_town() -> Town {
    let long = Duration::from_hours(10);
    let policy = Policy { max_age: long, backoff: web::Backoff { first: long, longest: long }, ..POLICY };
    let town = Town::with(UNLIMITED, policy);
    for (host, name) in TENANTS {
        town.settle(host, name).await;
        for path in WARM {
            let key = Town::key(name, path);
            let css = town.compiled(&key, &css_of(name, path)).await;
            town.write(&key, css, SignedDuration::ZERO).await;
        }
    }
    town
}

/// The worker: ends each job as its path says, and counts them by key.
async fn work(town: Arc<Town>, jobs: Arc<Mutex<HashMap<String, u32>>>) {
    loop {
        let taken = town.queue.receive(10, Duration::from_hours(1), Duration::from_mins(1)).await.unwrap();
        for delivery in taken {
            town.queue.delete(&[delivery.receipt]).await.unwrap();
            let key = Job::from_message(&delivery.body).unwrap().key();
            *jobs.lock().await.entry(key.to_string()).or_default() += 1;
            let name = key.tenant_id.as_str().trim_end_matches("-g1");
            let outcome = if COLD.contains(&key.path.as_str()) {
                town.compiled(&key, &css_of(name, key.path.as_str())).await
            } else {
                Outcome::SourceNotFound { message: "the origin has no such source".to_owned() }
            };
            town.write(&key, outcome, SignedDuration::ZERO).await;
        }
    }
}

/// Says what is wrong with the answer.
fn judge(case: &Case, answer: &Answer) -> Result<(), String> {
    let Case { tenant, path, request } = case;
    let expected = tenant.zip(path.as_deref());
    let Some((tenant, path)) = expected.filter(|_| *request.method() != Method::POST) else {
        return if answer.status == StatusCode::FOUND {
            judge_redirect(request, answer)
        } else {
            judge_refusal(answer)
        };
    };
    let css = css_of(tenant, path);
    let digest = Digest::of(css.as_bytes());
    match answer.status {
        StatusCode::NOT_FOUND if GONE.contains(&path) => judge_refusal(answer),
        StatusCode::OK | StatusCode::NOT_MODIFIED if GONE.contains(&path) => Err("it is gone".to_owned()),
        StatusCode::OK => {
            let encoding = match answer.header("content-encoding") {
                "" => Encoding::Identity,
                "gzip" => Encoding::Gzip,
                "br" => Encoding::Br,
                other => return Err(format!("the coding is {other}")),
            };
            // The listener leaves the body of an answer to HEAD out.
            if answer.body != coded(&css, encoding) && *request.method() != Method::HEAD {
                return Err("the body is another one".to_owned());
            }
            judge_tag(answer, &digest)
        }
        StatusCode::NOT_MODIFIED => {
            if !answer.body.is_empty() {
                return Err("304 has a body".to_owned());
            }
            let asked = request.known_tags();
            if !asked.contains('*') && !asked.contains(digest.as_str()) {
                return Err("the visitor does not have it".to_owned());
            }
            judge_tag(answer, &digest)
        }
        other => Err(format!("the status is {other}")),
    }
}

fn judge_tag(answer: &Answer, digest: &Digest) -> Result<(), String> {
    if answer.header("etag").contains(digest.as_str()) {
        Ok(())
    } else {
        Err("the tag is another one's".to_owned())
    }
}

fn judge_refusal(answer: &Answer) -> Result<(), String> {
    if !answer.status.is_client_error() {
        return Err(format!("the status is {}", answer.status));
    }
    if String::from_utf8_lossy(&answer.body).contains("secret") || !answer.header("etag").is_empty() {
        return Err("a refusal tells a tenant's bytes".to_owned());
    }
    Ok(())
}

/// What is no style sheet lies at the site of the tenant whom the request names: by its target, or else by `Host`.
fn judge_redirect(request: &Request, answer: &Answer) -> Result<(), String> {
    let built = request.build().ok_or("it was never sent")?;
    let header = built.headers().get("host").and_then(|host| host.to_str().ok());
    let named = built.uri().host().or(header).unwrap_or_default().to_ascii_lowercase();
    let host = named.split(':').next().unwrap_or_default().trim_end_matches('.');
    let (_, tenant) = TENANTS.iter().find(|(known, _)| *known == host).ok_or("it names no tenant")?;
    if answer.header("location").starts_with(&format!("http://{tenant}.origin.example/")) {
        Ok(())
    } else {
        Err("it leads to another one's site".to_owned())
    }
}

/// What the cases came to, so that a generator that draws nothing of interest is found out.
#[derive(Debug, Default)]
struct Tally {
    served: usize,
    unchanged: usize,
    refused: usize,
    absent: usize,
    coded: usize,
}

impl Tally {
    fn count(&mut self, case: &Case, answer: &Answer) {
        self.coded += usize::from(!answer.header("content-encoding").is_empty());
        match answer.status {
            StatusCode::OK => self.served += 1,
            StatusCode::NOT_MODIFIED => self.unchanged += 1,
            _ if case.tenant.is_some() && case.path.is_some() => self.absent += 1,
            _ => self.refused += 1,
        }
    }

    fn assert_whole(&self, cases: usize) {
        let Self { served, unchanged, refused, absent, coded } = *self;
        let sum = served + unchanged + refused + absent;
        assert!(sum > cases - cases / 10, "too many cases were no requests at all: {self:?}");
        for part in [served, unchanged * 10, refused, absent * 10, coded] {
            assert!(part > cases / 10, "{self:?}");
        }
    }
}
