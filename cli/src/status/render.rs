//! What is known of a pipeline, for a person. Pure.

use std::fmt::Write;

use crds::{
    AssetPipeline, AssetPipelineStatus, BindingsStatus, QueueStatus, TierStatus, ZoneStatus, condition_type,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::{ContainerStatus, Pod},
        events::v1::Event,
    },
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::ResourceExt;

use crate::cluster::is_ready;

/// Conditions that are bad news where they are true.
const BAD_NEWS: [&str; 4] = [
    condition_type::RECONCILING,
    condition_type::STALLED,
    condition_type::DELETION_BLOCKED,
    condition_type::SUSPENDED,
];
/// Hosts that are named one by one.
const MAX_HOSTS: usize = 5;

pub(super) fn to_text(pipeline: &AssetPipeline, pods: &[Pod], events: &[Event], now: Timestamp) -> String {
    let status = pipeline.status.clone().unwrap_or_default();
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("{name:<10}{value}").trim_end());
    };
    line("Pipeline", &format!("{}/{}", pipeline.namespace().unwrap_or_default(), pipeline.name_any()));
    line("Ready", &describe_ready(pipeline, &status));
    if let Some(url) = &status.url {
        line("URL", url);
    }
    for (index, address) in status.load_balancer.iter().enumerate() {
        line(if index == 0 { "Balancer" } else { "" }, address);
    }
    line("Web", &describe_tier(status.web.as_ref()));
    line("Workers", &describe_tier(status.worker.as_ref()));
    let QueueStatus { visible, in_flight } = status.queue.unwrap_or_default();
    line("Queue", &format!("{visible} waiting, {in_flight} in work"));
    line("Tenants", &describe_tenants(&status));
    for (index, binding) in describe_bindings(status.bindings.as_ref()).iter().enumerate() {
        line(if index == 0 { "Bindings" } else { "" }, binding);
    }
    section(&mut text, "Conditions", status.conditions.iter().map(|told| describe_condition(told, now)));
    section(&mut text, "Pods that are not ready", pods.iter().filter_map(describe_unready));
    section(&mut text, "Latest events", events.iter().map(|event| describe_event(event, now)));
    text
}

pub(super) fn time_of(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    series.or(first).or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n{title}\n  {}\n", lines.join("\n  "));
    }
}

/// What the operator has not seen yet is not told of.
fn describe_ready(pipeline: &AssetPipeline, status: &AssetPipelineStatus) -> String {
    let ready = status.condition(condition_type::READY);
    let Some(Condition { status: holds, reason, message, .. }) = ready else {
        return "unknown: no operator has looked at it yet".to_owned();
    };
    let is_old = status.observed_generation != pipeline.metadata.generation;
    let old = if is_old { "; the newest spec was not looked at yet" } else { "" };
    format!("{holds} ({reason}): {message}{old}")
}

/// Such as `2 of 3 ready (zone-a 1 of 1, zone-b 1 of 2)`.
fn describe_tier(tier: Option<&TierStatus>) -> String {
    let Some(TierStatus { replicas, ready_replicas, selector: _, zones }) = tier else {
        return "not there yet".to_owned();
    };
    let zone = |zone: &ZoneStatus| {
        let ZoneStatus { name, replicas, ready_replicas } = zone;
        format!("{name} {ready_replicas} of {replicas}")
    };
    let zones = zones.iter().map(zone).collect::<Vec<_>>().join(", ");
    let zones = if zones.is_empty() { zones } else { format!(" ({zones})") };
    format!("{ready_replicas} of {replicas} ready{zones}")
}

fn describe_tenants(status: &AssetPipelineStatus) -> String {
    let hosts: Vec<&str> = status.tenants.iter().map(|tenant| tenant.host.as_str()).collect();
    match hosts.get(MAX_HOSTS..) {
        _ if hosts.is_empty() => "none in the spec".to_owned(),
        Some(more @ [_, ..]) => {
            format!(
                "{} and {} more",
                hosts.iter().take(MAX_HOSTS).copied().collect::<Vec<_>>().join(", "),
                more.len()
            )
        }
        Some([]) | None => hosts.join(", "),
    }
}

fn describe_bindings(bindings: Option<&BindingsStatus>) -> Vec<String> {
    let Some(bindings) = bindings else { return vec!["not there yet".to_owned()] };
    let BindingsStatus {
        bucket,
        queue_url,
        refresh_queue_url,
        dead_letter_queue_url,
        topic_arn,
        subscription_arn,
        drift_interval_seconds: _,
    } = bindings;
    let all = [
        ("bucket", bucket),
        ("visits", queue_url),
        ("refreshes", refresh_queue_url),
        ("dead", dead_letter_queue_url),
        ("topic", topic_arn),
        ("confirmed", subscription_arn),
    ];
    all.into_iter().filter_map(|(kind, name)| Some(format!("{kind:<10}{}", name.as_ref()?))).collect()
}

/// A sign, since a condition that is false may be good news: what is marked `!` is not as it should be.
fn describe_condition(told: &Condition, now: Timestamp) -> String {
    let Condition { type_, status, reason, message, last_transition_time, .. } = told;
    let is_well = (status == "True") != BAD_NEWS.contains(&type_.as_str());
    let sign = if is_well { ' ' } else { '!' };
    let age = describe_age(last_transition_time.0, now);
    format!("{sign} {type_:<18}{status:<6}{age:>5}  {reason}: {message}")
}

/// What its containers wait for, or how they ended.
fn describe_unready(pod: &Pod) -> Option<String> {
    if is_ready(pod) {
        return None;
    }
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let unscheduled = conditions.iter().find(|told| told.type_ == "PodScheduled" && told.status == "False");
    let containers = status.container_statuses.unwrap_or_default();
    let why = if pod.metadata.deletion_timestamp.is_some() {
        "it was told to end".to_owned()
    } else if let Some(unscheduled) = unscheduled {
        format!("no node takes it: {}", unscheduled.message.clone().unwrap_or_default())
    } else {
        let why = containers.iter().find_map(describe_container);
        why.unwrap_or_else(|| "it does not answer /ready yet".to_owned())
    };
    Some(format!("{}: {why}", pod.name_any()))
}

fn describe_container(container: &ContainerStatus) -> Option<String> {
    let told = |reason: &Option<String>, message: &Option<String>| {
        let parts = [reason, message].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    };
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let last = last.map(|ended| format!("; it ended with {} before", ended.exit_code)).unwrap_or_default();
    let waiting = state.waiting.as_ref().map(|waiting| told(&waiting.reason, &waiting.message));
    let ended = state.terminated.as_ref().map(|ended| format!("it ended with {}", ended.exit_code));
    waiting.or(ended).map(|why| format!("{why}{last}"))
}

fn describe_event(event: &Event, now: Timestamp) -> String {
    let age = time_of(event).map(|time| describe_age(time, now)).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{age:>5} ago  {}  {}: {}", text(&event.type_), text(&event.reason), text(&event.note))
}

/// In its largest unit, as kubectl tells ages.
fn describe_age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn pipeline_is_told_with_what_is_wrong_marked() {
        let condition = |type_: &str, status: &str, reason: &str| {
            json!({
                "type": type_, "status": status, "reason": reason, "message": "so it is",
                "lastTransitionTime": "1970-01-01T00:00:40Z",
            })
        };
        let pipeline: AssetPipeline = serde_json::from_value(json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline",
            "metadata": {"name": "site", "namespace": "shop", "generation": 3},
            "spec": {},
            "status": {
                "observedGeneration": 2,
                "url": "https://a.example",
                "loadBalancer": ["lb.example"],
                "conditions": [
                    condition("Ready", "True", "AsSpecified"),
                    condition("Stalled", "False", "NotStalled"),
                    condition("SubscriptionReady", "False", "NoEndpoint"),
                ],
                "web": {"replicas": 3, "readyReplicas": 2, "zones": [
                    {"name": "zone-a", "replicas": 2, "readyReplicas": 2},
                    {"name": "zone-b", "replicas": 1, "readyReplicas": 0},
                ]},
                "queue": {"visible": 4, "inFlight": 1},
                "tenants": [{"host": "a.example", "id": "t"}],
                "bindings": {"bucket": "b", "queueUrl": "http://q"},
            },
        }))
        .unwrap();
        let pods: Vec<Pod> = serde_json::from_value(json!([
            {"metadata": {"name": "up"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            {"metadata": {"name": "pulls"}, "status": {"containerStatuses": [{
                "name": "web", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
            }]}},
            {"metadata": {"name": "homeless"}, "status": {"conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"},
            ]}},
        ]))
        .unwrap();
        let events: Vec<Event> = serde_json::from_value(json!([{
            "metadata": {"name": "e"}, "eventTime": "1970-01-01T00:00:30.000000Z",
            "type": "Normal", "reason": "Rebalanced", "note": "evicted pod x",
        }]))
        .unwrap();
        assert_eq!(
            to_text(&pipeline, &pods, &events, at(160)),
            "\
Pipeline  shop/site
Ready     True (AsSpecified): so it is; the newest spec was not looked at yet
URL       https://a.example
Balancer  lb.example
Web       2 of 3 ready (zone-a 2 of 2, zone-b 0 of 1)
Workers   not there yet
Queue     4 waiting, 1 in work
Tenants   a.example
Bindings  bucket    b
          visits    http://q

Conditions
    Ready             True     2m  AsSpecified: so it is
    Stalled           False    2m  NotStalled: so it is
  ! SubscriptionReady False    2m  NoEndpoint: so it is

Pods that are not ready
  pulls: ImagePullBackOff: no such image
  homeless: no node takes it: 0/3 nodes are available

Latest events
     2m ago  Normal  Rebalanced: evicted pod x
"
        );
    }

    #[test]
    fn pipeline_that_nobody_has_looked_at_says_so() {
        let pipeline = AssetPipeline::new("site", crds::AssetPipelineSpec::default());
        let text = to_text(&pipeline, &[], &[], at(0));
        assert!(text.contains("unknown: no operator has looked at it yet"), "{text}");
    }

    #[test]
    fn many_hosts_are_counted() {
        let tenant = |number: usize| crds::TenantStatus { host: format!("h{number}"), id: "t".into() };
        let status = |count: usize| AssetPipelineStatus {
            tenants: (0..count).map(tenant).collect(),
            ..Default::default()
        };
        assert_eq!(describe_tenants(&status(0)), "none in the spec");
        assert_eq!(describe_tenants(&status(5)), "h0, h1, h2, h3, h4");
        assert_eq!(describe_tenants(&status(7)), "h0, h1, h2, h3, h4 and 2 more");
    }
}
