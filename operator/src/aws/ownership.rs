//! Whose a resource is, as its tags say. The only evidence that we act on.

use std::collections::BTreeMap;

use super::terms::Terms;

/// Tags by key.
pub(super) type Tags = BTreeMap<String, String>;

/// The cluster whose operator made the resource.
pub(crate) const CLUSTER_TAG: &str = "assetpipeline.dev/cluster";
/// The pipeline, as `<namespace>/<name>`.
pub(crate) const PIPELINE_TAG: &str = "assetpipeline.dev/pipeline";
/// `owned` where the operator made the resource, `adopted` where it did not, and `released` once the pipeline
/// is gone and what the operator made was kept.
pub(crate) const STATE_TAG: &str = "assetpipeline.dev/state";
/// The pipeline that may have the resource though it is not ours, as `<namespace>/<name>`. People set it.
const CONSENT_TAG: &str = "assetpipeline.dev/adoptable-by";

pub(crate) const OWNED: &str = "owned";
const ADOPTED: &str = "adopted";
const RELEASED: &str = "released";

/// Who owns the resources of one pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the cluster, unique in the AWS account.
    pub cluster: String,
    pub namespace: String,
    pub name: String,
}

/// How a resource came to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    Made,
    Adopted,
}

/// Who has allowed that a foreign resource is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The resource's own tag.
    Tag,
    /// The operator's Helm values.
    Values,
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Missing,
    /// This pipeline's.
    Ours(Provenance),
    /// This pipeline's, kept when an earlier pipeline of its name was deleted.
    Released,
    Foreign {
        /// Follows the resource's name.
        whose: String,
        /// Whether another pipeline uses it. Then no consent counts.
        is_in_use: bool,
        consent: Option<Consent>,
    },
}

impl Owner {
    /// The tags of a resource in use that the operator made.
    pub fn owned_tags(&self) -> Tags {
        self.tags(OWNED)
    }

    /// The tags of a resource in use that somebody else made.
    pub fn adopted_tags(&self) -> Tags {
        self.tags(ADOPTED)
    }

    /// The tags of a resource that outlives its pipeline.
    pub fn released_tags(&self) -> Tags {
        self.tags(RELEASED)
    }

    /// Key and value of the tag by which people allow that the pipeline has a resource.
    pub fn consent_tag(&self) -> (&'static str, String) {
        (CONSENT_TAG, self.qualified())
    }

    /// Whose the resource with these tags is.
    pub fn standing(&self, tags: &Tags, terms: &Terms) -> Standing {
        let foreign = |whose: String, is_in_use: bool| {
            let consent = if is_in_use { None } else { self.consent(tags, terms) };
            Standing::Foreign { whose, is_in_use, consent }
        };
        let (cluster, pipeline) = (tags.get(CLUSTER_TAG), tags.get(PIPELINE_TAG));
        let state = tags.get(STATE_TAG).map(String::as_str);
        match (cluster, pipeline) {
            (None, None) => foreign("exists and carries none of our tags".to_owned(), false),
            (Some(cluster), Some(pipeline)) if *cluster == self.cluster && *pipeline == self.qualified() => {
                match state {
                    Some(RELEASED) => Standing::Released,
                    Some(OWNED) => Standing::Ours(Provenance::Made),
                    // In doubt somebody else made it: then it is never deleted.
                    Some(_) | None => Standing::Ours(Provenance::Adopted),
                }
            }
            (cluster, pipeline) => {
                let is_in_use = state != Some(RELEASED);
                let verb = if is_in_use { "belongs to" } else { "was released by" };
                let name = |tag: Option<&String>| tag.map_or("unknown", String::as_str).to_owned();
                foreign(format!("{verb} pipeline {} of cluster {}", name(pipeline), name(cluster)), is_in_use)
            }
        }
    }

    /// Whether the tags name this pipeline, be the resource in use or released.
    pub(super) fn is_named_by(&self, tags: &Tags) -> bool {
        let named = |key: &str, value: &str| tags.get(key).is_some_and(|tag| tag == value);
        named(CLUSTER_TAG, &self.cluster) && named(PIPELINE_TAG, &self.qualified())
    }

    fn consent(&self, tags: &Tags, terms: &Terms) -> Option<Consent> {
        if tags.get(CONSENT_TAG).is_some_and(|pipeline| *pipeline == self.qualified()) {
            Some(Consent::Tag)
        } else {
            terms.is_allowed_by_values.then_some(Consent::Values)
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

/// The keys of the tags that say whose a resource is. They are ours to set and to remove.
pub(crate) const OUR_TAGS: [&str; 3] = [CLUSTER_TAG, PIPELINE_TAG, STATE_TAG];

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
    use crate::aws::{
        ending::Disposal,
        terms::{Kind, Naming},
    };

    fn owner() -> Owner {
        Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
    }

    fn standing(tags: &Tags) -> Standing {
        let terms = Terms {
            kind: Kind::Queue,
            name: "jobs".into(),
            naming: Naming::Drawn,
            mode: crds::BindingMode::Create,
            disposal: Disposal::Retain,
            is_allowed_by_values: false,
            tags: Tags::new(),
        };
        owner().standing(tags, &terms)
    }

    #[test]
    fn only_exact_tags_make_a_resource_ours() {
        let foreign_cluster = Owner { cluster: "west".into(), ..owner() };
        let foreign_name = Owner { name: "blog".into(), ..owner() };
        assert_eq!(standing(&owner().owned_tags()), Standing::Ours(Provenance::Made));
        assert_eq!(standing(&owner().adopted_tags()), Standing::Ours(Provenance::Adopted));
        assert_eq!(standing(&owner().released_tags()), Standing::Released);
        let is_foreign = |tags: &Tags, is_used: bool| matches!(standing(tags), Standing::Foreign { is_in_use, consent: None, .. } if is_in_use == is_used);
        assert!(is_foreign(&Tags::new(), false));
        assert!(is_foreign(&Tags::from([("team".into(), "web".into())]), false));
        for other in [foreign_cluster, foreign_name] {
            assert!(is_foreign(&other.owned_tags(), true) && is_foreign(&other.adopted_tags(), true));
            assert!(is_foreign(&other.released_tags(), false));
        }
        let mut half = owner().owned_tags();
        half.remove(PIPELINE_TAG);
        assert!(is_foreign(&half, true));
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
