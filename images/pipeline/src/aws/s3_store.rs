//! The store on S3.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    error::SdkError,
    operation::{
        get_object::{GetObjectError, GetObjectOutput},
        put_object::PutObjectError,
    },
    primitives::ByteStream,
};
use bytes::Bytes;
use tokio::time::timeout;

use super::error::{code_of, failed};
use crate::{
    Error, ErrorKind,
    ports::{Condition, DeleteOutcome, ETag, Object, PutOutcome, Store},
};

/// The whole body of one object; the client's own timeouts end with the headers.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Objects in one bucket. Needs `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and `s3:ListBucket`; without
/// the last one S3 answers 403 for what is absent.
///
/// The client repeats a put whose answer got lost. A conditional one may then meet what it wrote itself and
/// come back as [`PutOutcome::PreconditionFailed`]; who reads again, as the contract asks, finds it.
pub struct S3Store {
    client: Client,
    bucket: String,
}

impl S3Store {
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    async fn open(&self, name: &str) -> Result<Option<GetObjectOutput>, Error> {
        let answer = self.client.get_object().bucket(&self.bucket).key(name).send().await;
        match answer {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(failed(self.attempted("get", name), error)),
        }
    }

    async fn read(&self, answer: GetObjectOutput, name: &str) -> Result<Object, Error> {
        let etag = self.etag(answer.e_tag, "get", name)?;
        let broken = || Error::new(ErrorKind::Unavailable, self.attempted("read", name));
        match timeout(BODY_TIMEOUT, answer.body.collect()).await {
            Ok(Ok(body)) => Ok(Object { body: body.into_bytes(), etag }),
            Ok(Err(source)) => Err(broken().with_source(source)),
            Err(elapsed) => Err(broken().with_source(elapsed)),
        }
    }

    fn etag(&self, etag: Option<String>, verb: &str, name: &str) -> Result<ETag, Error> {
        let missing = || {
            Error::new(ErrorKind::Invalid, self.attempted(verb, name)).with_source("the answer has no ETag")
        };
        etag.map(ETag).ok_or_else(missing)
    }

    fn attempted(&self, verb: &str, name: &str) -> String {
        format!("{verb} {name} in bucket {}", self.bucket)
    }
}

#[async_trait]
impl Store for S3Store {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        let Some(answer) = self.open(name).await? else { return Ok(None) };
        match self.read(answer, name).await {
            // The client's own retries end with the headers, so a body that breaks off is asked for once more.
            Err(error) if error.kind == ErrorKind::Unavailable => match self.open(name).await? {
                Some(answer) => self.read(answer, name).await.map(Some),
                None => Ok(None),
            },
            read => read.map(Some),
        }
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        let put = self.client.put_object().bucket(&self.bucket).key(name).body(ByteStream::from(body));
        let put = match &condition {
            Condition::None => put,
            Condition::IfAbsent => put.if_none_match("*"),
            Condition::IfMatch(etag) => put.if_match(&etag.0),
        };
        match put.send().await {
            Ok(answer) => self.etag(answer.e_tag, "put", name).map(PutOutcome::Stored),
            Err(error) if is_refused(&error, &condition) => Ok(PutOutcome::PreconditionFailed),
            Err(error) => Err(failed(self.attempted("put", name), error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        let answer = self.client.delete_object().bucket(&self.bucket).key(name).send().await;
        answer.map(|_| ()).map_err(|error| failed(self.attempted("delete", name), error))
    }

    async fn delete_if(&self, name: &str, etag: &ETag) -> Result<DeleteOutcome, Error> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(name).if_match(&etag.0);
        match delete.send().await {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(error) if code_of(&error) == Some("NoSuchKey") => Ok(DeleteOutcome::Deleted),
            Err(error)
                if matches!(code_of(&error), Some("PreconditionFailed" | "ConditionalRequestConflict")) =>
            {
                Ok(DeleteOutcome::PreconditionFailed)
            }
            Err(error) => Err(failed(self.attempted("delete", name), error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(self.attempted("list", prefix), error))?;
            names.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
        }
        Ok(names)
    }
}

/// Whether the condition is why S3 wrote nothing. Two writers at the same moment get 409, and If-Match on an
/// absent object gets 404 (Amazon S3 User Guide, "Conditional requests").
fn is_refused(error: &SdkError<PutObjectError>, condition: &Condition) -> bool {
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    match condition {
        Condition::None => false,
        Condition::IfAbsent | Condition::IfMatch(_) if status == Some(412) => true,
        Condition::IfAbsent => code_of(error) == Some("ConditionalRequestConflict"),
        Condition::IfMatch(_) => matches!(code_of(error), Some("ConditionalRequestConflict" | "NoSuchKey")),
    }
}

#[cfg(test)]
mod tests;
