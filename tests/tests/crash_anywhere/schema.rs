//! The fields of a definition's `spec`, walked from its generated schema, and where they are in a spec.
//!
//! A path has dots between names, and `[]` behind the name of a list of objects: `tenants[].host`.

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// A place in a spec that can be set by itself: a value, a map, a list, or an object that may be absent.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) path: String,
    pub(crate) schema: Value,
    pub(crate) is_required: bool,
}

/// The schema of the definition's `spec`.
pub(crate) fn spec_schema(definition: &CustomResourceDefinition) -> Result<Value> {
    let definition = serde_json::to_value(definition)?;
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    definition.pointer(path).cloned().context("the definition has no schema of a spec")
}

/// All fields, in the order of their paths.
pub(crate) fn fields_of(spec: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    walk("", spec, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn walk(path: &str, object: &Value, found: &mut Vec<Field>) {
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_object = has_fields(schema);
        // An object that is always there is nothing beside its fields.
        if !is_object || schema["nullable"] == true {
            let is_required = required(object).any(|required| required == name);
            found.push(Field { path: path.clone(), schema: schema.clone(), is_required });
        }
        if is_object {
            walk(&path, schema, found);
        } else if has_fields(&schema["items"]) {
            walk(&format!("{path}[]"), &schema["items"], found);
        }
    }
}

pub(crate) fn has_fields(schema: &Value) -> bool {
    schema["properties"].as_object().is_some_and(|fields| !fields.is_empty())
}

/// The fields that an object of this schema cannot be without.
pub(crate) fn required(object: &Value) -> impl Iterator<Item = &str> {
    object["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Sets the field, in the first entry of each list on the way. Null takes it away.
pub(crate) fn set(spec: &mut Value, path: &str, value: &Value) {
    let (mut place, mut names) = (spec, path.split('.').peekable());
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            match place.as_object_mut() {
                Some(fields) if value.is_null() => drop(fields.remove(name)),
                Some(_) | None => place[name] = value.clone(),
            }
            return;
        }
        let list = name.strip_suffix("[]");
        place = &mut place[list.unwrap_or(name)];
        if list.is_some() {
            if place.as_array().is_none_or(Vec::is_empty) {
                *place = json!([{}]);
            }
            place = &mut place[0];
        }
        if place.is_null() {
            *place = json!({});
        }
    }
}

/// What the field is, in each entry of each list on the way.
pub(crate) fn get<'a>(spec: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('.').fold(vec![spec], |places, name| {
        let list = name.strip_suffix("[]");
        let below = places.into_iter().map(|place| &place[list.unwrap_or(name)]);
        match list {
            Some(_) => below.filter_map(Value::as_array).flatten().collect(),
            None => below.collect(),
        }
    })
}

#[test]
fn fields_are_set_and_found_by_their_paths() {
    let schema = json!({"properties": {
        "size": {"type": "integer"},
        "sites": {"items": {"properties": {"host": {"type": "string"}}, "required": ["host"]}},
        "door": {"nullable": true, "properties": {"key": {"type": "string"}}},
        "wall": {"properties": {"color": {"type": "string"}}},
    }});
    let found: Vec<_> = fields_of(&schema)
        .into_iter()
        .map(|field| if field.is_required { format!("{}!", field.path) } else { field.path })
        .collect();
    assert_eq!(found, ["door", "door.key", "sites", "sites[].host!", "size", "wall.color"]);

    let mut spec = json!({"sites": [{"host": "a"}, {"host": "b"}]});
    set(&mut spec, "sites[].host", &json!("c"));
    set(&mut spec, "door.key", &json!("d"));
    assert_eq!(spec, json!({"sites": [{"host": "c"}, {"host": "b"}], "door": {"key": "d"}}));
    assert_eq!(get(&spec, "sites[].host"), [&json!("c"), &json!("b")]);
    set(&mut spec, "sites", &Value::Null);
    set(&mut spec, "door", &Value::Null);
    assert_eq!(spec, json!({}));
    assert_eq!(get(&spec, "door.key"), [&Value::Null]);
}
