use serde_json::{Value, json};

use super::*;
use crate::aws::{
    replay::{StaticReplayClient, replay, sent_body},
    sqs_client,
};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/1/jobs";

fn queue(status: u16, body: &Value) -> (SqsQueue, StaticReplayClient) {
    let answer = http::Response::builder().status(status).body(body.to_string().into()).unwrap();
    let (config, client) = replay([answer]);
    (SqsQueue::new(sqs_client(&config), URL), client)
}

fn request(client: &StaticReplayClient) -> Value {
    serde_json::from_str(&sent_body(client)).unwrap()
}

fn failed_entry(id: &str, code: &str, message: &str, sender_fault: bool) -> Value {
    json!({ "Id": id, "Code": code, "Message": message, "SenderFault": sender_fault })
}

fn receipts(names: [&str; 3]) -> [Receipt; 3] {
    names.map(|name| Receipt(name.to_owned()))
}

#[tokio::test]
async fn late_entries_are_no_errors_and_others_are_named() {
    let gone = "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist.";
    let too_long = "Value 50000 for parameter VisibilityTimeout is invalid.";
    let entries = [
        failed_entry("0", "ReceiptHandleIsInvalid", "expired", true),
        failed_entry("1", "MessageNotInflight", "not in flight", true),
        failed_entry("2", "AWS.SimpleQueueService.MessageNotInflight", "not in flight", true),
        failed_entry("3", "InvalidParameterValue", gone, true),
        failed_entry("5", "InvalidParameterValue", too_long, true),
        failed_entry("6", "InternalError", "try again", false),
    ];
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let done = json!({ "Successful": [{ "Id": "4" }], "Failed": entries });
    let receipts = names.map(|name| Receipt(name.to_owned()));
    let changes = receipts.clone().map(|receipt| (receipt, Duration::ZERO));
    let not_done = [
        queue(200, &done).0.delete(&receipts).await.unwrap_err(),
        queue(200, &done).0.change_visibility(&changes).await.unwrap_err(),
    ];
    for not_done in not_done {
        let kinds: Vec<_> = not_done.iter().map(|one| (one.receipt.0.as_str(), one.error.kind)).collect();
        assert_eq!(kinds, [("f", ErrorKind::Invalid), ("g", ErrorKind::Unavailable)]);
    }
}

#[tokio::test]
async fn failed_call_fails_for_every_message() {
    for (code, expected) in [
        ("com.amazonaws.sqs#QueueDoesNotExist", ErrorKind::Missing),
        ("AccessDeniedException", ErrorKind::Denied),
    ] {
        let (queue, _) = queue(400, &json!({ "__type": code, "message": "no" }));
        let not_done = queue.delete(&receipts(["a", "b", "c"])).await.unwrap_err();
        let kinds: Vec<_> = not_done.iter().map(|one| (one.receipt.0.as_str(), one.error.kind)).collect();
        assert_eq!(kinds, [("a", expected), ("b", expected), ("c", expected)]);
    }
}

#[tokio::test]
async fn several_messages_are_one_call() {
    let done = json!({ "Successful": [], "Failed": [] });
    let entries = |more: fn(usize) -> Value| {
        let entry = |(number, name): (usize, &str)| {
            let mut entry = json!({ "Id": number.to_string(), "ReceiptHandle": name });
            let Value::Object(more) = more(number) else { unreachable!() };
            entry.as_object_mut().unwrap().extend(more);
            entry
        };
        ["a", "b", "c"].into_iter().enumerate().map(entry).collect::<Vec<_>>()
    };
    let (deleting, client) = queue(200, &done);
    deleting.delete(&receipts(["a", "b", "c"])).await.unwrap();
    assert_eq!(request(&client), json!({ "QueueUrl": URL, "Entries": entries(|_| json!({})) }));
    let (changing, client) = queue(200, &done);
    let [a, b, c] = receipts(["a", "b", "c"]);
    let millis = Duration::from_millis;
    changing.change_visibility(&[(a, millis(0)), (b, millis(1)), (c, millis(1001))]).await.unwrap();
    let entries = entries(|number| json!({ "VisibilityTimeout": number }));
    assert_eq!(request(&client), json!({ "QueueUrl": URL, "Entries": entries }));
}

#[tokio::test]
async fn send_names_the_group() {
    let (queue, client) = queue(200, &json!({ "MessageId": "1", "MD5OfMessageBody": "" }));
    queue.send("body", "shop-g1").await.unwrap();
    let expected = json!({ "QueueUrl": URL, "MessageBody": "body", "MessageGroupId": "shop-g1" });
    assert_eq!(request(&client), expected);
}

#[tokio::test]
async fn receive_rounds_visibility_up_and_the_wait_down() {
    let message = json!({
        "Body": "body", "ReceiptHandle": "r", "Attributes": { "ApproximateReceiveCount": "3" },
    });
    let (queue, client) = queue(200, &json!({ "Messages": [message] }));
    let got = queue.receive(10, Duration::from_millis(1900), Duration::from_millis(1100)).await.unwrap();
    let expected = Delivery { body: "body".to_owned(), receipt: Receipt("r".to_owned()), receive_count: 3 };
    assert_eq!(got, [expected]);
    let expected = json!({
        "QueueUrl": URL,
        "MaxNumberOfMessages": 10,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        "VisibilityTimeout": 2,
        "WaitTimeSeconds": 1,
    });
    assert_eq!(request(&client), expected);
}

#[tokio::test]
async fn depth_without_a_number_is_an_error_not_zero() {
    let (queue, _) = queue(200, &json!({ "Attributes": { "ApproximateNumberOfMessages": "1" } }));
    assert_eq!(queue.depth().await.unwrap_err().kind, ErrorKind::Invalid);
}
