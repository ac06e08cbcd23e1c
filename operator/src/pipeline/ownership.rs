//! Whose an object of the cluster is: its controller's, as its owner references say. Its name is no evidence.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Whether the object with that UID is this one's controller.
pub fn is_controlled_by(metadata: &ObjectMeta, uid: &str) -> bool {
    let owners = metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owned(references: &Value) -> ObjectMeta {
        serde_json::from_value(json!({"ownerReferences": references})).unwrap()
    }

    #[test]
    fn only_the_controller_of_that_uid_counts() {
        let owner = |uid: &str, is_controller: Option<bool>| json!({"apiVersion": "v1", "kind": "Any", "name": "shop", "uid": uid, "controller": is_controller});
        assert!(is_controlled_by(&owned(&json!([owner("u-0", None), owner("u-1", Some(true))])), "u-1"));
        for references in [json!([]), json!([owner("u-1", None)]), json!([owner("u-2", Some(true))])] {
            assert!(!is_controlled_by(&owned(&references), "u-1"), "{references}");
        }
        assert!(!is_controlled_by(&ObjectMeta::default(), "u-1"));
    }
}
