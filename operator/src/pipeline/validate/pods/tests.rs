use serde_json::{Value, json};

use super::*;

fn validated(template: &Value) -> Result<PodOverlay, InvalidSpec> {
    validate("spec.web.podTemplate", Some(&serde_json::from_value(template.clone()).unwrap()), web_needs())
}

#[test]
fn an_empty_template_is_none() {
    assert_eq!(validate("spec.web.podTemplate", None, web_needs()), validated(&json!({})));
}

#[test]
fn workers_need_memory_for_each_of_their_jobs() {
    let limited = |concurrency: u32, limit: &str| {
        let template = json!({"resources": {"limits": {"memory": limit}}});
        let needed = worker_needs(concurrency.try_into().unwrap());
        validate("spec.worker.podTemplate", Some(&serde_json::from_value(template).unwrap()), needed)
    };
    assert!(limited(3, "3184Mi").is_ok() && limited(2, "3183Mi").is_ok());
    let expected = "spec.worker.podTemplate.resources.limits.memory is \"3183Mi\": pods at work may come to need \
                    3184Mi; raise it, or leave it out";
    assert_eq!(limited(3, "3183Mi").unwrap_err().to_string(), expected);
}

#[test]
fn what_is_the_operators_or_ambiguous_is_refused_by_name() {
    let entry = json!({"name": "n", "key": "k"});
    let volume = |name: &str, path: &str| json!({"volumes": [{"name": name, "mountPath": path, "configMap": {"name": "n"}}]});
    let twin = |name: &str| json!({"name": name, "mountPath": "/mnt/a", "configMap": {"name": "n"}});
    for (template, expected) in [
        (
            json!({"labels": {"a": "b", "app.kubernetes.io/name": "x"}}),
            r#"labels is "app.kubernetes.io/name""#,
        ),
        (json!({"labels": {"assetpipeline.dev/x": "x"}}), r#"labels is "assetpipeline.dev/x""#),
        (json!({"labels": {"pod-template-hash": "x"}}), r#"labels is "pod-template-hash""#),
        (json!({"annotations": {"assetpipeline.dev/x": "x"}}), r#"annotations is "assetpipeline.dev/x""#),
        (
            json!({"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}}),
            r#"annotations is "container.apparmor"#,
        ),
        (
            json!({"annotations": {"iam.amazonaws.com/role": "x"}}),
            r#"annotations is "iam.amazonaws.com/role""#,
        ),
        (json!({"env": [{"name": "AWS_REGION", "value": "x"}]}), r#"env is "AWS_REGION""#),
        (json!({"env": [{"name": "ASSETS_RECHECK", "value": "x"}]}), r#"env is "ASSETS_RECHECK""#),
        (json!({"env": [{"name": "A"}]}), r#"env is "A": it needs either value"#),
        (json!({"env": [{"name": "A", "valueFrom": {}}]}), r#"env is "A": its valueFrom needs either"#),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": entry, "configMapKeyRef": entry}}]}),
            r#"env is "A": its valueFrom needs either"#,
        ),
        (volume("notice-key", "/mnt/a"), r#"volumes is "notice-key": the name"#),
        (volume("origin-credentials", "/mnt/a"), r#"volumes is "origin-credentials": the name"#),
        (volume("a", "/etc/assetpipeline/notice-key"), r#"volumes is "a": its mountPath must"#),
        (volume("a", "/mnt/../etc"), r#"volumes is "a": its mountPath must"#),
        (json!({"volumes": [{"name": "a", "mountPath": "/mnt/a"}]}), r#"volumes is "a": it needs one"#),
        (
            json!({"volumes": [{"name": "a", "mountPath": "/mnt/a", "emptyDir": {"sizeLimit": "1k"}}]}),
            r#"volumes is "a": its sizeLimit"#,
        ),
        (json!({"volumes": [twin("a"), twin("b")]}), r#"volumes is "/mnt/a": two"#),
        (
            json!({"tolerations": [{"key": "node.kubernetes.io/unschedulable"}]}),
            r#"tolerations is "node.kubernetes.io/unschedulable""#,
        ),
        (json!({"tolerations": [{"key": "", "operator": "Exists"}]}), r#"tolerations is """#),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": ""}]}),
            r#"tolerations is "a": its value"#,
        ),
        (
            json!({"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]}),
            r#"tolerations is "a": its tolerationSeconds"#,
        ),
        (
            json!({"priorityClassName": "system-cluster-critical"}),
            r#"priorityClassName is "system-cluster-critical""#,
        ),
        (
            json!({"resources": {"limits": {"memory": "767Mi"}}}),
            r#"resources.limits.memory is "767Mi": pods"#,
        ),
        (
            json!({"resources": {"requests": {"memory": "1Gi"}}}),
            r#"resources.requests.memory is "1Gi": the limit is 768Mi"#,
        ),
        (
            json!({"resources": {"limits": {"cpu": "49m"}}}),
            r#"resources.limits.cpu is "49m": the request is 50m"#,
        ),
        (
            json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1.5"}}}),
            r#"resources.limits.cpu is "1500m": the request is 2"#,
        ),
        (json!({"resources": {"requests": {"cpu": "x"}}}), r#"resources.requests.cpu is "x""#),
        (json!({"resources": {"limits": {"memory": "1G"}}}), r#"resources.limits.memory is "1G""#),
    ] {
        let refusal = validated(&template).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("spec.web.podTemplate.{expected}")), "{template}: {refusal}");
    }
}
