//! A breaker for each origin: one that fails again and again is not asked by every visitor, and its jobs
//! take no worker's time from those of other origins.
//!
//! It knows what this pod has seen and nothing else, and forgets it with the process. What a visitor gets
//! meanwhile is [`crate::web`]'s.

mod state;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pipeline::manifest::{OriginFailure, Outcome};
use tokio::time::Instant;
use url::Url;

use self::state::{Breaker, Change};
use crate::{answer::whole_seconds, metrics::WebMetrics};

/// Failing origins that are remembered.
const MAX_ORIGINS: usize = 10_000;

/// The origin is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the site's own server fails again and again; it is asked again in {} s", whole_seconds(*retry_after))]
pub(crate) struct Refusal {
    /// How it failed last.
    pub(crate) cause: OriginFailure,
    pub(crate) retry_after: Duration,
}

/// The breakers of all origins that have failed lately.
pub(crate) struct Breakers {
    by_origin: Mutex<HashMap<String, Breaker>>,
    metrics: Arc<WebMetrics>,
}

impl Breakers {
    pub(crate) fn new(metrics: Arc<WebMetrics>) -> Self {
        Self { by_origin: Mutex::default(), metrics }
    }

    /// Whether a job may be sent now; one that may is to be sent.
    pub(crate) fn admit(&self, origin: &Url) -> Result<(), Refusal> {
        match self.lock().get_mut(&name_of(origin)) {
            Some(breaker) => breaker.admit(Instant::now()),
            None => Ok(()),
        }
    }

    /// Why no job may be sent now; changes nothing.
    pub(crate) fn refusal(&self, origin: &Url) -> Option<Refusal> {
        self.lock().get(&name_of(origin))?.refusal(Instant::now())
    }

    /// What became of a job of this origin.
    pub(crate) fn record(&self, origin: &Url, outcome: &Outcome) {
        let name = name_of(origin);
        let now = Instant::now();
        let mut by_origin = self.lock();
        let change = match outcome {
            // Says nothing of the origin.
            Outcome::Abandoned { .. } => return,
            Outcome::OriginFailed { failure, message: _ } => {
                if !by_origin.contains_key(&name) && !make_room(&mut by_origin, now) {
                    return;
                }
                by_origin.entry(name.clone()).or_insert_with(|| Breaker::new(now)).fail(*failure, now)
            }
            Outcome::Compiled { .. } | Outcome::CompileError { .. } | Outcome::SourceNotFound { .. } => {
                by_origin.remove(&name).map_or(Change::None, Breaker::heal)
            }
        };
        let open = by_origin.values().filter(|breaker| breaker.is_open()).count();
        drop(by_origin);
        self.metrics.breakers_open.set(i64::try_from(open).unwrap_or(i64::MAX));
        tell(&name, change);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Breaker>> {
        // No code panics while it holds the lock half-way through a change.
        self.by_origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scheme, host and port: what has one server behind it.
fn name_of(origin: &Url) -> String {
    origin.origin().ascii_serialization()
}

/// Forgets what has not failed for long where there is no room; whether there is some afterwards.
fn make_room(by_origin: &mut HashMap<String, Breaker>, now: Instant) -> bool {
    if by_origin.len() >= MAX_ORIGINS {
        by_origin.retain(|_, breaker| !breaker.is_forgotten(now));
    }
    by_origin.len() < MAX_ORIGINS
}

fn tell(origin: &str, change: Change) {
    match change {
        Change::None => {}
        Change::Opened { failures } => {
            tracing::warn!(origin, failures, "an origin fails; it is asked only now and then");
        }
        Change::StayedOpen { pause } => {
            tracing::warn!(origin, pause_seconds = pause.as_secs(), "an origin fails still");
        }
        Change::Closed => tracing::info!(origin, "an origin answers again"),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    fn breakers() -> Breakers {
        Breakers::new(Arc::new(WebMetrics::register(&mut Registry::default())))
    }

    fn failed() -> Outcome {
        Outcome::OriginFailed { failure: OriginFailure::Failed, message: "m".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn origins_are_told_apart_by_scheme_host_and_port_and_counted_while_open() {
        let breakers = breakers();
        let url = |text: &str| text.parse::<Url>().unwrap();
        for path in ["a", "b", "c", "d", "e"] {
            breakers.record(&url(&format!("http://shop.example/{path}")), &failed());
        }
        assert!(breakers.refusal(&url("http://shop.example:80/f")).is_some());
        for other in ["https://shop.example/", "http://shop.example:8080/", "http://www.shop.example/"] {
            assert_eq!(breakers.admit(&url(other)), Ok(()), "{other}");
        }
        assert_eq!(breakers.metrics.breakers_open.get(), 1);
        breakers.record(&url("http://shop.example/"), &Outcome::SourceNotFound { message: "m".to_owned() });
        assert_eq!(breakers.metrics.breakers_open.get(), 0);
        assert_eq!(breakers.lock().len(), 0, "an origin that answers was remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn failing_origins_are_remembered_up_to_a_bound() {
        let breakers = breakers();
        let url = |number: usize| format!("http://{number}.example/").parse::<Url>().unwrap();
        for number in 0..MAX_ORIGINS + 10 {
            breakers.record(&url(number), &failed());
        }
        assert_eq!(breakers.lock().len(), MAX_ORIGINS);
        tokio::time::advance(Duration::from_hours(1)).await;
        breakers.record(&url(MAX_ORIGINS + 20), &failed());
        assert_eq!(breakers.lock().len(), 1);
    }
}
