//! The fleet: all web pods together. Names one owner per key, and waits there for those who came here.
//!
//! Owns who is a member, who is left out for a while because it failed, and the signed conversation
//! between two pods. Deliberately does not judge what an answer is worth (a hold does), and never sends
//! anything on that came from another pod: whoever is asked acts as the owner.

mod call;
pub(crate) mod h2;
pub(crate) mod members;
mod rank;
pub(crate) mod serve;
pub(crate) mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;
use members::Members;
use pipeline::{
    Error,
    job::Task,
    key::Key,
    manifest::Manifest,
    names::{Fingerprint, JobId},
    signature::SigningKeys,
    tenant::Tenant,
};
use serde::{Deserialize, Serialize};

pub(crate) use call::signature_of;
pub use members::Member;

use crate::hold::{Accepts, Purpose};

/// The path of the internal listener where a pod waits at a key's owner.
pub(crate) const WAIT_PATH: &str = "/wait";
/// The `version` of [`WaitRequest`] that this build writes and understands.
const WAIT_VERSION: u32 = 1;

/// How a request reaches another pod's internal listener. Bounded: an implementation limits the time and
/// the bytes of an answer, and gives up within about 2 s on a pod that has gone silent.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request, whose URI is a path, and gives the whole answer.
    async fn call(&self, member: Member, request: Request<Bytes>) -> Result<Response<Bytes>, Error>;
}

/// "Tell me when a job of this key has ended." Repeated, it finds the same hold, or the manifest that
/// ended it: a replay makes no second job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitRequest {
    /// Shape of this object; 1.
    version: u32,
    /// The member that is asked. What was meant for another one is refused, so that a captured request
    /// opens no hold anywhere else.
    to: Member,
    pub(crate) key: Key,
    pub(crate) tenant: Tenant,
    /// When the first of the waiting visitors asked.
    pub(crate) asked_at: Timestamp,
    #[serde(default)]
    pub(crate) accepts: Accepts,
    /// Sources have to be read since then: the latest purge that the asker knows of. The owner may not know
    /// of it yet.
    #[serde(default)]
    pub(crate) purged: Option<Timestamp>,
    /// What the asker knows of a manifest.
    #[serde(default)]
    pub(crate) task: Task,
    /// Whether visitors wait.
    #[serde(default)]
    pub(crate) purpose: Purpose,
    /// The W3C trace context of the hold that waits.
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
}

/// What ended the owner's hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitAnswer {
    /// The job that the owner had sent; `None` where it needed none.
    pub(crate) job: Option<JobId>,
    /// The key's manifest, without its closures.
    pub(crate) manifest: Manifest,
}

/// Why an owner gave no manifest. Whatever it is, the next in rank is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("the connection to {member} failed")]
    Lost { member: Member, source: Error },
    #[error("{member} takes no waits: {status}")]
    Refused { member: Member, status: StatusCode },
    #[error("{member} gave an answer that is not signed for this request")]
    NotBelieved { member: Member },
}

impl FleetError {
    /// The outcome's name in the metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Lost { .. } => "lost",
            Self::Refused { .. } => "refused",
            Self::NotBelieved { .. } => "not_believed",
        }
    }
}

/// All web pods, as one of them sees them.
pub struct Fleet {
    /// What belongs to a fleet of more than one; `None` in a process of one.
    pods: Option<Pods>,
}

struct Pods {
    us: Member,
    members: Members,
    keys: SigningKeys,
    fingerprint: Fingerprint,
    transport: Arc<dyn Transport>,
}

impl Fleet {
    /// A process of one: it owns every key.
    pub fn alone() -> Self {
        Self { pods: None }
    }

    /// `us` is this pod. Until others are made known it is the only member.
    pub fn new(
        us: Member,
        fingerprint: Fingerprint,
        keys: SigningKeys,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self { pods: Some(Pods { us, members: Members::new(us), keys, fingerprint, transport }) }
    }

    /// Makes the members known as they are now; this pod need not be among them.
    pub fn set_members(&self, members: &[Member]) {
        if let Some(pods) = &self.pods {
            pods.members.set(members);
        }
    }

    /// How many members there are, this one included, without those that are left out.
    pub fn size(&self) -> usize {
        self.pods.as_ref().map_or(1, |pods| pods.members.size())
    }

    /// Whether this is the pod that is meant.
    pub(crate) fn is_us(&self, member: Member) -> bool {
        self.pods.as_ref().is_some_and(|pods| pods.us == member)
    }

    /// From now on this pod owns nothing as long as another one is there.
    pub(crate) fn leave(&self) {
        if let Some(pods) = &self.pods {
            pods.members.leave();
        }
    }

    /// The member that owns the key before this one does, those left out that were tried in vain.
    pub(crate) fn owner_before_us(&self, key: &Key, tried: &[Member]) -> Option<Member> {
        let pods = self.pods.as_ref()?;
        let candidates = pods.members.candidates();
        let candidates = candidates.iter().copied().filter(|member| !tried.contains(member));
        rank::owner_of(key, candidates).filter(|owner| *owner != pods.us)
    }

    /// Waits at a member for the manifest that ends its hold of the key. A member that cannot be reached,
    /// or takes no waits, is left out from then on until it answers a probe.
    pub(crate) async fn wait(&self, owner: Member, order: Waited<'_>) -> Result<WaitAnswer, FleetError> {
        let alone = || FleetError::Refused { member: owner, status: StatusCode::MISDIRECTED_REQUEST };
        let pods = self.pods.as_ref().ok_or_else(alone)?;
        let waited = pods.wait(owner, order).await;
        let is_unusable = match &waited {
            Err(FleetError::Lost { .. }) => true,
            Err(FleetError::Refused { status, .. }) => serve::is_lasting(*status),
            Err(FleetError::NotBelieved { .. }) | Ok(_) => false,
        };
        if is_unusable {
            pods.members.leave_out(owner);
        }
        waited
    }

    /// Asks a member that was left out whether it takes waits of ours again.
    async fn probe(&self, member: Member) {
        let Some(pods) = &self.pods else { return };
        let path = format!("{WAIT_PATH}/{}", pods.fingerprint);
        let request = call::build(Method::GET, path, None, Bytes::new());
        if let Ok(answer) = pods.transport.call(member, request).await
            && answer.status().is_success()
        {
            pods.members.readmit(member);
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited<'w> {
    pub(crate) key: &'w Key,
    pub(crate) tenant: &'w Tenant,
    pub(crate) asked_at: Timestamp,
    pub(crate) accepts: Accepts,
    pub(crate) purged: Option<Timestamp>,
    pub(crate) task: Task,
    pub(crate) purpose: Purpose,
    pub(crate) traceparent: &'w str,
}

impl Pods {
    async fn wait(&self, owner: Member, waited: Waited<'_>) -> Result<WaitAnswer, FleetError> {
        let Waited { key, tenant, asked_at, accepts, purged, task, purpose, traceparent } = waited;
        let request = WaitRequest {
            version: WAIT_VERSION,
            to: owner,
            key: key.clone(),
            tenant: tenant.clone(),
            asked_at,
            accepts,
            purged,
            task,
            purpose,
            traceparent: Some(traceparent.into()),
        };
        let (signature, request) = call::seal(&self.keys, &request, Timestamp::now());
        let answer = self.transport.call(owner, request).await;
        let answer = answer.map_err(|source| FleetError::Lost { member: owner, source })?;
        if answer.status() != StatusCode::OK {
            return Err(FleetError::Refused { member: owner, status: answer.status() });
        }
        call::open_answer(&self.keys, &signature, &answer, Timestamp::now())
            .ok_or(FleetError::NotBelieved { member: owner })
    }
}
