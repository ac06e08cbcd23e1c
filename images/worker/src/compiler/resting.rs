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

#[cfg(test)]
mod tests {
    use std::{process::Stdio, sync::Arc};

    use tokio::{io::BufReader, process::Command};

    use super::*;

    /// Any process that waits for its input does.
    fn child() -> WarmChild {
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        WarmChild { process, input, output: BufReader::new(output) }
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    impl RestingChildren {
        fn put_new(&self, name: &str) -> Option<u32> {
            let child = child();
            let id = child.process.id();
            self.put(tenant(name), child);
            id
        }

        fn ids(&self) -> Vec<Option<u32>> {
            self.lock().iter().map(|resting| resting.child.process.id()).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn child_that_gets_no_order_is_ended_after_ten_seconds() {
        let resting = Arc::new(RestingChildren::new(9));
        let keeper = tokio::spawn({
            let resting = resting.clone();
            async move { resting.keep().await }
        });
        let start = Instant::now();
        let at = |milliseconds| sleep_until(start + Duration::from_millis(milliseconds));
        let first = resting.put_new("one");
        at(4_000).await;
        let second = resting.put_new("two");
        at(6_000).await;
        // The first one has an order, and rests again from its end on.
        let served = resting.take(&tenant("one")).unwrap();
        let third = resting.put_new("one");
        at(9_000).await;
        resting.put(tenant("one"), served);
        for (milliseconds, left) in [
            (13_998, &[second, third, first][..]),
            (14_002, &[third, first]),
            (15_998, &[third, first]),
            (16_002, &[first]),
            (18_998, &[first]),
            (19_002, &[]),
        ] {
            at(milliseconds).await;
            assert_eq!(resting.ids(), left, "after {milliseconds} ms");
        }
        // After a while without any, too.
        at(60_000).await;
        let last = resting.put_new("one");
        at(69_998).await;
        assert_eq!(resting.ids(), [last]);
        at(70_002).await;
        assert_eq!(resting.ids(), []);
        keeper.abort();
    }

    #[tokio::test]
    async fn child_is_its_tenants_alone() {
        let resting = RestingChildren::new(3);
        let [older, _, newer] = ["one", "two", "one"].map(|name| resting.put_new(name));
        for other in ["three", "on", "one2"] {
            assert!(resting.take(&tenant(other)).is_none(), "{other}");
        }
        let take = || resting.take(&tenant("one")).map(|child| child.process.id());
        assert_eq!([take(), take(), take()], [Some(newer), Some(older), None]);
        assert_eq!(resting.ids().len(), 1);
    }
}
