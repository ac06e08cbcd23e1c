//! What was seen of notification endpoints a moment ago, so that a round for a changed pod asks nobody.
//!
//! Memory only: a restart asks anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::AssetPipeline;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::ResourceExt;
use pipeline::reach::{Question, Unreached};

/// Asks an endpoint whether this pipeline's web pods answer there. Takes some seconds at the most.
pub type AskEndpoint = Box<dyn Fn(Question) -> BoxFuture<'static, Result<(), Unreached>> + Send + Sync>;

/// After the first time that nobody answered; doubled with each further one. DNS and load balancers come up within
/// minutes.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// For which an answer counts.
const TRUST: Duration = Duration::from_secs(30);

/// By the pipeline's UID.
#[derive(Debug, Default)]
pub struct ReachBoard(Mutex<HashMap<String, Asked>>);

#[derive(Debug)]
struct Asked {
    endpoint: String,
    at: Timestamp,
    outcome: Result<(), Unreached>,
    /// Until it is asked again.
    pause: Duration,
}

impl ReachBoard {
    /// What was seen at the endpoint, unless it is to be asked again.
    pub fn recall(
        &self,
        object: &AssetPipeline,
        endpoint: &str,
        now: Timestamp,
    ) -> Option<Result<(), Unreached>> {
        let all = self.lock();
        let asked = all.get(object.uid()?.as_str()).filter(|asked| asked.endpoint == endpoint)?;
        (!asked.left(now).is_zero()).then(|| asked.outcome.clone())
    }

    pub fn note(
        &self,
        object: &AssetPipeline,
        endpoint: &str,
        outcome: Result<(), Unreached>,
        now: Timestamp,
    ) {
        let Some(uid) = object.uid() else { return };
        let mut all = self.lock();
        let before = all.get(&uid).filter(|asked| asked.endpoint == endpoint && asked.outcome.is_err());
        let pause = match (&outcome, before) {
            (Ok(()), _) => TRUST,
            (Err(_), Some(before)) => before.pause.saturating_mul(2).min(LONGEST_PAUSE),
            (Err(_), None) => FIRST_PAUSE,
        };
        all.insert(uid, Asked { endpoint: endpoint.to_owned(), at: now, outcome, pause });
    }

    /// Until the endpoint is to be asked again.
    pub fn due_in(&self, object: &AssetPipeline, now: Timestamp) -> Option<Duration> {
        let all = self.lock();
        Some(all.get(object.uid()?.as_str())?.left(now))
    }

    pub fn forget(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            self.lock().remove(&uid);
        }
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Clocks that were set back make it ask again.
    fn left(&self, now: Timestamp) -> Duration {
        let passed = now.duration_since(self.at);
        let passed = Duration::try_from(passed).unwrap_or(Duration::MAX);
        self.pause.saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use crds::AssetPipelineSpec;

    use super::*;

    #[test]
    fn silence_is_asked_about_ever_more_seldom_and_another_endpoint_at_once() {
        let (board, mut object) =
            (ReachBoard::default(), AssetPipeline::new("a", AssetPipelineSpec::default()));
        object.metadata.uid = Some("u-1".into());
        let mut now = Timestamp::from_second(1_000).unwrap();
        for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(board.recall(&object, "a", now), None);
            board.note(&object, "a", Err(Unreached::Name), now);
            let just_before = now + Duration::from_secs(pause - 1);
            assert_eq!(board.recall(&object, "a", just_before), Some(Err(Unreached::Name)), "{pause}");
            assert_eq!(board.recall(&object, "b", just_before), None);
            assert_eq!(board.due_in(&object, just_before), Some(Duration::from_secs(1)));
            now += Duration::from_secs(pause);
        }
        board.note(&object, "a", Ok(()), now);
        board.note(&object, "a", Err(Unreached::Name), now);
        assert_eq!(board.due_in(&object, now), Some(FIRST_PAUSE));
        board.forget(&object);
        assert_eq!((board.recall(&object, "a", now), board.due_in(&object, now)), (None, None));
    }
}
