//! What a `podTemplate` adds to the pods of its tier, and of no other.

use serde_json::{Value, json};

use super::*;
use crate::names::Tier;

/// The pods of both tiers of a pipeline whose web or worker pods have these additions.
fn pods_with(tier: Tier, template: &Value) -> [(Tier, Value); 2] {
    let mut object = fixture();
    object.spec.web.pod_template = None;
    object.spec.worker.pod_template = None;
    let template = Some(serde_json::from_value(template.clone()).unwrap());
    match tier {
        Tier::Web => object.spec.web.pod_template = template,
        Tier::Worker => object.spec.worker.pod_template = template,
    }
    let children = settle(&object, Sight::Seen(bindings()), ObservedChildren::default()).children;
    let template =
        |change: &Change<Deployment>| serde_json::to_value(applied(change).spec.unwrap().template).unwrap();
    [(Tier::Web, template(&children.web_deployment)), (Tier::Worker, template(&children.worker_deployment))]
}

/// What `added` has at the pointer and `plain` has not: for lists their further entries, for maps too.
fn added_at(pointer: &str, plain: &Value, added: &Value) -> Value {
    match (plain.pointer(pointer), added.pointer(pointer)) {
        (Some(Value::Array(plain)), Some(Value::Array(added))) => {
            assert!(added.starts_with(plain), "the operator's own entries changed at {pointer}");
            added[plain.len()..].into()
        }
        (Some(Value::Object(plain)), Some(Value::Object(added))) => {
            let kept = plain.iter().all(|(key, value)| added.get(key) == Some(value));
            assert!(kept, "the operator's own entries changed at {pointer}");
            let more = added.iter().filter(|(key, _)| !plain.contains_key(*key));
            Value::Object(more.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        (Some(plain), Some(added)) if plain != added => added.clone(),
        (None, Some(added)) => added.clone(),
        (plain, added) => panic!("{plain:?} became {added:?} at {pointer}"),
    }
}

/// Each addition, with the places where it shows, and what shows there.
fn additions() -> Vec<(Value, Vec<(&'static str, Value)>)> {
    const ENV: &str = "/spec/containers/0/env";
    let entry = |optional: bool| json!({"name": "n", "key": "k", "optional": optional});
    let variable = |source: &str, optional: bool| json!({"env": [{"name": "A", "valueFrom": {source: entry(optional)}}]});
    let needed = json!({"name": "n", "key": "k"});
    let mut all = vec![
        (json!({"labels": {"team": "shop"}}), vec![("/metadata/labels", json!({"team": "shop"}))]),
        (json!({"annotations": {"a/b": "c"}}), vec![("/metadata/annotations", json!({"a/b": "c"}))]),
        (
            json!({"env": [{"name": "RUST_LOG", "value": "debug"}]}),
            vec![(ENV, json!([{"name": "RUST_LOG", "value": "debug"}]))],
        ),
        (
            variable("secretKeyRef", false),
            vec![(ENV, json!([{"name": "A", "valueFrom": {"secretKeyRef": needed}}]))],
        ),
        (
            variable("secretKeyRef", true),
            vec![(ENV, json!([{"name": "A", "valueFrom": {"secretKeyRef": entry(true)}}]))],
        ),
        (
            variable("configMapKeyRef", false),
            vec![(ENV, json!([{"name": "A", "valueFrom": {"configMapKeyRef": needed}}]))],
        ),
        (
            variable("configMapKeyRef", true),
            vec![(ENV, json!([{"name": "A", "valueFrom": {"configMapKeyRef": entry(true)}}]))],
        ),
        volume(
            &json!({"configMap": {"name": "n", "optional": false}}),
            &json!({"configMap": {"name": "n"}}),
            &json!({"readOnly": true}),
        ),
        volume(
            &json!({"configMap": {"name": "n", "optional": true}}),
            &json!({"configMap": {"name": "n", "optional": true}}),
            &json!({"readOnly": true}),
        ),
        volume(
            &json!({"secret": {"secretName": "n"}}),
            &json!({"secret": {"secretName": "n"}}),
            &json!({"readOnly": true}),
        ),
        volume(
            &json!({"secret": {"secretName": "n", "optional": true}}),
            &json!({"secret": {"secretName": "n", "optional": true}}),
            &json!({"readOnly": true}),
        ),
        volume(
            &json!({"emptyDir": {"sizeLimit": "2048Mi"}}),
            &json!({"emptyDir": {"sizeLimit": "2Gi"}}),
            &json!({}),
        ),
    ];
    all.extend(scheduling());
    all.extend(resources());
    all
}

/// A volume of this kind, and how volume and mount look in the pods.
fn volume(source: &Value, shown: &Value, mount: &Value) -> (Value, Vec<(&'static str, Value)>) {
    let with = |base: Value, more: &Value| {
        let mut all = base.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        Value::from(all)
    };
    let mounted = with(json!({"name": "a", "mountPath": "/mnt/a"}), mount);
    (
        json!({"volumes": [with(json!({"name": "a", "mountPath": "/mnt/a"}), source)]}),
        vec![
            ("/spec/volumes", json!([with(json!({"name": "a"}), shown)])),
            ("/spec/containers/0/volumeMounts", json!([mounted])),
        ],
    )
}

fn resources() -> Vec<(Value, Vec<(&'static str, Value)>)> {
    let amount = |part: &str, name: &str, pointer: &'static str, written: &str, shown: &str| {
        (json!({"resources": {part: {name: written}}}), vec![(pointer, json!(shown))])
    };
    vec![
        amount("requests", "cpu", "/spec/containers/0/resources/requests/cpu", "1500m", "1500m"),
        amount("requests", "memory", "/spec/containers/0/resources/requests/memory", "512Mi", "512Mi"),
        amount("limits", "cpu", "/spec/containers/0/resources/limits/cpu", "2000m", "2"),
        amount("limits", "memory", "/spec/containers/0/resources/limits/memory", "4096Mi", "4Gi"),
    ]
}

fn scheduling() -> Vec<(Value, Vec<(&'static str, Value)>)> {
    let same =
        |name: &str, pointer: &'static str, value: Value| (json!({name: value}), vec![(pointer, value)]);
    let toleration = |written: Value, shown: Value| {
        (json!({"tolerations": [written]}), vec![("/spec/tolerations", json!([shown]))])
    };
    let full =
        json!({"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 7});
    vec![
        same("nodeSelector", "/spec/nodeSelector", json!({"karpenter.sh/capacity-type": "spot"})),
        same("priorityClassName", "/spec/priorityClassName", json!("low")),
        same("runtimeClassName", "/spec/runtimeClassName", json!("kata")),
        same("imagePullSecrets", "/spec/imagePullSecrets", json!([{"name": "registry"}])),
        toleration(json!({"key": "a"}), json!({"key": "a", "operator": "Equal"})),
        toleration(
            json!({"key": "a", "operator": "Exists", "effect": "NoSchedule"}),
            json!({"key": "a", "operator": "Exists", "effect": "NoSchedule"}),
        ),
        toleration(full.clone(), full),
    ]
}

#[test]
fn every_addition_shows_in_the_pods_of_its_tier_alone() {
    for tier in [Tier::Web, Tier::Worker] {
        let plain = pods_with(tier, &json!({}));
        for (template, expected) in additions() {
            let changed = pods_with(tier, &template);
            for ((of, plain), (_, changed)) in plain.iter().zip(&changed) {
                if *of != tier {
                    assert_eq!(plain, changed, "{template} of {tier:?} changed {of:?}");
                    continue;
                }
                for (pointer, expected) in &expected {
                    assert_eq!(added_at(pointer, plain, changed), *expected, "{template}");
                }
                let mut rest = changed.clone();
                for (pointer, _) in &expected {
                    restore(pointer, plain, &mut rest);
                }
                assert_eq!(rest, *plain, "{template} changed more");
            }
        }
    }
}

/// Gives `changed` what `plain` has at the pointer.
fn restore(pointer: &str, plain: &Value, changed: &mut Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = changed.pointer_mut(parent).unwrap();
    match plain.pointer(pointer) {
        Some(plain) => parent[name] = plain.clone(),
        None => {
            parent.as_object_mut().unwrap().remove(name);
        }
    }
}

/// Whether the API server gives the quantity back as it is written: no other suffix says it with a smaller
/// whole number.
fn is_canonical(quantity: &str) -> bool {
    let digits = quantity.trim_end_matches(|c: char| !c.is_ascii_digit());
    let amount: u64 = digits.parse().unwrap();
    match &quantity[digits.len()..] {
        "Ki" | "Mi" | "Gi" | "Ti" => !amount.is_multiple_of(1024),
        "" | "m" => !amount.is_multiple_of(1000),
        other => panic!("{other:?} is not a suffix that we write"),
    }
}

#[test]
fn quantities_are_written_as_the_api_server_gives_them_back() {
    assert!(is_canonical("1Gi") && is_canonical("1792Mi") && is_canonical("100m"));
    assert!(!is_canonical("1024Mi") && !is_canonical("1000m"));
    for concurrency in 1..=64 {
        let mut object = fixture();
        object.spec.worker.concurrency = concurrency;
        let children = settle(&object, Sight::Seen(bindings()), ObservedChildren::default()).children;
        for deployment in [applied(&children.worker_deployment), applied(&children.web_deployment)] {
            let containers = deployment.spec.unwrap().template.spec.unwrap().containers;
            let resources = containers.into_iter().filter_map(|container| container.resources);
            let maps = resources.flat_map(|found| [found.requests, found.limits]).flatten();
            for (name, quantity) in maps.flatten() {
                assert!(is_canonical(&quantity.0), "{name} {} at {concurrency}", quantity.0);
            }
        }
    }
}
