//! The emptying of a bucket whose end the spec has put in words.

use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use pipeline::{Error, ErrorKind};

use crate::aws::error::failed;

/// Batches of a round: the rest is the next one's.
const BATCHES: usize = 50;
/// Objects of a batch: as many as S3 lists and deletes in one call.
const BATCH: i32 = 1_000;

/// Deletes objects in all their versions, up to [`BATCHES`] times [`BATCH`].
pub(super) async fn delete_objects(client: &Client, bucket: &str) -> Result<(), Error> {
    for _ in 0..BATCHES {
        let found = list_batch(client, bucket).await?;
        if found.is_empty() {
            return Ok(());
        }
        delete_batch(client, bucket, found).await?;
    }
    Ok(())
}

async fn list_batch(client: &Client, bucket: &str) -> Result<Vec<ObjectIdentifier>, Error> {
    let attempted = format!("list the versions in bucket {bucket}");
    let sent = client.list_object_versions().bucket(bucket).max_keys(BATCH).send().await;
    let listed = sent.map_err(|error| failed(&attempted, error))?;
    let versions = listed.versions.into_iter().flatten().map(|found| (found.key, found.version_id));
    let markers = listed.delete_markers.into_iter().flatten().map(|found| (found.key, found.version_id));
    let identify = |(key, version): (Option<String>, Option<String>)| {
        ObjectIdentifier::builder().set_key(key).set_version_id(version).build()
    };
    let all: Result<Vec<_>, _> = versions.chain(markers).map(identify).collect();
    all.map_err(|source| Error::new(ErrorKind::Invalid, attempted).with_source(source))
}

async fn delete_batch(client: &Client, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Error> {
    let attempted = format!("delete objects in bucket {bucket}");
    let invalid = |source| Error::new(ErrorKind::Invalid, attempted.clone()).with_source(source);
    let order = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(invalid)?;
    let sent = client.delete_objects().bucket(bucket).delete(order).send().await;
    let answer = sent.map_err(|error| failed(&attempted, error))?;
    match answer.errors().first() {
        None => Ok(()),
        Some(first) => {
            let (key, code) = (first.key().unwrap_or_default(), first.code().unwrap_or_default());
            let source = format!("{code} for {key} and {} more", answer.errors().len() - 1);
            let kind = if code == "AccessDenied" { ErrorKind::Denied } else { ErrorKind::Unavailable };
            Err(Error::new(kind, attempted.clone()).with_source(source))
        }
    }
}
