//! Ordering a purge: the record is written beside the tenant, or for the whole pipeline.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Purge;
use crate::{
    Error, ErrorKind,
    names::HostName,
    ports::{Condition, PutOutcome, Store},
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};

/// Where the purge of a whole pipeline lies.
pub const PIPELINE_PURGE_OBJECT: &str = "purges/all.json";
/// The `version` that this build writes and understands.
pub const PIPELINE_PURGE_VERSION: u32 = 1;

/// How often a record's write is tried against concurrent writers.
const MAX_WRITE_ATTEMPTS: u32 = 8;

/// The purge of everything that a pipeline has stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelinePurge {
    /// Shape of this object; 1.
    pub version: u32,
    pub at: Timestamp,
}

/// Adds a purge to the registration of `host`; `None` where nobody has claimed it. `plan` makes the purge
/// from the tenant.
pub async fn add_purge<E>(
    store: &dyn Store,
    host: &HostName,
    plan: impl Fn(&Tenant) -> Result<Purge, E>,
) -> Result<Option<Result<Purge, E>>, Error> {
    let name = registry_object(host);
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let Some(object) = store.get(&name).await? else { return Ok(None) };
        let mut registration: Registration = parse(&name, &object.body)?;
        check_version(&name, registration.version, REGISTRATION_VERSION)?;
        let purge = match plan(&registration.tenant) {
            Ok(purge) => purge,
            Err(refusal) => return Ok(Some(Err(refusal))),
        };
        registration.tenant.purges.add(purge.clone());
        let body = Bytes::from(to_json(&registration));
        match store.put(&name, body, Condition::IfMatch(object.etag)).await? {
            PutOutcome::Stored(_) => return Ok(Some(Ok(purge))),
            PutOutcome::PreconditionFailed => {}
        }
    }
    Err(contended(&name))
}

/// Purges everything of the pipeline whose store this is.
pub async fn purge_pipeline(store: &dyn Store, at: Timestamp) -> Result<(), Error> {
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let object = store.get(PIPELINE_PURGE_OBJECT).await?;
        let known = object.as_ref().map(|object| parse_pipeline_purge(&object.body)).transpose()?;
        if known.is_some_and(|known| known.at >= at) {
            return Ok(());
        }
        let condition = object.map_or(Condition::IfAbsent, |object| Condition::IfMatch(object.etag));
        let body = Bytes::from(to_json(&PipelinePurge { version: PIPELINE_PURGE_VERSION, at }));
        match store.put(PIPELINE_PURGE_OBJECT, body, condition).await? {
            PutOutcome::Stored(_) => return Ok(()),
            PutOutcome::PreconditionFailed => {}
        }
    }
    Err(contended(PIPELINE_PURGE_OBJECT))
}

/// When everything of the pipeline was last purged, if it ever was.
pub async fn read_pipeline_purge(store: &dyn Store) -> Result<Option<Timestamp>, Error> {
    let object = store.get(PIPELINE_PURGE_OBJECT).await?;
    object.map(|object| parse_pipeline_purge(&object.body).map(|purge| purge.at)).transpose()
}

fn parse_pipeline_purge(body: &[u8]) -> Result<PipelinePurge, Error> {
    let purge: PipelinePurge = parse(PIPELINE_PURGE_OBJECT, body)?;
    check_version(PIPELINE_PURGE_OBJECT, purge.version, PIPELINE_PURGE_VERSION)?;
    Ok(purge)
}

fn parse<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|source| Error::new(ErrorKind::Invalid, format!("read {name}")).with_source(source))
}

fn check_version(name: &str, version: u32, known: u32) -> Result<(), Error> {
    if version == known {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, format!("read {name}"))
        .with_source(format!("its version is {version}")))
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it holds only text and numbers, which always serialize")
}

fn contended(name: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("write {name} against {MAX_WRITE_ATTEMPTS} concurrent writers"),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{embedded::MemoryStore, purge::PurgeScope};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn registration() -> Registration {
        let tenant = Tenant::new(
            "shop.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "https://www.shop.example/".parse().unwrap(),
        );
        let (owner, label) = ("o".to_owned(), "shop".to_owned());
        Registration { version: REGISTRATION_VERSION, owner, label, generation: 1, tenant }
    }

    #[tokio::test]
    async fn purge_is_added_to_the_registration_and_changes_nothing_else_of_it() {
        let store = MemoryStore::default();
        let host: HostName = "shop.example".parse().unwrap();
        let purge = |second| {
            move |_: &Tenant| Ok::<_, Infallible>(Purge { scope: PurgeScope::Tenant, at: at(second) })
        };
        assert_eq!(add_purge(&store, &host, purge(1)).await.unwrap(), None);
        let body = Bytes::from(to_json(&registration()));
        store.put("tenants/shop.example.json", body, Condition::IfAbsent).await.unwrap();
        for second in [1, 2] {
            add_purge(&store, &host, purge(second)).await.unwrap().unwrap().unwrap();
        }
        let mut expected = registration();
        expected.tenant.purges.add(Purge { scope: PurgeScope::Tenant, at: at(2) });
        let stored = crate::registry::read_registration(&store, &host).await.unwrap();
        assert_eq!(stored, Some(expected));
        let refused = add_purge(&store, &host, |_| Err("no")).await.unwrap();
        assert_eq!(refused, Some(Err("no")));
    }

    #[tokio::test]
    async fn later_purge_of_the_pipeline_stands() {
        let store = MemoryStore::default();
        assert_eq!(read_pipeline_purge(&store).await.unwrap(), None);
        for (second, standing) in [(5, 5), (4, 5), (6, 6)] {
            purge_pipeline(&store, at(second)).await.unwrap();
            assert_eq!(read_pipeline_purge(&store).await.unwrap(), Some(at(standing)));
        }
    }
}
