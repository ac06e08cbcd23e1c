use super::*;

#[tokio::test(start_paused = true)]
async fn memory_queue_conforms() {
    crate::conformance::queue(&MemoryQueue::new(100)).await;
}

#[tokio::test(start_paused = true)]
async fn message_received_too_often_becomes_a_dead_letter() {
    let queue = MemoryQueue::new(2);
    queue.send("poison", "t").await.unwrap();
    for _ in 0..2 {
        let wait = Duration::from_secs(5);
        let got = queue.receive(1, wait, Duration::from_secs(1)).await.unwrap();
        assert_eq!(got.len(), 1);
    }
    assert!(queue.receive(1, Duration::from_secs(5), Duration::from_secs(1)).await.unwrap().is_empty());
    assert_eq!(queue.dead_letters(), ["poison"]);
}
