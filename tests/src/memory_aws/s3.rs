//! Buckets and objects. What belongs to a bucket and has a name in the query, such as its policy, is kept and
//! given back as it was put.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Answer, Request, State, answer, between, join};

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Bucket {
    settings: BTreeMap<String, String>,
    objects: BTreeMap<String, Object>,
}

#[derive(Debug, Clone, Serialize)]
struct Object {
    body: String,
    #[serde(skip)]
    etag: String,
}

/// A request's path and query.
struct Place<'a> {
    bucket: &'a str,
    key: String,
    query: BTreeMap<String, String>,
}

impl<'a> Place<'a> {
    fn of(target: &'a str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let key = format!("key={}", key.replace('+', "%2B"));
        let key = url::form_urlencoded::parse(key.as_bytes()).next().map(|(_, key)| key.into_owned());
        Self { bucket, key: key.unwrap_or_default(), query }
    }

    fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The part of the bucket that is asked for.
    fn setting(&self) -> Option<&str> {
        self.query.keys().find(|name| !name.starts_with("x-")).map(String::as_str)
    }
}

impl State {
    pub(super) fn answer_s3(&mut self, request: &Request<'_>) -> Answer {
        let place = Place::of(request.target);
        let body = String::from_utf8_lossy(request.body).into_owned();
        let name = place.bucket.to_owned();
        if name.is_empty() {
            return self.list_buckets(&place);
        }
        if request.method == "PUT" && place.key.is_empty() && place.setting().is_none() {
            return self.create_bucket(name, &body);
        }
        if !self.buckets.contains_key(&name) {
            // What answers HEAD has no body that could name a code.
            return if request.method == "HEAD" { answer(404, "") } else { failure(404, "NoSuchBucket") };
        }
        if !place.key.is_empty() {
            return self.answer_object(request, &place, body);
        }
        let count = self.next();
        let Some(bucket) = self.buckets.get_mut(&name) else { return failure(404, "NoSuchBucket") };
        if place.query.contains_key("versions") || place.query.contains_key("list-type") {
            return bucket.list(&place);
        }
        if place.query.contains_key("delete") {
            body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")).for_each(|(key, _)| {
                bucket.objects.remove(key);
            });
            return answer(200, "<DeleteResult/>");
        }
        match (request.method, place.setting()) {
            ("HEAD", None) => answer(200, ""),
            ("DELETE", None) if bucket.objects.is_empty() => {
                self.buckets.remove(&name);
                answer(204, "")
            }
            ("DELETE", None) => failure(409, "BucketNotEmpty"),
            ("GET", Some(setting)) => bucket.get(setting),
            ("PUT", Some(setting)) => {
                // As a bucket that is made with tags has them.
                let tags = between(&body, "TagSet").filter(|_| setting == "tagging");
                let kept = tags.map(|tags| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"));
                bucket.settings.insert(setting.to_owned(), kept.unwrap_or(body));
                answer(200, "")
            }
            ("DELETE", Some(setting)) => {
                bucket.settings.remove(setting);
                answer(204, "")
            }
            _ => failure(501, &format!("NotImplemented{count}")),
        }
    }

    fn list_buckets(&self, place: &Place<'_>) -> Answer {
        let prefix = place.parameter("prefix");
        let named = self.buckets.keys().filter(|name| name.starts_with(prefix));
        let one = |name| {
            format!("<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket>")
        };
        let all = join(named.map(one));
        answer(200, format!("<ListAllMyBucketsResult><Buckets>{all}</Buckets></ListAllMyBucketsResult>"))
    }

    fn create_bucket(&mut self, name: String, configuration: &str) -> Answer {
        if self.buckets.contains_key(&name) {
            return failure(409, "BucketAlreadyOwnedByYou");
        }
        let mut bucket = Bucket::default();
        if let Some(tags) = between(configuration, "Tags") {
            bucket
                .settings
                .insert("tagging".to_owned(), format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"));
        }
        self.made.push(format!("bucket {name}"));
        self.buckets.insert(name, bucket);
        answer(200, "")
    }

    fn answer_object(&mut self, request: &Request<'_>, place: &Place<'_>, body: String) -> Answer {
        let etag = format!("\"{}\"", self.next());
        let Some(bucket) = self.buckets.get_mut(place.bucket) else { return failure(404, "NoSuchBucket") };
        let present = bucket.objects.get(&place.key);
        match request.method {
            "GET" => match present {
                Some(object) => tagged(object.body.clone(), &object.etag),
                None => failure(404, "NoSuchKey"),
            },
            "PUT" => {
                let header = |name: &str| request.headers.get(name);
                let is_there = header("if-none-match").is_some() && present.is_some();
                let is_other = |wanted: &String| present.is_none_or(|object| object.etag != *wanted);
                if header("if-match").is_some_and(is_other) && present.is_none() {
                    failure(404, "NoSuchKey")
                } else if is_there || header("if-match").is_some_and(is_other) {
                    failure(412, "PreconditionFailed")
                } else {
                    bucket.objects.insert(place.key.clone(), Object { body, etag: etag.clone() });
                    tagged(String::new(), &etag)
                }
            }
            "DELETE" => {
                let wanted = request.headers.get("if-match");
                match (wanted, present) {
                    (Some(_), None) => return failure(404, "NoSuchKey"),
                    (Some(wanted), Some(object)) if object.etag != *wanted => {
                        return failure(412, "PreconditionFailed");
                    }
                    _ => {}
                }
                bucket.objects.remove(&place.key);
                answer(204, "")
            }
            _ => failure(501, "NotImplemented"),
        }
    }
}

impl Bucket {
    fn get(&self, setting: &str) -> Answer {
        let code = match setting {
            "tagging" => "NoSuchTagSet",
            "policy" => "NoSuchBucketPolicy",
            "publicAccessBlock" => "NoSuchPublicAccessBlockConfiguration",
            "encryption" => "ServerSideEncryptionConfigurationNotFoundError",
            "lifecycle" => "NoSuchLifecycleConfiguration",
            // A bucket always tells whether it keeps versions.
            "versioning" => {
                let set = self.settings.get(setting).cloned();
                return answer(200, set.unwrap_or_else(|| "<VersioningConfiguration/>".to_owned()));
            }
            _ => "NoSuchConfiguration",
        };
        self.settings.get(setting).map_or_else(|| failure(404, code), |set| answer(200, set.clone()))
    }

    /// As objects, or as the versions that they have: one each.
    fn list(&self, place: &Place<'_>) -> Answer {
        let (result, entry) = if place.query.contains_key("versions") {
            ("ListVersionsResult", "Version")
        } else {
            ("ListBucketResult", "Contents")
        };
        let listed = self.objects.keys().filter(|key| key.starts_with(place.parameter("prefix")));
        let all = join(listed.map(|key| format!("<{entry}><Key>{key}</Key></{entry}>")));
        answer(200, format!("<{result}><IsTruncated>false</IsTruncated>{all}</{result}>"))
    }
}

fn tagged(body: String, etag: &str) -> Answer {
    Answer { headers: vec![("etag".to_owned(), etag.to_owned())], ..answer(200, body) }
}

fn failure(status: u16, code: &str) -> Answer {
    answer(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}
