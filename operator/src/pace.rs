//! How often the operator asks AWS on its own: the interval at which it looks at what pipelines have there, and the
//! pause after AWS has asked for fewer calls.
//!
//! A single call is tried again by the SDK (three attempts, with pauses of its own) and nowhere else: what fails
//! here has failed for good, and the next round asks anew. What a person changes is looked at at once, whatever
//! the pace is.

mod budget;
mod pauses;

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use kube::ResourceExt;
use pipeline::{Error, ErrorKind};

pub use budget::LEAST_INTERVAL;

use self::{budget::Budget, pauses::Pauses};

/// After a failure on AWS that named no time.
pub const FAILED: Duration = Duration::from_secs(15);

type CountPipelines = Box<dyn Fn() -> usize + Send + Sync>;

/// The pace of one operator.
pub struct Pace {
    budget: Mutex<Budget>,
    pauses: Mutex<Pauses>,
    /// Absent until pipelines are watched: then there is none.
    count: OnceLock<CountPipelines>,
}

/// What a failure means for everybody else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackOff {
    /// Until the one that failed tries again.
    pub pause: Duration,
    /// Whether AWS has asked for fewer calls by this failure.
    pub is_news: bool,
    /// The calls a second that are left for looking at drift, where this failure has cut them.
    pub cut_to: Option<f64>,
}

impl Pace {
    /// The budget is for all looks at bindings together.
    pub fn new(calls_per_second: NonZeroU32) -> Self {
        Self {
            budget: Mutex::new(Budget::new(calls_per_second)),
            pauses: Mutex::default(),
            count: OnceLock::new(),
        }
    }

    /// From now on that many pipelines share the budget.
    pub fn count_by(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        // There is one watch of pipelines in a term.
        let _ = self.count.set(Box::new(count));
    }

    /// The time between two looks at a settled pipeline's bindings, for now.
    pub fn interval(&self) -> Duration {
        lock(&self.budget).interval(self.pipelines(), Instant::now())
    }

    /// Likewise, while AWS takes all calls of the budget.
    pub fn usual_interval(&self) -> Duration {
        lock(&self.budget).usual_interval(self.pipelines())
    }

    /// What is done after this failure on AWS of this object's.
    pub fn back_off(&self, object: &impl ResourceExt, error: &Error) -> BackOff {
        if error.kind != ErrorKind::Throttled {
            // Spread, so that those who failed together do not come back together.
            let pause = error.retry_after.unwrap_or(FAILED).mul_f64(rand::random_range(1.0..1.2));
            return BackOff { pause, is_news: false, cut_to: None };
        }
        let (uid, generation) = (object.uid().unwrap_or_default(), object.meta().generation);
        let (now, chance) = (Instant::now(), rand::random());
        let (pause, is_news) = lock(&self.pauses).note(uid, generation, error, (now, chance));
        BackOff { pause, is_news, cut_to: if is_news { self.cut() } else { None } }
    }

    /// AWS asked for fewer calls. What is left of the budget, where it was cut now.
    pub fn cut(&self) -> Option<f64> {
        lock(&self.budget).cut(Instant::now())
    }

    /// The failure after which the object, as it is now, is not looked at yet.
    pub fn pause_of(&self, object: &impl ResourceExt) -> Option<Error> {
        lock(&self.pauses).running(object.uid()?.as_str(), object.meta().generation, Instant::now())
    }

    /// AWS has answered the object's calls.
    pub fn note_answers(&self, object: &impl ResourceExt) {
        if let Some(uid) = object.uid() {
            lock(&self.pauses).forget(&uid);
        }
    }

    fn pipelines(&self) -> usize {
        self.count.get().map_or(0, |count| count())
    }
}

/// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
