//! What the API lets outlast a change, and nothing else: settings of a bucket that the spec no longer names and
//! the field's description leaves as they are, what was set on a resource before it became read only, and what S3
//! never takes back.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::specs::{Ground, PARTS};
use crate::world::World;

/// What earlier specs of a pipeline have left.
#[derive(Debug, Clone)]
pub(crate) struct History {
    ground: Ground,
    versioning: Value,
    /// Of an adopted bucket; one that the operator made goes back to S3's own keys.
    encryption: Value,
    /// Parts of the bindings that were not read only all the time.
    touched: BTreeSet<&'static str>,
}

impl History {
    pub(crate) fn new(ground: Ground) -> Self {
        Self { ground, versioning: Value::Null, encryption: Value::Null, touched: BTreeSet::new() }
    }

    /// A pipeline with this spec came to rest.
    pub(crate) fn note(&mut self, spec: &Value) {
        if spec["suspend"] == true {
            return;
        }
        let is_written = |part: &str| spec["bindings"][part]["mode"] != "ReadOnly";
        self.touched.extend(PARTS.iter().map(|(part, _)| *part).filter(|part| is_written(part)));
        if is_written("bucket") {
            let bucket = &self.carried(spec)["bindings"]["bucket"];
            (self.versioning, self.encryption) = (bucket["versioning"].clone(), bucket["encryption"].clone());
        }
    }

    /// The spec that would set what stays.
    pub(crate) fn carried(&self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        let bucket = &mut spec["bindings"]["bucket"];
        if bucket["mode"] == "ReadOnly" {
            return spec;
        }
        if bucket["versioning"].is_null() && !self.versioning.is_null() {
            bucket["versioning"] = self.versioning.clone();
        }
        if bucket["encryption"].is_null() && !self.encryption.is_null() && self.ground == Ground::Given {
            bucket["encryption"] = self.encryption.clone();
        }
        spec
    }

    /// Without what is aside of the comparison: times and counts, and what may not be touched any more.
    pub(crate) fn compared(&self, state: &Value, spec: &Value) -> Result<Value> {
        let mut state = forget_counts(state)?;
        forget_suspended_versioning(&mut state["aws"]);
        let is_left =
            |part: &&str| self.touched.contains(*part) && spec["bindings"][*part]["mode"] == "ReadOnly";
        let left: Vec<&str> = PARTS.iter().map(|(part, _)| *part).filter(is_left).collect();
        for part in &left {
            forget_settings(&mut state["aws"], part, spec);
        }
        let told = if left.contains(&"topic") {
            ["DriftFree", "SubscriptionReady"].as_slice()
        } else {
            &["DriftFree"]
        };
        if !left.is_empty() {
            for_each_status(&mut state, |status| {
                if let Some(conditions) = status["conditions"].as_array_mut() {
                    conditions
                        .retain(|condition| !told.contains(&condition["type"].as_str().unwrap_or_default()));
                }
                if left.contains(&"topic") {
                    status["bindings"]["subscriptionArn"] = Value::Null;
                }
            });
        }
        Ok(state)
    }
}

/// Who was given names keeps them, and the objects in the bucket are compared all the same.
fn forget_settings(aws: &mut Value, part: &str, spec: &Value) {
    let names = &spec["bindings"][part];
    let all = [
        &names["name"],
        &names["names"]["visits"],
        &names["names"]["refreshes"],
        &names["names"]["deadLetters"],
    ];
    // The state calls the pipeline by another name.
    let name_in_specs = World::memory().name;
    let all: Vec<String> = all
        .iter()
        .filter_map(|name| name.as_str())
        .map(|name| name.replace(&name_in_specs, "NAME"))
        .collect();
    let kind = if part == "topic" {
        "topics"
    } else if part == "bucket" {
        "buckets"
    } else {
        "queues"
    };
    for (name, resource) in aws[kind].as_object_mut().into_iter().flatten() {
        if all.contains(name) {
            let objects = resource["objects"].take();
            *resource = json!({"objects": objects});
        }
    }
}

/// A bucket that ever kept versions never says again that it keeps none; a new one is not told to.
fn forget_suspended_versioning(aws: &mut Value) {
    for bucket in aws["buckets"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        for place in ["/versioning", "/settings/versioning"] {
            let told = bucket.pointer_mut(place).filter(|told| told.to_string().contains("Suspended"));
            if let Some(told) = told {
                *told = Value::Null;
            }
        }
        if let Some(settings) = bucket.get_mut("settings").and_then(Value::as_object_mut) {
            settings.retain(|_, setting| !setting.is_null());
        }
    }
}

/// Generations count changes: those of the object, and those of a site's sources.
fn forget_counts(state: &Value) -> Result<Value> {
    let mut text = state.to_string();
    for before in ["LABEL-g", r#"\"generation\":"#] {
        let mut parts = text.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
        text = rest.fold(first, |text, part| format!("{text}{before}0{part}"));
    }
    let mut state = serde_json::from_str(&text).context("it is no JSON any more")?;
    for_each_status(&mut state, |status| {
        let Some(fields) = status.as_object_mut() else { return };
        fields.remove("observedGeneration");
        for condition in fields.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            condition.as_object_mut().map(|fields| fields.remove("observedGeneration"));
        }
    });
    Ok(state)
}

fn for_each_status(state: &mut Value, change: impl Fn(&mut Value)) {
    let objects = state["cluster"].as_array_mut().into_iter().flatten();
    objects
        .filter(|object| object["kind"] == "AssetPipeline")
        .for_each(|object| change(&mut object["status"]));
}
