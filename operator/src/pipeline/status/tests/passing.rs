//! Conditions that are there only while they hold.

use super::*;

fn suspended_after(before: &AssetPipelineStatus, web_pods: Option<Deployment>) -> AssetPipelineStatus {
    let workloads = Workloads { web: web_pods, worker: None };
    compute_status(
        before,
        Some(8),
        &Outcome::Suspended { workloads: &workloads, zones: &TierZones::default() },
        None,
        at(99),
    )
}

#[test]
fn suspended_pipeline_serves_as_it_did_and_says_how_to_go_on() {
    let before = status_of(&settled());
    let status = suspended_after(&before, Some(web(3, 3)));
    assert_eq!(
        conditions(&status),
        json!({
            "Reconciling": "False/Suspended",
            "Stalled": "False/NotStalled",
            "Ready": "True/Suspended",
            "BindingsReady": "True/AsSpecified",
            "DriftFree": "True/AsSpecified",
            "TenantsReady": "True/AsSpecified",
            "SubscriptionReady": "False/NoEndpoint",
            "CredentialsReady": "True/AsSpecified",
            "WebAvailable": "True/AsSpecified",
            "WorkersAvailable": "False/WorkersNotReady",
            "TimeoutsCoherent": "True/AsSpecified",
            "IngressReady": "True/AsSpecified",
            "Suspended": "True/Suspended",
        })
    );
    let generation = |type_: &str| {
        let condition = status.condition(type_).unwrap();
        condition.observed_generation
    };
    assert_eq!((generation("Ready"), generation("BindingsReady")), (Some(8), Some(7)));
    assert_eq!(status.bindings, before.bindings);
    let events = plan_events(&before.conditions, &status.conditions);
    let notes: Vec<&str> = events.iter().map(|event| event.note.as_deref().unwrap()).collect();
    assert_eq!(
        notes,
        [
            "Suspended is True: spec.suspend is true: nothing of the pipeline is changed, on AWS or in the cluster, \
          but the number of workers; its pods run on. Set it to false to go on"
        ]
    );
    let resumed = compute_status(&status, Some(9), &Outcome::Applied(&settled()), None, at(100));
    assert_eq!(conditions(&resumed), conditions(&before));
}

#[test]
fn suspended_pipeline_that_does_not_serve_says_so() {
    let stalled =
        Applied { foreign: vec![ForeignChild { kind: "Ingress".into(), name: "shop".into() }], ..settled() };
    for (before, pods) in [
        (AssetPipelineStatus::default(), Some(web(3, 3))),
        (status_of(&settled()), Some(web(0, 3))),
        (status_of(&settled()), None),
        (status_of(&Applied { bindings: refused(reason::RESOURCE_MISSING), ..settled() }), Some(web(3, 3))),
        (status_of(&stalled), Some(web(3, 3))),
    ] {
        let status = suspended_after(&before, pods);
        assert_eq!(conditions(&status)["Ready"], "False/Suspended", "{before:?}");
        assert_eq!(suspended_after(&status, None).conditions.len(), status.conditions.len());
    }
}

#[test]
fn deletion_that_aws_blocks_is_told_until_it_goes_on() {
    let before = status_of(&settled());
    let fail = |kind| {
        let error = FinalizeError::ObserveBindings(Error::new(kind, "look at bucket b"));
        compute_status(&before, Some(8), &Outcome::DeletionFailed(&error), None, at(99))
    };
    for (kind, reason) in [
        (ErrorKind::Unavailable, json!("True/AwsUnavailable")),
        (ErrorKind::Denied, json!("True/AwsDenied")),
        (ErrorKind::Invalid, json!("True/AwsRefused")),
        (ErrorKind::Missing, json!("True/AwsUnavailable")),
        // It passes.
        (ErrorKind::Throttled, Value::Null),
    ] {
        let told = conditions(&fail(kind));
        assert_eq!((&told["DeletionBlocked"], &told["Ready"]), (&reason, &json!("False/Deleting")));
    }
    let blocked = fail(ErrorKind::Denied);
    let events = plan_events(&before.conditions, &blocked.conditions);
    let warnings: Vec<&str> = events
        .iter()
        .filter(|event| event.type_ == EventType::Warning)
        .map(|event| event.note.as_deref().unwrap())
        .collect();
    assert_eq!(
        warnings,
        [
            "DeletionBlocked is True: could not look at bucket b (Denied); mend that, and the deletion goes on, or give up what \
          the pipeline has on AWS and annotate it assetpipeline.dev/let-go=leave-everything-on-aws: then it goes, and \
          events name what stays"
        ]
    );
    let goes_on = compute_status(&blocked, Some(8), &Outcome::Deleting("waiting"), None, at(100));
    assert_eq!(conditions(&goes_on)["DeletionBlocked"], Value::Null);
}
