//! An object store in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Error,
    ports::{Condition, DeleteOutcome, ETag, Object, PutOutcome, Store},
};

/// Objects in a map. Unbounded: whoever fills it bounds it.
#[derive(Default)]
pub struct MemoryStore {
    objects: Mutex<Versions>,
}

#[derive(Default)]
struct Versions {
    by_name: BTreeMap<String, Object>,
    written: u64,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Versions> {
        // No code panics while it holds the lock half-way through a change.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        Ok(self.lock().by_name.get(name).cloned())
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        let mut objects = self.lock();
        let current = objects.by_name.get(name).map(|object| &object.etag);
        let holds = match &condition {
            Condition::None => true,
            Condition::IfAbsent => current.is_none(),
            Condition::IfMatch(etag) => current == Some(etag),
        };
        if !holds {
            return Ok(PutOutcome::PreconditionFailed);
        }
        objects.written += 1;
        let etag = ETag(format!("\"{}\"", objects.written));
        objects.by_name.insert(name.to_owned(), Object { body, etag: etag.clone() });
        Ok(PutOutcome::Stored(etag))
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.lock().by_name.remove(name);
        Ok(())
    }

    async fn delete_if(&self, name: &str, etag: &ETag) -> Result<DeleteOutcome, Error> {
        let mut objects = self.lock();
        if objects.by_name.get(name).is_some_and(|object| object.etag != *etag) {
            return Ok(DeleteOutcome::PreconditionFailed);
        }
        objects.by_name.remove(name);
        Ok(DeleteOutcome::Deleted)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let objects = self.lock();
        let names = objects.by_name.range(prefix.to_owned()..).map(|(name, _)| name);
        Ok(names.take_while(|name| name.starts_with(prefix)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_conforms() {
        crate::conformance::store(&MemoryStore::default()).await;
        crate::conformance::store_races(Arc::new(MemoryStore::default())).await;
    }
}
