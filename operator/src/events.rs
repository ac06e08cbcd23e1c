//! Events: what people are told beside the status.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use pipeline::chain;

use crate::context::Context;

/// Events of one reason and action about one object are counted into one, which keeps the first one's note: what is
/// to be told by itself has an action of its own.
pub(crate) fn build_event(type_: EventType, reason: &str, action: String, note: String) -> Event {
    Event { type_, reason: reason.to_owned(), note: Some(note), action, secondary: None }
}

/// Events are for people; one that is lost does not stop the work.
pub(crate) async fn publish(context: &Context, about: &ObjectReference, events: Vec<Event>) {
    for event in events {
        if let Err(error) = context.recorder.publish(&event, about).await {
            tracing::warn!(error = chain(&error), reason = event.reason, "could not publish an event");
        }
    }
}
