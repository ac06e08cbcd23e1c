//! Specs drawn by chance from the schema, over every field, as the API server and the operator take them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use crds::{AssetPipeline, asset_pipeline_crd};
use operator::pipeline::validate::validate;
use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, IteratorRandom},
};
use serde_json::{Map, Value, json};

use crate::{
    apiserver::merge,
    examples::{Examples, of_pipelines},
    schema::{Field, get, has_fields, required, set, spec_schema},
    world::World,
};

/// Most entries of a list of objects.
const MOST_ENTRIES: usize = 3;
/// The parts of the bindings, and the field that names them: it can never be changed.
pub(crate) const PARTS: [(&str, &str); 3] = [("bucket", "name"), ("queues", "names"), ("topic", "name")];

/// Who has named the bindings, and whether they are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The operator names and makes them.
    Drawn,
    /// The spec names them, and the operator makes them.
    Named,
    /// People have named and made them, and the operator adopts or only reads them.
    Given,
}

pub(crate) struct Specs {
    random: StdRng,
    ground: Ground,
    schema: Value,
    examples: Examples,
    fields: Vec<Field>,
    given: [String; 5],
}

impl Ground {
    fn modes(self) -> &'static [&'static str] {
        match self {
            Self::Drawn => &["Create", "AdoptOrCreate"],
            Self::Named => &["AdoptOrCreate"],
            Self::Given => &["Adopt", "AdoptOrCreate", "ReadOnly"],
        }
    }
}

impl Specs {
    pub(crate) fn new(seed: u64, ground: Ground) -> Result<Self> {
        let given = World::memory().given();
        let (schema, examples) = (spec_schema(&asset_pipeline_crd())?, of_pipelines(&given));
        let fields = examples.fields(&schema)?;
        Ok(Self { random: StdRng::seed_from_u64(seed), ground, schema, examples, fields, given })
    }

    /// What can be set by itself.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The next one, with every default written out. What the rules refuse is taken out of it, piece by piece.
    pub(crate) fn draw(&mut self) -> Result<Value> {
        let schema = self.schema.clone();
        let mut spec = self.object("", &schema)?;
        self.furnish(&mut spec);
        self.bind(&mut spec);
        loop {
            let refused = match read(&spec) {
                Ok(pipeline) => return write(&pipeline),
                Err(refused) => format!("{refused:#}"),
            };
            let is_free = |field: &&Field| {
                let is_whole = !field.is_required && !field.path.contains("[]");
                is_whole && !is_of_ground(&field.path) && is_set(&spec, &field.path)
            };
            // A refusal tells the part that it is about.
            let is_named = |field: &&Field| {
                refused.contains(&format!("spec.{}", field.path.split('.').next().unwrap_or_default()))
            };
            let free: Vec<&Field> = self.fields.iter().filter(is_free).collect();
            let named = free.iter().copied().filter(|field| is_named(field)).choose(&mut self.random);
            let Some(removed) = named.or_else(|| free.choose(&mut self.random).copied()) else {
                bail!("not even this can be read: {spec}: {refused}")
            };
            set(&mut spec, &removed.path, &Value::Null);
        }
    }

    pub(crate) fn choose(&mut self, numbers: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
        numbers.choose_multiple(&mut self.random, count)
    }

    /// Gives some fields what they need beside them: by chance few would have it.
    fn furnish(&mut self, spec: &mut Value) {
        for field in &self.fields {
            let is_whole = !field.path.contains("[]") && !is_of_ground(&field.path);
            if is_whole && is_set(spec, &field.path) && self.random.random_bool(0.5) {
                merge(spec, &self.examples.of(&field.path).given);
            }
        }
    }

    /// Names that stay for ever, and a mode that goes with them.
    fn bind(&mut self, spec: &mut Value) {
        let [bucket, visits, refreshes, dead, topic] = &self.given;
        let names = [
            json!(bucket),
            json!({"visits": visits, "refreshes": refreshes, "deadLetters": dead}),
            json!(topic),
        ];
        for ((part, field), names) in PARTS.into_iter().zip(names) {
            let names = if self.ground == Ground::Drawn { Value::Null } else { names };
            set(spec, &format!("bindings.{part}.{field}"), &names);
            let mode = self.ground.modes().choose(&mut self.random);
            set(spec, &format!("bindings.{part}.mode"), &json!(mode));
        }
    }

    fn object(&mut self, path: &str, schema: &Value) -> Result<Value> {
        let mut fields = Map::new();
        for (name, schema_of_field) in schema["properties"].as_object().into_iter().flatten() {
            let is_required = required(schema).any(|required| required == name);
            let is_there = has_fields(schema_of_field) && schema_of_field["nullable"] != true;
            if is_required || is_there || self.random.random_bool(0.6) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = self.value(&path, schema_of_field)?;
                if !value.is_null() {
                    fields.insert(name.clone(), value);
                }
            }
        }
        Ok(Value::Object(fields))
    }

    fn value(&mut self, path: &str, schema: &Value) -> Result<Value> {
        if has_fields(schema) {
            return self.object(path, schema);
        }
        let has_examples = !self.examples.of(path).values.is_empty();
        if has_fields(&schema["items"]) && !has_examples {
            return self.list(path, schema);
        }
        let values = self.examples.values(path, schema)?;
        let has_bounds = schema["type"] == "integer" && !has_examples;
        if let ([low, high], true) = (values.as_slice(), has_bounds && self.random.random_bool(0.5)) {
            let bounds = (low.as_i64().context("no number")?, high.as_i64().context("no number")?);
            return Ok(json!(self.random.random_range(bounds.0..=bounds.1)));
        }
        values.choose(&mut self.random).cloned().with_context(|| format!("{path} has no values"))
    }

    /// No two entries have the same keys.
    fn list(&mut self, path: &str, schema: &Value) -> Result<Value> {
        let mut entries: Vec<Value> = Vec::new();
        for _ in 0..self.random.random_range(0..=MOST_ENTRIES) {
            let entry = self.object(&format!("{path}[]"), &schema["items"])?;
            let keys = schema["x-kubernetes-list-map-keys"].as_array().cloned().unwrap_or_default();
            let is_same =
                |other: &Value| keys.iter().filter_map(Value::as_str).all(|key| other[key] == entry[key]);
            if keys.is_empty() || !entries.iter().any(is_same) {
                entries.push(entry);
            }
        }
        Ok(Value::Array(entries))
    }
}

/// As the API server and the operator would take it.
pub(crate) fn read(spec: &Value) -> Result<AssetPipeline> {
    let metadata = json!({"name": "front", "namespace": "shop", "uid": "uid-1", "generation": 1});
    let pipeline: AssetPipeline = serde_json::from_value(json!({"metadata": metadata, "spec": spec}))?;
    pipeline.validate_cel()?;
    validate(&pipeline)?;
    Ok(pipeline)
}

/// With every default.
pub(crate) fn write(pipeline: &AssetPipeline) -> Result<Value> {
    Ok(serde_json::to_value(&pipeline.spec)?)
}

/// Whether a pipeline of this spec may never get that one.
pub(crate) fn is_change_refused(from: &Value, to: &Value) -> bool {
    let (Ok(from), Ok(to)) = (read(from), read(to)) else { return true };
    to.validate_cel_update(&from).is_err()
}

fn is_of_ground(path: &str) -> bool {
    PARTS.iter().any(|(part, name)| {
        path == format!("bindings.{part}.mode") || path.starts_with(&format!("bindings.{part}.{name}"))
    })
}

fn is_set(spec: &Value, path: &str) -> bool {
    get(spec, path).iter().any(|value| !value.is_null())
}

/// Fields in which two specs differ. Of a list, its entries' fields are looked at all together.
pub(crate) fn differing(fields: &[Field], from: &Value, to: &Value) -> BTreeSet<String> {
    let differs = |field: &&Field| get(from, &field.path) != get(to, &field.path);
    fields.iter().filter(differs).map(|field| field.path.clone()).collect()
}

/// The merge patch that makes one of the other.
pub(crate) fn patch(from: &Value, to: &Value) -> Value {
    let (Some(before), Some(after)) = (from.as_object(), to.as_object()) else { return to.clone() };
    let mut fields = Map::new();
    for (name, value) in after {
        match before.get(name) {
            Some(old) if old == value => {}
            Some(old) => drop(fields.insert(name.clone(), patch(old, value))),
            None => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    fields.extend(gone.map(|name| (name.clone(), Value::Null)));
    Value::Object(fields)
}
