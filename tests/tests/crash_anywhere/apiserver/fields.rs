//! Server-side apply as far as the operator uses it: who owns which field of an object.
//!
//! Lists belong to one manager as a whole, except finalizers, which are a set. The API server merges more lists
//! by key; no two managers of the operator's write into one of those.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Where a field stands. The last part of a finalizer's is its name behind [`ENTRY`].
pub(crate) type Path = Vec<String>;

const ENTRY: &str = "=";
/// All who write without applying; no manager that applies has this name.
const WRITER: &str = "-";

/// The fields of each manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners(BTreeMap<String, BTreeSet<Path>>);

impl Owners {
    /// Sets what `wanted` says, and drops what the manager said before, says no longer and nobody else says. Fields
    /// that others have set otherwise are taken from them. The first such field where that is not wished.
    pub(crate) fn apply(
        &mut self,
        object: &mut Value,
        manager: &str,
        wanted: &Value,
        is_forced: bool,
    ) -> Result<(), String> {
        let wanted = leaves(wanted);
        let present = leaves(object);
        for (other, fields) in &mut self.0 {
            let is_taken = |path: &Path| wanted.contains_key(path) && present.get(path) != wanted.get(path);
            if other != manager
                && !is_forced
                && let Some(field) = fields.iter().find(|path| is_taken(path))
            {
                return Err(format!("conflict with {other}: .{}", field.join(".")));
            }
            if other != manager {
                fields.retain(|path| !is_taken(path));
            }
        }
        let before = self.0.insert(manager.to_owned(), wanted.keys().cloned().collect()).unwrap_or_default();
        for path in before {
            if !self.0.values().any(|fields| fields.contains(&path)) {
                remove(object, &path);
            }
        }
        for (path, value) in wanted {
            set(object, &path, value);
        }
        Ok(())
    }

    /// Somebody has written without applying: what is not as it was is his.
    pub(crate) fn write(&mut self, before: &Value, after: &Value) {
        let (before, after) = (leaves(before), leaves(after));
        let is_as_it_was = |path: &Path| before.get(path) == after.get(path);
        self.0.values_mut().for_each(|fields| fields.retain(is_as_it_was));
        let written = after.keys().filter(|path| !is_as_it_was(path)).cloned();
        self.0.entry(WRITER.to_owned()).or_default().extend(written);
    }
}

fn leaves(object: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    collect(object, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                path.push(name.clone());
                collect(value, path, found);
                path.pop();
            }
        }
        Value::Array(entries) if is_set(path) => {
            for entry in entries.iter().filter_map(Value::as_str) {
                let entry = format!("{ENTRY}{entry}");
                found.insert(path.iter().cloned().chain([entry]).collect(), json!(null));
            }
        }
        // Nothing at all is said.
        Value::Object(_) if path.is_empty() => {}
        value => {
            found.insert(path.clone(), value.clone());
        }
    }
}

fn is_set(path: &[String]) -> bool {
    path == ["metadata", "finalizers"]
}

fn set(object: &mut Value, path: &[String], value: Value) {
    match path {
        [] => *object = value,
        [entry] if entry.starts_with(ENTRY) => {
            let entry = json!(entry[ENTRY.len()..]);
            match object.as_array_mut() {
                Some(entries) if !entries.contains(&entry) => entries.push(entry),
                Some(_) => {}
                None => *object = json!([entry]),
            }
        }
        [name, rest @ ..] => {
            if !object.is_object() {
                *object = json!({});
            }
            set(&mut object[name], rest, value);
        }
    }
}

/// What is empty after that goes, too.
fn remove(object: &mut Value, path: &[String]) {
    match (object, path) {
        (Value::Array(entries), [entry]) => {
            entries.retain(|other| other.as_str() != entry.strip_prefix(ENTRY));
        }
        (Value::Object(fields), [name]) => drop(fields.remove(name)),
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(field) = fields.get_mut(name) {
                remove(field, rest);
                if *field == json!({}) || *field == json!([]) {
                    fields.remove(name);
                }
            }
        }
        (_, _) => {}
    }
}

/// As RFC 7396 has it: objects are merged, what is null goes, everything else is replaced.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in patch {
        match (target.as_object_mut(), value) {
            (Some(fields), Value::Null) => drop(fields.remove(name)),
            (_, value) => merge(&mut target[name], value),
        }
    }
}
