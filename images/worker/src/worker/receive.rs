//! Which jobs are taken when: visits first, refreshes with what is left over.
//!
//! The queue of visits is asked all the time, the queue of refreshes only while the other one gives nothing,
//! and never while a place is kept for it. Refreshes take half of the places at the most, so that a visit's
//! job never waits for refreshes alone; a worker of one place gives it to a refresh between two looks for
//! visits.

use std::{sync::Arc, time::Duration};

use pipeline::{
    Error, chain,
    ports::{Delivery, Queue},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Worker;

/// SQS's longest.
const LONG_POLL: Duration = Duration::from_secs(20);
/// The look for visits of a worker whose only place refreshes need, too.
const SHORT_POLL: Duration = Duration::from_secs(1);
const MAX_BATCH: usize = 10;
/// A queue that has given nothing for this long has nothing: where it has, SQS answers within some 20 ms.
const QUIET: Duration = Duration::from_millis(200);
/// Between two looks for refreshes where there were none, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Before a queue is asked again after it failed.
const RECEIVE_BACKOFF: Duration = Duration::from_secs(1);

/// What the queue of visits gave when it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visits {
    Some,
    None,
}

/// What one job runs in; free again when it is dropped.
struct Place {
    _any: OwnedSemaphorePermit,
    _of_refreshes: Option<OwnedSemaphorePermit>,
}

/// The places of one worker. Neither semaphore is ever closed.
struct Places {
    all: Arc<Semaphore>,
    /// As many of them as refreshes may take.
    of_refreshes: Arc<Semaphore>,
}

type Taken = Vec<(Delivery, Place)>;

impl Worker {
    /// Works until `shutdown`; then receives nothing more, finishes what runs, and returns.
    pub async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        let places = Places::new(self.concurrency.into());
        let (told, mut seen) = watch::channel(Visits::Some);
        let visits = async {
            let mut jobs = JoinSet::new();
            while let Some(taken) = shutdown.run_until_cancelled(self.receive_visits(&places, &told)).await {
                self.start(&mut jobs, &self.queue, taken);
            }
            finish(jobs).await;
        };
        let refreshes = async {
            let mut jobs = JoinSet::new();
            let mut pause = FIRST_PAUSE;
            let mut receive = async || self.receive_refreshes(&places, &mut seen, &mut pause).await;
            while let Some(taken) = shutdown.run_until_cancelled(receive()).await {
                self.start(&mut jobs, &self.refresh_queue, taken);
            }
            finish(jobs).await;
        };
        tokio::join!(visits, refreshes);
    }

    fn start(self: &Arc<Self>, jobs: &mut JoinSet<()>, queue: &Arc<dyn Queue>, taken: Taken) {
        for (delivery, place) in taken {
            let (worker, queue) = (self.clone(), queue.clone());
            jobs.spawn(async move {
                worker.handle(&*queue, delivery).await;
                drop(place);
            });
        }
        while let Some(ended) = jobs.try_join_next() {
            note_panic(ended);
        }
    }

    /// As many jobs as there are places for, at least one place being waited for.
    async fn receive_visits(&self, places: &Places, told: &watch::Sender<Visits>) -> Taken {
        let seen = *told.borrow();
        let free = places.take_for_visits(seen).await;
        let wait = if self.concurrency == 1 { SHORT_POLL } else { LONG_POLL };
        let mut asked = self.queue.receive(count(&free), wait, self.visibility);
        let answer = if let Ok(answer) = timeout(QUIET, &mut asked).await {
            answer
        } else {
            told.send_replace(Visits::None);
            asked.await
        };
        match answer {
            Ok(deliveries) => {
                told.send_replace(if deliveries.is_empty() { Visits::None } else { Visits::Some });
                deliveries.into_iter().zip(free).collect()
            }
            Err(error) => {
                drop(free);
                pause_after(&error).await;
                Vec::new()
            }
        }
    }

    /// As `receive_visits`, once these have given nothing. The places are kept for no longer than the queue
    /// needs to answer: a visit's job may want them.
    async fn receive_refreshes(
        &self,
        places: &Places,
        visits: &mut watch::Receiver<Visits>,
        pause: &mut Duration,
    ) -> Taken {
        let free = places.take_for_refreshes(visits).await;
        match self.refresh_queue.receive(count(&free), Duration::ZERO, self.visibility).await {
            Ok(deliveries) if deliveries.is_empty() => {
                drop(free);
                sleep(*pause).await;
                *pause = (*pause * 2).min(LONGEST_PAUSE);
                Vec::new()
            }
            Ok(deliveries) => {
                *pause = FIRST_PAUSE;
                deliveries.into_iter().zip(free).collect()
            }
            Err(error) => {
                drop(free);
                pause_after(&error).await;
                Vec::new()
            }
        }
    }
}

impl Places {
    fn new(concurrency: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(concurrency)),
            of_refreshes: Arc::new(Semaphore::new((concurrency / 2).max(1))),
        }
    }

    /// All that are free but one while visits come, else half of them: what is asked for is kept until the
    /// queue answers, and refreshes are to find something. A crowd takes the rest with the next look.
    async fn take_for_visits(&self, visits: Visits) -> Vec<Place> {
        let mut taken = Vec::new();
        let Ok(any) = self.all.clone().acquire_owned().await else { return taken };
        taken.push(Place { _any: any, _of_refreshes: None });
        let others = self.all.available_permits();
        let most = match visits {
            Visits::Some => others.max(1),
            Visits::None => (1 + others).div_ceil(2),
        };
        while taken.len() < most.min(MAX_BATCH) {
            let Ok(any) = self.all.clone().try_acquire_owned() else { break };
            taken.push(Place { _any: any, _of_refreshes: None });
        }
        taken
    }

    /// Waits until there are no visits, and then for a place.
    async fn take_for_refreshes(&self, visits: &mut watch::Receiver<Visits>) -> Vec<Place> {
        let mut taken = Vec::new();
        loop {
            if visits.wait_for(|visits| *visits == Visits::None).await.is_err() {
                return taken;
            }
            let Ok(own) = self.of_refreshes.clone().acquire_owned().await else { return taken };
            let Ok(any) = self.all.clone().acquire_owned().await else { return taken };
            if *visits.borrow() == Visits::None {
                taken.push(Place { _any: any, _of_refreshes: Some(own) });
                break;
            }
        }
        while taken.len() < MAX_BATCH {
            let Ok(own) = self.of_refreshes.clone().try_acquire_owned() else { break };
            let Ok(any) = self.all.clone().try_acquire_owned() else { break };
            taken.push(Place { _any: any, _of_refreshes: Some(own) });
        }
        taken
    }
}

fn count(free: &[Place]) -> u32 {
    u32::try_from(free.len()).unwrap_or(u32::MAX)
}

async fn pause_after(error: &Error) {
    tracing::warn!(error = chain(error), "could not receive jobs; trying again");
    sleep(error.retry_after.unwrap_or(RECEIVE_BACKOFF)).await;
}

async fn finish(mut jobs: JoinSet<()>) {
    while let Some(ended) = jobs.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = chain(&error), "a job ended unexpectedly; it will be delivered again");
    }
}
