//! The tags that the spec has on every resource, such as those by which costs are told apart. Pure.
//!
//! A resource has tags of others, too, and AWS does not tell who set one. So the resource itself carries a record
//! of the keys that we set, written in the same call as the tags: a crash, a lost reply or another operator leaves
//! no tag of ours that nobody knows, and no tag of others is ever changed or removed. The record stays on what is
//! released, and whoever takes the resource over takes the record over.

use std::collections::BTreeSet;

use super::ownership::{OUR_TAGS, Tags, plan_tags};

/// The keys that we set, as eight hex digits of each one's hash. 256 characters, which is what a tag's value may
/// have, hold 32 of them; the spec has 30 at the most.
pub(crate) const RECORD_TAG: &str = "assetpipeline.dev/tags";
/// Hex digits of a key's hash.
const DIGITS: usize = 8;

/// How a resource's tags change: first what goes, then what is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TagChange {
    pub(super) remove: Vec<String>,
    pub(super) set: Tags,
}

impl TagChange {
    /// The steps of a service that removes and sets tags in calls of their own, in the order that a crash may
    /// break off.
    pub(super) fn steps<Step>(
        self,
        remove: impl FnOnce(Vec<String>) -> Step,
        set: impl FnOnce(Tags) -> Step,
    ) -> Vec<Step> {
        let first = (!self.remove.is_empty()).then(|| remove(self.remove));
        let then = (!self.set.is_empty()).then(|| set(self.set));
        first.into_iter().chain(then).collect()
    }
}

/// The keys that we set, as the resource's record has them.
struct Record(BTreeSet<String>);

impl Record {
    fn read(observed: &Tags) -> Self {
        let text = observed.get(RECORD_TAG).map(String::as_bytes).unwrap_or_default();
        let hashes = text.chunks(DIGITS).map(|hash| String::from_utf8_lossy(hash).into_owned());
        Self(hashes.collect())
    }

    /// Whether we set the tag with this key.
    fn has(&self, key: &str) -> bool {
        self.0.contains(&hash(key))
    }

    /// What we set and is still there.
    fn present<'a>(&self, observed: &'a Tags) -> impl Iterator<Item = &'a String> {
        observed.keys().filter(|key| *key != RECORD_TAG && !OUR_TAGS.contains(&key.as_str()) && self.has(key))
    }
}

/// What changes so that the resource has these tags of ownership, and those of `wanted` whose keys nobody else
/// uses. In that order a crash between the two calls leaves a record of a tag that is gone, which is no harm.
pub(super) fn plan_change(observed: &Tags, ownership: &Tags, wanted: &Tags) -> Option<TagChange> {
    let record = Record::read(observed);
    let claimed: Tags = wanted
        .iter()
        .filter(|(key, _)| !observed.contains_key(*key) || record.has(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let stale = record.present(observed).filter(|key| !wanted.contains_key(*key)).cloned();
    let is_done = claimed.is_empty() && observed.contains_key(RECORD_TAG);
    let remove: Vec<String> = stale.chain(is_done.then(|| RECORD_TAG.to_owned())).collect();
    let set = plan_tags(observed, &with_record(ownership, claimed));
    (set.is_some() || !remove.is_empty()).then(|| TagChange { remove, set: set.unwrap_or_default() })
}

/// The tags with which a resource is made.
pub(super) fn build_first_tags(ownership: &Tags, wanted: &Tags) -> Tags {
    with_record(ownership, wanted.clone())
}

/// The keys of all tags of ours that an adopted resource loses when it is given back.
pub(super) fn list_ours(observed: &Tags) -> Vec<String> {
    let record = observed.contains_key(RECORD_TAG).then(|| RECORD_TAG.to_owned());
    let set = Record::read(observed).present(observed).cloned().collect::<Vec<_>>();
    OUR_TAGS.map(str::to_owned).into_iter().chain(record).chain(set).collect()
}

/// What of `wanted` is not there and may not be set, since nothing is; follows the resource's name.
pub(super) fn tell_lack(observed: &Tags, wanted: &Tags) -> Option<String> {
    let keys = keys_of(wanted, |key, value| observed.get(key) != Some(value))?;
    Some(format!("should have these of spec.bindings.tags: {keys}"))
}

/// What of `wanted` others have set otherwise; follows the resource's name.
pub(super) fn tell_conflict(observed: &Tags, wanted: &Tags) -> Option<String> {
    let record = Record::read(observed);
    let is_theirs = |key: &str, value: &String| {
        observed.get(key).is_some_and(|theirs| theirs != value) && !record.has(key)
    };
    let keys = keys_of(wanted, is_theirs)?;
    Some(format!("has tags that others set and spec.bindings.tags has otherwise: {keys}"))
}

/// Without the values, so that a condition's message stays short enough for the API server.
fn keys_of(wanted: &Tags, is_one: impl Fn(&str, &String) -> bool) -> Option<String> {
    let keys = wanted.iter().filter(|(key, value)| is_one(key, value)).map(|(key, _)| key.as_str());
    let keys: Vec<&str> = keys.collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

fn with_record(ownership: &Tags, claimed: Tags) -> Tags {
    let record: String = claimed.keys().map(|key| hash(key)).collect();
    let record = (!record.is_empty()).then(|| (RECORD_TAG.to_owned(), record));
    ownership.clone().into_iter().chain(claimed).chain(record).collect()
}

/// FNV-1a of 32 bits, the same for ever: resources carry it. Of fifty keys two are alike once in three million.
fn hash(key: &str) -> String {
    let mixed =
        key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{mixed:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn ownership() -> Tags {
        tags(&[("assetpipeline.dev/state", "owned")])
    }

    /// The tags after the change's first `calls` calls.
    fn changed(observed: &Tags, change: &TagChange, calls: usize) -> Tags {
        let mut after = observed.clone();
        if calls > 0 {
            after.retain(|key, _| !change.remove.contains(key));
        }
        if calls > 1 {
            after.extend(change.set.clone());
        }
        after
    }

    /// The tags once nothing is left to change, where the operator crashes after the first call each time.
    fn settled(mut observed: Tags, wanted: &Tags) -> Tags {
        for _ in 0..8 {
            let Some(change) = plan_change(&observed, &ownership(), wanted) else { return observed };
            let crashed = changed(&observed, &change, 1);
            observed = if crashed == observed { changed(&observed, &change, 2) } else { crashed };
        }
        panic!("it does not come to rest: {observed:?}")
    }

    #[test]
    fn hash_is_the_published_one() {
        // http://www.isthe.com/chongo/tech/comp/fnv/: FNV-1a of "", "a" and "foobar".
        assert_eq!(["", "a", "foobar"].map(hash), ["811c9dc5", "e40c292c", "bf9cf968"]);
    }

    #[test]
    fn record_of_the_most_keys_fits_a_tags_value() {
        let most: Tags = (0..crds::MAX_TAGS).map(|n| (format!("key-{n}"), String::new())).collect();
        let made = build_first_tags(&ownership(), &most);
        assert_eq!(made[RECORD_TAG].len(), crds::MAX_TAGS * DIGITS);
        assert!(made[RECORD_TAG].len() <= 256);
        assert_eq!(plan_change(&made, &ownership(), &most), None);
    }

    #[test]
    fn tags_come_change_and_go_and_those_of_others_stay_whatever_crashes() {
        let theirs = tags(&[("team", "web"), ("env", "prod")]);
        let first = tags(&[("cost-center", "42"), ("site", "shop")]);
        let made = settled(theirs.clone(), &first);
        assert_eq!((made["cost-center"].as_str(), made["site"].as_str()), ("42", "shop"));
        let second = settled(made, &tags(&[("cost-center", "43")]));
        assert_eq!((second.get("site"), second["cost-center"].as_str()), (None, "43"));
        let last = settled(second, &Tags::new());
        assert_eq!(last, ownership().into_iter().chain(theirs).collect());
    }

    #[test]
    fn key_that_others_use_is_theirs_and_told() {
        let theirs = tags(&[("team", "web"), ("site", "shop")]);
        let wanted = tags(&[("team", "shop"), ("site", "shop"), ("cost-center", "42")]);
        let after = settled(theirs.clone(), &wanted);
        assert_eq!(after["team"], "web");
        let told = "has tags that others set and spec.bindings.tags has otherwise: team";
        assert_eq!(tell_conflict(&after, &wanted).as_deref(), Some(told));
        // Not the one of the same value either: it was there before.
        assert_eq!(settled(after.clone(), &Tags::new()), ownership().into_iter().chain(theirs).collect());
        let without_theirs = after.into_iter().filter(|(key, _)| key != "team").collect();
        let after = settled(without_theirs, &wanted);
        assert_eq!((after["team"].as_str(), tell_conflict(&after, &wanted)), ("shop", None));
    }

    #[test]
    fn value_that_somebody_changed_is_set_again() {
        let wanted = tags(&[("cost-center", "42")]);
        let mut drifted = settled(Tags::new(), &wanted);
        drifted.insert("cost-center".into(), "7".into());
        let change = plan_change(&drifted, &ownership(), &wanted).unwrap();
        assert_eq!(change, TagChange { remove: vec![], set: wanted });
    }

    #[test]
    fn adopted_resource_loses_what_we_set_and_nothing_else() {
        let observed = settled(tags(&[("team", "web")]), &tags(&[("cost-center", "42"), ("team", "web")]));
        let ours = list_ours(&observed);
        assert_eq!(ours, [OUR_TAGS.as_slice(), &[RECORD_TAG, "cost-center"]].concat());
        assert_eq!(list_ours(&ownership()), OUR_TAGS);
    }

    #[test]
    fn lack_is_told_by_keys() {
        let wanted = tags(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let told = tell_lack(&tags(&[("a", "1"), ("b", "x")]), &wanted);
        assert_eq!(told.as_deref(), Some("should have these of spec.bindings.tags: b, c"));
        assert_eq!(tell_lack(&wanted, &wanted), None);
    }
}
