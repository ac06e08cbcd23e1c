//! The last sample of each queue, for the status.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::{AssetPipeline, QueueStatus};
use kube::ResourceExt;

/// By the pipeline's UID.
#[derive(Debug, Default)]
pub struct SampleBoard(Mutex<HashMap<String, QueueStatus>>);

impl SampleBoard {
    pub fn note(&self, object: &AssetPipeline, queue: QueueStatus) {
        if let Some(uid) = object.uid() {
            self.lock().insert(uid, queue);
        }
    }

    /// `None` where no sample was taken yet.
    pub fn latest(&self, object: &AssetPipeline) -> Option<QueueStatus> {
        self.lock().get(object.uid()?.as_str()).copied()
    }

    pub fn forget(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            self.lock().remove(&uid);
        }
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, QueueStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
