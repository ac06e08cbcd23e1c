//! Carries out the changes of the children, one after the other.

use crds::AssetPipeline;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};

use super::{ApplyError, Deletion, delete, namespaced, wrap};
use crate::{
    children::Child,
    context::Context,
    names::{OPERATOR_MANAGER, SCALER_MANAGER, qualified},
    pipeline::{
        observe::Workloads,
        ownership::is_controlled_by,
        plan::{Change, Children, ForeignChild},
    },
};

/// No object ever has it: the API server's store counts from 2 on. What is applied in this version is made, or
/// refused where anything of its name is there.
const BEFORE_ALL: &str = "1";

/// What came of the children that others read of.
pub(super) struct AppliedChildren {
    pub(super) workloads: Workloads,
    pub(super) ingress: Option<Ingress>,
    /// What stands in children's places, and was left alone.
    pub(super) foreign: Vec<ForeignChild>,
    /// Somebody else wrote to a child at the same time as we did.
    pub(super) is_overtaken: bool,
}

pub(super) async fn apply_children(
    context: &Context,
    object: &AssetPipeline,
    children: Children,
) -> Result<AppliedChildren, ApplyError> {
    let mut hands = Hands { context, object, foreign: children.foreign(), is_overtaken: false };
    let Children {
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
        worker_birth,
        worker_deployment,
        web_deployment,
        ingress,
    } = children;
    let web_account = hands.apply(web_service_account).await?;
    let worker_account = hands.apply(worker_service_account).await?;
    let secret = hands.apply(notice_secret).await?;
    hands.apply(bindings_config_map).await?;
    hands.apply(peers_service).await?;
    hands.apply(service).await?;
    hands.apply(web_disruption_budget).await?;
    hands.apply(worker_disruption_budget).await?;
    // Before the pods: nothing passes in between that should not.
    hands.apply(web_network_policy).await?;
    hands.apply(worker_network_policy).await?;
    // No pod runs under an identity, or trusts a key, that somebody else handed out.
    let worker = if worker_account.is_some() && secret.is_some() {
        // The scaler's manager must own the replicas from the first moment on.
        let born = match worker_birth {
            Change::Create(newborn) => hands.create(&*newborn, SCALER_MANAGER).await?.child(),
            Change::Keep(_)
            | Change::Apply(_)
            | Change::Delete { .. }
            | Change::Nothing
            | Change::Foreign { .. } => None,
        };
        hands.apply(worker_deployment.begun_by(born.as_ref())).await?
    } else {
        hands.hold_back(worker_deployment).await?
    };
    let web = if web_account.is_some() && secret.is_some() {
        hands.apply(web_deployment).await?
    } else {
        hands.hold_back(web_deployment).await?
    };
    let ingress = hands.apply(ingress).await?;
    let Hands { foreign, is_overtaken, .. } = hands;
    Ok(AppliedChildren { workloads: Workloads { web, worker }, ingress, foreign, is_overtaken })
}

/// Writes the children of one pipeline.
struct Hands<'a> {
    context: &'a Context,
    object: &'a AssetPipeline,
    foreign: Vec<ForeignChild>,
    is_overtaken: bool,
}

/// What came of making a child.
enum Creation<K> {
    Made(K),
    /// It was there already, as it is here, and was left so.
    There(K),
    Foreign,
}

impl<K> Creation<K> {
    fn child(self) -> Option<K> {
        match self {
            Self::Made(child) | Self::There(child) => Some(child),
            Self::Foreign => None,
        }
    }
}

impl Hands<'_> {
    /// Does one change, and gives the child as it is afterwards. What was seen may be old: the write is for the object
    /// that was seen, and for none that has taken its place.
    async fn apply<K: Child>(&mut self, change: Change<K>) -> Result<Option<K>, ApplyError> {
        match change {
            Change::Nothing | Change::Foreign { .. } => Ok(None),
            Change::Keep(observed) => Ok(Some(*observed)),
            Change::Create(mut desired) => match self.create(&*desired, OPERATOR_MANAGER).await? {
                Creation::Made(made) => Ok(Some(made)),
                Creation::There(there) => {
                    desired.meta_mut().uid = there.uid();
                    self.write(&*desired, OPERATOR_MANAGER).await.map(Some)
                }
                Creation::Foreign => Ok(None),
            },
            Change::Apply(desired) => self.write(&*desired, OPERATOR_MANAGER).await.map(Some),
            Change::Delete { name, uid } => {
                let children = &self.context.children;
                match delete(&self.api::<K>(), &name, uid, DeleteParams::background()).await? {
                    Deletion::Going(left) => children.note_written(&*left),
                    Deletion::Gone => {
                        children.note_deleted::<K>(&self.object.namespace().unwrap_or_default(), &name);
                    }
                    // The watch will tell of it.
                    Deletion::Replaced => {}
                }
                Ok(None)
            }
        }
    }

    /// The child as it is, without the change.
    async fn hold_back<K: Child>(&self, change: Change<K>) -> Result<Option<K>, ApplyError> {
        match change {
            Change::Keep(observed) => Ok(Some(*observed)),
            Change::Apply(desired) => {
                let there = self.read::<K>(&desired.name_any()).await?;
                Ok(there.filter(|there| self.is_ours(there)))
            }
            Change::Create(_) | Change::Delete { .. } | Change::Nothing | Change::Foreign { .. } => Ok(None),
        }
    }

    /// Makes a child that nobody has heard of. Where something stands there all the same, it is read.
    async fn create<K: Child>(&mut self, desired: &K, manager: &str) -> Result<Creation<K>, ApplyError> {
        let name = desired.name_any();
        let mut new = desired.clone();
        new.meta_mut().resource_version = Some(BEFORE_ALL.to_owned());
        let refused = match self.write(&new, manager).await {
            Ok(made) => return Ok(Creation::Made(made)),
            Err(refused) if refused.is_conflict() => refused,
            Err(error) => return Err(error),
        };
        // A quota conflicts, too, and then there is nothing.
        let Some(there) = self.read::<K>(&name).await? else { return Err(refused) };
        if self.is_ours(&there) {
            return Ok(Creation::There(there));
        }
        self.foreign.push(ForeignChild { kind: K::kind(&()).into_owned(), name });
        Ok(Creation::Foreign)
    }

    async fn read<K: Child>(&self, name: &str) -> Result<Option<K>, ApplyError> {
        self.api::<K>().get_opt(name).await.map_err(|source| wrap::<K>("read", name, source))
    }

    fn is_ours<K: Child>(&self, there: &K) -> bool {
        is_controlled_by(there.meta(), &self.object.uid().unwrap_or_default())
    }

    async fn write<K: Child>(&mut self, desired: &K, manager: &str) -> Result<K, ApplyError> {
        let name = desired.name_any();
        let parameters = PatchParams::apply(manager).force();
        let namespace = self.object.namespace().unwrap_or_default();
        let writing = self.context.children.begin::<K>(&namespace, &name);
        let written = self.api::<K>().patch(&name, &parameters, &Patch::Apply(desired)).await;
        let written = written.map_err(|source| wrap::<K>("apply", &name, source))?;
        self.is_overtaken |= writing.is_some_and(|writing| writing.note_written(&written));
        let pipeline = qualified(&namespace, &self.object.name_any());
        tracing::info!(
            pipeline.name = pipeline,
            kind = &*K::kind(&()),
            child = name,
            manager,
            "applied a child"
        );
        Ok(written)
    }

    fn api<K: Child>(&self) -> Api<K> {
        namespaced(self.context, self.object)
    }
}
