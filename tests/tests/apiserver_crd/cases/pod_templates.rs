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
    let mut volumes: Vec<_> = (0..30)
        .map(|index| {
            let path = format!("/mnt/{}/{}{index:02}", "p".repeat(200), "q".repeat(45));
            let volume = format!("{}{index:02}", "v".repeat(61));
            json!({"name": volume, "mountPath": path, "configMap": {"name": name(), "optional": true}})
        })
        .collect();
    volumes.push(json!({"name": "a", "mountPath": "/mnt/_a/b.c-d", "secret": {"secretName": name()}}));
    volumes.push(json!({"name": "b", "mountPath": "/mnt/b", "emptyDir": {"sizeLimit": "999999Gi"}}));
    let mut tolerations = vec![json!({"key": key(0), "operator": "Exists"}); 30];
    let seconds = |seconds: i32| json!({"key": "a", "value": "v".repeat(63), "effect": "NoExecute", "tolerationSeconds": seconds});
    tolerations.extend([seconds(0), seconds(86_400)]);
    let secrets: Vec<_> =
        (0..32).map(|index| json!({"name": format!("{}{index:02}", "n".repeat(251))})).collect();
    json!({
        "labels": entries(&"v".repeat(63)), "annotations": entries("any text"), "env": env, "volumes": volumes,
        "nodeSelector": entries(&"v".repeat(63)), "tolerations": tolerations, "imagePullSecrets": secrets,
        "priorityClassName": name(), "runtimeClassName": name(),
        "resources": {
            "requests": {"cpu": "999.999", "memory": "999999Mi"}, "limits": {"cpu": "999999m", "memory": "9999Gi"},
        },
    })
}

pub(crate) fn refused() -> Vec<Refused> {
    [metadata(), environment(), volumes(), scheduling(), resources(), shapes()]
        .into_iter()
        .flatten()
        .collect()
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

/// A right volume, which differs from others by these fields.
fn volume(changed: &Value) -> Value {
    let mut volume = json!({"name": "a", "mountPath": "/mnt/a", "configMap": {"name": "n"}});
    if let (Some(volume), Some(changed)) = (volume.as_object_mut(), changed.as_object()) {
        volume.extend(changed.clone());
    }
    volume
}

fn volumes() -> Vec<Refused> {
    let own = "the names notice-key and origin-credentials in podTemplate.volumes are the operator's: choose another";
    let one = "an entry of podTemplate.volumes needs one of configMap, secret and emptyDir: give one of them";
    let path = "entries of podTemplate.volumes must not have the same mountPath: give each one of its own";
    let (empty, long) = ("at least 1 chars long", "may not be more than 253");
    let with = |changed: Value| json!({"volumes": [volume(&changed)]});
    let bare = |source: Value| {
        let mut all = json!({"name": "a", "mountPath": "/mnt/a"});
        if let (Some(all), Some(source)) = (all.as_object_mut(), source.as_object()) {
            all.extend(source.clone());
        }
        json!({"volumes": [all]})
    };
    let mut cases = Vec::new();
    for name in ["notice-key", "origin-credentials"] {
        cases.extend(wrong(of_both!(".volumes[0]"), own, &with(json!({"name": name}))));
    }
    cases.extend(wrong(of_both!(".volumes[0]"), one, &with(json!({"secret": {"secretName": "n"}}))));
    cases.extend(wrong(of_both!(".volumes[0]"), one, &bare(json!({}))));
    let twins = json!({"volumes": [volume(&json!({})), volume(&json!({"name": "b"}))]});
    cases.extend(wrong(of_both!(".volumes"), path, &twins));
    let same = json!({"volumes": [volume(&json!({})), volume(&json!({"mountPath": "/mnt/b"}))]});
    cases.extend(wrong(of_both!(".volumes"), "duplicate entries for key [name=\"a\"]", &same));
    for name in ["A", "a.b", "-a", ""] {
        cases.extend(wrong(of_both!(".volumes[0].name"), "should match", &with(json!({"name": name}))));
    }
    cases.extend(wrong(
        of_both!(".volumes[0].name"),
        "may not be more than 63",
        &with(json!({"name": "a".repeat(64)})),
    ));
    for path in [
        "/",
        "/mnt",
        "/mnt/",
        "mnt/a",
        "/mnt/../etc",
        "/mnt/a/..",
        "/etc/ssl",
        "/mnt/a:b",
        "/var/run/secrets",
    ] {
        cases.extend(wrong(
            of_both!(".volumes[0].mountPath"),
            "should match",
            &with(json!({"mountPath": path})),
        ));
    }
    let path = format!("/mnt/{}", "p".repeat(249));
    cases.extend(wrong(of_both!(".volumes[0].mountPath"), long, &with(json!({"mountPath": path}))));
    for (name, says) in [(String::new(), empty), ("n".repeat(254), long)] {
        let map = bare(json!({"configMap": {"name": name}}));
        cases.extend(wrong(of_both!(".volumes[0].configMap.name"), says, &map));
        let secret = bare(json!({"secret": {"secretName": name}}));
        cases.extend(wrong(of_both!(".volumes[0].secret.secretName"), says, &secret));
    }
    for size in ["0Mi", "64", "64M", "1.5Gi", "1000000Mi"] {
        let empty = bare(json!({"emptyDir": {"sizeLimit": size}}));
        cases.extend(wrong(of_both!(".volumes[0].emptyDir.sizeLimit"), "should match", &empty));
    }
    let many: Vec<_> = (0..33)
        .map(|index| volume(&json!({"name": format!("a{index}"), "mountPath": format!("/mnt/{index}")})))
        .collect();
    cases.extend(wrong(of_both!(".volumes"), "must have at most 32 items", &json!({"volumes": many})));
    cases
}

fn scheduling() -> Vec<Refused> {
    let label =
        "a key of podTemplate.nodeSelector must be a label such as karpenter.sh/capacity-type: change it";
    let taint =
        "podTemplate.tolerations cannot name taints under node.kubernetes.io/, by which the cluster keeps";
    let value = "value in podTemplate.tolerations needs operator Equal: leave the value or the operator out";
    let seconds =
        "tolerationSeconds in podTemplate.tolerations needs effect NoExecute: set the effect, or leave";
    let class =
        "podTemplate.priorityClassName cannot begin with system-, which is for the cluster's own pods";
    let (empty, long) = ("at least 1 chars long", "may not be more than 253");
    let with = |toleration: Value| json!({"tolerations": [toleration]});
    let mut cases = Vec::new();
    cases.extend(wrong(of_both!(".nodeSelector"), label, &json!({"nodeSelector": {"a b": "c"}})));
    cases.extend(wrong(of_both!(".nodeSelector.a"), "should match", &json!({"nodeSelector": {"a": "b c"}})));
    let many: serde_json::Map<_, _> = (0..33).map(|index| (format!("a{index}"), json!("v"))).collect();
    cases.extend(wrong(
        of_both!(".nodeSelector"),
        "must have at most 32 items",
        &json!({"nodeSelector": many}),
    ));
    for key in
        ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready", "node.kubernetes.io/unschedulable"]
    {
        cases.extend(wrong(
            of_both!(".tolerations[0]"),
            taint,
            &with(json!({"key": key, "operator": "Exists"})),
        ));
    }
    cases.extend(wrong(
        of_both!(".tolerations[0].key"),
        "Required value",
        &with(json!({"operator": "Exists"})),
    ));
    cases.extend(wrong(of_both!(".tolerations[0].key"), "should match", &with(json!({"key": ""}))));
    cases.extend(wrong(
        of_both!(".tolerations[0].key"),
        "may not be more than 317",
        &with(json!({"key": "k".repeat(318)})),
    ));
    let both = json!({"key": "a", "operator": "Exists", "value": "b"});
    cases.extend(wrong(of_both!(".tolerations[0]"), value, &with(both)));
    let kept = json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1});
    for toleration in [json!({"key": "a", "tolerationSeconds": 1}), kept] {
        cases.extend(wrong(of_both!(".tolerations[0]"), seconds, &with(toleration)));
    }
    let lasting =
        |seconds: i32| with(json!({"key": "a", "effect": "NoExecute", "tolerationSeconds": seconds}));
    cases.extend(wrong(
        of_both!(".tolerations[0].tolerationSeconds"),
        "greater than or equal to 0",
        &lasting(-1),
    ));
    cases.extend(wrong(
        of_both!(".tolerations[0].tolerationSeconds"),
        "less than or equal to 86400",
        &lasting(86_401),
    ));
    cases.extend(wrong(
        of_both!(".tolerations[0].operator"),
        r#"supported values: "Equal", "Exists""#,
        &with(json!({"key": "a", "operator": "In"})),
    ));
    cases.extend(wrong(
        of_both!(".tolerations[0].effect"),
        r#"supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#,
        &with(json!({"key": "a", "effect": "Never"})),
    ));
    cases.extend(wrong(
        of_both!(".tolerations[0].value"),
        "should match",
        &with(json!({"key": "a", "value": "b c"})),
    ));
    let value = json!({"key": "a", "value": "v".repeat(64)});
    cases.extend(wrong(of_both!(".tolerations[0].value"), "may not be more than 63", &with(value)));
    let many = vec![json!({"key": "a"}); 33];
    cases.extend(wrong(
        of_both!(".tolerations"),
        "must have at most 32 items",
        &json!({"tolerations": many}),
    ));
    for name in ["system-node-critical", "system-cluster-critical"] {
        cases.extend(wrong(of_both!(".priorityClassName"), class, &json!({"priorityClassName": name})));
    }
    for (name, says) in [(String::new(), empty), ("n".repeat(254), long)] {
        cases.extend(wrong(of_both!(".priorityClassName"), says, &json!({"priorityClassName": name})));
        cases.extend(wrong(of_both!(".runtimeClassName"), says, &json!({"runtimeClassName": name})));
        let secrets = json!({"imagePullSecrets": [{"name": name}]});
        cases.extend(wrong(of_both!(".imagePullSecrets[0].name"), says, &secrets));
    }
    let many: Vec<_> = (0..33).map(|index| json!({"name": format!("a{index}")})).collect();
    cases.extend(wrong(
        of_both!(".imagePullSecrets"),
        "must have at most 32 items",
        &json!({"imagePullSecrets": many}),
    ));
    let twice = json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]});
    cases.extend(wrong(of_both!(".imagePullSecrets"), "duplicate entries for key [name=\"a\"]", &twice));
    cases
}

/// Amounts in no form that is known, or below what pods need.
fn resources() -> Vec<Refused> {
    let web = "must be at least 768 MiB, which a web pod may come to need: raise it, or leave it out";
    let worker =
        "256 MiB and 976 MiB for each of spec.worker.concurrency, which its jobs may come to need: raise it";
    let above = |tier: &str| match tier {
        "web" => {
            "spec.web.podTemplate.resources.requests.memory must not be above the limit: lower it, or raise"
        }
        _ => {
            "spec.worker.podTemplate.resources.requests.memory must not be above the limit: lower it, or raise"
        }
    };
    let below = |tier: &str| match tier {
        "web" => {
            "spec.web.podTemplate.resources.limits.cpu must not be below the request, 50m by default: raise it"
        }
        _ => {
            "spec.worker.podTemplate.resources.limits.cpu must not be below the request, 100m by default: raise it"
        }
    };
    let limit = |memory: &str| json!({"podTemplate": {"resources": {"limits": {"memory": memory}}}});
    let three = json!({"concurrency": 3, "podTemplate": {"resources": {"limits": {"memory": "3183Mi"}}}});
    let refuse = |field, says, spec| Refused { spec, field, says };
    let mut cases = vec![
        refuse("spec.web", web, json!({"web": limit("767Mi")})),
        refuse("spec.web", web, json!({"web": limit("1Mi")})),
        refuse("spec.worker", worker, json!({"worker": limit("2207Mi")})),
        refuse("spec.worker", worker, json!({"worker": three})),
    ];
    let asking =
        json!({"podTemplate": {"resources": {"requests": {"memory": "9Gi"}, "limits": {"memory": "8Gi"}}}});
    let throttled = json!({"podTemplate": {"resources": {"limits": {"cpu": "0.049"}}}});
    for (tier, field) in [("web", "spec.web"), ("worker", "spec.worker")] {
        cases.push(refuse(field, above(tier), json!({tier: asking})));
        cases.push(refuse(field, below(tier), json!({tier: throttled})));
    }
    for cpu in ["0", "0.0", "1.", "-1", "1k", "1000", "0.50"] {
        let part = json!({"cpu": cpu});
        cases.extend(wrong(
            of_both!(".resources.requests.cpu"),
            "should match",
            &json!({"resources": {"requests": part}}),
        ));
        cases.extend(wrong(
            of_both!(".resources.limits.cpu"),
            "should match",
            &json!({"resources": {"limits": part}}),
        ));
    }
    let long = json!({"cpu": "1000000m", "memory": "1000000Mi"});
    for (part, cpu, memory) in [
        ("requests", of_both!(".resources.requests.cpu"), of_both!(".resources.requests.memory")),
        ("limits", of_both!(".resources.limits.cpu"), of_both!(".resources.limits.memory")),
    ] {
        cases.extend(wrong(cpu, "may not be more than 7", &json!({"resources": {part: long}})));
        cases.extend(wrong(memory, "may not be more than 8", &json!({"resources": {part: long}})));
    }
    for memory in ["0Mi", "1G", "1.5Gi", "-1Mi", "512", "10000Gi"] {
        let part = json!({"memory": memory});
        let requests = json!({"resources": {"requests": part}});
        cases.extend(wrong(of_both!(".resources.requests.memory"), "should match", &requests));
        let limits = json!({"resources": {"limits": part}});
        cases.extend(wrong(of_both!(".resources.limits.memory"), "should match", &limits));
    }
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
    let host = json!({"name": "a", "mountPath": "/mnt/a", "hostPath": {"path": "/"}});
    cases.extend(wrong([".hostPath"; 2], unknown, &json!({"volumes": [host]})));
    let token = json!({"name": "a", "mountPath": "/mnt/a", "projected": {"sources": []}});
    cases.extend(wrong([".projected"; 2], unknown, &json!({"volumes": [token]})));
    cases.extend(wrong(of_both!(".containers"), unknown, &json!({"containers": []})));
    cases
}
