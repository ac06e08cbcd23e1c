use super::*;

fn schema_of(crd: &CustomResourceDefinition) -> serde_json::Value {
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn schema() -> serde_json::Value {
    schema_of(&asset_pipeline_crd())
}

/// Every property below `schema`, with its path.
fn collect_properties(path: &str, schema: &serde_json::Value, found: &mut Vec<(String, serde_json::Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        collect_properties(&path, property, found);
        collect_properties(&path, &property["items"], found);
        found.push((path, property.clone()));
    }
}

/// Each definition with its committed file and its committed template.
fn committed() -> [(CustomResourceDefinition, &'static str, &'static str); 2] {
    [
        (
            asset_pipeline_crd(),
            include_str!("../../yaml/assetpipelines.yaml"),
            include_str!("../../../charts/assetpipeline-operator/templates/assetpipelines.yaml"),
        ),
        (
            asset_tenant_crd(),
            include_str!("../../yaml/assettenants.yaml"),
            include_str!("../../../charts/assetpipeline-operator/templates/assettenants.yaml"),
        ),
    ]
}

#[test]
fn committed_definitions_are_the_generated_ones() {
    for (crd, yaml, _) in committed() {
        let name = crd.spec.names.plural.clone();
        assert!(yaml.ends_with(&print_yaml(&crd).unwrap()), "{name} is stale: run `cargo xtask generate`");
    }
}

#[test]
fn chart_holds_the_same_definitions_under_its_switches() {
    for (crd, _, template) in committed() {
        let name = crd.spec.names.plural.clone();
        assert!(
            template.ends_with(&print_template(&crd).unwrap()),
            "the chart's {name} is stale: run `cargo xtask generate`"
        );
        let switches = template.lines().filter(|line| line.contains("{{")).collect::<Vec<_>>();
        let expected =
            ["{{- if .Values.crds.install }}", "{{- if .Values.crds.keep }}", "{{- end }}", "{{- end }}"];
        assert_eq!(
            switches.last_chunk(),
            Some(&expected),
            "nothing of the definition itself may look like a template"
        );
    }
}

#[test]
fn every_field_has_a_description() {
    for (crd, least) in [(asset_pipeline_crd(), 40), (asset_tenant_crd(), 12)] {
        let mut found = Vec::new();
        for part in ["spec", "status"] {
            collect_properties(part, &schema_of(&crd)["properties"][part], &mut found);
        }
        assert!(found.len() > least, "only {} fields were found", found.len());
        for (path, property) in found {
            assert!(property["description"].is_string(), "{path} has no description");
        }
    }
}

#[test]
fn new_objects_count_as_not_yet_observed() {
    for crd in [asset_pipeline_crd(), asset_tenant_crd()] {
        let status = &schema_of(&crd)["properties"]["status"];
        assert_eq!(status["default"], json!({"observedGeneration": -1}));
    }
}

#[test]
fn an_empty_spec_is_complete_by_defaults() {
    let spec = &schema()["properties"]["spec"]["properties"];
    assert_eq!(spec["web"]["default"], json!({"replicas": 3, "holdSeconds": 25}));
    assert_eq!(
        spec["worker"]["default"],
        json!({
            "minReplicas": 0, "maxReplicas": 10, "concurrency": 2, "backlogPerReplica": 5, "scaleDownDelaySeconds": 60
        })
    );
    assert_eq!(spec["service"]["default"], json!({"type": "ClusterIP"}));
    assert_eq!(spec["freshness"]["default"], json!({"maxAgeSeconds": 300, "maxStaleSeconds": 86_400}));
    assert_eq!(spec["errors"]["default"], json!("Status"));
    assert_eq!(
        spec["bindings"]["default"],
        json!({
            "bucket": {"mode": "Create", "deletionPolicy": "Retain", "whenNotEmpty": "Keep", "noncurrentVersionDays": 30},
            "queues": {"mode": "Create", "deletionPolicy": "Delete"},
            "topic": {"mode": "Create", "deletionPolicy": "Delete"},
        })
    );
    assert_eq!(
        spec["limits"]["default"],
        json!({"requestsPerSecond": 10_000, "missesPerSecond": 200, "coldPathsPerMinute": 600})
    );
}

#[test]
fn definition_is_small_enough_for_annotations_of_gitops_tools() {
    for (_, yaml, _) in committed() {
        assert!(yaml.len() < 262_144);
    }
}

#[test]
fn committed_reference_is_the_generated_one_and_has_every_field() {
    let committed = include_str!("../../../docs/reference.md");
    for crd in [asset_pipeline_crd(), asset_tenant_crd()] {
        let kind = &crd.spec.names.kind;
        assert!(committed.contains(&print_reference(&crd)), "{kind} is stale: run `cargo xtask generate`");
        let mut found = Vec::new();
        collect_properties("", &schema_of(&crd), &mut found);
        for (path, _) in found.iter().filter(|(path, _)| path.starts_with(".spec.")) {
            let name = path.rsplit('.').next().unwrap_or_default();
            assert!(committed.contains(&format!("| `{name}` | ")), "{kind}: {path} has no row");
        }
    }
}
