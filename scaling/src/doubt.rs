//! Signals that are missing or contradict each other.

use jiff::Timestamp;
use serde::Serialize;

use crate::{Sample, Window};

/// One reason to trust a sample less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Doubt {
    /// The queue of visits gave no numbers.
    VisitsSilent,
    /// The queue of refreshes gave no numbers.
    RefreshesSilent,
    /// The web pods did not answer.
    WebSilent,
    /// The workers did not answer.
    WorkersSilent,
    /// Visitors wait for more jobs than the queue shows. The queue is believed to lag behind.
    HeldUnseen,
    /// More has been received than workers run: it waits to be tried again, or who received it is lost.
    ReceivedUnworked,
    /// Pods that count as ready have not answered for a while, and are believed lost.
    ReadyMute,
    /// Jobs wait that no started worker takes.
    Untaken,
}

impl Doubt {
    /// All of them, missing signals first.
    pub(crate) fn of(window: &Window, sample: &Sample, now: Timestamp) -> Vec<Self> {
        let received = sample.visits.told().map(|_| sample.queues().in_flight);
        let ran = sample.workers.told().map(|workers| workers.running);
        let held = sample.web.told().map(|web| web.held);
        let known = sample.visits.told().map(|queue| queue.jobs());
        let doubts = [
            (sample.visits.is_silent(), Self::VisitsSilent),
            (sample.refreshes.is_silent(), Self::RefreshesSilent),
            (sample.web.is_silent(), Self::WebSilent),
            (sample.workers.is_silent(), Self::WorkersSilent),
            (held.zip(known).is_some_and(|(held, known)| held > known), Self::HeldUnseen),
            (received.zip(ran).is_some_and(|(received, ran)| received > ran), Self::ReceivedUnworked),
            (window.takers().lost(now) > 0, Self::ReadyMute),
            (window.takers().are_missed(now), Self::Untaken),
        ];
        doubts.into_iter().filter_map(|(is_so, doubt)| is_so.then_some(doubt)).collect()
    }
}
