//! Which jobs are taken when: visits first, refreshes with what is left over.
//!
//! The queue of visits is asked all the time, the queue of refreshes only while the other one gives nothing,
//! and never while a place is kept for it. Refreshes take half of the places at the most, so that a visit's
//! job never waits for refreshes alone; a worker of one place gives it to a refresh between two looks for
//! visits.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use pipeline::{
    Error, chain,
    ports::{Delivery, MAX_BATCH},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Worker,
    lane::{Ask, Lane, QUIET},
    messages::{Message, Messages},
    places::{Place, Places, Visits, most_refreshes},
};

/// Half of SQS's longest, since a worker that stops has to let it run to its end.
const LONG_POLL: Duration = Duration::from_secs(10);
/// The look for visits of a worker whose only place refreshes need, too, and of one that is busy.
const SHORT_POLL: Duration = Duration::from_secs(1);
/// Between two looks for refreshes where there were none, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Before a queue is asked again after it failed.
const RECEIVE_BACKOFF: Duration = Duration::from_secs(1);

/// Whose jobs a loop is for.
#[derive(Debug, Clone, Copy)]
enum Work {
    Visits,
    Refreshes,
}

/// What a poll came to.
struct Polled {
    ask: Ask,
    asked: usize,
    /// By the queue.
    took: Duration,
    deliveries: Vec<Delivery>,
    /// For the first of them.
    places: Vec<Place>,
}

impl Worker {
    /// Works until `shutdown`; then receives nothing more, hands back at once what it has not begun, finishes
    /// what runs, and returns. Dropped before, it leaves its jobs to other workers, as a killed one does.
    pub async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        let places = Places::new(self.concurrency.into());
        let (visits, visits_keeper) = Messages::new(self.queue.clone(), self.visibility);
        let (refreshes, refreshes_keeper) = Messages::new(self.refresh_queue.clone(), self.visibility);
        tokio::join!(
            self.serve(Work::Visits, &places, visits, &shutdown),
            self.serve(Work::Refreshes, &places, refreshes, &shutdown),
            visits_keeper.keep(),
            refreshes_keeper.keep(),
        );
    }

    async fn serve(
        self: &Arc<Self>,
        work: Work,
        places: &Places,
        messages: Arc<Messages>,
        shutdown: &CancellationToken,
    ) {
        let mut lane = Lane::new(self.most_places(work));
        let mut polls = FuturesUnordered::new();
        let mut pause = FIRST_PAUSE;
        loop {
            while polls.len() < self.most_polls()
                && let Some(ask) = lane.next_ask()
            {
                polls.push(self.poll(work, ask, pause, places));
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(polled) = polls.next() => {
                    pause = if polled.deliveries.is_empty() { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
                    self.take(&mut lane, &messages, polled);
                }
                Some(place) = work.take_place(places), if lane.has_waiting() => {
                    self.start(&mut lane, place);
                }
                () = sleep_until(lane.patience_ends()), if lane.has_waiting() => {
                    hand_back(lane.give_up_late()).await;
                }
                Some(ended) = lane.jobs.join_next() => lane.note_end(ended),
            }
        }
        drop(polls);
        hand_back(lane.give_up_all()).await;
        while let Some(ended) = lane.jobs.join_next().await {
            lane.note_end(ended);
        }
    }

    fn most_places(&self, work: Work) -> usize {
        match work {
            Work::Visits => self.concurrency.into(),
            Work::Refreshes => most_refreshes(self.concurrency.into()),
        }
    }

    /// One call brings ten messages at the most.
    fn most_polls(&self) -> usize {
        usize::from(self.concurrency).div_ceil(MAX_BATCH)
    }

    fn take(self: &Arc<Self>, lane: &mut Lane, messages: &Arc<Messages>, polled: Polled) {
        let Polled { ask, asked, took, deliveries, places } = polled;
        lane.note_poll(ask, asked, deliveries.len(), took);
        lane.wait(messages.hold(deliveries));
        for place in places {
            self.start(lane, place);
        }
    }

    /// Starts the next of those that wait, if there is one.
    fn start(self: &Arc<Self>, lane: &mut Lane, place: Place) {
        let Some(message) = lane.next_waiting() else { return };
        let worker = self.clone();
        lane.jobs.spawn(async move {
            let took = worker.handle(message).await;
            drop(place);
            took
        });
    }

    async fn poll(&self, work: Work, ask: Ask, pause: Duration, places: &Places) -> Polled {
        let taken = match (ask, work) {
            (Ask::ForFreePlaces, Work::Visits) => places.take_for_visits().await,
            (Ask::ForFreePlaces, Work::Refreshes) => places.take_for_refreshes().await,
            (Ask::Ahead(_), _) => Vec::new(),
        };
        let asked = match ask {
            Ask::ForFreePlaces => taken.len(),
            Ask::Ahead(count) => count,
        };
        let began = Instant::now();
        let answer = match work {
            Work::Visits => self.receive_visits(ask, asked, places).await,
            Work::Refreshes => self.receive_refreshes(asked, places).await,
        };
        let mut polled = Polled { ask, asked, took: began.elapsed(), deliveries: Vec::new(), places: taken };
        match answer {
            Ok(deliveries) => polled.deliveries = deliveries,
            Err(error) => {
                polled.places.clear();
                tracing::warn!(error = chain(&error), "could not receive jobs; trying again");
                sleep(error.retry_after.unwrap_or(RECEIVE_BACKOFF)).await;
            }
        }
        if let (Work::Refreshes, true) = (work, polled.deliveries.is_empty()) {
            polled.places.clear();
            sleep(pause).await;
        }
        polled
    }

    async fn receive_visits(&self, ask: Ask, asked: usize, places: &Places) -> Result<Vec<Delivery>, Error> {
        let wait = match ask {
            Ask::ForFreePlaces if self.concurrency > 1 => LONG_POLL,
            Ask::ForFreePlaces | Ask::Ahead(_) => SHORT_POLL,
        };
        let mut answer = self.queue.receive(as_count(asked), wait, self.visibility);
        let answer = if let Ok(answer) = timeout(QUIET, &mut answer).await {
            answer
        } else {
            places.tell(Visits::None);
            answer.await
        };
        let deliveries = answer?;
        places.tell(if deliveries.is_empty() { Visits::None } else { Visits::Some });
        Ok(deliveries)
    }

    /// Once visits have given nothing. Places are kept for no longer than the queue needs to answer: a visit's
    /// job may want them.
    async fn receive_refreshes(&self, asked: usize, places: &Places) -> Result<Vec<Delivery>, Error> {
        places.there_are_no_visits().await;
        self.refresh_queue.receive(as_count(asked), Duration::ZERO, self.visibility).await
    }
}

impl Work {
    async fn take_place(self, places: &Places) -> Option<Place> {
        match self {
            Self::Visits => places.take_one_for_visits().await,
            Self::Refreshes => places.take_one_for_refreshes().await,
        }
    }
}

fn as_count(asked: usize) -> u32 {
    u32::try_from(asked).unwrap_or(u32::MAX)
}

async fn hand_back(messages: Vec<Message>) {
    for message in messages {
        message.hand_back(Duration::ZERO).await;
    }
}
