//! A job queue in memory, with visibility timeouts, fair groups and a dead-letter queue.

mod groups;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use groups::{Groups, Message};

use crate::{
    Error,
    ports::{Delivery, Depth, NotDone, Queue, Receipt},
};

/// Messages that wait, and those under way. Unbounded: whoever sends bounds what waits.
pub struct MemoryQueue {
    state: Mutex<State>,
    /// Told of every message that becomes visible at once; timeouts are found by the receivers' clocks.
    arrived: Notify,
    max_receive_count: u32,
}

#[derive(Default)]
struct State {
    visible: Groups,
    in_flight: HashMap<Receipt, InFlight>,
    dead: Vec<String>,
    deliveries: u64,
}

struct InFlight {
    message: Message,
    visible_at: Instant,
}

impl MemoryQueue {
    /// A message that was received `max_receive_count` times without being deleted goes to the dead letters.
    pub fn new(max_receive_count: u32) -> Self {
        Self { state: Mutex::default(), arrived: Notify::new(), max_receive_count }
    }

    /// The bodies of all messages that were given up.
    pub fn dead_letters(&self) -> Vec<String> {
        self.lock().dead.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is visible now; where that is nothing, says when the next timeout runs out.
    fn take(&self, max: u32, visibility: Duration) -> Result<Vec<Delivery>, Option<Instant>> {
        let (mut state, now) = (self.lock(), Instant::now());
        state.return_timed_out(now);
        let mut taken = Vec::new();
        while taken.len() < max as usize {
            let Some(message) = state.visible.pop(now) else { break };
            if message.receive_count >= self.max_receive_count {
                state.dead.push(message.body);
            } else {
                taken.push(state.deliver(message, visibility));
            }
        }
        if taken.is_empty() {
            Err(state.in_flight.values().map(|flight| flight.visible_at).min())
        } else {
            Ok(taken)
        }
    }
}

impl State {
    fn return_timed_out(&mut self, now: Instant) {
        let late = self.in_flight.extract_if(|_, flight| flight.visible_at <= now);
        let mut returned: Vec<InFlight> = late.map(|(_, flight)| flight).collect();
        returned.sort_by_key(|flight| flight.visible_at);
        for flight in returned {
            self.visible.push(flight.message, now);
        }
    }

    fn deliver(&mut self, mut message: Message, visibility: Duration) -> Delivery {
        self.deliveries += 1;
        message.receive_count += 1;
        let receipt = Receipt(self.deliveries.to_string());
        let delivery = Delivery {
            body: message.body.clone(),
            receipt: receipt.clone(),
            receive_count: message.receive_count,
        };
        self.in_flight.insert(receipt, InFlight { message, visible_at: Instant::now() + visibility });
        delivery
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        let message = Message { body: body.to_owned(), group: group.into(), receive_count: 0 };
        self.lock().visible.push(message, Instant::now());
        self.arrived.notify_one();
        Ok(())
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let deadline = Instant::now() + wait;
        loop {
            let next_timeout = match self.take(max, visibility) {
                Ok(taken) => {
                    // One arrival wakes one receiver; what is left over belongs to the next one.
                    self.arrived.notify_one();
                    return Ok(taken);
                }
                Err(next_timeout) => next_timeout.unwrap_or(deadline).min(deadline),
            };
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            if timeout_at(next_timeout, self.arrived.notified()).await.is_err() {
                sleep_until(next_timeout).await;
            }
        }
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        let mut state = self.lock();
        for (receipt, visibility) in changes {
            if visibility.is_zero() {
                if let Some(flight) = state.in_flight.remove(receipt) {
                    state.visible.push(flight.message, Instant::now());
                }
            } else if let Some(flight) = state.in_flight.get_mut(receipt) {
                flight.visible_at = Instant::now() + *visibility;
            }
            // Whoever waits may have to wake up earlier.
            self.arrived.notify_one();
        }
        Ok(())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        let mut state = self.lock();
        for receipt in receipts {
            state.in_flight.remove(receipt);
        }
        Ok(())
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let mut state = self.lock();
        state.return_timed_out(Instant::now());
        Ok(Depth { visible: state.visible.len() as u64, in_flight: state.in_flight.len() as u64, delayed: 0 })
    }
}

#[cfg(test)]
mod tests;
