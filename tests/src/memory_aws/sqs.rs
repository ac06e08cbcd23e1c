//! Queues. Nobody sends or receives.

use serde::Serialize;
use serde_json::{Value, json};

use super::{ACCOUNT, Answer, Pairs, REGION, State, answer};

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Queue {
    attributes: Pairs,
    tags: Pairs,
}

impl State {
    pub(super) fn answer_sqs(&mut self, operation: &str, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match operation {
            "ListQueues" => {
                let prefix = text("QueueNamePrefix");
                let urls: Vec<String> = self
                    .queues
                    .keys()
                    .filter(|name| name.starts_with(&prefix))
                    .map(|name| url(name))
                    .collect();
                told(&json!({"QueueUrls": urls}))
            }
            "CreateQueue" => {
                self.create_queue(text("QueueName"), pairs(asked.get("Attributes")), pairs(asked.get("tags")))
            }
            "GetQueueUrl" if self.queues.contains_key(&text("QueueName")) => {
                told(&json!({"QueueUrl": url(&text("QueueName"))}))
            }
            "GetQueueUrl" => missing(),
            _ => {
                let name = text("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
                if operation == "DeleteQueue" {
                    return self.queues.remove(&name).map_or_else(missing, |_| told(&json!({})));
                }
                self.queues
                    .get_mut(&name)
                    .map_or_else(missing, |queue| queue.answer(operation, &name, &asked))
            }
        }
    }

    /// As SQS has it: success for a queue that is there, unless it has other attributes.
    fn create_queue(&mut self, name: String, attributes: Pairs, tags: Pairs) -> Answer {
        let made = json!({"QueueUrl": url(&name)});
        match self.queues.get(&name) {
            Some(queue) if attributes.iter().any(|(key, value)| queue.attributes.get(key) != Some(value)) => {
                failure("com.amazonaws.sqs#QueueNameExists")
            }
            Some(_) => told(&made),
            None => {
                self.made.push(format!("queue {name}"));
                self.queues.insert(name, Queue { attributes, tags });
                told(&made)
            }
        }
    }
}

impl Queue {
    fn answer(&mut self, operation: &str, name: &str, asked: &Value) -> Answer {
        match operation {
            "GetQueueAttributes" => {
                let mut all = self.attributes.clone();
                all.insert("QueueArn".to_owned(), format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"));
                all.insert("ApproximateNumberOfMessages".to_owned(), "0".to_owned());
                told(&json!({"Attributes": all}))
            }
            "SetQueueAttributes" => {
                self.attributes.extend(pairs(asked.get("Attributes")));
                self.attributes.retain(|_, value| !value.is_empty());
                told(&json!({}))
            }
            "ListQueueTags" => told(&json!({"Tags": self.tags})),
            "TagQueue" => {
                self.tags.extend(pairs(asked.get("Tags")));
                told(&json!({}))
            }
            "UntagQueue" => {
                let keys = asked.get("TagKeys").and_then(Value::as_array).cloned().unwrap_or_default();
                self.tags.retain(|key, _| !keys.contains(&json!(key)));
                told(&json!({}))
            }
            _ => failure("InvalidAction"),
        }
    }
}

fn url(name: &str) -> String {
    format!("http://aws.memory/{ACCOUNT}/{name}")
}

fn pairs(value: Option<&Value>) -> Pairs {
    let all = value.and_then(Value::as_object).into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn told(value: &Value) -> Answer {
    answer(200, value.to_string())
}

fn missing() -> Answer {
    failure("com.amazonaws.sqs#QueueDoesNotExist")
}

fn failure(code: &str) -> Answer {
    // The older protocol's code goes with it, and is what clients take.
    let older = match code {
        "com.amazonaws.sqs#QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "com.amazonaws.sqs#QueueNameExists" => "QueueAlreadyExists",
        other => other,
    };
    let header = ("x-amzn-query-error".to_owned(), format!("{older};Sender"));
    let body = json!({"__type": code, "message": code}).to_string();
    Answer { headers: vec![header], ..answer(400, body) }
}
