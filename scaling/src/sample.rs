//! What was seen at one moment.

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;

/// Something that may fail to tell, or that nobody asks for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal<T> {
    Told(T),
    /// It was asked, and gave nothing that could be used.
    Silent,
    /// It is not asked: there is no such source here, or none yet.
    #[default]
    Unasked,
}

/// All that one decision sees of the present.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// The queue of jobs that visitors wait for.
    pub visits: Signal<Queue>,
    /// The queue of jobs that nobody waits for.
    pub refreshes: Signal<Queue>,
    /// What all web pods know together.
    pub web: Signal<Web>,
    /// What all workers know together. `Told` also where there are none to ask.
    pub workers: Signal<Workers>,
    pub pods: Pods,
}

/// A queue's own numbers, which lag behind by a second or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Messages that wait to be received.
    pub visible: u64,
    /// Received, and neither deleted nor given back. Those that wait to be tried again count here, too.
    pub in_flight: u64,
    /// Sent with a delay that is not over.
    pub delayed: u64,
}

/// Sums over the web pods, at most a second old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Web {
    /// Keys that visitors wait for now, each of which is a job that has not ended.
    pub held: u64,
    /// How long the first of them has waited.
    pub oldest_wait: Duration,
    /// Jobs of visits sent since the pods' start.
    pub sent: u64,
    /// Holds that an outcome has ended, since the pods' start.
    pub finished: u64,
}

/// Sums over the worker pods that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Workers {
    /// Pods that answered.
    pub answering: u32,
    /// Pods among them that run a job.
    pub busy: u32,
    /// Jobs that they run.
    pub running: u64,
    /// Jobs that a pod runs at the same time; `None` where no pod told.
    pub concurrency: Option<NonZeroU32>,
    /// Jobs ended since the pods' start.
    pub finished: u64,
    /// Time that those jobs took.
    pub worked: Duration,
}

/// The worker Deployment and its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pods {
    /// What the Deployment asks for now.
    pub replicas: u32,
    /// Pods that the cluster takes for ready.
    pub ready: u32,
    /// When that number was written, where that is known.
    pub asked_since: Option<Timestamp>,
    /// When the last of the ready pods became ready, where that is known.
    pub ready_since: Option<Timestamp>,
}

impl<T> Signal<T> {
    pub fn told(self) -> Option<T> {
        match self {
            Self::Told(value) => Some(value),
            Self::Silent | Self::Unasked => None,
        }
    }

    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Silent)
    }
}

impl Queue {
    pub fn jobs(&self) -> u64 {
        self.visible.saturating_add(self.in_flight).saturating_add(self.delayed)
    }

    fn and(self, other: Self) -> Self {
        Self {
            visible: self.visible.saturating_add(other.visible),
            in_flight: self.in_flight.saturating_add(other.in_flight),
            delayed: self.delayed.saturating_add(other.delayed),
        }
    }
}

impl Sample {
    /// Both queues together, as far as they tell.
    pub fn queues(&self) -> Queue {
        self.visits.told().unwrap_or_default().and(self.refreshes.told().unwrap_or_default())
    }

    /// What the queues and the web pods know of, whoever knows more: a queue's numbers may lag behind, and web
    /// pods do not know jobs whose visitors have left.
    pub fn jobs(&self) -> u64 {
        let visits = self.visits.told().unwrap_or_default().jobs();
        let held = self.web.told().unwrap_or_default().held;
        visits.max(held).saturating_add(self.refreshes.told().unwrap_or_default().jobs())
    }

    /// Jobs in work: what the workers say, or else what has been received.
    pub fn running(&self) -> u64 {
        match self.workers {
            Signal::Told(workers) => workers.running,
            Signal::Silent | Signal::Unasked => self.queues().in_flight,
        }
    }

    /// Jobs that workers have or should have. What waits to be tried again is for later.
    pub fn pending(&self) -> u64 {
        let refreshes = self.refreshes.told().unwrap_or_default().visible;
        self.waiting_visits().saturating_add(refreshes).saturating_add(self.running())
    }

    /// Jobs of visits that no worker has begun. Where web pods know of more than the queue shows, those have
    /// been sent since.
    pub fn waiting_visits(&self) -> u64 {
        let queue = self.visits.told().unwrap_or_default();
        let held = self.web.told().unwrap_or_default().held;
        queue.visible.max(held.saturating_sub(queue.in_flight))
    }

    /// Pods that must stay, so that no job is taken from its worker: those that say they are busy, or one for
    /// each job in work, as if each had a pod of its own.
    pub fn busy(&self) -> u32 {
        let busy = match self.workers {
            Signal::Told(workers) => workers.busy,
            Signal::Silent | Signal::Unasked => u32::try_from(self.queues().in_flight).unwrap_or(u32::MAX),
        };
        busy.min(self.pods.replicas)
    }

    /// Whether nobody says what visitors wait for.
    pub fn is_blind(&self) -> bool {
        self.visits.told().is_none() && self.web.told().is_none()
    }

    /// Whether anything that was asked gave no answer.
    pub fn has_gaps(&self) -> bool {
        self.visits.is_silent()
            || self.refreshes.is_silent()
            || self.web.is_silent()
            || self.workers.is_silent()
            || self.is_blind()
    }
}
