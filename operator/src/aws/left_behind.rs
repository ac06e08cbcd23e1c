//! What an earlier pipeline of the same name has left: the suffix of its names, found by names and tags, so that
//! applying a manifest again takes the same bucket back.
//!
//! Only a pipeline without a suffix is looked for, so this costs its calls once in a pipeline's life. A topic
//! alone is not found: SNS lists all topics of the account or none.

use crds::{BindingMode, BindingsSpec, DeletionPolicy};
use pipeline::{Error, ErrorKind};

use super::{
    BindingNames, BindingSuffix, BindingsTerms, Clients, Owner,
    bucket::fetch_tags,
    error::failed,
    ownership::{Standing, Tags},
    queue::fetch_queue_tags,
};

/// Left behind for one pipeline; the newest are looked at.
const MOST: usize = 20;

/// The suffix of the newest bucket, or else of queues, that are this pipeline's by their tags.
pub async fn find_left_behind(
    clients: &Clients,
    owner: &Owner,
    spec: &BindingsSpec,
) -> Result<Option<BindingSuffix>, Error> {
    if spec.bucket.name.is_none()
        && let Some(found) = find_bucket(clients, owner).await?
    {
        return Ok(Some(found));
    }
    if spec.queues.names.is_none() && spec.queues.deletion_policy == DeletionPolicy::Retain {
        return find_queue(clients, owner).await;
    }
    Ok(None)
}

/// Whether the bucket is this pipeline's by its tags, in use or released. One that is gone, or denies a look, is
/// not.
pub async fn is_left_behind(clients: &Clients, owner: &Owner, bucket: &str) -> Result<bool, Error> {
    Ok(as_told(fetch_tags(&clients.s3, bucket).await)?.is_some_and(|tags| owner.is_named_by(&tags)))
}

/// Whether the pipeline may use its bucket, whatever its other resources are like. One that is gone, or denies a
/// look, it may not.
pub async fn may_use_bucket(clients: &Clients, owner: &Owner, terms: &BindingsTerms) -> Result<bool, Error> {
    let terms = &terms.bucket;
    let tags = as_told(fetch_tags(&clients.s3, &terms.name).await)?;
    Ok(tags.is_some_and(|tags| match owner.standing(&tags, terms) {
        Standing::Ours(_) | Standing::Released => true,
        Standing::Foreign { consent: Some(_), .. } => terms.mode == BindingMode::ReadOnly,
        Standing::Missing | Standing::Foreign { consent: None, .. } => false,
    }))
}

/// `None` where there is nothing, or nothing that we may see.
fn as_told(tags: Result<Tags, Error>) -> Result<Option<Tags>, Error> {
    match tags {
        Ok(tags) => Ok(Some(tags)),
        Err(error) => match error.kind {
            ErrorKind::Missing | ErrorKind::Denied => Ok(None),
            ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Invalid => Err(error),
        },
    }
}

async fn find_bucket(clients: &Clients, owner: &Owner) -> Result<Option<BindingSuffix>, Error> {
    let prefix = BindingNames::prefix(&owner.namespace, &owner.name);
    let mut pages = clients.s3.list_buckets().prefix(&prefix).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let attempted = || {
            format!(
                "look for buckets that begin with {prefix}; allow the operator's role s3:ListAllMyBuckets"
            )
        };
        let page = page.map_err(|error| failed(&attempted(), error))?;
        found.extend(page.buckets.into_iter().flatten().filter_map(|bucket| {
            let name = bucket.name?;
            let suffix = suffix_of(owner, &name)?;
            let made = bucket.creation_date.map(|date| date.as_nanos());
            Some((made, name, suffix))
        }));
    }
    found.sort_by(|left, right| (right.0, &right.1).cmp(&(left.0, &left.1)));
    for (_, name, suffix) in found.into_iter().take(MOST) {
        if owner.is_named_by(&fetch_tags(&clients.s3, &name).await?) {
            return Ok(Some(suffix));
        }
    }
    Ok(None)
}

async fn find_queue(clients: &Clients, owner: &Owner) -> Result<Option<BindingSuffix>, Error> {
    let prefix = BindingNames::prefix(&owner.namespace, &owner.name);
    let listed = clients.sqs.list_queues().queue_name_prefix(&prefix).send().await;
    let listed =
        listed.map_err(|error| failed(&format!("look for queues that begin with {prefix}"), error))?;
    let urls = listed.queue_urls.into_iter().flatten();
    let named = urls.filter_map(|url| {
        let suffix = suffix_of(owner, url.rsplit('/').next()?)?;
        Some((url, suffix))
    });
    for (url, suffix) in named.take(MOST) {
        if owner.is_named_by(&fetch_queue_tags(&clients.sqs, &url).await?) {
            return Ok(Some(suffix));
        }
    }
    Ok(None)
}

/// The suffix, where a pipeline of this namespace and name, and of no other, would have made that name.
fn suffix_of(owner: &Owner, name: &str) -> Option<BindingSuffix> {
    let suffix = BindingSuffix::of_bucket(name)?;
    let names = BindingNames::new(&owner.namespace, &owner.name, &suffix);
    (names.bucket == name).then_some(suffix)
}
