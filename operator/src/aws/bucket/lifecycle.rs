//! Rules by which S3 itself clears a bucket: one for each prefix under which a pipeline stores anything.
//!
//! A bucket of others gets none: they may keep files of their own under such prefixes, and the bucket outlives the
//! pipeline. Rules of others stay. Ours are known by their ids, and compared by what they do.

use aws_sdk_s3::{
    Client,
    error::BuildError,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, TransitionDefaultMinimumObjectSize,
    },
};
use pipeline::{
    Error,
    key::{ATTEMPTS_PREFIX, BODIES_PREFIX, MANIFESTS_PREFIX},
    tenant::REGISTRY_PREFIX,
};

use super::invalid;
use crate::{
    aws::{
        error::{failed, is_missing},
        policy::Rest,
    },
    tenants::CLAIMS_PREFIX,
};

/// Where the purge of a whole pipeline is recorded.
const PURGES_PREFIX: &str = "purges/";
/// How the ids of our rules begin; the prefix follows.
const ID_PREFIX: &str = "assetpipeline.dev/";
/// Days after which a multipart upload that nobody completed is given up. No pod of ours makes any.
const ABORT_DAYS: i32 = 7;
/// Days after which a count of attempts goes: the least that S3 takes. A count is deleted with its job's outcome, and
/// means nothing ten minutes after it was written, so what is left a day later is what a failed delete left.
const ATTEMPTS_DAYS: i32 = 1;

/// A bucket's rules, as S3 tells and takes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lifecycle {
    rules: Vec<LifecycleRule>,
    /// A setting of the whole bucket that comes along with the rules.
    smallest_to_move: Option<TransitionDefaultMinimumObjectSize>,
}

/// Nothing in a rule is a floating-point number.
impl Eq for Lifecycle {}

/// What a rule of ours does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule<'a> {
    prefix: &'a str,
    current: Current,
    /// Days after which a version that is no longer current goes.
    noncurrent_days: i32,
    abort_days: i32,
}

/// What becomes of current versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    /// They stay; only a mark of deletion with no version behind it goes.
    Stay,
    /// They go after so many days, and such marks as well.
    Expire(i32),
}

impl Rule<'static> {
    fn all(noncurrent_days: i32) -> [Self; 6] {
        let kept = [MANIFESTS_PREFIX, BODIES_PREFIX, REGISTRY_PREFIX, CLAIMS_PREFIX, PURGES_PREFIX];
        let [manifests, bodies, registry, claims, purges] = kept.map(|prefix| (prefix, Current::Stay));
        let attempts = (ATTEMPTS_PREFIX, Current::Expire(ATTEMPTS_DAYS));
        [manifests, bodies, attempts, registry, claims, purges].map(|(prefix, current)| Self {
            prefix,
            current,
            noncurrent_days,
            abort_days: ABORT_DAYS,
        })
    }
}

impl<'a> Rule<'a> {
    /// `None` where the rule is off, or does what none of ours would.
    fn read(rule: &'a LifecycleRule) -> Option<Self> {
        let is_on = rule.status == ExpirationStatus::Enabled;
        let moves = !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty();
        let expiration = rule.expiration.as_ref()?;
        let noncurrent = rule.noncurrent_version_expiration.as_ref()?;
        let is_simple =
            expiration.date.is_none() && noncurrent.newer_noncurrent_versions.is_none_or(|kept| kept == 0);
        if !is_on || moves || !is_simple {
            return None;
        }
        Some(Self {
            prefix: read_prefix(rule)?,
            current: match (expiration.days, expiration.expired_object_delete_marker) {
                (Some(days), None | Some(false)) => Current::Expire(days),
                (None, Some(true)) => Current::Stay,
                (Some(_), Some(true)) | (None, None | Some(false)) => return None,
            },
            noncurrent_days: noncurrent.noncurrent_days?,
            abort_days: rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation?,
        })
    }

    fn id(self) -> String {
        format!("{ID_PREFIX}{}", self.prefix)
    }

    fn build(self) -> Result<LifecycleRule, BuildError> {
        let Self { prefix, current, noncurrent_days, abort_days } = self;
        let expiration = match current {
            Current::Stay => LifecycleExpiration::builder().expired_object_delete_marker(true),
            Current::Expire(days) => LifecycleExpiration::builder().days(days),
        };
        LifecycleRule::builder()
            .id(self.id())
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(expiration.build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder().noncurrent_days(noncurrent_days).build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder().days_after_initiation(abort_days).build(),
            )
            .build()
    }
}

/// The prefix, where it is all that a rule goes by. It has stood in three places over the years.
#[expect(deprecated, reason = "rules of others may still have a prefix of the old form")]
fn read_prefix(rule: &LifecycleRule) -> Option<&str> {
    let Some(filter) = &rule.filter else { return Some(rule.prefix.as_deref().unwrap_or_default()) };
    let LifecycleRuleFilter { prefix, tag, object_size_greater_than, object_size_less_than, and, .. } =
        filter;
    let has_sizes = object_size_greater_than.is_some() || object_size_less_than.is_some();
    match and {
        _ if tag.is_some() || has_sizes => None,
        None => Some(prefix.as_deref().unwrap_or_default()),
        Some(and) => {
            let is_alone = and.tags().is_empty()
                && and.object_size_greater_than.is_none()
                && and.object_size_less_than.is_none();
            is_alone.then(|| and.prefix.as_deref().unwrap_or_default())
        }
    }
}

/// The bucket's rules with ours, where they are to be written; in a bucket of others without ours. `noncurrent_days`
/// is for how long S3 keeps a version that is no longer current, which only a bucket with versions has.
pub(super) fn plan_lifecycle(observed: &Lifecycle, noncurrent_days: i32, rest: Rest) -> Option<Lifecycle> {
    let all = Rule::all(noncurrent_days);
    let ours = match rest {
        Rest::Ours => &all[..],
        Rest::Others => &[],
    };
    let is_ours = |rule: &LifecycleRule| rule.id().is_some_and(|id| all.iter().any(|our| our.id() == id));
    let said: Vec<Option<Rule<'_>>> = observed.rules.iter().map(Rule::read).collect();
    let is_said = ours.iter().all(|our| said.contains(&Some(*our)));
    let mut kept_ids = observed.rules.iter().zip(&said).filter(|(rule, _)| is_ours(rule));
    if is_said && kept_ids.all(|(_, said)| said.is_some_and(|said| ours.contains(&said))) {
        return None;
    }
    let others = observed.rules.iter().filter(|rule| !is_ours(rule)).cloned().map(with_filter);
    // Every part that the SDK asks for is set.
    let built = ours.iter().filter_map(|our| our.build().ok());
    Some(Lifecycle { rules: others.chain(built).collect(), ..observed.clone() })
}

/// S3 takes no rule with a filter beside one with a prefix of the old form, which means the same.
#[expect(deprecated, reason = "rules of others may still have a prefix of the old form")]
fn with_filter(mut rule: LifecycleRule) -> LifecycleRule {
    if rule.filter.is_none() {
        let prefix = rule.prefix.take().unwrap_or_default();
        rule.filter = Some(LifecycleRuleFilter::builder().prefix(prefix).build());
    }
    rule
}

pub(super) async fn fetch_lifecycle(client: &Client, name: &str) -> Result<Lifecycle, Error> {
    match client.get_bucket_lifecycle_configuration().bucket(name).send().await {
        Ok(answer) => Ok(Lifecycle {
            rules: answer.rules.unwrap_or_default(),
            smallest_to_move: answer.transition_default_minimum_object_size,
        }),
        Err(error) if is_missing(&error) => Ok(Lifecycle::default()),
        Err(error) => Err(failed(&format!("read the lifecycle of bucket {name}"), error)),
    }
}

pub(super) async fn set_lifecycle(client: &Client, name: &str, lifecycle: Lifecycle) -> Result<(), Error> {
    let attempted = format!("set the lifecycle of bucket {name}");
    let Lifecycle { rules, smallest_to_move } = lifecycle;
    if rules.is_empty() {
        // S3 takes no configuration without a rule.
        let sent = client.delete_bucket_lifecycle().bucket(name).send().await;
        return sent.map(drop).map_err(|error| failed(&attempted, error));
    }
    let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
    let configuration = configuration.map_err(|source| invalid(&attempted, source))?;
    let request = client.put_bucket_lifecycle_configuration().bucket(name);
    let request = request.set_transition_default_minimum_object_size(smallest_to_move);
    let sent = request.lifecycle_configuration(configuration).send().await;
    sent.map(drop).map_err(|error| failed(&attempted, error))
}

#[cfg(test)]
impl Lifecycle {
    /// As a bucket of ours has it.
    pub(crate) fn fixture(noncurrent_days: i32) -> Self {
        plan_lifecycle(&Self::default(), noncurrent_days, Rest::Ours).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(id: &str, prefix: &str) -> LifecycleRule {
        let expiration = LifecycleExpiration::builder().days(400).build();
        let rule = LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).expiration(expiration);
        rule.filter(LifecycleRuleFilter::builder().prefix(prefix).build()).build().unwrap()
    }

    fn of(rules: Vec<LifecycleRule>) -> Lifecycle {
        Lifecycle { rules, smallest_to_move: None }
    }

    #[test]
    fn our_rules_stay_within_our_prefixes_and_only_counts_of_attempts_expire() {
        let all = Lifecycle::fixture(30);
        let told: Vec<_> = all.rules.iter().map(|rule| Rule::read(rule).unwrap()).collect();
        assert_eq!(told, Rule::all(30));
        let expiring: Vec<&str> =
            told.iter().filter(|rule| rule.current != Current::Stay).map(|rule| rule.prefix).collect();
        assert_eq!(expiring, ["n/"]);
        assert!(told.iter().all(|rule| rule.prefix.ends_with('/')), "{told:?}");
        assert_eq!(plan_lifecycle(&all, 30, Rest::Ours), None);
    }

    #[test]
    #[expect(deprecated, reason = "rules of others may still have a prefix of the old form")]
    fn rules_of_others_stay_in_their_order_and_in_a_form_that_s3_takes_beside_ours() {
        let mut old = theirs("old", "");
        (old.filter, old.prefix) = (None, Some("logs/".into()));
        let observed = Lifecycle {
            rules: vec![theirs("b", "a/"), old],
            smallest_to_move: Some(TransitionDefaultMinimumObjectSize::VariesByStorageClass),
        };
        let planned = plan_lifecycle(&observed, 30, Rest::Ours).unwrap();
        assert_eq!(planned.rules[..2], [theirs("b", "a/"), theirs("old", "logs/")]);
        assert_eq!(planned.rules[2..], Lifecycle::fixture(30).rules);
        assert_eq!(planned.smallest_to_move, observed.smallest_to_move);
        assert_eq!(plan_lifecycle(&planned, 30, Rest::Ours), None);
    }

    #[test]
    #[expect(deprecated, reason = "rules of others may still have a prefix of the old form")]
    fn another_spelling_of_our_rules_needs_no_write() {
        let mut respelled = Lifecycle::fixture(30);
        respelled.rules.reverse();
        for (number, rule) in respelled.rules.iter_mut().enumerate() {
            let prefix = read_prefix(rule).unwrap().to_owned();
            match number {
                0 => (rule.filter, rule.prefix) = (None, Some(prefix)),
                1 => {
                    let and = aws_sdk_s3::types::LifecycleRuleAndOperator::builder().prefix(prefix).build();
                    rule.filter = Some(LifecycleRuleFilter::builder().and(and).build());
                }
                _ => rule.id = Some(format!("rule-{number}")),
            }
        }
        assert_eq!(plan_lifecycle(&respelled, 30, Rest::Ours), None);
    }

    #[test]
    fn rule_of_ours_that_does_something_else_is_replaced() {
        assert_eq!(plan_lifecycle(&Lifecycle::fixture(30), 60, Rest::Ours), Some(Lifecycle::fixture(60)));
        // One of somebody else's does what ours should, and ours goes too far.
        let mut both = Lifecycle::fixture(60);
        both.rules.extend(Lifecycle::fixture(30).rules.into_iter().map(|mut rule| {
            rule.id = Some(format!("their {}", rule.id().unwrap()));
            rule
        }));
        assert_eq!(plan_lifecycle(&both, 30, Rest::Ours).unwrap().rules.len(), 12);
        for change in [
            (|rule: &mut LifecycleRule| rule.status = ExpirationStatus::Disabled) as fn(&mut LifecycleRule),
            |rule| rule.expiration = Some(LifecycleExpiration::builder().days(1).build()),
            |rule| rule.filter = Some(LifecycleRuleFilter::builder().prefix("").build()),
            |rule| rule.abort_incomplete_multipart_upload = None,
            |rule| {
                let kept =
                    NoncurrentVersionExpiration::builder().noncurrent_days(30).newer_noncurrent_versions(3);
                rule.noncurrent_version_expiration = Some(kept.build());
            },
        ] {
            let mut drifted = Lifecycle::fixture(30);
            change(&mut drifted.rules[0]);
            assert_eq!(plan_lifecycle(&drifted, 30, Rest::Ours), Some(Lifecycle::fixture(30)), "{drifted:?}");
        }
    }

    #[test]
    fn bucket_of_others_has_none_of_our_rules() {
        assert_eq!(plan_lifecycle(&Lifecycle::default(), 30, Rest::Others), None);
        let both = of([vec![theirs("logs", "logs/")], Lifecycle::fixture(30).rules].concat());
        let without = plan_lifecycle(&both, 30, Rest::Others).unwrap();
        assert_eq!(without, of(vec![theirs("logs", "logs/")]));
        assert_eq!(plan_lifecycle(&without, 30, Rest::Others), None);
    }

    #[test]
    fn rule_of_others_is_never_taken_for_ours() {
        let tagged = LifecycleRuleFilter::builder()
            .prefix("a/")
            .tag(aws_sdk_s3::types::Tag::builder().key("k").value("v").build().unwrap())
            .build();
        let mut rule = theirs("tagged", "a/");
        rule.filter = Some(tagged);
        let tagged = rule;
        let planned = plan_lifecycle(&of(vec![tagged.clone()]), 30, Rest::Ours).unwrap();
        assert_eq!((planned.rules.len(), &planned.rules[0]), (7, &tagged));
    }
}
