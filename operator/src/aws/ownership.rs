//! Whose a resource is, as its tags say. The only evidence that we act on.

use std::collections::BTreeMap;

/// Tags by key.
pub(super) type Tags = BTreeMap<String, String>;

/// The cluster whose operator made the resource.
const CLUSTER_TAG: &str = "assetpipeline.dev/cluster";
/// The pipeline, as `<namespace>/<name>`.
const PIPELINE_TAG: &str = "assetpipeline.dev/pipeline";
/// `owned`, or `released` once the pipeline is gone and the resource was kept.
const STATE_TAG: &str = "assetpipeline.dev/state";

/// Who owns the resources of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the cluster, unique in the AWS account.
    pub cluster: String,
    pub namespace: String,
    pub name: String,
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// This pipeline's.
    Ours,
    /// This pipeline's, kept when an earlier pipeline of its name was deleted.
    Released,
    /// Nobody has put one of our tags on it.
    Nobody,
    /// Another pipeline's, or another cluster's.
    Other(String),
}

impl Owner {
    /// The tags of a resource in use.
    pub fn owned_tags(&self) -> Tags {
        self.tags("owned")
    }

    /// The tags of a resource that outlives its pipeline.
    pub fn released_tags(&self) -> Tags {
        self.tags("released")
    }

    pub fn holder(&self, tags: &Tags) -> Holder {
        let cluster = tags.get(CLUSTER_TAG);
        let pipeline = tags.get(PIPELINE_TAG);
        match (cluster, pipeline) {
            (None, None) => Holder::Nobody,
            (Some(cluster), Some(pipeline)) if *cluster == self.cluster && *pipeline == self.qualified() => {
                if tags.get(STATE_TAG).is_some_and(|state| state == "released") {
                    Holder::Released
                } else {
                    Holder::Ours
                }
            }
            (cluster, pipeline) => Holder::Other(format!(
                "pipeline {} of cluster {}",
                pipeline.map_or("unknown", String::as_str),
                cluster.map_or("unknown", String::as_str)
            )),
        }
    }

    fn qualified(&self) -> String {
        crate::names::qualified(&self.namespace, &self.name)
    }

    fn tags(&self, state: &str) -> Tags {
        let pairs = [
            (CLUSTER_TAG, self.cluster.clone()),
            (PIPELINE_TAG, self.qualified()),
            (STATE_TAG, state.to_owned()),
        ];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// The tags of `wanted` that `observed` lacks or has with another value.
pub(super) fn plan_tags(observed: &Tags, wanted: &Tags) -> Option<Tags> {
    let changed: Tags = wanted
        .iter()
        .filter(|&(key, value)| observed.get(key) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    (!changed.is_empty()).then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
    }

    #[test]
    fn only_exact_tags_make_a_resource_ours() {
        let foreign_cluster = Owner { cluster: "west".into(), ..owner() };
        let foreign_name = Owner { name: "blog".into(), ..owner() };
        assert_eq!(owner().holder(&owner().owned_tags()), Holder::Ours);
        assert_eq!(owner().holder(&owner().released_tags()), Holder::Released);
        assert_eq!(owner().holder(&Tags::new()), Holder::Nobody);
        assert_eq!(owner().holder(&Tags::from([("team".into(), "web".into())])), Holder::Nobody);
        for other in [foreign_cluster, foreign_name] {
            assert!(matches!(owner().holder(&other.owned_tags()), Holder::Other(_)));
            assert!(matches!(owner().holder(&other.released_tags()), Holder::Other(_)));
        }
        let mut half = owner().owned_tags();
        half.remove(PIPELINE_TAG);
        assert!(matches!(owner().holder(&half), Holder::Other(_)));
    }

    #[test]
    fn tags_of_others_are_left_alone() {
        let mut observed = owner().owned_tags();
        observed.insert("cost-center".into(), "42".into());
        assert_eq!(plan_tags(&observed, &owner().owned_tags()), None);
        assert_eq!(
            plan_tags(&observed, &owner().released_tags()),
            Some(Tags::from([(STATE_TAG.into(), "released".into())]))
        );
    }
}
