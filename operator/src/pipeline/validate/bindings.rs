//! The terms of the bindings: a resource that must be there has a name, and one that is made has none given.

use crds::{BindingMode, BindingsSpec, DeletionPolicy, QueueNames, WhenNotEmpty};

use super::{InvalidSpec, invalid};

pub(super) fn validate(spec: &BindingsSpec) -> Result<BindingsSpec, InvalidSpec> {
    let BindingsSpec { bucket, queues, topic } = spec;
    validate_naming("spec.bindings.bucket", bucket.mode, bucket.name.is_some())?;
    validate_naming("spec.bindings.queues", queues.mode, queues.names.is_some())?;
    validate_naming("spec.bindings.topic", topic.mode, topic.name.is_some())?;
    if let Some(QueueNames { visits, refreshes, dead_letters }) = &queues.names
        && (visits == refreshes || visits == dead_letters || refreshes == dead_letters)
    {
        let value = format!("{visits}, {refreshes}, {dead_letters}");
        return Err(invalid("spec.bindings.queues.names", &value, "it must name three different queues"));
    }
    match (bucket.when_not_empty, bucket.deletion_policy) {
        (WhenNotEmpty::DeleteAllObjects, DeletionPolicy::Retain) => Err(invalid(
            "spec.bindings.bucket.whenNotEmpty",
            &"DeleteAllObjects",
            "it needs spec.bindings.bucket.deletionPolicy Delete",
        )),
        (WhenNotEmpty::Keep, _) | (WhenNotEmpty::DeleteAllObjects, DeletionPolicy::Delete) => {
            Ok(spec.clone())
        }
    }
}

fn validate_naming(field: &str, mode: BindingMode, is_named: bool) -> Result<(), InvalidSpec> {
    let problem = match (mode, is_named) {
        (BindingMode::Adopt | BindingMode::ReadOnly, false) => "it needs a name beside it",
        (BindingMode::Create, true) => {
            "it takes no name; with one, the mode is Adopt, AdoptOrCreate or ReadOnly"
        }
        (BindingMode::Create | BindingMode::AdoptOrCreate, false)
        | (BindingMode::Adopt | BindingMode::AdoptOrCreate | BindingMode::ReadOnly, true) => return Ok(()),
    };
    Err(invalid(&format!("{field}.mode"), &format_args!("{mode:?}"), problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_that_contradict_themselves_are_refused_with_the_field() {
        let names = |visits: &str, refreshes: &str| json!({"mode": "Adopt", "names": {"visits": visits, "refreshes": refreshes, "deadLetters": "d"}});
        for (spec, field) in [
            (json!({"bucket": {"mode": "Adopt"}}), "spec.bindings.bucket.mode"),
            (json!({"bucket": {"name": "site"}}), "spec.bindings.bucket.mode"),
            (json!({"bucket": {"whenNotEmpty": "DeleteAllObjects"}}), "spec.bindings.bucket.whenNotEmpty"),
            (json!({"queues": {"mode": "ReadOnly"}}), "spec.bindings.queues.mode"),
            (json!({"queues": names("v", "v")}), "spec.bindings.queues.names"),
            (json!({"queues": names("d", "r")}), "spec.bindings.queues.names"),
            (json!({"queues": names("v", "d")}), "spec.bindings.queues.names"),
            (json!({"topic": {"mode": "ReadOnly"}}), "spec.bindings.topic.mode"),
        ] {
            let refused = validate(&serde_json::from_value(spec.clone()).unwrap()).unwrap_err();
            assert!(matches!(&refused, InvalidSpec::Field { field: told, .. } if told == field), "{refused}");
        }
        for spec in [
            json!({}),
            json!({"bucket": {"mode": "AdoptOrCreate"}, "queues": names("v", "r")}),
            json!({"bucket": {"mode": "ReadOnly", "name": "site"}, "topic": {"mode": "AdoptOrCreate", "name": "t"}}),
        ] {
            let spec: BindingsSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(validate(&spec).as_ref(), Ok(&spec));
        }
    }
}
