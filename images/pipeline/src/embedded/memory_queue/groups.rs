//! Messages that wait, by group, and whose turn it is: the group's that was given the least of late.
//!
//! So a group with any number of messages delays another one by what is being worked on when that one's come,
//! and no more, as fair queues of SQS promise; among groups that all want more than there is, everyone gets the
//! same.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// What was given counts half after this time, so that nobody is made to wait for an hour's work of the past.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// A group that was given less than this is as good as new.
const FORGOTTEN: f64 = 0.01;

pub(super) struct Message {
    pub(super) body: String,
    pub(super) group: Arc<str>,
    pub(super) receive_count: u32,
}

/// In each group the order is that of arrival. Unbounded, as the queue is.
#[derive(Default)]
pub(super) struct Groups {
    by_name: HashMap<Arc<str>, Group>,
    waiting: usize,
    arrivals: u64,
}

struct Group {
    messages: VecDeque<Message>,
    /// Deliveries, as they counted at that time.
    given: f64,
    at: Instant,
    /// When the first of them arrived among all: decides between equals.
    first: u64,
}

impl Group {
    fn given(&self, now: Instant) -> f64 {
        let halvings = (now - self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.given * (-halvings).exp2()
    }
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn push(&mut self, message: Message, now: Instant) {
        self.waiting += 1;
        self.arrivals += 1;
        let new = || Group { messages: VecDeque::new(), given: 0.0, at: now, first: 0 };
        let group = self.by_name.entry(message.group.clone()).or_insert_with(new);
        if group.messages.is_empty() {
            group.first = self.arrivals;
        }
        group.messages.push_back(message);
    }

    /// Looks at every group: the embedded queue has few.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Message> {
        self.by_name.retain(|_, group| !group.messages.is_empty() || group.given(now) > FORGOTTEN);
        let waiting = self.by_name.values_mut().filter(|group| !group.messages.is_empty());
        let group = waiting.min_by(|one, other| {
            one.given(now).total_cmp(&other.given(now)).then(one.first.cmp(&other.first))
        })?;
        let message = group.messages.pop_front()?;
        (group.given, group.at) = (group.given(now) + 1.0, now);
        self.waiting -= 1;
        self.arrivals += 1;
        group.first = self.arrivals;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(groups: &mut Groups, group: &str, count: usize, now: Instant) {
        for number in 0..count {
            let body = format!("{group}{number}");
            groups.push(Message { body, group: group.into(), receive_count: 0 }, now);
        }
    }

    fn pop(groups: &mut Groups, count: usize, now: Instant) -> Vec<String> {
        (0..count).filter_map(|_| groups.pop(now)).map(|message| message.body).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn groups_take_turns_and_each_keeps_its_order() {
        let (mut groups, now) = (Groups::default(), Instant::now());
        push(&mut groups, "a", 3, now);
        push(&mut groups, "b", 2, now);
        push(&mut groups, "c", 1, now);
        assert_eq!(pop(&mut groups, 9, now), ["a0", "b0", "c0", "a1", "b1", "a2"]);
        assert_eq!(groups.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn group_that_was_given_much_waits_for_one_that_was_given_little() {
        let (mut groups, now) = (Groups::default(), Instant::now());
        push(&mut groups, "a", 200, now);
        pop(&mut groups, 100, now);
        push(&mut groups, "b", 60, now);
        assert!(pop(&mut groups, 50, now).iter().all(|body| body.starts_with('b')));
        // After four half-lives the hundred count for six, and the fifty for three.
        let later = now + 4 * HALF_LIFE;
        let bodies = pop(&mut groups, 20, later);
        assert_eq!(bodies.iter().filter(|body| body.starts_with('b')).count(), 10, "{bodies:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn groups_that_are_done_are_forgotten() {
        let (mut groups, now) = (Groups::default(), Instant::now());
        for number in 0..100 {
            push(&mut groups, &format!("{number}-"), 1, now);
        }
        pop(&mut groups, 100, now);
        assert!(groups.pop(now + 10 * HALF_LIFE).is_none());
        assert_eq!(groups.by_name.len(), 0);
    }
}
