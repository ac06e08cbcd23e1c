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
    // Another region's are none of ours, and cannot be looked at from here.
    let request = clients.s3.list_buckets().prefix(&prefix).bucket_region(&clients.region);
    let mut pages = request.into_paginator().send();
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
            // Not every endpoint knows the parameter, or tells the region.
            bucket.bucket_region.is_none_or(|region| region == clients.region).then_some(())?;
            let made = bucket.creation_date.map(|date| date.as_nanos());
            Some((made, name, suffix))
        }));
    }
    found.sort_by(|left, right| (right.0, &right.1).cmp(&(left.0, &left.1)));
    for (_, name, suffix) in found.into_iter().take(MOST) {
        if is_left_behind(clients, owner, &name).await? {
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
        let tags = as_told(fetch_queue_tags(&clients.sqs, &url).await)?;
        if tags.is_some_and(|tags| owner.is_named_by(&tags)) {
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{Credentials, Region, retry::RetryConfig};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use serde_json::json;

    use super::*;

    /// What is asked about the resources of one suffix, and how it is answered.
    type Answers = &'static [(&'static str, u16)];

    fn owner() -> Owner {
        Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
    }

    fn name(suffix: &str) -> String {
        format!("ap-shop-storefront-{suffix}")
    }

    /// An AWS that lists a bucket and a queue for each suffix, newest first, and answers with their tags where the
    /// status says so. The buckets' region is `region`.
    fn clients(answers: Answers, region: &'static str) -> Clients {
        let own = Region::new("eu-west-1");
        let sns = aws_sdk_sns::Config::builder().behavior_version_latest().region(own.clone()).build();
        Clients {
            s3: s3(answers, region, own.clone()),
            sqs: sqs(answers, own),
            sns: aws_sdk_sns::Client::from_conf(sns),
            region: "eu-west-1".into(),
        }
    }

    fn find(answers: Answers, asked: &str) -> u16 {
        answers.iter().find(|(suffix, _)| asked.contains(suffix)).unwrap().1
    }

    fn keys() -> Credentials {
        Credentials::new("test", "test", None, None, "test")
    }

    fn s3(answers: Answers, region: &'static str, own: Region) -> aws_sdk_s3::Client {
        let answer = infallible_client_fn(move |request: http::Request<_>| {
            let uri = request.uri().to_string();
            let (status, body) = if uri.contains("tagging") {
                let tag = |(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
                let tags: String = owner().released_tags().iter().map(tag).collect();
                (find(answers, &uri), format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))
            } else {
                let bucket = |(number, (suffix, _)): (usize, &(&str, u16))| {
                    let (name, day) = (name(suffix), 20 - number);
                    format!(
                        "<Bucket><Name>{name}</Name><CreationDate>2026-01-{day}T00:00:00Z</CreationDate>\
                         <BucketRegion>{region}</BucketRegion></Bucket>"
                    )
                };
                let buckets: String = answers.iter().enumerate().map(bucket).collect();
                (
                    200,
                    format!("<ListAllMyBucketsResult><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"),
                )
            };
            let body = if status == 200 { body } else { String::new() };
            http::Response::builder().status(status).body(body).unwrap()
        });
        let config = aws_sdk_s3::Config::builder().behavior_version_latest().region(own).http_client(answer);
        let config = config.credentials_provider(keys()).retry_config(RetryConfig::disabled());
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn sqs(answers: Answers, own: Region) -> aws_sdk_sqs::Client {
        let answer = infallible_client_fn(move |request: http::Request<aws_sdk_s3::primitives::SdkBody>| {
            let asked = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
            let (status, body) = if asked.contains("QueueUrl") {
                match find(answers, &asked) {
                    200 => (200, json!({"Tags": owner().released_tags()})),
                    404 => (400, json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist"})),
                    403 => (403, json!({"__type": "com.amazonaws.sqs#AccessDenied"})),
                    other => (other, json!({})),
                }
            } else {
                let urls = answers.iter().map(|(suffix, _)| format!("http://sqs/1/{}", name(suffix)));
                (200, json!({"QueueUrls": urls.collect::<Vec<_>>()}))
            };
            http::Response::builder().status(status).body(body.to_string()).unwrap()
        });
        let config = aws_sdk_sqs::Config::builder().behavior_version_latest().region(own).http_client(answer);
        let config = config.credentials_provider(keys()).retry_config(RetryConfig::disabled());
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    const NEW: &str = "00000000aa";
    const OLD: &str = "00000000bb";

    /// With retained queues, whose bucket has a name of its own, and the other way round.
    async fn find_both(
        answers: Answers,
        region: &'static str,
    ) -> [Result<Option<BindingSuffix>, ErrorKind>; 2] {
        let clients = clients(answers, region);
        let find = async |spec: serde_json::Value| {
            let found = find_left_behind(&clients, &owner(), &serde_json::from_value(spec).unwrap()).await;
            found.map_err(|error| error.kind)
        };
        let bucket = find(json!({})).await;
        let bound = json!({"mode": "Adopt", "name": "site"});
        let queue = find(json!({"bucket": bound, "queues": {"deletionPolicy": "Retain"}})).await;
        [bucket, queue]
    }

    #[tokio::test]
    async fn resources_that_are_gone_or_closed_to_us_are_passed_over() {
        let old = || [Ok(Some(OLD.parse().unwrap())), Ok(Some(OLD.parse().unwrap()))];
        assert_eq!(find_both(&[(NEW, 404), (OLD, 200)], "eu-west-1").await, old());
        assert_eq!(find_both(&[(NEW, 403), (OLD, 200)], "eu-west-1").await, old());
        assert_eq!(find_both(&[(NEW, 403), (OLD, 404)], "eu-west-1").await, [Ok(None), Ok(None)]);
    }

    #[tokio::test]
    async fn what_aws_does_not_tell_now_is_asked_for_again() {
        let unavailable = || Err(ErrorKind::Unavailable);
        assert_eq!(find_both(&[(NEW, 500), (OLD, 200)], "eu-west-1").await, [unavailable(), unavailable()]);
    }

    #[tokio::test]
    async fn buckets_of_other_regions_are_not_looked_at() {
        let [bucket, _] = find_both(&[(NEW, 500)], "us-east-1").await;
        assert_eq!(bucket, Ok(None));
    }
}
