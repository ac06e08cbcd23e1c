//! The contract of [`Queue`].

use std::{collections::HashSet, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use crate::ports::{Delivery, Depth, Queue};

const VISIBILITY: Duration = Duration::from_secs(30);
const NO_WAIT: Duration = Duration::ZERO;
const WAIT: Duration = Duration::from_secs(5);

/// Checks every sentence of the trait's docs. The queue is empty before and after.
pub async fn queue(queue: &dyn Queue) {
    assert!(take(queue, 10, NO_WAIT, VISIBILITY).await.is_empty(), "the queue is not empty at the start");
    received_messages_are_invisible_until_their_timeout(queue).await;
    a_message_is_received_while_it_is_waited_for(queue).await;
    an_empty_queue_answers_after_the_wait(queue).await;
    handed_back_messages_are_visible_at_once(queue).await;
    extended_messages_stay_invisible(queue).await;
    a_shorter_visibility_is_heard_of_by_those_who_wait(queue).await;
    late_calls_are_no_errors(queue).await;
    one_call_does_for_several_messages_what_each_one_needs(queue).await;
    what_nobody_waits_for_any_more_is_handed_back(queue).await;
    batches_hold_at_most_what_was_asked_for(queue).await;
    assert_eq!(queue.depth().await.expect("depth"), Depth::default(), "messages are left over");
}

async fn take(queue: &dyn Queue, max: u32, wait: Duration, visibility: Duration) -> Vec<Delivery> {
    queue.receive(max, wait, visibility).await.expect("receive")
}

async fn take_one(queue: &dyn Queue, visibility: Duration) -> Delivery {
    let mut taken = take(queue, 1, WAIT, visibility).await;
    assert_eq!(taken.len(), 1, "a visible message was not received");
    taken.remove(0)
}

async fn received_messages_are_invisible_until_their_timeout(queue: &dyn Queue) {
    queue.send("{\"text\":\"ü\"}", "tenant-1").await.expect("send");
    let first = take_one(queue, Duration::from_secs(1)).await;
    assert_eq!((first.body.as_str(), first.receive_count), ("{\"text\":\"ü\"}", 1));
    let depth = queue.depth().await.expect("depth");
    assert_eq!(depth, Depth { visible: 0, in_flight: 1, delayed: 0 });
    assert!(take(queue, 1, NO_WAIT, VISIBILITY).await.is_empty(), "a message in flight was received");
    let second = take_one(queue, VISIBILITY).await;
    assert_eq!((second.body, second.receive_count), (first.body, 2));
    queue.delete(&[second.receipt]).await.expect("delete");
}

async fn a_message_is_received_while_it_is_waited_for(queue: &dyn Queue) {
    let started = Instant::now();
    let send = async {
        sleep(Duration::from_millis(300)).await;
        queue.send("awaited", "tenant-1").await.expect("send");
    };
    let (delivery, ()) = tokio::join!(take_one(queue, VISIBILITY), send);
    let elapsed = started.elapsed();
    assert!(
        elapsed < Duration::from_secs(4),
        "the long poll did not end with the message but after {elapsed:?}"
    );
    queue.delete(&[delivery.receipt]).await.expect("delete");
}

async fn an_empty_queue_answers_after_the_wait(queue: &dyn Queue) {
    let started = Instant::now();
    assert!(take(queue, 10, Duration::from_secs(1), VISIBILITY).await.is_empty());
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(900), "an empty receive did not wait but took {elapsed:?}");
}

async fn handed_back_messages_are_visible_at_once(queue: &dyn Queue) {
    queue.send("handed back", "tenant-1").await.expect("send");
    let first = take_one(queue, VISIBILITY).await;
    queue.change_visibility(&[(first.receipt, Duration::ZERO)]).await.expect("hand back");
    let second = take_one(queue, VISIBILITY).await;
    assert_eq!(second.body, first.body);
    queue.delete(&[second.receipt]).await.expect("delete");
}

async fn extended_messages_stay_invisible(queue: &dyn Queue) {
    queue.send("extended", "tenant-1").await.expect("send");
    let first = take_one(queue, Duration::from_secs(1)).await;
    queue.change_visibility(&[(first.receipt.clone(), VISIBILITY)]).await.expect("extend");
    let early = take(queue, 1, Duration::from_secs(2), VISIBILITY).await;
    assert!(early.is_empty(), "an extended message was delivered again");
    queue.delete(&[first.receipt]).await.expect("delete");
}

async fn a_shorter_visibility_is_heard_of_by_those_who_wait(queue: &dyn Queue) {
    queue.send("put off", "tenant-1").await.expect("send");
    let first = take_one(queue, VISIBILITY).await;
    let change = async {
        sleep(Duration::from_millis(300)).await;
        queue.change_visibility(&[(first.receipt, Duration::from_secs(1))]).await.expect("put off");
    };
    let (second, ()) = tokio::join!(take_one(queue, VISIBILITY), change);
    assert_eq!((second.body, second.receive_count), (first.body, 2));
    queue.delete(&[second.receipt]).await.expect("delete");
}

async fn late_calls_are_no_errors(queue: &dyn Queue) {
    queue.send("late", "tenant-1").await.expect("send");
    let delivery = take_one(queue, VISIBILITY).await;
    let gone = delivery.receipt;
    queue.delete(std::slice::from_ref(&gone)).await.expect("delete");
    queue.delete(std::slice::from_ref(&gone)).await.expect("a repeated delete is no error");
    let back = [(gone.clone(), Duration::ZERO)];
    queue.change_visibility(&back).await.expect("handing back what is gone is no error");
    queue.change_visibility(&[(gone, VISIBILITY)]).await.expect("extending what is gone is no error");
}

async fn one_call_does_for_several_messages_what_each_one_needs(queue: &dyn Queue) {
    for number in 0..4 {
        queue.send(&number.to_string(), "tenant-1").await.expect("send");
    }
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(take(queue, 10, WAIT, VISIBILITY).await);
    }
    taken.sort_by_key(|delivery| delivery.body.clone());
    let receipts: Vec<_> = taken.into_iter().map(|delivery| delivery.receipt).collect();
    let [gone, back, kept, soon] = <[_; 4]>::try_from(receipts).expect("four messages");
    queue.delete(std::slice::from_ref(&gone)).await.expect("delete");
    let changes = [
        (gone.clone(), VISIBILITY),
        (back, Duration::ZERO),
        (kept.clone(), VISIBILITY),
        (soon, Duration::from_secs(1)),
    ];
    queue.change_visibility(&changes).await.expect("one that is gone harms no other");
    let back = take_one(queue, VISIBILITY).await;
    let soon = take_one(queue, VISIBILITY).await;
    assert_eq!((back.body.as_str(), soon.body.as_str()), ("1", "3"));
    queue.delete(&[gone, back.receipt, kept, soon.receipt]).await.expect("one that is gone harms no other");
}

async fn what_nobody_waits_for_any_more_is_handed_back(queue: &dyn Queue) {
    let given_up = timeout(Duration::from_millis(300), queue.receive(10, WAIT, VISIBILITY)).await;
    assert!(given_up.is_err(), "an empty receive did not wait");
    queue.send("for others", "tenant-1").await.expect("send");
    let delivery = take_one(queue, VISIBILITY).await;
    assert_eq!(delivery.body, "for others");
    queue.delete(&[delivery.receipt]).await.expect("delete");
}

async fn batches_hold_at_most_what_was_asked_for(queue: &dyn Queue) {
    for number in 0..12 {
        queue.send(&number.to_string(), &format!("tenant-{}", number % 3)).await.expect("send");
    }
    let mut seen = HashSet::new();
    while seen.len() < 12 {
        let batch = take(queue, 10, WAIT, VISIBILITY).await;
        assert!((1..=10).contains(&batch.len()), "a batch of {} messages", batch.len());
        for delivery in batch {
            assert!(seen.insert(delivery.body.clone()), "{} was delivered twice", delivery.body);
            queue.delete(&[delivery.receipt]).await.expect("delete");
        }
    }
}
