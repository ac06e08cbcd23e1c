//! Specs that the API server must refuse, and specs at the edge of what it must accept.

mod ingress;
mod pod_templates;
mod refused;

use serde_json::{Value, json};

pub(crate) use refused::refused;

/// A spec that the API server must refuse.
pub(crate) struct Refused {
    pub(crate) spec: Value,
    /// The path that the refusal names.
    pub(crate) field: &'static str,
    /// The bound, or the rule's way out.
    pub(crate) says: &'static str,
}

pub(crate) fn accepted() -> Vec<Value> {
    let mut all = vec![
        json!({}),
        lowest(),
        highest(),
        longest(),
        json!({"notifications": {"endpoint": "http://127.0.0.1:30080/work_complete"}}),
        tenant(&json!({"host": "10.0.0.1.example"})),
        tenant(&json!({"origin": "https://www.example.com:8443/site/", "development": true})),
        tenant(&json!({"engine": "Grass"})),
        tenants(100),
        json!({"bindings": {"bucket": {"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"}}}),
        json!({"bindings": {"queues": {"deletionPolicy": "Delete"}, "topic": {"deletionPolicy": "Delete"}}}),
        json!({"bindings": {"bucket": {
            "encryption": {"kmsKeyArn": arn("arn:aws-cn:kms:cn-north-1:123456789012:key/", 2048)},
            "versioning": "Enabled", "noncurrentVersionDays": 3_650,
        }}}),
        json!({"bindings": {"tags": tags(30)}}),
        json!({"bindings": {"tags": {"k".repeat(128): "é".repeat(256), "a b_.:/=+-@": "", "awsome": "x"}}}),
        json!({"bindings": {"bucket": {"versioning": "Suspended", "noncurrentVersionDays": 1}}}),
        json!({"bindings": bindings("Create", None)}),
        json!({"bindings": bindings("Adopt", Some(3))}),
        json!({"bindings": bindings("AdoptOrCreate", None)}),
        json!({"bindings": bindings("AdoptOrCreate", Some(63))}),
        json!({"bindings": bindings("ReadOnly", Some(63))}),
    ];
    all.extend(pod_templates::accepted());
    all.extend(ingress::accepted());
    all
}

/// Every binding with this mode, and, where it has one, a name of this length; those of queues and topic may be
/// longer than a bucket's.
fn bindings(mode: &str, length: Option<usize>) -> Value {
    let retained = |field: &str, names: Option<Value>| {
        let given = names.map(|names| (field.to_owned(), names));
        let all = [("mode", mode), ("deletionPolicy", "Retain")]
            .map(|(field, value)| (field.to_owned(), json!(value)));
        Value::Object(all.into_iter().chain(given).collect())
    };
    let name = |first: &str, more: usize| {
        length.map(|length| json!(first.to_owned() + &"a".repeat(length + more - 1)))
    };
    let queues = name("V", 17)
        .map(|visits| json!({"visits": visits, "refreshes": name("_", 17), "deadLetters": name("-", 17)}));
    json!({
        "bucket": retained("name", name("b", 0)),
        "queues": retained("names", queues),
        "topic": retained("name", name("T", 193)),
    })
}

fn lowest() -> Value {
    json!({
        "web": {"replicas": 1, "holdSeconds": 23},
        "worker": {
            "minReplicas": 0, "maxReplicas": 1, "concurrency": 1, "backlogPerReplica": 1,
            "scaleDownDelaySeconds": 0,
        },
        "freshness": {"maxAgeSeconds": 0, "maxStaleSeconds": 0},
        "service": {"type": "NodePort", "nodePort": 1},
        "limits": {"requestsPerSecond": 1, "missesPerSecond": 1, "coldPathsPerMinute": 1},
        "compile": {"style": "Expanded", "urls": "Rebase", "sourceMaps": "None"},
        "errors": "Status",
        "liveReload": "Disabled",
        "networkPolicies": "Managed",
        "ingress": {"className": "c", "scheme": "InternetFacing"},
        "aws": {"credentialsSecretName": "c"},
        "originCredentials": {"secretName": "c"},
        "suspend": false,
        "tenants": [{"host": "a", "origin": "http://a", "siteUrl": "http://a"}],
    })
}

fn highest() -> Value {
    json!({
        "web": {"replicas": 100, "holdSeconds": 29},
        "worker": {
            "minReplicas": 1000, "maxReplicas": 1000, "concurrency": 64, "backlogPerReplica": 10_000,
            "scaleDownDelaySeconds": 86_400,
        },
        "freshness": {"maxAgeSeconds": 31_536_000, "maxStaleSeconds": 31_536_000},
        "service": {"type": "NodePort", "nodePort": 65_535},
        "limits": {"requestsPerSecond": 1_000_000, "missesPerSecond": 100_000, "coldPathsPerMinute": 1_000_000},
        "compile": {"style": "Compressed", "engine": "Sasso", "urls": "Keep", "sourceMaps": "Inline"},
        "errors": "Show",
        "liveReload": "Enabled",
        "networkPolicies": "None",
        "suspend": true,
    })
}

fn longest() -> Value {
    let networks: Vec<_> = ["fd00::/8"].into_iter().chain(vec!["10.20.0.0/16"; 31]).collect();
    let load_path = format!("/{}", "a".repeat(511));
    json!({
        "ingress": {
            "className": "c".repeat(253), "scheme": "Internal",
            "certificateArn": arn("arn:aws:acm:eu-west-1:123456789012:certificate/", 2048),
        },
        "aws": {
            "credentialsSecretName": "c".repeat(253),
            "webRoleArn": arn("arn:aws:iam::123456789012:role/", 2048),
            "workerRoleArn": arn("arn:aws-cn:iam::123456789012:role/path/", 2048),
        },
        "notifications": {"endpoint": long_url(2048, "/work_complete")},
        "originCredentials": {"secretName": "c".repeat(253)},
        "privateNetworks": networks,
        "tenants": [{
            "host": long_host(253), "origin": long_url(2048, ""), "siteUrl": long_url(2048, ""),
            "loadPaths": vec![load_path; 16],
        }],
    })
}

/// Names of pipelines, and whether they are allowed.
pub(crate) fn named() -> Vec<(String, bool)> {
    let names = [("a", true), ("shop-2", true), ("2shop", false), ("shop.example", false)];
    let long = [("a".repeat(50), true), ("a".repeat(51), false)];
    names.map(|(name, is_right)| (name.to_owned(), is_right)).into_iter().chain(long).collect()
}

fn base_tenant() -> Value {
    json!({"host": "shop.example", "origin": "https://www.shop.example"})
}

/// A spec with one tenant, which differs from a right one by these fields.
fn tenant(changed: &Value) -> Value {
    let mut tenant = base_tenant();
    if let (Some(tenant), Some(changed)) = (tenant.as_object_mut(), changed.as_object()) {
        tenant.extend(changed.clone());
    }
    json!({"tenants": [tenant]})
}

fn tenants(count: usize) -> Value {
    let tenants = (0..count).map(|n| json!({"host": format!("{n}.example"), "origin": "http://a.example"}));
    json!({"tenants": tenants.collect::<Vec<_>>()})
}

/// As many tags.
fn tags(count: usize) -> Value {
    (0..count).map(|n| (format!("key-{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into()
}

fn arn(head: &str, length: usize) -> String {
    format!("{head}{}", "r".repeat(length - head.len()))
}

/// A DNS name of this length.
fn long_host(length: usize) -> String {
    let mut host = "abcdefghi.".repeat(length / 10 + 1);
    host.truncate(length - 1);
    host + "z"
}

/// A URL of this length with this end.
fn long_url(length: usize, end: &str) -> String {
    let head = "http://a.example/";
    format!("{head}{}{end}", "p".repeat(length - head.len() - end.len()))
}
