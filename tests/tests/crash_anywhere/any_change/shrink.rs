//! The smallest change of a spec that still ends in another state than a fresh start.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Fresh,
    specs::{Specs, differing, read, write},
};
use crate::schema::{get, set};

/// Makes the two specs as much the same, and as empty, as the difference allows, and tells it.
pub(super) async fn shrink(fresh: &mut Fresh, from: &Value, to: &Value) -> Result<String> {
    let specs = Specs::new(0, fresh.ground)?;
    let paths: Vec<&str> =
        specs.fields().iter().map(|field| field.path.as_str()).filter(|path| !path.contains("[]")).collect();
    let (mut from, mut to) = (from.clone(), to.clone());
    for path in &paths {
        let mut same = from.clone();
        set(&mut same, path, get(&to, path).first().unwrap_or(&&Value::Null));
        if let Some(same) = still(fresh, &same, &to).await.map(|(same, _)| same) {
            from = same;
        }
    }
    for path in &paths {
        let [mut less, mut less_too] = [from.clone(), to.clone()];
        set(&mut less, path, &Value::Null);
        set(&mut less_too, path, &Value::Null);
        if let Some(both) = still(fresh, &less, &less_too).await {
            (from, to) = both;
        }
    }
    let changed: Vec<String> = differing(specs.fields(), &from, &to)
        .into_iter()
        .map(|path| format!("  {path}: {} to {}", json!(get(&from, &path)), json!(get(&to, &path))))
        .collect();
    let told = told(fresh, &from, &to).await.unwrap_or_default();
    Ok(format!("changed:\n{}\n{told}from {from}\nto {to}\n", changed.join("\n")))
}

/// The two with their defaults, where they differ at all, can be read and still end in another state.
async fn still(fresh: &mut Fresh, from: &Value, to: &Value) -> Option<(Value, Value)> {
    let from = read(from).and_then(|from| write(&from)).ok()?;
    let to = read(to).and_then(|to| write(&to)).ok()?;
    told(fresh, &from, &to).await.map(|_| (from, to))
}

async fn told(fresh: &mut Fresh, from: &Value, to: &Value) -> Option<String> {
    Box::pin(fresh.check(from, to)).await.unwrap_or_else(|error| Some(format!("{error:#}\n")))
}
