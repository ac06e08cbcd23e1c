//! The statuses that we wrote a moment ago: what we tell is no news to us, and is not forgotten before the watch has
//! told it back.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::{AssetPipeline, AssetPipelineStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt, core::DeserializeGuard};

/// By the pipeline's UID.
#[derive(Debug, Default)]
pub struct StatusBoard(Mutex<HashMap<String, Told>>);

#[derive(Debug)]
struct Told {
    /// Of what we wrote last, or are about to.
    hash: u64,
    /// Version and status, until the watch has come so far.
    unseen: Option<(u64, Box<AssetPipelineStatus>)>,
}

impl StatusBoard {
    /// To be called before the write: the watch may be faster than the answer.
    pub fn note_begun(&self, object: &AssetPipeline, status: &AssetPipelineStatus) {
        let Some(uid) = object.uid() else { return };
        let hash = hash_of(Some(status));
        self.lock().entry(uid).or_insert(Told { hash, unseen: None }).hash = hash;
    }

    /// What the API server answered to it.
    pub fn note_written(&self, written: &AssetPipeline) {
        let (Some(uid), Some(version)) = (written.uid(), version_of(written.meta())) else { return };
        if let Some(told) = self.lock().get_mut(&uid) {
            told.unseen = written.status.clone().map(|status| (version, Box::new(status)));
        }
    }

    /// The object with the newest status that is known.
    pub fn freshen<'a>(&self, object: &'a AssetPipeline) -> Cow<'a, AssetPipeline> {
        let mut all = self.lock();
        let told = object.uid().and_then(|uid| all.get_mut(uid.as_str()));
        let unseen = told.and_then(|told| told.unseen_in(version_of(object.meta())));
        unseen.map_or(Cow::Borrowed(object), |status| {
            Cow::Owned(AssetPipeline { status: Some(status.clone()), ..object.clone() })
        })
    }

    /// Of what the watch tells: everything of a pipeline that starts a round when it changes; its status does only where
    /// somebody else wrote it.
    pub fn news_of(&self, object: &DeserializeGuard<AssetPipeline>) -> u64 {
        let metadata = object.meta();
        let status = object.0.as_ref().ok().map(|object| hash_of(object.status.as_ref()));
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let is_ours = self.lock().get_mut(uid).is_some_and(|told| {
            let _ = told.unseen_in(version_of(metadata));
            Some(told.hash) == status
        });
        let mut hasher = DefaultHasher::new();
        let marks = (&metadata.labels, &metadata.annotations, &metadata.finalizers);
        let going = metadata.deletion_timestamp.is_some();
        (uid, metadata.generation, marks, going, status.filter(|_| !is_ours)).hash(&mut hasher);
        hasher.finish()
    }

    pub fn forget(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            self.lock().remove(&uid);
        }
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// What an object of that version lacks. What it does not lack is not kept any longer.
    fn unseen_in(&mut self, seen: Option<u64>) -> Option<&AssetPipelineStatus> {
        self.unseen = self.unseen.take().filter(|(written, _)| seen.is_some_and(|seen| seen < *written));
        self.unseen.as_ref().map(|(_, status)| &**status)
    }
}

fn hash_of(status: Option<&AssetPipelineStatus>) -> u64 {
    let text = serde_json::to_string(&status)
        .expect("a status is made of maps with text keys, which always serialize");
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Versions grow with time (KEP-5504).
fn version_of(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pipeline(version: u64, generation: i64, status: &Value) -> AssetPipeline {
        serde_json::from_value(json!({
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "spec": {}, "status": status,
            "metadata": {
                "name": "shop", "namespace": "shop", "uid": "u-1", "generation": generation,
                "resourceVersion": version.to_string(),
            },
        }))
        .unwrap()
    }

    fn news(board: &StatusBoard, object: &AssetPipeline) -> u64 {
        board.news_of(&DeserializeGuard(Ok(object.clone())))
    }

    #[test]
    fn own_status_is_no_news_and_everything_else_is() {
        let board = StatusBoard::default();
        let before = pipeline(1, 1, &json!({}));
        let told = pipeline(2, 1, &json!({"observedGeneration": 1}));
        board.note_begun(&before, &AssetPipelineStatus::default());
        let first = news(&board, &before);
        board.note_begun(&before, told.status.as_ref().unwrap());
        assert_eq!(news(&board, &told), first);
        let foreign = pipeline(3, 1, &json!({"observedGeneration": 9}));
        assert_ne!(news(&board, &foreign), first);
        assert_ne!(news(&board, &pipeline(3, 2, &json!({"observedGeneration": 1}))), first);
        let mut marked = told.clone();
        marked.annotations_mut().insert("assetpipeline.dev/purge.a".to_owned(), "{}".to_owned());
        assert_ne!(news(&board, &marked), first);
        board.forget(&told);
        assert_ne!(news(&board, &told), first);
    }

    #[test]
    fn what_the_watch_has_told_is_not_kept() {
        let board = StatusBoard::default();
        let written = pipeline(4, 1, &json!({"observedGeneration": 1}));
        board.note_begun(&written, written.status.as_ref().unwrap());
        board.note_written(&written);
        let before = pipeline(3, 1, &json!({}));
        news(&board, &before);
        assert_eq!(board.freshen(&before).status, written.status);
        news(&board, &written);
        assert!(board.lock()["u-1"].unseen.is_none());
    }

    #[test]
    fn what_was_written_is_known_until_the_watch_has_told_it_and_not_longer() {
        let board = StatusBoard::default();
        let before = pipeline(1, 1, &json!({}));
        let written = pipeline(4, 1, &json!({"observedGeneration": 1}));
        board.note_begun(&before, written.status.as_ref().unwrap());
        board.note_written(&written);
        assert_eq!(board.freshen(&before).status, written.status);
        assert_eq!(board.freshen(&pipeline(3, 2, &json!({}))).status, written.status);
        let by_another = pipeline(5, 1, &json!({"observedGeneration": 7}));
        assert_eq!(board.freshen(&by_another).status, by_another.status);
        assert_eq!(board.freshen(&before).status, before.status);
    }
}
