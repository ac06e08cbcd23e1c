//! Children that have served a tenant and wait for its next order: what a start costs is paid once for many.
//!
//! One that has grown is ended. Deliberately not here: after how much CPU time one is, which it says itself
//! (`child::wear`).

use std::{
    collections::VecDeque,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pipeline::names::TenantId;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::warm::WarmChild;

/// One that gets no order for so long is ended.
const RESTS_FOR: Duration = Duration::from_secs(10);
/// What one at rest may keep of the pod's memory, its program's pages included.
const MOST_RESIDENT_BYTES: usize = 64 << 20;

#[derive(Debug)]
struct Resting {
    tenant: TenantId,
    since: Instant,
    child: WarmChild,
}

/// The longest at rest comes first.
#[derive(Debug)]
pub(super) struct RestingChildren {
    most: usize,
    resting: Mutex<VecDeque<Resting>>,
    comes: Notify,
}

impl RestingChildren {
    pub(super) fn new(most: usize) -> Self {
        Self { most, resting: Mutex::default(), comes: Notify::new() }
    }

    /// The tenant's latest one that lives.
    pub(super) fn take(&self, tenant: &TenantId) -> Option<WarmChild> {
        let mut resting = self.lock();
        loop {
            let place = resting.iter().rposition(|resting| resting.tenant == *tenant)?;
            let Resting { tenant: _, since: _, mut child } = resting.remove(place)?;
            if child.is_alive() {
                return Some(child);
            }
        }
    }

    /// Where there are too many, the longest at rest is ended.
    pub(super) fn put(&self, tenant: TenantId, child: WarmChild) {
        if resident_bytes(&child).is_none_or(|bytes| bytes > MOST_RESIDENT_BYTES) {
            return;
        }
        let mut resting = self.lock();
        resting.push_back(Resting { tenant, since: Instant::now(), child });
        while resting.len() > self.most {
            resting.pop_front();
        }
        self.comes.notify_one();
    }

    /// Ends those that rest too long, for ever.
    pub(super) async fn keep(&self) {
        loop {
            self.comes.notified().await;
            while let Some(since) = self.oldest() {
                sleep_until(since + RESTS_FOR).await;
                self.lock().retain(|resting| resting.since.elapsed() < RESTS_FOR);
            }
        }
    }

    fn oldest(&self) -> Option<Instant> {
        self.lock().front().map(|resting| resting.since)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory that the process has; `None` where the kernel does not tell.
fn resident_bytes(child: &WarmChild) -> Option<usize> {
    let pages = fs::read_to_string(format!("/proc/{}/statm", child.process.id()?)).ok()?;
    pages.split(' ').nth(1)?.parse::<usize>().ok()?.checked_mul(rustix::param::page_size())
}
