//! The reference documentation: a definition's fields as the tables of a Markdown text.
//!
//! Everything in it comes from the schema, so it says what the API server holds objects to. Patterns are left out:
//! descriptions and rules say the same in words.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Objects with fewer fields are written out wherever they stand.
const FEWEST_SHARED_FIELDS: usize = 4;

/// A field whose own fields have a table.
struct Part<'s> {
    path: String,
    schema: &'s JSONSchemaProps,
}

/// The reference of one kind, from its heading on.
pub fn print_reference(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    let mut text = format!("## {}\n", names.kind);
    for version in &crd.spec.versions {
        let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let Some(root) = root else { continue };
        let _ = writeln!(
            text,
            "\n`apiVersion: {}/{}`, `kubectl get {}`. {}",
            crd.spec.group,
            version.name,
            names.plural,
            one_line(root.description.as_deref())
        );
        let properties = root.properties.iter().flatten();
        let mut parts: Vec<Part<'_>> = properties
            .filter(|(name, _)| ["spec", "status"].contains(&name.as_str()))
            .map(|(name, schema)| Part { path: name.clone(), schema })
            .collect();
        text += &print_rules(root);
        // Depth first, in the order of the tables' rows.
        parts.reverse();
        let mut printed = BTreeMap::new();
        while let Some(part) = parts.pop() {
            let mut inner = Vec::new();
            text += &print_part(&names.kind, &part, &mut printed, &mut inner);
            parts.extend(inner.into_iter().rev());
        }
    }
    text
}

/// The table of a part's fields. What these hold in their turn is added to `inner`; `printed` tells where the table
/// of an equal object stands already.
fn print_part<'s>(
    kind: &str,
    part: &Part<'s>,
    printed: &mut BTreeMap<String, String>,
    inner: &mut Vec<Part<'s>>,
) -> String {
    let Part { path, schema } = part;
    let required = schema.required.as_deref().unwrap_or_default();
    let mut text = format!("\n### {kind} `{path}`\n\n| field | type | default | |\n|---|---|---|---|\n");
    for (name, field) in schema.properties.iter().flatten() {
        let default = match (&field.default, required.contains(name)) {
            (_, true) => "required".to_owned(),
            (Some(default), false) if fields_of(field).is_none() => code(&default.0.to_string()),
            _ => String::new(),
        };
        let type_ = match fields_of(field) {
            None => print_type(field),
            Some(fields) => {
                let path = format!("{path}.{name}{}", fields.suffix);
                print_place(kind, Part { path, schema: fields.schema }, printed, inner)
            }
        };
        let _ = writeln!(
            text,
            "| `{name}` | {type_} | {default} | {} |",
            one_line(field.description.as_deref()).replace('|', "\\|")
        );
    }
    text + &print_rules(schema)
}

/// Where the table of a field's own fields stands: it is to come, unless an equal one is there.
fn print_place<'s>(
    kind: &str,
    part: Part<'s>,
    printed: &mut BTreeMap<String, String>,
    inner: &mut Vec<Part<'s>>,
) -> String {
    let key = key_of(part.schema);
    if let Some(elsewhere) = printed.get(&key) {
        return format!("as {}", link(kind, elsewhere));
    }
    if part.schema.properties.as_ref().is_some_and(|all| all.len() >= FEWEST_SHARED_FIELDS) {
        printed.insert(key, part.path.clone());
    }
    let place = link(kind, &part.path);
    inner.push(part);
    place
}

/// What no type can say, in the words of the refusal.
fn print_rules(schema: &JSONSchemaProps) -> String {
    let own = schema.x_kubernetes_validations.iter().flatten();
    let fields = schema.properties.iter().flatten().map(|(_, field)| field);
    let of_fields = fields.filter(|field| fields_of(field).is_none());
    let rules = own.chain(of_fields.flat_map(|field| field.x_kubernetes_validations.iter().flatten()));
    let messages: Vec<String> =
        rules.filter_map(|rule| Some(format!("- {}\n", one_line(Some(rule.message.as_deref()?))))).collect();
    if messages.is_empty() { String::new() } else { format!("\nRules:\n\n{}", messages.concat()) }
}

/// The object that a field is, or is a list of.
struct Fields<'s> {
    schema: &'s JSONSchemaProps,
    suffix: &'static str,
}

fn fields_of(field: &JSONSchemaProps) -> Option<Fields<'_>> {
    let has_fields = |schema: &JSONSchemaProps| schema.properties.as_ref().is_some_and(|all| !all.is_empty());
    if has_fields(field) {
        return Some(Fields { schema: field, suffix: "" });
    }
    items_of(field).filter(|items| has_fields(items)).map(|schema| Fields { schema, suffix: "[]" })
}

fn items_of(field: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match field.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// Equal objects have equal keys, whatever is said of the field that holds them.
fn key_of(schema: &JSONSchemaProps) -> String {
    serde_json::to_string(&(&schema.properties, &schema.required)).unwrap_or_default()
}

fn print_type(field: &JSONSchemaProps) -> String {
    let type_ = field.type_.as_deref().unwrap_or("any");
    if let Some(values) = &field.enum_ {
        let values = values.iter().filter(|value| !value.0.is_null());
        return values.map(|value| code(value.0.as_str().unwrap_or_default())).collect::<Vec<_>>().join(", ");
    }
    if let Some(items) = items_of(field) {
        let most = field.max_items.map(|most| format!("; at most {most} entries")).unwrap_or_default();
        return format!("list of {}{most}", print_type(items));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &field.additional_properties {
        let most = field.max_properties.map(|most| format!("; at most {most} keys")).unwrap_or_default();
        return format!("map to {}{most}", print_type(values));
    }
    match (field.minimum, field.maximum, field.max_length) {
        (Some(least), Some(most), _) => format!("{type_}, {least} to {most}"),
        (Some(least), None, _) => format!("{type_}, at least {least}"),
        (None, Some(most), _) => format!("{type_}, at most {most}"),
        (None, None, Some(most)) => format!("{type_}, at most {most} characters"),
        (None, None, None) => type_.to_owned(),
    }
}

/// As the headings' anchors are made.
fn link(kind: &str, path: &str) -> String {
    let heading = format!("{kind} {path}").to_lowercase().replace(' ', "-");
    let anchor: String = heading.chars().filter(|char| char.is_alphanumeric() || *char == '-').collect();
    format!("[`{path}`](#{anchor})")
}

fn code(text: &str) -> String {
    let text = text.trim_matches('"');
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn one_line(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(spec: &serde_json::Value) -> String {
        let crd = json!({
            "metadata": {"name": "shops.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"kind": "Shop", "plural": "shops"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {
                        "type": "object", "description": "A\nshop.", "properties": {"spec": spec},
                    }},
                }],
            },
        });
        print_reference(&serde_json::from_value(crd).unwrap())
    }

    #[test]
    fn every_field_has_its_row_and_every_object_its_table() {
        let spec = json!({
            "type": "object", "required": ["doors"],
            "x-kubernetes-validations": [{"rule": "true", "message": "doors must fit"}],
            "properties": {
                "doors": {"type": "integer", "minimum": 1.0, "maximum": 9.0, "description": "How many | wide."},
                "mode": {"type": "string", "enum": ["Open", "Shut", null], "default": "Open"},
                "rooms": {"type": "array", "maxItems": 3, "items": {"type": "object", "properties": {
                    "name": {"type": "string", "maxLength": 5},
                }}},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        });
        let expected = "## Shop\n\n`apiVersion: example.com/v1`, `kubectl get shops`. A shop.\n\n### Shop `spec`\n\n\
            | field | type | default | |\n|---|---|---|---|\n\
            | `doors` | integer, 1 to 9 | required | How many \\| wide. |\n\
            | `mode` | `Open`, `Shut` | `Open` |  |\n\
            | `rooms` | [`spec.rooms[]`](#shop-specrooms) |  |  |\n\
            | `tags` | map to string |  |  |\n\
            \nRules:\n\n- doors must fit\n\
            \n### Shop `spec.rooms[]`\n\n| field | type | default | |\n|---|---|---|---|\n\
            | `name` | string, at most 5 characters |  |  |\n";
        assert_eq!(printed(&spec), expected);
    }

    #[test]
    fn equal_objects_have_one_table() {
        let room = |description: &str| {
            let text = json!({"type": "string"});
            json!({
                "type": "object", "description": description,
                "properties": {"a": text, "b": text, "c": text, "d": text},
            })
        };
        let spec = json!({"type": "object", "properties": {"one": room("First."), "two": room("Second.")}});
        let text = printed(&spec);
        assert_eq!(text.matches("### ").count(), 2, "{text}");
        assert!(text.contains("| `two` | as [`spec.one`](#shop-specone) |  | Second. |"), "{text}");
    }
}
