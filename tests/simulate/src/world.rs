//! Queue and pods in virtual time.

mod pods;

use std::collections::{BTreeMap, VecDeque};

use crate::{
    Removal, TICKS_PER_SECOND, Tick,
    trace::{Job, Trace},
};
use pods::Pods;

/// A visitor's request is answered with 503 when it has been held for so long.
const HOLD: Tick = 25 * TICKS_PER_SECOND;
/// A message whose worker is lost is visible again after this time.
const VISIBILITY: Tick = 8 * TICKS_PER_SECOND;
/// What waits between the attempts of a job that fails; after the last one it is given up.
const PAUSES: [Tick; 4] = [100, 200, 400, 800];
/// How long what was seen is remembered.
const REMEMBERED: usize = 30;

/// What there is to see at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seen {
    pub visible: u64,
    /// Received and not deleted: in work, lost with their workers, or between two attempts.
    pub in_flight: u64,
    pub running: u64,
    pub busy: u32,
    pub answering: u32,
    pub ready: u32,
    pub replicas: u32,
    pub held: u64,
    pub oldest_wait: Tick,
    pub sent: u64,
    pub finished: u64,
    pub worked: Tick,
    pub asked_since: Option<Tick>,
    pub ready_since: Option<Tick>,
}

/// A message and what has become of it.
#[derive(Debug, Clone, Copy)]
struct Message {
    job: Job,
    attempts: usize,
    is_over: bool,
}

pub struct World {
    now: Tick,
    messages: Vec<Message>,
    /// Indices of messages that can be received.
    visible: VecDeque<usize>,
    /// Of those that become visible again, by time.
    hidden: BTreeMap<Tick, Vec<usize>>,
    hidden_count: u64,
    pods: Pods,
    /// The first message that visitors may still wait for, and for how many they do.
    first_held: usize,
    held: u64,
    finished: u64,
    worked: Tick,
    past: VecDeque<Seen>,
    /// Of all messages that have begun, by arrival: how long they waited.
    waits: Vec<(Tick, Tick)>,
}

impl World {
    pub(crate) fn new(trace: &Trace) -> Self {
        Self {
            now: 0,
            messages: Vec::new(),
            visible: VecDeque::new(),
            hidden: BTreeMap::new(),
            hidden_count: 0,
            pods: Pods::new(&trace.workers),
            first_held: 0,
            held: 0,
            finished: 0,
            worked: 0,
            past: VecDeque::new(),
            waits: Vec::new(),
        }
    }

    /// Lets a tenth of a second pass in which these jobs come.
    pub(crate) fn step(&mut self, now: Tick, jobs: &[Job]) {
        self.now = now;
        for job in jobs {
            self.visible.push_back(self.messages.len());
            self.messages.push(Message { job: *job, attempts: 0, is_over: false });
            self.held += 1;
        }
        while let Some(entry) = self.hidden.first_entry().filter(|entry| *entry.key() <= now) {
            let shown = entry.remove();
            self.hidden_count -= shown.len() as u64;
            self.visible.extend(shown);
        }
        for index in self.pods.end_jobs(now) {
            self.end(index);
        }
        self.pods.replace_missed(now);
        self.begin_jobs();
        self.let_visitors_go();
        self.past.push_front(self.present());
        self.past.truncate(REMEMBERED);
    }

    fn end(&mut self, index: usize) {
        let Some(message) = self.messages.get_mut(index) else { return };
        self.worked += message.job.service;
        self.finished += 1;
        let pause = PAUSES.get(message.attempts).filter(|_| message.job.is_poison);
        message.attempts += 1;
        if let Some(pause) = pause {
            self.hide(index, *pause);
        } else {
            message.is_over = true;
            if index >= self.first_held {
                self.held -= 1;
            }
        }
    }

    fn hide(&mut self, index: usize, ticks: Tick) {
        self.hidden.entry(self.now + ticks).or_default().push(index);
        self.hidden_count += 1;
    }

    fn begin_jobs(&mut self) {
        while let Some(index) = self.visible.front().copied() {
            let Some(message) = self.messages.get_mut(index) else { break };
            if !self.pods.take(self.now, index, message.job.service) {
                break;
            }
            self.visible.pop_front();
            // An attempt that its worker's loss has ended was begun already.
            if message.attempts == 0 {
                self.waits.push((message.job.arrives, self.now - message.job.arrives));
            }
        }
    }

    fn let_visitors_go(&mut self) {
        while let Some(message) = self.messages.get(self.first_held) {
            let has_left = self.now - message.job.arrives >= HOLD;
            if !has_left && !message.is_over {
                break;
            }
            self.held -= u64::from(!message.is_over);
            self.first_held += 1;
        }
    }

    /// Takes every third pod away, with what it has in work.
    pub(crate) fn lose_zone(&mut self) {
        for index in self.pods.lose_every_third(self.now) {
            self.hide(index, VISIBILITY);
        }
    }

    pub(crate) fn scale(&mut self, replicas: u32, removal: Removal) {
        self.pods.scale(self.now, replicas, removal);
    }

    /// As it is, which only who knows everything sees.
    pub(crate) fn present(&self) -> Seen {
        let pods = &self.pods;
        let oldest = self.messages.get(self.first_held).map_or(self.now, |message| message.job.arrives);
        Seen {
            visible: self.visible.len() as u64,
            in_flight: pods.running() + self.hidden_count,
            running: pods.running(),
            busy: pods.busy(),
            answering: pods.answering(self.now),
            ready: pods.ready(self.now),
            replicas: pods.replicas(),
            held: self.held,
            oldest_wait: self.now - oldest,
            sent: self.messages.len() as u64,
            finished: self.finished,
            worked: self.worked,
            asked_since: pods.asked_since(),
            ready_since: pods.ready_since(self.now),
        }
    }

    /// As it was so long ago.
    pub(crate) fn seen(&self, ago: usize) -> Seen {
        self.past.get(ago).copied().unwrap_or_default()
    }

    /// Pods that exist, those that only end their last jobs included.
    pub(crate) fn paid(&self) -> u32 {
        self.pods.paid()
    }

    /// Of all jobs: when they came, and how long they waited; those that have not begun wait yet.
    pub(crate) fn waits(&self) -> Vec<(Tick, Tick)> {
        let never_begun = |index: &usize| {
            let message = self.messages.get(*index).filter(|message| message.attempts == 0)?;
            Some((message.job.arrives, self.now - message.job.arrives))
        };
        let mut waits = self.waits.clone();
        waits.extend(self.visible.iter().filter_map(never_begun));
        waits
    }
}
