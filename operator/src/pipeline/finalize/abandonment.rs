//! The way out of a deletion that AWS blocks: a person orders that what the object has there is left behind.
//! Pure. Nothing is asked of AWS any more, so what is named may be there or not.

use crds::BindingsStatus;
use kube::{
    ResourceExt,
    runtime::events::{Event, EventType},
};

use crate::{
    aws::BindingNames,
    events::build_event,
    names::{LET_GO_ANNOTATION, LET_GO_WISH},
    pipeline::status::MAX_NOTE,
};

/// The reason of the events that tell what nobody has looked after.
const LEFT_BEHIND: &str = "LeftBehind";

/// Whether a person has said so, in the very words.
pub(crate) fn is_abandoned(object: &impl ResourceExt) -> bool {
    object.annotations().get(LET_GO_ANNOTATION).is_some_and(|wish| wish == LET_GO_WISH)
}

/// Everything that the pipeline may have on AWS: by its names, and by what its status last told.
pub(super) fn list_left(names: &BindingNames, told: &BindingsStatus, region: &str) -> Vec<String> {
    let mut left = names.with_arns(region, account_of(told));
    left.extend(told.subscription_arn.as_ref().map(|arn| format!("subscription {arn}")));
    left
}

/// As few events as name everything.
pub(crate) fn build_left_behind(left: &[String]) -> Vec<Event> {
    let build = |(number, note): (usize, String)| {
        build_event(EventType::Warning, LEFT_BEHIND, format!("LeaveBehind{number}"), note)
    };
    build_notes(left).into_iter().enumerate().map(build).collect()
}

fn build_notes(left: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for resource in left {
        match notes.last_mut() {
            Some(note) if note.len() + "; ".len() + resource.len() <= MAX_NOTE => {
                note.push_str("; ");
                note.push_str(resource);
            }
            Some(_) | None => {
                notes.push(format!("left behind on AWS by order of {LET_GO_ANNOTATION}: {resource}"));
            }
        }
    }
    notes
}

fn account_of(told: &BindingsStatus) -> Option<&str> {
    let of_topic = || told.topic_arn.as_deref()?.split(':').nth(4);
    let of_queue = || told.queue_url.as_deref()?.rsplit('/').nth(1);
    of_topic().or_else(of_queue).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BindingNames {
        BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap())
    }

    #[test]
    fn everything_is_named_with_its_arn_as_far_as_that_is_known() {
        let base = "ap-shop-storefront-0123456789";
        let told = BindingsStatus {
            topic_arn: Some(format!("arn:aws-cn:sns:cn-north-1:123456789012:{base}")),
            subscription_arn: Some("arn:aws-cn:sns:s".into()),
            ..BindingsStatus::default()
        };
        let arn = |service: &str, name: &str| format!("arn:aws-cn:{service}:cn-north-1:123456789012:{name}");
        assert_eq!(
            list_left(&names(), &told, "cn-north-1"),
            [
                format!("bucket {base} (arn:aws-cn:s3:::{base})"),
                format!("queue {base} ({})", arn("sqs", base)),
                format!("queue {base}-refresh ({})", arn("sqs", &format!("{base}-refresh"))),
                format!("queue {base}-dead ({})", arn("sqs", &format!("{base}-dead"))),
                format!("topic {base} ({})", arn("sns", base)),
                "subscription arn:aws-cn:sns:s".to_owned(),
            ]
        );
        let queue_url = Some(format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{base}"));
        let told = BindingsStatus { queue_url, ..BindingsStatus::default() };
        let left = list_left(&names(), &told, "eu-west-1");
        assert_eq!(left.last(), Some(&format!("topic {base} (arn:aws:sns:eu-west-1:123456789012:{base})")));
        let left = list_left(&names(), &BindingsStatus::default(), "eu-west-1");
        assert_eq!(left.last(), Some(&format!("topic {base}")));
    }

    #[test]
    fn notes_are_no_longer_than_the_api_server_takes_and_leave_nothing_out() {
        let left: Vec<String> = (0..6).map(|number| format!("queue {number}{}", "q".repeat(400))).collect();
        let events = build_left_behind(&left);
        let notes: Vec<&str> = events.iter().map(|event| event.note.as_deref().unwrap()).collect();
        assert!(notes.iter().all(|note| note.len() <= MAX_NOTE), "{notes:?}");
        for resource in &left {
            assert_eq!(notes.iter().filter(|note| note.contains(resource.as_str())).count(), 1);
        }
        let mut actions: Vec<&String> = events.iter().map(|event| &event.action).collect();
        actions.dedup();
        assert_eq!(actions.len(), notes.len());
        assert_eq!(build_left_behind(&left[..1]).len(), 1);
    }
}
