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

#[tokio::test]
async fn late_calls_are_no_errors() {
    let gone = "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist.";
    for (code, message) in [
        ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "expired"),
        ("com.amazonaws.sqs#MessageNotInflight", "not in flight"),
        ("InvalidParameterValue", gone),
    ] {
        let body = json!({ "__type": code, "message": message });
        let receipt = Receipt("r".to_owned());
        queue(400, &body).0.delete(&receipt).await.expect(code);
        queue(400, &body).0.change_visibility(&receipt, Duration::ZERO).await.expect(code);
    }
}

#[tokio::test]
async fn other_failures_of_a_late_call_are_errors() {
    let too_long = "Value 50000 for parameter VisibilityTimeout is invalid.";
    for (code, message, expected) in [
        ("InvalidParameterValue", too_long, ErrorKind::Invalid),
        ("com.amazonaws.sqs#QueueDoesNotExist", "no queue", ErrorKind::Missing),
        ("AccessDeniedException", "no", ErrorKind::Denied),
    ] {
        let (queue, _) = queue(400, &json!({ "__type": code, "message": message }));
        let error = queue.change_visibility(&Receipt("r".to_owned()), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind, expected, "{code}");
    }
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
