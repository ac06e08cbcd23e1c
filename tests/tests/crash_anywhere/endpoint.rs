//! What the operator meets outside of the cluster and AWS: the notification endpoint, and the time of day.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use operator::{context::Clock as ClockPort, reach::AskEndpoint};
use pipeline::reach::Unreached;
use tokio::time::Instant;

/// Where SNS is to post. Web answers there unless somebody says otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoint(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    silence: Option<Unreached>,
    asked: usize,
}

impl Endpoint {
    pub(crate) fn fall_silent(&self, why: Unreached) {
        self.with(|state| state.silence = Some(why));
    }

    pub(crate) fn answer(&self) {
        self.with(|state| state.silence = None);
    }

    /// How often it was asked since the last call.
    pub(crate) fn take_asked(&self) -> usize {
        self.with(|state| std::mem::take(&mut state.asked))
    }

    pub(crate) fn port(self) -> AskEndpoint {
        Box::new(move |_| {
            let outcome = self.with(|state| {
                state.asked += 1;
                state.silence.clone().map_or(Ok(()), Err)
            });
            Box::pin(std::future::ready(outcome))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A time of day that goes with tokio's time, and stands still where that is paused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    time: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Instant::now(), time: Timestamp::now() }
    }
}

impl Clock {
    pub(crate) fn port(self) -> ClockPort {
        Box::new(move || self.time + self.began.elapsed())
    }
}
