//! What jobs run in, and who may take it: visits first, refreshes half of it at the most.

use std::sync::Arc;

use pipeline::ports::MAX_BATCH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What the queue of visits gave when it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visits {
    Some,
    None,
}

/// What one job runs in; free again when it is dropped.
pub(super) struct Place {
    _any: OwnedSemaphorePermit,
    _of_refreshes: Option<OwnedSemaphorePermit>,
}

/// The places of one worker. Neither semaphore is ever closed.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// As many of them as refreshes may take.
    of_refreshes: Arc<Semaphore>,
    visits: watch::Sender<Visits>,
}

impl Places {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(concurrency)),
            of_refreshes: Arc::new(Semaphore::new(most_refreshes(concurrency))),
            visits: watch::Sender::new(Visits::Some),
        }
    }

    pub(super) fn tell(&self, visits: Visits) {
        self.visits.send_replace(visits);
    }

    pub(super) async fn there_are_no_visits(&self) {
        // Its sender lives here.
        let _ = self.visits.subscribe().wait_for(|visits| *visits == Visits::None).await;
    }

    pub(super) async fn take_one_for_visits(&self) -> Option<Place> {
        let any = self.all.clone().acquire_owned().await.ok()?;
        Some(Place { _any: any, _of_refreshes: None })
    }

    /// Waits until there are no visits, and then for a place.
    pub(super) async fn take_one_for_refreshes(&self) -> Option<Place> {
        loop {
            self.there_are_no_visits().await;
            let own = self.of_refreshes.clone().acquire_owned().await.ok()?;
            let any = self.all.clone().acquire_owned().await.ok()?;
            if *self.visits.borrow() == Visits::None {
                return Some(Place { _any: any, _of_refreshes: Some(own) });
            }
        }
    }

    /// All that are free but one while visits come, else half of them: what is asked for is kept until the
    /// queue answers, and refreshes are to find something. A crowd takes the rest with the next look.
    pub(super) async fn take_for_visits(&self) -> Vec<Place> {
        let mut taken: Vec<_> = self.take_one_for_visits().await.into_iter().collect();
        let others = self.all.available_permits();
        let most = match *self.visits.borrow() {
            Visits::Some => others.max(1),
            Visits::None => (1 + others).div_ceil(2),
        };
        while taken.len() < most.min(MAX_BATCH) {
            let Ok(any) = self.all.clone().try_acquire_owned() else { break };
            taken.push(Place { _any: any, _of_refreshes: None });
        }
        taken
    }

    /// As many as are free, at least one being waited for.
    pub(super) async fn take_for_refreshes(&self) -> Vec<Place> {
        let mut taken: Vec<_> = self.take_one_for_refreshes().await.into_iter().collect();
        while taken.len() < MAX_BATCH {
            let Ok(own) = self.of_refreshes.clone().try_acquire_owned() else { break };
            let Ok(any) = self.all.clone().try_acquire_owned() else { break };
            taken.push(Place { _any: any, _of_refreshes: Some(own) });
        }
        taken
    }
}

/// How many refreshes may run at the same time.
pub(super) fn most_refreshes(concurrency: usize) -> usize {
    (concurrency / 2).max(1)
}
