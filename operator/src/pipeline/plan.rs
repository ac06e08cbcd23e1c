//! What is to be done, as one complete value. Pure: no client, no clock, no chance.

mod bindings;
mod bindings_config_map;
mod change;
mod children;
mod disruption_budget;
mod front;
mod hints;
mod ingress;
mod key_rotation;
mod metadata;
mod network_policy;
mod notice_secret;
mod peers_service;
mod pod;
mod service;
mod service_account;
mod settings;
pub mod subscription;
mod web_deployment;
mod worker_deployment;

pub use bindings::{BindingsStep, Gone, KnownBindings, RegistryStep};
pub use change::Change;
pub use children::{Children, ForeignChild};
pub use disruption_budget::MAX_UNAVAILABLE;
pub use front::Front;
pub use notice_secret::keys_of;
pub use subscription::SubscriptionState;

use jiff::Timestamp;
use pipeline::Error;

use super::{
    observe::{MissingSecret, Observed, Sight},
    validate::{Suffix, ValidPipeline},
};
use crate::{
    aws::{BindingSuffix, ObservedBindings},
    config::Config,
    purges::{HintTarget, PurgesPlan},
};

/// One round of work on a pipeline. Rounds go on until one has nothing to do.
#[derive(Debug)]
pub enum Plan {
    /// Write the finalizer and the names' random end on the pipeline. Nothing is made before they are there.
    Claim(BindingSuffix),
    /// Nothing: AWS did not tell whether an earlier pipeline of this name has left anything.
    Unknown(Error),
    Settle(Box<Settle>),
}

/// Everything that follows from a claimed pipeline.
#[derive(Debug)]
pub struct Settle {
    pub bindings: BindingsStep,
    pub registry: RegistryStep,
    pub purges: PurgesPlan,
    /// Whom to tell of them; absent where somebody else's Secret stands in the place of ours.
    pub hints: Option<HintTarget>,
    pub subscription: SubscriptionState,
    /// What is not as it should be on AWS, and may not be changed.
    pub drift: Vec<String>,
    /// Nothing is done about these: people make them.
    pub missing_secrets: Vec<MissingSecret>,
    pub front: Front,
    pub children: Children,
}

impl Settle {
    /// Whether anything outside of the cluster is made that is not there yet.
    pub fn makes_something(&self) -> bool {
        self.bindings.makes_something() || self.registry.writes()
    }

    /// Whether something is to be written outside of the cluster.
    pub fn writes_outside(&self) -> bool {
        matches!(self.bindings, BindingsStep::Work { .. }) || self.registry.writes()
    }
}

/// Chance and time, drawn before planning so that planning has neither.
#[derive(Debug, Clone)]
pub struct Chance {
    pub suffix: BindingSuffix,
    /// A key for a pipeline that needs a new one: 64 hex digits.
    pub notice_key: String,
    /// Makes the labels of new tenants unique for ever.
    pub tenant_seed: String,
    pub now: Timestamp,
}

/// The names, and the pipeline that they belong to, are `valid`'s; what is there is `observed`.
pub fn plan(valid: &ValidPipeline, observed: Observed, config: &Config, chance: &Chance) -> Plan {
    let Observed { has_finalizer, left_behind, bindings, registry, children, endpoint, missing_secrets } =
        observed;
    let suffix = match &valid.suffix {
        Suffix::Written(suffix) if has_finalizer => suffix,
        Suffix::Written(suffix) | Suffix::Lost(suffix) => return Plan::Claim(suffix.clone()),
        Suffix::Absent => {
            return match left_behind {
                Sight::Seen(Some(suffix)) => Plan::Claim(suffix),
                Sight::Seen(None) | Sight::Nothing => Plan::Claim(chance.suffix.clone()),
                Sight::Failed(error) => Plan::Unknown(error),
            };
        }
    };
    let is_web_ready = children.is_web_ready(&valid.owner_reference.uid);
    let subscriptions = bindings.seen().and_then(ObservedBindings::subscriptions_of_topic);
    let (wanted, state) = subscription::plan_life(valid, is_web_ready, subscriptions, &endpoint, chance.now);
    let want = bindings::build_want(valid, suffix, config, wanted);
    let bindings = bindings::plan_step(bindings, &valid.told, &want, state);
    let registry = bindings::plan_registry(valid, &bindings.step, registry, &chance.tenant_seed);
    let known = (bindings.known.as_ref(), bindings.named.as_ref());
    let children = children::plan_children(valid, children, known, config, chance);
    Plan::Settle(Box::new(Settle {
        bindings: bindings.step,
        registry,
        purges: valid.purges.clone(),
        hints: hints::plan_hints(valid, &children.notice_secret, &config.workloads),
        subscription: bindings.subscription,
        drift: bindings.drift,
        missing_secrets,
        front: front::build_front(valid),
        children,
    }))
}

#[cfg(test)]
mod tests;
