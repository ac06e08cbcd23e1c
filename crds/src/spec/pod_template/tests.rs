use serde_json::{Value, json};

use crate::AssetPipeline;

/// The messages with which the rules refuse a pipeline of these pods; none where it is accepted.
fn refusals(tier: &str, pods: &Value) -> Vec<String> {
    let spec = json!({tier: {"podTemplate": pods}});
    match AssetPipeline::new("site", serde_json::from_value(spec).unwrap()).validate_cel() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

#[test]
fn additions_that_nobody_else_makes_are_accepted() {
    let entry = json!({"name": "n", "key": "k"});
    for pods in [
        json!({}),
        json!({"labels": {"team": "shop", "example.com/cost-centre": ""}}),
        json!({"annotations": {"sidecar.istio.io/inject": "false"}}),
        json!({"env": [{"name": "RUST_LOG", "value": ""}, {"name": "A", "valueFrom": {"secretKeyRef": entry}}]}),
        json!({"env": [{"name": "awsome", "valueFrom": {"configMapKeyRef": entry}}]}),
        json!({"volumes": [
            {"name": "a", "mountPath": "/mnt/a", "configMap": {"name": "n"}},
            {"name": "b", "mountPath": "/mnt/b", "secret": {"secretName": "n"}},
            {"name": "c", "mountPath": "/mnt/a/c", "emptyDir": {"sizeLimit": "64Mi"}},
        ]}),
        json!({"tolerations": [{"key": "spot"}, {"key": "a/b", "operator": "Exists"}]}),
        json!({"tolerations": [{"key": "spot", "value": "x", "effect": "NoExecute", "tolerationSeconds": 0}]}),
        json!({"resources": {"requests": {"cpu": "0.25", "memory": "4Gi"}, "limits": {"cpu": "250m", "memory": "4Gi"}}}),
        json!({"resources": {"requests": {"memory": "768Mi"}, "limits": {"cpu": "100m"}}}),
        json!({"nodeSelector": {"karpenter.sh/capacity-type": "spot"}, "priorityClassName": "low"}),
    ] {
        for tier in ["web", "worker"] {
            assert_eq!(refusals(tier, &pods), Vec::<String>::new(), "{pods}");
        }
    }
}

#[test]
fn what_is_the_operators_is_refused_by_name() {
    let variable = |name: &str| json!({"env": [{"name": name, "value": "x"}]});
    let entry = json!({"name": "n", "key": "k"});
    let volume = |changed: &Value| {
        let mut volume = json!({"name": "a", "mountPath": "/mnt/a", "secret": {"secretName": "n"}});
        volume.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        json!({"volumes": [volume]})
    };
    let twin = |name: &str| json!({"name": name, "mountPath": "/mnt/a", "configMap": {"name": "n"}});
    for (pods, expected) in [
        (json!({"labels": {"a b": "c"}}), "key a b: a key of podTemplate.labels must be"),
        (
            json!({"labels": {"app.kubernetes.io/name": "x"}}),
            "key app.kubernetes.io/name: keys of podTemplate.labels",
        ),
        (
            json!({"labels": {"assetpipeline.dev/pipeline": "x"}}),
            "key assetpipeline.dev/pipeline: keys of podTemplate.labels",
        ),
        (json!({"labels": {"pod-template-hash": "x"}}), "key pod-template-hash: keys of podTemplate.labels"),
        (json!({"annotations": {"-a": "c"}}), "key -a: a key of podTemplate.annotations must be"),
        (json!({"annotations": {"assetpipeline.dev/a": "c"}}), "key assetpipeline.dev/a: keys of"),
        (
            json!({"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}}),
            "key container.apparmor.security.beta.kubernetes.io/web: podTemplate.annotations cannot loosen",
        ),
        (json!({"annotations": {"iam.amazonaws.com/role": "admin"}}), "key iam.amazonaws.com/role: "),
        (variable("AWS_PROFILE"), "AWS_PROFILE: names of podTemplate.env that begin with ASSETS_ or AWS_"),
        (variable("ASSETS_BUCKET"), "ASSETS_BUCKET: names of podTemplate.env"),
        (json!({"env": [{"name": "A"}]}), "an entry of podTemplate.env needs either"),
        (
            json!({"env": [{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": entry}}]}),
            "an entry of podTemplate.env needs either",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": entry, "configMapKeyRef": entry}}]}),
            "valueFrom in podTemplate.env needs either",
        ),
        (volume(&json!({"name": "notice-key"})), "the names notice-key and origin-credentials"),
        (volume(&json!({"name": "origin-credentials"})), "the names notice-key and origin-credentials"),
        (volume(&json!({"configMap": {"name": "n"}})), "an entry of podTemplate.volumes needs one of"),
        (json!({"volumes": [{"name": "a", "mountPath": "/mnt/a"}]}), "an entry of podTemplate.volumes needs"),
        (
            json!({"volumes": [twin("a"), twin("b")]}),
            "entries of podTemplate.volumes must not have the same mountPath",
        ),
        (json!({"nodeSelector": {"a b": "c"}}), "key a b: a key of podTemplate.nodeSelector must be"),
        (
            json!({"tolerations": [{"key": "node.kubernetes.io/unreachable"}]}),
            "podTemplate.tolerations cannot name",
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
            "value in podTemplate.tolerations needs operator Equal",
        ),
        (
            json!({"tolerations": [{"key": "a", "tolerationSeconds": 1}]}),
            "tolerationSeconds in podTemplate.tolerations needs",
        ),
        (json!({"priorityClassName": "system-node-critical"}), "podTemplate.priorityClassName cannot"),
    ] {
        for tier in ["web", "worker"] {
            let refusals = refusals(tier, &pods);
            assert!(refusals.len() == 1 && refusals[0].starts_with(expected), "{pods}: {refusals:?}");
        }
    }
}

#[test]
fn resources_have_room_for_what_pods_need() {
    let limited = |memory: &str| json!({"resources": {"limits": {"memory": memory}}});
    let asking = |memory: &str| json!({"resources": {"requests": {"memory": memory}}});
    for (tier, pods, expected) in [
        (
            "web",
            limited("767Mi"),
            "spec.web.podTemplate.resources.limits.memory must be at least 768 MiB, which",
        ),
        (
            "worker",
            limited("2207Mi"),
            "spec.worker.podTemplate.resources.limits.memory must be at least 256 MiB and 976 MiB for each",
        ),
        (
            "web",
            asking("769Mi"),
            "spec.web.podTemplate.resources.requests.memory must not be above the limit",
        ),
        ("worker", asking("2209Mi"), "spec.worker.podTemplate.resources.requests.memory must not be above"),
        (
            "web",
            json!({"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "0.5"}}}),
            "spec.web.podTemplate.resources.limits.cpu must not be below the request",
        ),
        (
            "worker",
            json!({"resources": {"limits": {"cpu": "99m"}}}),
            "spec.worker.podTemplate.resources.limits.cpu must not be below the request, 100m by default",
        ),
    ] {
        let refusals = refusals(tier, &pods);
        assert!(refusals.len() == 1 && refusals[0].starts_with(expected), "{pods}: {refusals:?}");
    }
}
