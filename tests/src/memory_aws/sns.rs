//! Topics and subscriptions. Those over HTTP wait until they are confirmed.

use serde::Serialize;

use super::{ACCOUNT, Answer, Pairs, REGION, State, answer, escape, join};

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Topic {
    attributes: Pairs,
    tags: Pairs,
    subscriptions: Vec<Subscription>,
}

#[derive(Debug, Clone, Serialize)]
struct Subscription {
    #[serde(skip)]
    arn: String,
    protocol: String,
    endpoint: String,
    is_pending: bool,
}

/// A request's parameters, by name.
pub(super) fn parameters(body: &[u8]) -> Pairs {
    url::form_urlencoded::parse(body).into_owned().collect()
}

impl State {
    pub(super) fn answer_sns(&mut self, operation: &str, body: &[u8]) -> Answer {
        let asked = parameters(body);
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let told = |result: &str| told(operation, result);
        match operation {
            "CreateTopic" => {
                let attributes = numbered(&asked, "Attributes.entry", ["key", "value"]);
                self.create_topic(of("Name"), attributes, numbered(&asked, "Tags.member", ["Key", "Value"]));
                told(&format!("<TopicArn>{}</TopicArn>", arn(&of("Name"))))
            }
            "ListTopics" => {
                let one = |name: &String| format!("<member><TopicArn>{}</TopicArn></member>", arn(name));
                let all = join(self.topics.keys().map(one));
                told(&format!("<Topics>{all}</Topics>"))
            }
            "DeleteTopic" => {
                self.topics.remove(&name_in(&of("TopicArn")));
                told("")
            }
            "Unsubscribe" => {
                for topic in self.topics.values_mut() {
                    topic.subscriptions.retain(|subscription| subscription.arn != of("SubscriptionArn"));
                }
                told("")
            }
            _ => {
                let topic = asked.get("TopicArn").or_else(|| asked.get("ResourceArn"));
                let name = topic.map(|arn| name_in(arn)).unwrap_or_default();
                let number = self.next();
                match self.topics.get_mut(&name) {
                    Some(topic) => topic.answer(operation, &asked, format!("{}:{number}", arn(&name))),
                    None if asked.contains_key("ResourceArn") => failure(404, "ResourceNotFound"),
                    None => failure(404, "NotFound"),
                }
            }
        }
    }

    /// Success for a topic that is there.
    fn create_topic(&mut self, name: String, attributes: Pairs, tags: Pairs) {
        if !self.topics.contains_key(&name) {
            self.made.push(format!("topic {name}"));
            self.topics.insert(name, Topic { attributes, tags, subscriptions: Vec::new() });
        }
    }

    pub(super) fn confirm(&mut self) -> bool {
        let all = self.topics.values_mut().flat_map(|topic| &mut topic.subscriptions);
        let pending: Vec<&mut Subscription> = all.filter(|subscription| subscription.is_pending).collect();
        let is_any = !pending.is_empty();
        for subscription in pending {
            subscription.is_pending = false;
        }
        is_any
    }
}

impl Topic {
    /// `fresh` is the ARN that a new subscription has.
    fn answer(&mut self, operation: &str, asked: &Pairs, fresh: String) -> Answer {
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        match operation {
            "GetTopicAttributes" => {
                let entries = self.attributes.iter();
                let all = join(entries.map(|(key, value)| {
                    format!("<entry><key>{key}</key><value>{}</value></entry>", escape(value))
                }));
                told(operation, &format!("<Attributes>{all}</Attributes>"))
            }
            "SetTopicAttributes" => {
                self.attributes.insert(of("AttributeName"), of("AttributeValue"));
                told(operation, "")
            }
            "ListTagsForResource" => {
                let one = |(key, value): (&String, &String)| {
                    format!("<member><Key>{key}</Key><Value>{}</Value></member>", escape(value))
                };
                let all = join(self.tags.iter().map(one));
                told(operation, &format!("<Tags>{all}</Tags>"))
            }
            "TagResource" => {
                self.tags.extend(numbered(asked, "Tags.member", ["Key", "Value"]));
                told(operation, "")
            }
            "UntagResource" => {
                let keys = (1..).map_while(|number| asked.get(&format!("TagKeys.member.{number}")));
                keys.for_each(|key| drop(self.tags.remove(key)));
                told(operation, "")
            }
            "Subscribe" => {
                let (protocol, endpoint) = (of("Protocol"), of("Endpoint"));
                let same = self
                    .subscriptions
                    .iter()
                    .find(|there| (&there.protocol, &there.endpoint) == (&protocol, &endpoint));
                let arn = same.map_or_else(|| fresh.clone(), |there| there.arn.clone());
                if same.is_none() {
                    let is_pending = protocol.starts_with("http");
                    self.subscriptions.push(Subscription { arn: fresh, protocol, endpoint, is_pending });
                }
                told(operation, &format!("<SubscriptionArn>{arn}</SubscriptionArn>"))
            }
            "ListSubscriptionsByTopic" => {
                let all = join(self.subscriptions.iter().map(Subscription::listed));
                told(operation, &format!("<Subscriptions>{all}</Subscriptions>"))
            }
            _ => failure(400, "InvalidAction"),
        }
    }
}

impl Subscription {
    fn listed(&self) -> String {
        let arn = if self.is_pending { "PendingConfirmation" } else { &self.arn };
        format!(
            "<member><SubscriptionArn>{arn}</SubscriptionArn><Protocol>{}</Protocol><Endpoint>{}</Endpoint></member>",
            self.protocol,
            escape(&self.endpoint)
        )
    }
}

fn arn(topic: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{topic}")
}

fn name_in(arn: &str) -> String {
    arn.split(':').nth(5).unwrap_or_default().to_owned()
}

/// The pairs of a list as the query has them.
fn numbered(asked: &Pairs, list: &str, [key, value]: [&str; 2]) -> Pairs {
    let pairs = (1..).map_while(|number| {
        let of = |part: &str| asked.get(&format!("{list}.{number}.{part}")).cloned();
        Some((of(key)?, of(value)?))
    });
    pairs.collect()
}

fn told(operation: &str, result: &str) -> Answer {
    answer(
        200,
        format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"),
    )
}

fn failure(status: u16, code: &str) -> Answer {
    let error = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    answer(status, format!("<ErrorResponse>{error}</ErrorResponse>"))
}
