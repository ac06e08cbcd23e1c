//! The places of held visitors: bounded in total and for each tenant.
//!
//! Beyond a bound the cheapest goes, which is who loses least: the latest to come, of whoever holds most.
//! A tenant at its own bound is refused further visitors. Where all places are taken, a newcomer of a
//! tenant that holds clearly fewer than the one that holds most gets the place of that one's latest
//! visitor, who is told to ask again; everybody else is refused. So a crowd at one site never keeps the
//! first visitor of another from waiting, and who has waited for long is not sent away for a newcomer.
//!
//! Deliberately knows nothing of keys and jobs: a visitor who loses the place leaves the job going on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use pipeline::names::TenantId;
use tokio::time::Instant;

/// Why a visitor gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The tenant holds as many visitors as one may.
    ForTenant,
    /// All places are taken, and nobody holds clearly more than this tenant.
    ForAnybody,
}

/// All places of one process.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    max_of_tenant: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// Rises with every visitor; the latest has the highest.
    next: u64,
    by_tenant: HashMap<TenantId, BTreeMap<u64, Taken>>,
    /// Every tenant with a place, by how many it holds.
    by_count: BTreeSet<(usize, TenantId)>,
}

#[derive(Debug)]
struct Taken {
    since: Instant,
    /// Who is to be told when the place is lost.
    visitor: Option<Waker>,
}

/// One visitor's place, free again when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    tenant: TenantId,
    number: u64,
}

impl Places {
    /// At least one place for each tenant.
    pub(super) fn new(max: usize, max_of_tenant: usize) -> Self {
        Self { max, max_of_tenant: max_of_tenant.max(1), state: Mutex::default() }
    }

    /// A place for one more visitor of this tenant, where there is one to be had.
    pub(super) fn take(self: &Arc<Self>, tenant: &TenantId) -> Result<Place, NoPlace> {
        let mut state = self.lock();
        let own = state.count_of(tenant);
        if own >= self.max_of_tenant {
            return Err(NoPlace::ForTenant);
        }
        if state.taken >= self.max {
            let heaviest = state.by_count.last().filter(|(most, _)| own + 1 < *most);
            let (_, heaviest) = heaviest.cloned().ok_or(NoPlace::ForAnybody)?;
            state.put_out_latest_of(&heaviest);
        }
        let number = state.admit(tenant);
        Ok(Place { places: self.clone(), tenant: tenant.clone(), number })
    }

    /// How long the visitor who came first has waited.
    pub(super) fn oldest_wait(&self) -> Option<Duration> {
        let state = self.lock();
        let firsts = state.by_tenant.values().filter_map(|places| places.values().next());
        firsts.map(|taken| taken.since.elapsed()).max()
    }

    pub(super) fn taken(&self) -> usize {
        self.lock().taken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count_of(&self, tenant: &TenantId) -> usize {
        self.by_tenant.get(tenant).map_or(0, BTreeMap::len)
    }

    fn admit(&mut self, tenant: &TenantId) -> u64 {
        let number = self.next;
        self.next += 1;
        let count = self.count_of(tenant);
        let places = self.by_tenant.entry(tenant.clone()).or_default();
        places.insert(number, Taken { since: Instant::now(), visitor: None });
        self.recount(tenant, count);
        number
    }

    fn put_out_latest_of(&mut self, tenant: &TenantId) {
        let latest = self.by_tenant.get(tenant).and_then(|places| places.last_key_value());
        let latest = latest.map(|(number, taken)| (*number, taken.visitor.clone()));
        if let Some((number, visitor)) = latest {
            self.free(tenant, number);
            visitor.inspect(Waker::wake_by_ref);
        }
    }

    /// Nothing happens to a place that was lost before.
    fn free(&mut self, tenant: &TenantId, number: u64) {
        let count = self.count_of(tenant);
        let Some(places) = self.by_tenant.get_mut(tenant) else { return };
        places.remove(&number);
        if places.is_empty() {
            self.by_tenant.remove(tenant);
        }
        self.recount(tenant, count);
    }

    /// Brings what is derived up to date after the tenant's places were `before`.
    fn recount(&mut self, tenant: &TenantId, before: usize) {
        let now = self.count_of(tenant);
        self.by_count.remove(&(before, tenant.clone()));
        if now > 0 {
            self.by_count.insert((now, tenant.clone()));
        }
        self.taken = self.taken + now - before;
    }
}

impl Place {
    /// Returns when the place was given to somebody else.
    pub(super) async fn lost(&mut self) {
        poll_fn(|context| self.poll_lost(context)).await;
    }

    pub(super) fn poll_lost(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.places.lock();
        let places = state.by_tenant.get_mut(&self.tenant);
        let Some(taken) = places.and_then(|places| places.get_mut(&self.number)) else {
            return Poll::Ready(());
        };
        match &mut taken.visitor {
            Some(visitor) => visitor.clone_from(context.waker()),
            visitor => *visitor = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().free(&self.tenant, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn is_lost(place: &mut Place) -> bool {
        place.poll_lost(&Context::from_waker(Waker::noop())).is_ready()
    }

    /// Everything derived must agree with what is there, and nothing is left of who is gone.
    fn check(places: &Places, expected: &[(&str, usize)]) {
        let state = places.lock();
        let counts: BTreeSet<_> = expected.iter().map(|(name, count)| (*count, tenant(name))).collect();
        assert_eq!(state.by_count, counts);
        assert_eq!(state.by_tenant.len(), expected.len());
        assert_eq!(state.taken, expected.iter().map(|(_, count)| count).sum::<usize>());
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_in_total_and_free_again_when_visitors_leave() {
        let places = Arc::new(Places::new(3, 3));
        let mut held: Vec<Place> = (0..3).map(|_| places.take(&tenant("a")).unwrap()).collect();
        assert_eq!(places.take(&tenant("a")).err(), Some(NoPlace::ForTenant));
        check(&places, &[("a", 3)]);
        held.pop();
        assert!(places.take(&tenant("a")).is_ok(), "it was taken and given back");
        check(&places, &[("a", 2)]);
        drop(held);
        check(&places, &[]);
        assert_eq!(places.oldest_wait(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn tenant_gets_no_more_than_its_share() {
        let places = Arc::new(Places::new(10, 2));
        let _a = [places.take(&tenant("a")), places.take(&tenant("a"))];
        assert_eq!(places.take(&tenant("a")).err(), Some(NoPlace::ForTenant));
        let _b = places.take(&tenant("b")).unwrap();
        check(&places, &[("a", 2), ("b", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn full_house_gives_newcomers_the_latest_places_of_who_holds_most() {
        let places = Arc::new(Places::new(4, 4));
        let mut crowd: Vec<Place> = (0..4).map(|_| places.take(&tenant("crowd")).unwrap()).collect();
        let mut small: Vec<Place> = (0..2).map(|_| places.take(&tenant("small")).unwrap()).collect();
        let lost = |held: &mut Vec<Place>| held.iter_mut().map(is_lost).collect::<Vec<_>>();
        assert_eq!(lost(&mut crowd), [false, false, true, true]);
        check(&places, &[("crowd", 2), ("small", 2)]);
        // To take from one of them for the other would only turn the tables.
        assert_eq!(places.take(&tenant("small")).err(), Some(NoPlace::ForAnybody));
        assert_eq!(places.take(&tenant("crowd")).err(), Some(NoPlace::ForAnybody));
        let _other = places.take(&tenant("other")).unwrap();
        assert_eq!((lost(&mut crowd), lost(&mut small)), (vec![false, false, true, true], vec![false, true]));
        check(&places, &[("crowd", 2), ("other", 1), ("small", 1)]);
        // Who lost the place before gives none back by leaving.
        crowd.pop();
        small.pop();
        check(&places, &[("crowd", 2), ("other", 1), ("small", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn visitor_who_waits_is_told_at_once_of_the_loss() {
        let places = Arc::new(Places::new(2, 2));
        let mut crowd: Vec<Place> = (0..2).map(|_| places.take(&tenant("crowd")).unwrap()).collect();
        let mut latest = crowd.pop().unwrap();
        let told = tokio::spawn(async move { latest.lost().await });
        tokio::task::yield_now().await;
        assert!(!told.is_finished());
        let _newcomer = places.take(&tenant("small")).unwrap();
        told.await.unwrap();
        check(&places, &[("crowd", 1), ("small", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_wait_is_that_of_whoever_came_first_and_is_still_here() {
        let places = Arc::new(Places::new(4, 4));
        let first = places.take(&tenant("a")).unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        let _second = places.take(&tenant("b")).unwrap();
        assert_eq!(places.oldest_wait(), Some(Duration::from_secs(3)));
        drop(first);
        assert_eq!(places.oldest_wait(), Some(Duration::ZERO));
    }
}
