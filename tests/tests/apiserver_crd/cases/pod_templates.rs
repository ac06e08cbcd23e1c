//! What `podTemplate` may hold, and what it must not.

use serde_json::{Value, json};

use super::Refused;

/// A field below `podTemplate`, as the API server names it for each of the two tiers.
macro_rules! of_both {
    ($field:literal) => {
        [concat!("spec.web.podTemplate", $field), concat!("spec.worker.podTemplate", $field)]
    };
}

pub(crate) fn accepted() -> Vec<Value> {
    let full = full();
    vec![
        json!({"web": {"podTemplate": {}}, "worker": {"podTemplate": {}}}),
        json!({"web": {"podTemplate": full}, "worker": {"podTemplate": full}}),
    ]
}

/// The longest of everything, on the right side of each bound.
fn full() -> Value {
    let name = || "n".repeat(253);
    let key = |index: usize| format!("{}.{}/a{index}", "a".repeat(63), "b".repeat(63));
    let entries = |value: &str| -> Value {
        (0..32).map(|index| (key(index), json!(value))).collect::<serde_json::Map<_, _>>().into()
    };
    let entry = json!({"name": name(), "key": name(), "optional": true});
    let mut env: Vec<_> = (0..61)
        .map(|index| json!({"name": format!("{}{index:03}", "N".repeat(253)), "value": "v".repeat(4096)}))
        .collect();
    env.extend([
        json!({"name": "empty", "value": ""}),
        json!({"name": "secret", "valueFrom": {"secretKeyRef": entry}}),
        json!({"name": "text", "valueFrom": {"configMapKeyRef": entry}}),
    ]);
    json!({"labels": entries(&"v".repeat(63)), "annotations": entries("any text"), "env": env})
}

pub(crate) fn refused() -> Vec<Refused> {
    [metadata(), environment(), shapes()].into_iter().flatten().collect()
}

/// The same `podTemplate` for both tiers, and where it is wrong.
fn wrong(fields: [&'static str; 2], says: &'static str, template: &Value) -> [Refused; 2] {
    let [web, worker] = fields;
    let spec = |tier: &str| json!({tier: {"podTemplate": template}});
    [Refused { spec: spec("web"), field: web, says }, Refused { spec: spec("worker"), field: worker, says }]
}

fn metadata() -> Vec<Refused> {
    let own_labels = "pod-template-hash, are not yours to set: leave them out, or use a prefix of your own";
    let own = "that begin with assetpipeline.dev/ are not yours to set: leave them out, or use a prefix";
    let loosening = "cannot loosen what confines the pods (AppArmor, seccomp) or give them another identity";
    let too_many = |field: &str| -> Value {
        let entries = (0..33).map(|index| (format!("a{index}"), json!("v")));
        json!({field: entries.collect::<serde_json::Map<_, _>>()})
    };
    let mut cases = Vec::new();
    for key in ["a b", "-a", "/a", "A.b/c", "a..b/c", &"a".repeat(64)] {
        let (labels, annotations) = (
            "a key of podTemplate.labels must be a name such as",
            "a key of podTemplate.annotations must be",
        );
        cases.extend(wrong(of_both!(".labels"), labels, &json!({"labels": {key: "v"}})));
        cases.extend(wrong(of_both!(".annotations"), annotations, &json!({"annotations": {key: "v"}})));
    }
    for key in ["app.kubernetes.io/name", "assetpipeline.dev/pipeline", "pod-template-hash"] {
        cases.extend(wrong(of_both!(".labels"), own_labels, &json!({"labels": {"team": "a", key: "v"}})));
    }
    cases.extend(wrong(
        of_both!(".annotations"),
        own,
        &json!({"annotations": {"team": "a", "assetpipeline.dev/applied": "v"}}),
    ));
    for key in [
        "container.apparmor.security.beta.kubernetes.io/web",
        "seccomp.security.alpha.kubernetes.io/pod",
        "iam.amazonaws.com/role",
    ] {
        cases.extend(wrong(of_both!(".annotations"), loosening, &json!({"annotations": {key: "v"}})));
    }
    cases.extend(wrong(
        of_both!(".labels.team"),
        "may not be more than 63",
        &json!({"labels": {"team": "v".repeat(64)}}),
    ));
    cases.extend(wrong(of_both!(".labels.team"), "should match", &json!({"labels": {"team": "a b"}})));
    cases.extend(wrong(
        of_both!(".annotations.team"),
        "may not be more than 4096",
        &json!({"annotations": {"team": "v".repeat(4097)}}),
    ));
    cases.extend(wrong(of_both!(".labels"), "must have at most 32 items", &too_many("labels")));
    cases.extend(wrong(of_both!(".annotations"), "must have at most 32 items", &too_many("annotations")));
    // The refusal names the key.
    cases.extend(wrong(
        of_both!(".labels"),
        "key pod-template-hash: ",
        &json!({"labels": {"pod-template-hash": "v"}}),
    ));
    cases
}

fn environment() -> Vec<Refused> {
    let own = "names of podTemplate.env that begin with ASSETS_ or AWS_ are the operator's: leave it out";
    let source = "an entry of podTemplate.env needs either value or valueFrom: give one of them";
    let place = "valueFrom in podTemplate.env needs either secretKeyRef or configMapKeyRef: give one of them";
    let (empty, long) = ("at least 1 chars long", "may not be more than 253");
    let with = |variable: Value| json!({"env": [variable]});
    let entry = |name: &str, key: &str| json!({"name": name, "key": key});
    let from = |source: Value| with(json!({"name": "A", "valueFrom": source}));
    let mut cases = Vec::new();
    for name in ["ASSETS_BUCKET", "ASSETS_X", "AWS_REGION"] {
        cases.extend(wrong(of_both!(".env[0]"), own, &with(json!({"name": name, "value": "v"}))));
    }
    let both = json!({"name": "A", "value": "v", "valueFrom": {"secretKeyRef": entry("n", "k")}});
    cases.extend(wrong(of_both!(".env[0]"), source, &with(both)));
    cases.extend(wrong(of_both!(".env[0]"), source, &with(json!({"name": "A"}))));
    let two = json!({"secretKeyRef": entry("n", "k"), "configMapKeyRef": entry("n", "k")});
    for either in [two, json!({})] {
        cases.extend(wrong(of_both!(".env[0].valueFrom"), place, &from(either)));
    }
    let named = |name: String| with(json!({"name": name, "value": "v"}));
    cases.extend(wrong(of_both!(".env[0].name"), "should match", &named("1A".into())));
    cases.extend(wrong(of_both!(".env[0].name"), "may not be more than 256", &named("A".repeat(257))));
    let value = with(json!({"name": "A", "value": "v".repeat(4097)}));
    cases.extend(wrong(of_both!(".env[0].value"), "may not be more than 4096", &value));
    let many: Vec<_> = (0..65).map(|index| json!({"name": format!("A{index}"), "value": "v"})).collect();
    cases.extend(wrong(of_both!(".env"), "must have at most 64 items", &json!({"env": many})));
    for (text, says) in [(String::new(), empty), ("n".repeat(254), long)] {
        let secret = |name, key| from(json!({"secretKeyRef": entry(name, key)}));
        let config = |name, key| from(json!({"configMapKeyRef": entry(name, key)}));
        cases.extend(wrong(of_both!(".env[0].valueFrom.secretKeyRef.name"), says, &secret(&text, "k")));
        cases.extend(wrong(of_both!(".env[0].valueFrom.secretKeyRef.key"), says, &secret("n", &text)));
        cases.extend(wrong(of_both!(".env[0].valueFrom.configMapKeyRef.name"), says, &config(&text, "k")));
        cases.extend(wrong(of_both!(".env[0].valueFrom.configMapKeyRef.key"), says, &config("n", &text)));
    }
    let twice = json!({"name": "A", "value": "v"});
    cases.extend(wrong(
        of_both!(".env"),
        "duplicate entries for key [name=\"A\"]",
        &json!({"env": [twice, twice]}),
    ));
    cases
}

/// What a pod has and a `podTemplate` has no word for.
fn shapes() -> Vec<Refused> {
    let unknown = "field not declared in schema";
    let mut cases = Vec::new();
    cases.extend(wrong(of_both!(".serviceAccountName"), unknown, &json!({"serviceAccountName": "admin"})));
    cases.extend(wrong(of_both!(".hostNetwork"), unknown, &json!({"hostNetwork": true})));
    cases.extend(wrong(of_both!(".hostPID"), unknown, &json!({"hostPID": true})));
    cases.extend(wrong(of_both!(".hostIPC"), unknown, &json!({"hostIPC": true})));
    cases.extend(wrong(
        of_both!(".securityContext"),
        unknown,
        &json!({"securityContext": {"privileged": true}}),
    ));
    cases.extend(wrong(of_both!(".containers"), unknown, &json!({"containers": []})));
    cases
}
