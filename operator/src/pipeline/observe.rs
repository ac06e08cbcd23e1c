//! What is there: the pipeline's children in the cluster, its bindings on AWS, its tenants in the bucket.
//!
//! Children come from what the watches have told ([`crate::children`]), which may be old. Read from the API server
//! are: what no watch tells of; and, by `finalize`, whether pods are gone, since what they use goes after that. What
//! nobody has heard of may be there all the same: that is `apply`'s matter.

use crds::{AssetPipeline, BindingMode, BindingsSpec, PURGE_ANNOTATION_PREFIX};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, Resource, ResourceExt};
use pipeline::{Error, reach::Question, signature::SigningKeys};

use super::{
    ownership::is_controlled_by,
    plan::{
        keys_of,
        subscription::{EndpointSight, Reach, Step, Waiting, decide, see},
    },
    validate::validate,
};
use crate::{
    aws::{
        BindingNames, BindingSuffix, BindingsTerms, ObservedBindings, Owner, Unwritten, find_left_behind,
        holds_registry, observe_rest, subscription::ToldSubscription,
    },
    children::{Child, Found},
    context::Context,
    names::{FINALIZER, SUFFIX_ANNOTATION, Tier, bindings_config_map, notice_secret, peers_service},
    tenants::{ObservedRegistry, observe_registry, owner_name},
};

/// The cluster did not tell what is there.
#[derive(Debug, thiserror::Error)]
#[error("could not read {kind} {name}")]
pub struct ObserveError {
    kind: String,
    name: String,
    #[source]
    source: kube::Error,
}

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Observed {
    pub has_finalizer: bool,
    /// What an earlier pipeline of this name left; looked for only while this one has no names of its own.
    pub left_behind: Sight<Option<BindingSuffix>>,
    pub bindings: Sight<ObservedBindings>,
    pub registry: Sight<ObservedRegistry>,
    pub children: ObservedChildren,
    pub endpoint: EndpointSight,
    pub missing_secrets: Vec<MissingSecret>,
}

/// What is there in the cluster, for one round.
#[derive(Debug, Clone, Default)]
pub struct Inside {
    children: ObservedChildren,
    missing_secrets: Vec<MissingSecret>,
}

/// A Secret that the spec names and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// Where the spec names it.
    pub field: &'static str,
    pub name: String,
}

/// What a look outside the cluster gave. A failure there does not keep the rest from being reconciled.
#[derive(Debug)]
pub enum Sight<T> {
    /// There was nothing to look at yet.
    Nothing,
    Seen(T),
    Failed(Error),
}

/// The children as the API server has them.
#[derive(Debug, Clone, Default)]
pub struct ObservedChildren {
    pub web_service_account: Option<ServiceAccount>,
    pub worker_service_account: Option<ServiceAccount>,
    pub notice_secret: Option<Secret>,
    pub bindings_config_map: Option<ConfigMap>,
    pub peers_service: Option<Service>,
    pub service: Option<Service>,
    pub web_disruption_budget: Option<PodDisruptionBudget>,
    pub worker_disruption_budget: Option<PodDisruptionBudget>,
    pub web_network_policy: Option<NetworkPolicy>,
    pub worker_network_policy: Option<NetworkPolicy>,
    pub worker_deployment: Option<Deployment>,
    pub web_deployment: Option<Deployment>,
    pub ingress: Option<Ingress>,
}

/// The Deployments of the pipeline. One of somebody else's under such a name is none.
#[derive(Debug, Default)]
pub struct Workloads {
    pub web: Option<Deployment>,
    pub worker: Option<Deployment>,
}

impl<T> Sight<T> {
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Nothing | Self::Failed(_) => None,
        }
    }
}

impl Workloads {
    fn only_of(self, object: &AssetPipeline) -> Self {
        let uid = object.uid().unwrap_or_default();
        let Self { web, worker } = self;
        let [web, worker] = [web, worker]
            .map(|found| found.filter(|found: &Deployment| is_controlled_by(&found.metadata, &uid)));
        Self { web, worker }
    }
}

impl ObservedChildren {
    /// Whether there is a web pod of the pipeline with this UID that would answer.
    pub fn is_web_ready(&self, uid: &str) -> bool {
        let ours = self.web_deployment.as_ref().filter(|web| is_controlled_by(&web.metadata, uid));
        let status = ours.and_then(|deployment| deployment.status.as_ref());
        status.and_then(|status| status.ready_replicas).is_some_and(|ready| ready > 0)
    }
}

pub async fn observe_inside(context: &Context, object: &AssetPipeline) -> Result<Inside, ObserveError> {
    // Until it is claimed nothing else is done.
    let is_claimed = has_finalizer(object) && object.annotations().contains_key(SUFFIX_ANNOTATION);
    if !is_claimed {
        return Ok(Inside::default());
    }
    let children = Box::pin(observe_children(context, object)).await?;
    Ok(Inside { children, missing_secrets: observe_secrets(context, object).await? })
}

/// Looks outside of the cluster, but not at what an earlier step of the round has seen and not written to.
pub async fn observe(
    context: &Context,
    object: &AssetPipeline,
    inside: Inside,
    unwritten: Unwritten,
) -> Observed {
    let Inside { children, missing_secrets } = inside;
    let (bindings, registry) = observe_outside(context, object, unwritten).await;
    let left_behind = observe_left_behind(context, object).await;
    let has_finalizer = has_finalizer(object);
    let endpoint = observe_endpoint(context, object, &children, &bindings).await;
    Observed { has_finalizer, left_behind, bindings, registry, children, endpoint, missing_secrets }
}

/// All that is looked at while a pipeline is suspended. Nothing hangs on it but what the status tells.
pub async fn observe_workloads(context: &Context, object: &AssetPipeline) -> Result<Workloads, ObserveError> {
    let [web, worker] = [Tier::Web, Tier::Worker].map(|tier| tier.child_name(&object.name_any()));
    let web = look(context, object, &web).await?;
    let worker = look(context, object, &worker).await?;
    Ok(Workloads { web, worker }.only_of(object))
}

/// As the API server has them now.
pub(super) async fn fetch_workloads(
    context: &Context,
    object: &AssetPipeline,
) -> Result<Workloads, ObserveError> {
    let [web, worker] = [Tier::Web, Tier::Worker].map(|tier| tier.child_name(&object.name_any()));
    let (web, worker) = (fetch(context, object, &web).await?, fetch(context, object, &worker).await?);
    Ok(Workloads { web, worker }.only_of(object))
}

pub fn has_finalizer(object: &AssetPipeline) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// The end of the drawn names as the status tells it: only the operator writes there. A name that the spec
/// gives may look like a drawn one, and is none.
pub fn told_suffix(object: &AssetPipeline) -> Option<BindingSuffix> {
    let BindingsSpec { bucket, queues, topic, tags: _ } = &object.spec.bindings;
    let told = object.status.as_ref()?.bindings.as_ref()?;
    let last = |text: &Option<String>, separator| Some(text.as_ref()?.rsplit(separator).next()?.to_owned());
    let drawn = [
        told.bucket.clone().filter(|_| bucket.name.is_none()),
        last(&told.queue_url, '/').filter(|_| queues.names.is_none()),
        last(&told.topic_arn, ':').filter(|_| topic.name.is_none()),
    ];
    drawn.into_iter().flatten().find_map(|name| BindingSuffix::of_bucket(&name))
}

/// Who owns the bindings of the pipeline.
pub fn owner_of(context: &Context, object: &AssetPipeline) -> Owner {
    Owner {
        cluster: context.config.cluster_name.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

/// The terms as the spec has them; what it says is checked in `validate`.
pub fn terms_of(context: &Context, object: &AssetPipeline, names: &BindingNames) -> BindingsTerms {
    let namespace = object.namespace().unwrap_or_default();
    let told = object.status.as_ref().and_then(|status| status.bindings.as_ref());
    let subscription = ToldSubscription {
        arn: told.and_then(|told| told.subscription_arn.clone()),
        endpoint: object.spec.notifications.endpoint.as_ref().and_then(|endpoint| endpoint.parse().ok()),
    };
    let adoptable = &context.config.adoptable;
    BindingsTerms::new(names, &object.spec.bindings, &namespace, adoptable).told(subscription)
}

/// The bindings' names, where the pipeline tells their end. What it tells is checked in `validate`.
pub fn binding_names(object: &AssetPipeline) -> Option<BindingNames> {
    let written = || object.annotations().get(SUFFIX_ANNOTATION)?.parse().ok();
    let suffix = told_suffix(object).or_else(written)?;
    let drawn = BindingNames::new(&object.namespace()?, &object.name_any(), &suffix);
    Some(drawn.given(&object.spec.bindings))
}

async fn observe_left_behind(context: &Context, object: &AssetPipeline) -> Sight<Option<BindingSuffix>> {
    // A suffix that cannot be read is told by `validate`.
    if told_suffix(object).is_some() || object.annotations().contains_key(SUFFIX_ANNOTATION) {
        return Sight::Nothing;
    }
    let owner = owner_of(context, object);
    match find_left_behind(&context.clients, &owner, &object.spec.bindings).await {
        Ok(found) => Sight::Seen(found),
        Err(error) => Sight::Failed(error),
    }
}

/// Bindings that were settled a moment ago are taken for unchanged: each look costs twenty calls.
async fn observe_outside(
    context: &Context,
    object: &AssetPipeline,
    unwritten: Unwritten,
) -> (Sight<ObservedBindings>, Sight<ObservedRegistry>) {
    let Some(names) = binding_names(object) else { return (Sight::Nothing, Sight::Nothing) };
    if let Some((bindings, registry)) = context.settled.recall(object, context.pace.interval()) {
        return (Sight::Seen(bindings), Sight::Seen(registry));
    }
    let is_ordered = object.annotations().keys().any(|key| key.starts_with(PURGE_ANNOTATION_PREFIX));
    // Who orders a purge waits for it.
    if let Some(error) = context.pace.pause_of(object).filter(|_| !is_ordered) {
        return (Sight::Failed(error), Sight::Nothing);
    }
    let bindings = match observe_rest(&context.clients, &names, unwritten).await {
        Ok(bindings) => bindings,
        Err(error) => return (Sight::Failed(error), Sight::Nothing),
    };
    let (owner, terms) = (owner_of(context, object), terms_of(context, object, &names));
    let registry = if holds_registry(&bindings.bucket, &terms.bucket, &owner) {
        let owner = owner_name(&owner.namespace, &owner.name);
        // What is no host name is told by `validate`.
        let hosts = object.spec.tenants.iter().filter_map(|tenant| tenant.host.parse().ok());
        match observe_registry(&*context.open_store(&names.bucket), &owner, hosts).await {
            Ok(registry) => Sight::Seen(registry),
            Err(error) => Sight::Failed(error),
        }
    } else {
        Sight::Nothing
    };
    if let Sight::Seen(registry) = &registry {
        context.settled.note(object, &bindings, registry);
    }
    (Sight::Seen(bindings), registry)
}

/// Asks the endpoint where something hangs on its answer, and at most as often as the board says.
async fn observe_endpoint(
    context: &Context,
    object: &AssetPipeline,
    children: &ObservedChildren,
    bindings: &Sight<ObservedBindings>,
) -> EndpointSight {
    let now = (context.clock)();
    let waiting = Waiting::of(object, context.settled.pending_looked(object));
    let not_asked = EndpointSight { reach: Reach::NotAsked, waiting };
    let Some(bindings) = bindings.seen() else { return not_asked };
    let Some(question) = build_question(object, children, bindings) else { return not_asked };
    let seen = see(&bindings.subscriptions, &question.endpoint);
    // What is wrong with a spec is told by the round; nobody is asked for the sake of one.
    if decide(seen, &Reach::NotAsked, &waiting, now) != Step::Ask || validate(object).is_err() {
        return not_asked;
    }
    let endpoint = question.endpoint.to_string();
    let outcome = if let Some(outcome) = context.reached.recall(object, &endpoint, now) {
        outcome
    } else {
        let outcome = (context.reach)(question).await;
        context.reached.note(object, &endpoint, outcome.clone(), now);
        outcome
    };
    let reach = outcome.map_or_else(Reach::Silent, |()| Reach::Answers);
    EndpointSight { reach, waiting }
}

/// Absent where nobody could answer, or nothing would come of it.
fn build_question(
    object: &AssetPipeline,
    children: &ObservedChildren,
    bindings: &ObservedBindings,
) -> Option<Question> {
    let uid = object.uid()?;
    let secret = children.notice_secret.as_ref().filter(|found| is_controlled_by(&found.metadata, &uid));
    let is_ours_to_write = object.spec.bindings.topic.mode != BindingMode::ReadOnly;
    (is_ours_to_write && children.is_web_ready(&uid)).then_some(())?;
    Some(Question {
        endpoint: object.spec.notifications.endpoint.as_ref()?.parse().ok()?,
        topic_arn: bindings.topic.found()?.arn.clone(),
        keys: SigningKeys::from_text(&keys_of(secret?)?).ok()?,
    })
}

async fn observe_children(
    context: &Context,
    object: &AssetPipeline,
) -> Result<ObservedChildren, ObserveError> {
    let name = object.name_any();
    let (web, worker) = (Tier::Web.child_name(&name), Tier::Worker.child_name(&name));
    let (secret, told, peers) = (notice_secret(&name), bindings_config_map(&name), peers_service(&name));
    let reads = tokio::try_join!(
        look(context, object, &web),
        look(context, object, &worker),
        fetch(context, object, &secret),
        fetch(context, object, &told),
        look(context, object, &peers),
        look(context, object, &name),
        look(context, object, &web),
        look(context, object, &worker),
        look(context, object, &web),
        look(context, object, &worker),
        look(context, object, &worker),
        look(context, object, &web),
        look(context, object, &name),
    )?;
    let (
        web_service_account,
        worker_service_account,
        notice_secret,
        bindings_config_map,
        peers_service,
        service,
        web_disruption_budget,
        worker_disruption_budget,
        web_network_policy,
        worker_network_policy,
        worker_deployment,
        web_deployment,
        ingress,
    ) = reads;
    Ok(ObservedChildren {
        web_service_account,
        worker_service_account,
        notice_secret,
        bindings_config_map,
        peers_service,
        service,
        web_disruption_budget,
        worker_disruption_budget,
        web_network_policy,
        worker_network_policy,
        worker_deployment,
        web_deployment,
        ingress,
    })
}

/// What the Secrets hold is the pods' matter: nothing of it is read here.
async fn observe_secrets(
    context: &Context,
    object: &AssetPipeline,
) -> Result<Vec<MissingSecret>, ObserveError> {
    let namespace = object.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let of_origins = object.spec.origin_credentials.as_ref().map(|credentials| &credentials.secret_name);
    let named = [
        ("spec.aws.credentialsSecretName", object.spec.aws.credentials_secret_name.as_ref()),
        ("spec.originCredentials.secretName", of_origins),
    ];
    let mut missing = Vec::new();
    for (field, name) in named.into_iter().filter_map(|(field, name)| Some((field, name?))) {
        let found = secrets.get_metadata_opt(name).await.map_err(|source| ObserveError {
            kind: Secret::kind(&()).into_owned(),
            name: format!("{namespace}/{name}"),
            source,
        })?;
        if found.is_none() {
            missing.push(MissingSecret { field, name: name.clone() });
        }
    }
    Ok(missing)
}

/// The child of that name, as it was last heard of.
async fn look<K: Child>(
    context: &Context,
    object: &AssetPipeline,
    name: &str,
) -> Result<Option<K>, ObserveError> {
    match context.children.find(&object.namespace().unwrap_or_default(), name) {
        Found::Known(found) => Ok(Some(*found)),
        // Whatever is there is somebody else's, or was made a moment ago, and refuses to be made again.
        Found::Absent => Ok(None),
        Found::Unlisted => fetch(context, object, name).await,
    }
}

/// The child of that name as the API server has it now, or `None` where there is none.
pub(super) async fn fetch<K: Child>(
    context: &Context,
    object: &AssetPipeline,
    name: &str,
) -> Result<Option<K>, ObserveError> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<K> = Api::namespaced(context.client.clone(), &namespace);
    let wrap = |source| ObserveError {
        kind: K::kind(&()).into_owned(),
        name: format!("{namespace}/{name}"),
        source,
    };
    api.get_opt(name).await.map_err(wrap)
}
