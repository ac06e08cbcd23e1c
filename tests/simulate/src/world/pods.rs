//! Worker pods: starting, ready, ending and lost.

use crate::{Removal, TICKS_PER_SECOND, Tick, ticks, trace::Workers};

/// A node that has gone silent is missed after this time (`node-monitor-grace-period`).
const MISSED_AFTER: Tick = 40 * TICKS_PER_SECOND;
/// And its pods are replaced this much later (their toleration of unreachable nodes).
const REPLACED_AFTER: Tick = MISSED_AFTER + 10 * TICKS_PER_SECOND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// It takes nothing more, and ends what it has in work.
    Ending,
    LostAt(Tick),
}

#[derive(Debug, Clone)]
struct Pod {
    ready_at: Tick,
    state: State,
    /// When they end, and which messages they are.
    jobs: Vec<(Tick, usize)>,
}

pub(super) struct Pods {
    /// In the order in which they were made.
    all: Vec<Pod>,
    concurrency: usize,
    start: Tick,
    asked_since: Option<Tick>,
    /// Who is asked first for a free place.
    turn: usize,
}

impl Pods {
    pub(super) fn new(workers: &Workers) -> Self {
        let concurrency = usize::try_from(workers.concurrency).unwrap_or(usize::MAX);
        Self { all: Vec::new(), concurrency, start: ticks(workers.start_seconds), asked_since: None, turn: 0 }
    }

    /// Messages whose jobs have ended.
    pub(super) fn end_jobs(&mut self, now: Tick) -> Vec<usize> {
        let mut ended = Vec::new();
        for pod in &mut self.all {
            if !matches!(pod.state, State::LostAt(_)) {
                ended.extend(pod.jobs.iter().filter(|(end, _)| *end <= now).map(|(_, index)| *index));
                pod.jobs.retain(|(end, _)| *end > now);
            }
        }
        self.all.retain(|pod| pod.state != State::Ending || !pod.jobs.is_empty());
        ended
    }

    /// Whether a pod has taken the job. Long polls are answered in turn.
    pub(super) fn take(&mut self, now: Tick, index: usize, service: Tick) -> bool {
        let count = self.all.len();
        for offset in 0..count {
            let place = (self.turn + offset) % count;
            let Some(pod) = self.all.get_mut(place) else { continue };
            if pod.is_up(now) && pod.jobs.len() < self.concurrency {
                pod.jobs.push((now + service, index));
                self.turn = place + 1;
                return true;
            }
        }
        false
    }

    /// Lost ones whose nodes the cluster has missed for long enough start anew elsewhere.
    pub(super) fn replace_missed(&mut self, now: Tick) {
        let start = self.start;
        for pod in &mut self.all {
            if matches!(pod.state, State::LostAt(at) if at + REPLACED_AFTER <= now) {
                *pod = Pod::new(now + start);
            }
        }
    }

    /// The messages that they had in work.
    pub(super) fn lose_every_third(&mut self, now: Tick) -> Vec<usize> {
        let lost = self.all.iter_mut().filter(|pod| pod.state == State::Up).step_by(3);
        lost.flat_map(|pod| {
            pod.state = State::LostAt(now);
            std::mem::take(&mut pod.jobs).into_iter().map(|(_, index)| index)
        })
        .collect()
    }

    pub(super) fn scale(&mut self, now: Tick, replicas: u32, removal: Removal) {
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        let current = self.asked().count();
        if wanted > current {
            self.asked_since = Some(now);
        }
        for _ in current..wanted {
            self.all.push(Pod::new(now + self.start));
        }
        for _ in wanted..current {
            self.remove_one(now, removal);
        }
    }

    /// Those that have not started go first, and of two alike the newer one.
    fn remove_one(&mut self, now: Tick, removal: Removal) {
        let asked = self.all.iter_mut().filter(|pod| pod.state != State::Ending).enumerate();
        let chosen = asked.min_by_key(|(index, pod)| {
            let load = match removal {
                Removal::IdleFirst => pod.jobs.len(),
                Removal::NewestFirst => 0,
            };
            let is_lost = matches!(pod.state, State::LostAt(_)) && removal == Removal::IdleFirst;
            (!is_lost, pod.ready_at <= now, load, std::cmp::Reverse(*index))
        });
        if let Some((_, pod)) = chosen {
            if matches!(pod.state, State::LostAt(_)) {
                pod.jobs.clear();
            }
            pod.state = State::Ending;
        }
        self.all.retain(|pod| pod.state != State::Ending || !pod.jobs.is_empty());
    }

    fn asked(&self) -> impl Iterator<Item = &Pod> {
        self.all.iter().filter(|pod| pod.state != State::Ending)
    }

    pub(super) fn replicas(&self) -> u32 {
        counted(self.asked())
    }

    pub(super) fn paid(&self) -> u32 {
        counted(self.all.iter())
    }

    pub(super) fn running(&self) -> u64 {
        self.all.iter().map(|pod| pod.jobs.len() as u64).sum()
    }

    pub(super) fn busy(&self) -> u32 {
        counted(self.asked().filter(|pod| !pod.jobs.is_empty()))
    }

    pub(super) fn answering(&self, now: Tick) -> u32 {
        counted(self.asked().filter(|pod| pod.is_up(now)))
    }

    /// In the cluster's eyes, which misses a silent node late.
    pub(super) fn ready(&self, now: Tick) -> u32 {
        counted(self.asked().filter(|pod| match pod.state {
            State::LostAt(at) => now < at + MISSED_AFTER,
            State::Up | State::Ending => pod.ready_at <= now,
        }))
    }

    pub(super) fn asked_since(&self) -> Option<Tick> {
        self.asked_since
    }

    pub(super) fn ready_since(&self, now: Tick) -> Option<Tick> {
        self.asked().map(|pod| pod.ready_at).filter(|at| *at <= now).max()
    }
}

impl Pod {
    fn new(ready_at: Tick) -> Self {
        Self { ready_at, state: State::Up, jobs: Vec::new() }
    }

    fn is_up(&self, now: Tick) -> bool {
        self.state == State::Up && self.ready_at <= now
    }
}

fn counted<'a>(pods: impl Iterator<Item = &'a Pod>) -> u32 {
    u32::try_from(pods.count()).unwrap_or(u32::MAX)
}
