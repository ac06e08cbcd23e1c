use super::*;

fn schema() -> serde_json::Value {
    let crd = serde_json::to_value(asset_pipeline_crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
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

#[test]
fn committed_definition_is_the_generated_one() {
    let committed = include_str!("../../yaml/assetpipelines.yaml");
    assert!(
        committed.ends_with(&asset_pipeline_yaml().unwrap()),
        "crds/yaml/assetpipelines.yaml is stale: run `cargo xtask generate`"
    );
}

#[test]
fn chart_holds_the_same_definition_under_its_switches() {
    let template = include_str!("../../../charts/assetpipeline-operator/templates/assetpipelines.yaml");
    assert!(
        template.ends_with(&asset_pipeline_template().unwrap()),
        "the chart's resource definition is stale: run `cargo xtask generate`"
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

#[test]
fn every_field_has_a_description() {
    let mut found = Vec::new();
    for part in ["spec", "status"] {
        collect_properties(part, &schema()["properties"][part], &mut found);
    }
    assert!(found.len() > 40, "only {} fields were found", found.len());
    for (path, property) in found {
        assert!(property["description"].is_string(), "{path} has no description");
    }
}

#[test]
fn new_objects_count_as_not_yet_observed() {
    assert_eq!(schema()["properties"]["status"]["default"], json!({"observedGeneration": -1}));
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
}

#[test]
fn definition_is_small_enough_for_annotations_of_gitops_tools() {
    assert!(asset_pipeline_yaml().unwrap().len() < 262_144);
}
