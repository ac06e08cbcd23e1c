mod passing;

use pipeline::{Error, ErrorKind, reach::Unreached};
use serde_json::{Value, json};

use super::*;
use crate::{
    aws::Refusal,
    pipeline::{
        observe::MissingSecret,
        plan::{ForeignChild, Front, SubscriptionState},
        validate::Timeouts,
    },
    purges::AppliedPurges,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn web(ready: i32, updated: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 3, "selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "replicas": 3, "readyReplicas": ready, "updatedReplicas": updated},
    }))
    .unwrap()
}

fn with_web(web: Option<Deployment>) -> Workloads {
    Workloads { web, worker: settled().workloads.worker }
}

fn front() -> Front {
    let timeouts = Timeouts::from_hold_seconds(25).unwrap();
    Front { url: Some("https://a.example".into()), ingress_class: Some("alb".into()), timeouts }
}

fn settled() -> Applied {
    Applied {
        bindings: BindingsOutcome::Settled(BindingsStatus { bucket: Some("b".into()), ..Default::default() }),
        registry: RegistryOutcome::Settled { registered: vec![], taken: vec![] },
        purges: AppliedPurges::default(),
        subscription: SubscriptionState::NoEndpoint,
        drift: vec![],
        drift_interval: std::time::Duration::from_mins(5),
        missing_secrets: vec![],
        foreign: vec![],
        is_overtaken: false,
        front: front(),
        workloads: Workloads {
            web: Some(web(3, 3)),
            worker: Some(
                serde_json::from_value(json!({"spec": {"replicas": 0, "selector": {}, "template": {}}}))
                    .unwrap(),
            ),
        },
        zones: TierZones::default(),
        ingress: Some(
            serde_json::from_value(
                json!({"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}),
            )
            .unwrap(),
        ),
    }
}

fn refused(reason: &'static str) -> BindingsOutcome {
    BindingsOutcome::Refused(Refusal { reason, message: "bucket b is not ours".into() })
}

fn status_of(applied: &Applied) -> AssetPipelineStatus {
    compute_status(&AssetPipelineStatus::default(), Some(7), &Outcome::Applied(applied), None, at(10))
}

/// Each condition as `status/reason`.
fn conditions(status: &AssetPipelineStatus) -> Value {
    let pairs = status.conditions.iter();
    pairs
        .map(|c| (c.type_.clone(), json!(format!("{}/{}", c.status, c.reason))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn settled_pipeline_is_ready_as_kstatus_reads_it() {
    let status = status_of(&settled());
    assert_eq!(status.observed_generation, Some(7));
    assert_eq!(
        conditions(&status),
        json!({
            "Reconciling": "False/AsSpecified",
            "Stalled": "False/NotStalled",
            "Ready": "True/AsSpecified",
            "BindingsReady": "True/AsSpecified",
            "DriftFree": "True/AsSpecified",
            "TenantsReady": "True/AsSpecified",
            "SubscriptionReady": "False/NoEndpoint",
            "CredentialsReady": "True/AsSpecified",
            "WebAvailable": "True/AsSpecified",
            "WorkersAvailable": "True/AsSpecified",
            "TimeoutsCoherent": "True/AsSpecified",
            "IngressReady": "True/AsSpecified",
        })
    );
    assert_eq!(
        (status.url.as_deref(), status.load_balancer),
        (Some("https://a.example"), vec!["lb.example".into()])
    );
}

#[test]
fn tiers_tell_autoscalers_how_their_pods_are_selected() {
    let mut pods = web(3, 3);
    let labels = json!({"matchLabels": {"a": "b", "c": "d"}});
    pods.spec.as_mut().unwrap().selector = serde_json::from_value(labels).unwrap();
    let status = status_of(&Applied { workloads: with_web(Some(pods)), ..settled() });
    assert_eq!(status.web.unwrap().selector.as_deref(), Some("a=b,c=d"));
}

#[test]
fn ingress_that_is_no_more_asked_for_is_no_more_told_of() {
    let before = status_of(&settled());
    let mut applied = Applied { ingress: None, ..settled() };
    applied.front = Front { url: None, ingress_class: None, ..front() };
    let after = compute_status(&before, Some(8), &Outcome::Applied(&applied), None, at(20));
    assert_eq!((conditions(&after).get("IngressReady"), after.url), (None, None));
    assert!(after.load_balancer.is_empty());
}

#[test]
fn timeouts_that_break_the_chain_have_a_condition_of_their_own() {
    let incoherent = Timeouts::from_hold_seconds(10).unwrap_err();
    let other = InvalidSpec::Unidentified("uid");
    for (error, expected) in [(&incoherent, Some(&json!("False/InvalidSpec"))), (&other, None)] {
        let status =
            compute_status(&AssetPipelineStatus::default(), Some(7), &Outcome::Invalid(error), None, at(10));
        assert_eq!(conditions(&status).get("TimeoutsCoherent"), expected);
    }
}

#[test]
fn whatever_is_missing_makes_it_not_ready_and_says_why() {
    let denied = || Error::new(ErrorKind::Denied, "look at bucket b");
    let taken = RegistryOutcome::Settled {
        registered: vec![],
        taken: vec![("shop.example.com".parse().unwrap(), "assetpipeline/other/shop".into())],
    };
    let cases: Vec<(Applied, &str, (&str, &str), &str)> = vec![
        (
            Applied { bindings: BindingsOutcome::Worked(BindingsStatus::default()), ..settled() },
            "False/BindingsNotReady",
            ("BindingsReady", "False/InProgress"),
            "False/NotStalled",
        ),
        (
            Applied { bindings: BindingsOutcome::Failed(denied()), ..settled() },
            "False/BindingsNotReady",
            ("BindingsReady", "False/AwsDenied"),
            "True/AwsDenied",
        ),
        (
            Applied { bindings: refused(reason::FOREIGN_RESOURCE), ..settled() },
            "False/BindingsNotReady",
            ("BindingsReady", "False/ForeignResource"),
            "True/ForeignResource",
        ),
        (
            Applied { bindings: refused(reason::ADOPTION_NOT_ALLOWED), ..settled() },
            "False/BindingsNotReady",
            ("BindingsReady", "False/AdoptionNotAllowed"),
            "True/AdoptionNotAllowed",
        ),
        (
            Applied { drift: vec!["bucket b should encrypt by default".into()], ..settled() },
            "True/AsSpecified",
            ("DriftFree", "False/Drifted"),
            "False/NotStalled",
        ),
        (
            Applied { registry: taken, ..settled() },
            "False/TenantsNotReady",
            ("TenantsReady", "False/HostTaken"),
            "True/HostTaken",
        ),
        (
            Applied {
                foreign: vec![ForeignChild { kind: "Service".into(), name: "shop".into() }],
                ..settled()
            },
            "False/ForeignResource",
            ("BindingsReady", "True/AsSpecified"),
            "True/ForeignResource",
        ),
        (
            Applied { workloads: with_web(Some(web(1, 3))), ..settled() },
            "False/WebNotReady",
            ("Reconciling", "True/WebNotReady"),
            "False/NotStalled",
        ),
        (
            Applied { workloads: with_web(None), ..settled() },
            "False/WebNotReady",
            ("Reconciling", "True/WebNotReady"),
            "False/NotStalled",
        ),
    ];
    for (applied, ready, detail, stalled) in cases {
        let told = conditions(&status_of(&applied));
        assert_eq!(told["Ready"], ready, "{applied:?}");
        assert_eq!(told[detail.0], detail.1, "{applied:?}");
        assert_eq!(told["Stalled"], stalled, "{applied:?}");
    }
}

/// A web Deployment whose controller has seen this generation of its second one.
fn web_pods(wanted: i32, total: i32, ready: i32, updated: i32, seen: i64) -> Deployment {
    let mut deployment = web(ready, updated);
    deployment.spec.as_mut().unwrap().replicas = Some(wanted);
    let status = deployment.status.as_mut().unwrap();
    (status.replicas, status.observed_generation) = (Some(total), Some(seen));
    deployment
}

#[test]
fn visitors_are_served_while_a_rollout_or_one_missing_pod_is_work_under_way() {
    let all = [
        // (wanted, total, ready, updated, seen), Ready, Reconciling, how many are told
        ((3, 3, 3, 3, 2), "True/AsSpecified", "False/AsSpecified", "3 of 3"),
        ((3, 3, 3, 0, 1), "True/AsSpecified", "True/InProgress", "3 of 3, of the newest version: 0"),
        ((3, 4, 3, 1, 2), "True/AsSpecified", "True/InProgress", "3 of 3, of the newest version: 1"),
        ((3, 4, 4, 2, 2), "True/AsSpecified", "True/InProgress", "3 of 3, of the newest version: 2"),
        ((3, 4, 4, 3, 2), "True/AsSpecified", "True/InProgress", "3 of 3, of the newest version: 3"),
        ((3, 3, 2, 3, 2), "True/AsSpecified", "True/InProgress", "2 of 3, of the newest version: 3"),
        ((3, 3, 1, 3, 2), "False/WebNotReady", "True/WebNotReady", "1 of 3, of the newest version: 3"),
        ((2, 2, 1, 2, 2), "True/AsSpecified", "True/InProgress", "1 of 2, of the newest version: 2"),
        ((1, 1, 1, 1, 2), "True/AsSpecified", "False/AsSpecified", "1 of 1"),
        ((1, 1, 0, 1, 2), "False/WebNotReady", "True/WebNotReady", "0 of 1, of the newest version: 1"),
        ((2, 2, 0, 2, 2), "False/WebNotReady", "True/WebNotReady", "0 of 2, of the newest version: 2"),
    ];
    for ((wanted, total, ready, updated, seen), is_ready, reconciling, told) in all {
        let pods = web_pods(wanted, total, ready, updated, seen);
        let status = status_of(&Applied { workloads: with_web(Some(pods)), ..settled() });
        let all = conditions(&status);
        assert_eq!((&all["Ready"], &all["Reconciling"]), (&json!(is_ready), &json!(reconciling)), "{told}");
        let condition = status.condition("Ready").unwrap();
        assert_eq!(condition.message, format!("web pods ready: {told}"));
    }
}

#[test]
fn subscription_that_waits_keeps_nothing_from_being_ready() {
    let plain = [SubscriptionState::Pending, SubscriptionState::WaitingForWeb, SubscriptionState::Confirmed];
    for state in plain.into_iter().chain([unreachable()]) {
        let status = status_of(&Applied { subscription: state, ..settled() });
        assert_eq!(conditions(&status)["Ready"], "True/AsSpecified");
    }
}

#[test]
fn stalled_is_what_only_a_person_can_end() {
    let error = |kind| Error::new(kind, "look at bucket b");
    let kinds = [
        (ErrorKind::Denied, Some("AwsDenied")),
        (ErrorKind::Invalid, Some("AwsRefused")),
        (ErrorKind::Missing, None),
        (ErrorKind::Unavailable, None),
        (ErrorKind::Throttled, None),
    ];
    let mut cases = Vec::new();
    for (kind, stalled) in kinds {
        let bindings = BindingsOutcome::Failed(error(kind));
        cases.push((status_of(&Applied { bindings, ..settled() }), stalled));
        let registry = RegistryOutcome::Failed(error(kind));
        cases.push((status_of(&Applied { registry, ..settled() }), stalled));
        cases.push((status_by(&Outcome::Unknown(&error(kind))), stalled));
    }
    for reason in [reason::FOREIGN_RESOURCE, reason::ADOPTION_NOT_ALLOWED, reason::RESOURCE_MISSING] {
        cases.push((status_of(&Applied { bindings: refused(reason), ..settled() }), Some(reason)));
    }
    let foreign = vec![ForeignChild { kind: "Service".into(), name: "shop".into() }];
    cases.push((status_of(&Applied { foreign, ..settled() }), Some("ForeignResource")));
    let taken = vec![("shop.example.com".parse().unwrap(), "assetpipeline/other/shop".into())];
    let registry = RegistryOutcome::Settled { registered: vec![], taken };
    cases.push((status_of(&Applied { registry, ..settled() }), Some("HostTaken")));
    let invalid = InvalidSpec::Unidentified("uid");
    cases.push((status_by(&Outcome::Invalid(&invalid)), Some("InvalidSpec")));
    for (status, stalled) in cases {
        check_stalled(&status, stalled);
    }
}

#[test]
fn what_goes_on_by_itself_or_holds_nothing_up_is_not_stalled() {
    let changes: [fn(&mut Applied); 7] = [
        |applied| applied.bindings = BindingsOutcome::Worked(BindingsStatus::default()),
        |applied| applied.registry = RegistryOutcome::Waiting,
        |applied| applied.registry = RegistryOutcome::Worked,
        |applied| applied.drift = vec!["bucket b should encrypt".into()],
        |applied| applied.missing_secrets = vec![MissingSecret { field: "spec.x", name: "tokens".into() }],
        |applied| applied.subscription = unreachable(),
        |applied| applied.workloads.web = None,
    ];
    for change in changes {
        let mut applied = settled();
        change(&mut applied);
        check_stalled(&status_of(&applied), None);
    }
    check_stalled(&status_by(&Outcome::Deleting("the pods")), None);
}

fn check_stalled(status: &AssetPipelineStatus, reason: Option<&str>) {
    let expected = reason.map_or("False/NotStalled".to_owned(), |reason| format!("True/{reason}"));
    let told = conditions(status);
    assert_eq!(told["Stalled"], expected, "{told}");
    let is_moving = told["Reconciling"].as_str().unwrap().starts_with("True");
    assert!(!(is_moving && reason.is_some()), "{told}");
}

fn status_by(outcome: &Outcome<'_>) -> AssetPipelineStatus {
    compute_status(&AssetPipelineStatus::default(), Some(7), outcome, None, at(10))
}

fn unreachable() -> SubscriptionState {
    let endpoint = "https://hooks.example.com/work_complete".parse().unwrap();
    SubscriptionState::Unreachable { endpoint, why: Unreached::Foreign(404) }
}

#[test]
fn subscription_tells_since_when_its_reason_stands_and_what_was_met() {
    let mut status = AssetPipelineStatus::default();
    let pending = SubscriptionState::Pending;
    for (second, state, since) in [
        (10, unreachable(), 10),
        (20, unreachable(), 10),
        (30, pending.clone(), 30),
        (40, pending, 30),
        (50, SubscriptionState::Confirmed, 50),
    ] {
        let applied = Applied { subscription: state, ..settled() };
        status = compute_status(&status, Some(7), &Outcome::Applied(&applied), None, at(second));
        let told = status.condition("SubscriptionReady").unwrap();
        assert_eq!(told.last_transition_time.0, at(since), "{second}");
        let is_named = told.message.contains("post to https://hooks.example.com/work_complete")
            && told.message.contains("answered with status 404");
        assert_eq!(is_named, second < 30, "{}", told.message);
        // The others' time is that of their status.
        assert_eq!(status.condition("Ready").unwrap().last_transition_time.0, at(10));
    }
}

#[test]
fn missing_secret_is_told_by_name_and_leaves_those_who_serve_ready() {
    let field = "spec.originCredentials.secretName";
    let missing_secrets = vec![MissingSecret { field, name: "tokens".into() }];
    let status = status_of(&Applied { missing_secrets, ..settled() });
    let told = conditions(&status);
    assert_eq!(
        (&told["CredentialsReady"], &told["Ready"]),
        (&json!("False/SecretMissing"), &json!("True/AsSpecified"))
    );
    let expected =
        format!("this namespace has no Secret tokens, which {field} names: make it, or name another one");
    assert!(status.conditions.iter().any(|condition| condition.message == expected), "{status:?}");
}

#[test]
fn invalid_spec_stalls_with_the_fields_name() {
    let invalid = InvalidSpec::Field {
        field: "spec.web.holdSeconds".into(),
        value: "99".into(),
        problem: "it must lie between 9 and 29".into(),
    };
    let status =
        compute_status(&AssetPipelineStatus::default(), Some(7), &Outcome::Invalid(&invalid), None, at(10));
    let told = conditions(&status);
    assert_eq!((&told["Ready"], &told["Stalled"]), (&json!("False/InvalidSpec"), &json!("True/InvalidSpec")));
    assert!(status.conditions.iter().any(|condition| condition.message.contains("spec.web.holdSeconds")));
}

#[test]
fn same_outcome_gives_the_same_status_at_any_time() {
    let first = status_of(&settled());
    let second = compute_status(&first, Some(7), &Outcome::Applied(&settled()), None, at(99));
    assert_eq!(first, second);
    assert!(plan_events(&first.conditions, &second.conditions).is_empty());
}

#[test]
fn a_change_moves_only_its_own_time_and_is_told_once() {
    let first = status_of(&settled());
    let broken = Applied { workloads: with_web(Some(web(1, 3))), ..settled() };
    let second = compute_status(&first, Some(7), &Outcome::Applied(&broken), None, at(99));
    let time = |status: &AssetPipelineStatus, type_: &str| {
        let condition = status.condition(type_).unwrap();
        condition.last_transition_time.0
    };
    assert_eq!((time(&second, "Ready"), time(&second, "BindingsReady")), (at(99), at(10)));
    let events = plan_events(&first.conditions, &second.conditions);
    let notes: Vec<&str> = events.iter().map(|event| event.note.as_deref().unwrap()).collect();
    assert_eq!(notes, ["Ready is False: web pods ready: 1 of 3, of the newest version: 3"]);
}

#[test]
fn what_was_known_of_aws_is_still_told_during_an_outage() {
    let first = status_of(&settled());
    let outage = Error::new(ErrorKind::Unavailable, "look at bucket b");
    let applied = Applied { bindings: BindingsOutcome::Failed(outage), ..settled() };
    let second = compute_status(&first, Some(7), &Outcome::Applied(&applied), None, at(99));
    assert_eq!(second.bindings, first.bindings);
}
