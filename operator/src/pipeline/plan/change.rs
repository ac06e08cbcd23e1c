//! Whether a child must be written: compared with what is there, so that a settled child is left alone.

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use pipeline::names::Digest;
use serde::Serialize;
use serde_json::Value;

use crate::{names::APPLIED_ANNOTATION, pipeline::ownership::is_controlled_by};

/// What is to be done about one child.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<K> {
    /// It is as it should be.
    Keep(Box<K>),
    /// Nobody has heard of one: it is to be made as it stands here, the digest annotation included, and nothing that
    /// stands there all the same is to be changed.
    Create(Box<K>),
    /// It is to be applied as it stands here, the digest annotation included.
    Apply(Box<K>),
    /// It is there, with this UID, and should not be.
    Delete { name: String, uid: Option<String> },
    /// It is not there and should not be, or it is not for us to decide.
    Nothing,
    /// An object of its name is there that the pipeline does not control. It is left alone.
    Foreign { name: String },
}

impl<K> Change<K> {
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }

    /// The same where somebody else begins what is to be made: on what came of that, or not at all.
    #[must_use]
    pub fn begun_by(self, born: Option<&K>) -> Self
    where
        K: Metadata<Ty = ObjectMeta>,
    {
        match (self, born) {
            (Self::Create(mut desired), Some(born)) => {
                desired.metadata_mut().uid.clone_from(&born.metadata().uid);
                Self::Apply(desired)
            }
            (Self::Create(_), None) => Self::Nothing,
            (other, _) => other,
        }
    }
}

/// The change that brings `observed` to `desired`, unless it is not `owner`'s.
///
/// Two signs say that a child must be applied. Its digest differs: we want something else than before,
/// which also covers fields that we no longer set. Or a field that we set has another value: somebody
/// changed it. Fields that we never set, such as defaults or other managers' entries, do not count.
pub(super) fn plan_change<K>(owner: &OwnerReference, observed: Option<K>, mut desired: K) -> Change<K>
where
    K: Metadata<Ty = ObjectMeta> + Serialize,
{
    if let Some(observed) = &observed
        && !is_controlled_by(observed.metadata(), &owner.uid)
    {
        return Change::Foreign { name: observed.metadata().name.clone().unwrap_or_default() };
    }
    let digest = Digest::of(to_json(&desired).to_string().as_bytes()).to_string();
    desired.metadata_mut().annotations.get_or_insert_default().insert(APPLIED_ANNOTATION.to_owned(), digest);
    // Another one that has taken its place meanwhile is refused by the API server, and left alone.
    desired.metadata_mut().uid = observed.as_ref().and_then(|observed| observed.metadata().uid.clone());
    match observed {
        Some(observed) if holds(&to_json(&desired), &to_json(&observed)) => Change::Keep(Box::new(observed)),
        Some(_) => Change::Apply(Box::new(desired)),
        None => Change::Create(Box::new(desired)),
    }
}

/// The removal of a child that should not be, once. An object of others is in nobody's way then.
pub(super) fn plan_absence<K>(owner: &OwnerReference, observed: Option<K>) -> Change<K>
where
    K: Metadata<Ty = ObjectMeta>,
{
    let ours = observed.filter(|observed| is_controlled_by(observed.metadata(), &owner.uid));
    let there = ours.map(|observed| observed.metadata().clone());
    match there.filter(|metadata| metadata.deletion_timestamp.is_none()) {
        Some(ObjectMeta { name: Some(name), uid, .. }) => Change::Delete { name, uid },
        Some(_) | None => Change::Nothing,
    }
}

fn to_json(object: &impl Serialize) -> Value {
    serde_json::to_value(object)
        .expect("Kubernetes objects are made of maps with text keys, which always serialize")
}

/// Whether `observed` has everything that `desired` says.
fn holds(desired: &Value, observed: &Value) -> bool {
    match (desired, observed) {
        (Value::Object(desired), Value::Object(observed)) => desired.iter().all(|(key, value)| {
            observed.get(key).map_or_else(|| is_empty(value), |observed| holds(value, observed))
        }),
        (Value::Array(desired), Value::Array(observed)) => holds_list(desired, observed),
        (desired, observed) => desired == observed,
    }
}

/// Lists whose entries have names are merged by name, and other managers may add entries. All others are
/// replaced as a whole.
fn holds_list(desired: &[Value], observed: &[Value]) -> bool {
    if desired.iter().all(|entry| entry.get("name").is_some()) {
        desired.iter().all(|entry| {
            observed.iter().any(|other| other.get("name") == entry.get("name") && holds(entry, other))
        })
    } else {
        desired.len() == observed.len() && desired.iter().zip(observed).all(|(d, o)| holds(d, o))
    }
}

/// The API server drops empty values that mean the same as none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn owner(uid: &str) -> OwnerReference {
        OwnerReference { uid: uid.into(), controller: Some(true), ..OwnerReference::default() }
    }

    fn service(spec: &Value) -> Service {
        let metadata = json!({"name": "shop", "ownerReferences": [owner("u-1")]});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn plan(observed: Option<Service>, desired: Service) -> Change<Service> {
        plan_change(&owner("u-1"), observed, desired)
    }

    fn applied(desired: &Service) -> Service {
        match plan(None, desired.clone()) {
            Change::Create(object) | Change::Apply(object) => *object,
            other => panic!("a missing child must be applied, not {other:?}"),
        }
    }

    #[test]
    fn child_as_the_api_server_completed_it_is_kept() {
        let desired = service(&json!({"ports": [{"name": "http", "port": 80}]}));
        let mut observed = applied(&desired);
        observed.metadata.uid = Some("s-1".into());
        let spec = observed.spec.as_mut().unwrap();
        spec.cluster_ip = Some("10.0.0.1".into());
        spec.ports.as_mut().unwrap()[0].protocol = Some("TCP".into());
        assert_eq!(plan(Some(observed.clone()), desired), Change::Keep(Box::new(observed)));
    }

    #[test]
    fn field_that_somebody_changed_is_applied_again() {
        let desired = service(&json!({"ports": [{"name": "http", "port": 80}]}));
        let mut drifted = applied(&desired);
        drifted.metadata.uid = Some("s-1".into());
        drifted.spec.as_mut().unwrap().ports.as_mut().unwrap()[0].port = 81;
        let mut expected = applied(&desired);
        expected.metadata.uid = Some("s-1".into());
        assert_eq!(plan(Some(drifted), desired), Change::Apply(Box::new(expected)));
    }

    #[test]
    fn field_that_is_no_longer_wanted_is_applied_away() {
        let before = service(&json!({"type": "NodePort", "ports": [{"name": "http", "port": 80}]}));
        let desired = service(&json!({"ports": [{"name": "http", "port": 80}]}));
        assert!(matches!(plan(Some(applied(&before)), desired), Change::Apply(_)));
    }

    #[test]
    fn entries_of_other_managers_are_no_drift_where_lists_merge_by_name() {
        let desired = json!([{"name": "A", "value": "1"}]);
        assert!(holds(&desired, &json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}])));
        assert!(!holds(&desired, &json!([{"name": "A", "value": "2"}])));
        assert!(!holds(&json!(["ALL"]), &json!(["ALL", "NET_RAW"])));
        assert!(!holds(&json!([]), &json!("text")));
    }

    #[test]
    fn unwanted_child_is_deleted_once() {
        let mut observed = service(&json!({}));
        observed.metadata.uid = Some("s-1".into());
        let delete = Change::Delete { name: "shop".into(), uid: Some("s-1".into()) };
        assert_eq!(plan_absence(&owner("u-1"), Some(observed.clone())), delete);
        observed.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-27T00:00:00Z")).unwrap();
        assert_eq!(plan_absence(&owner("u-1"), Some(observed)), Change::Nothing);
        assert_eq!(plan_absence::<Service>(&owner("u-1"), None), Change::Nothing);
    }

    #[test]
    fn object_that_the_pipeline_does_not_control_is_left_alone() {
        let ours = service(&json!({"type": "NodePort"}));
        let mut unowned = service(&json!({}));
        unowned.metadata.owner_references = None;
        let mut anothers = service(&json!({}));
        anothers.metadata.owner_references = Some(vec![owner("u-2")]);
        for foreign in [unowned, anothers] {
            assert_eq!(plan_absence(&owner("u-1"), Some(foreign.clone())), Change::Nothing);
            assert_eq!(plan(Some(foreign), ours.clone()), Change::Foreign { name: "shop".into() });
        }
    }
}
