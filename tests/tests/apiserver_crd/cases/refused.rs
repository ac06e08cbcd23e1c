//! Wrong specs, each beside what its refusal must say.

use serde_json::{Value, json};

use super::{Refused, arn, base_tenant, ingress, long_host, long_url, pod_templates, tags, tenant, tenants};

pub(crate) fn refused() -> Vec<Refused> {
    [
        numbers(),
        words(),
        lengths(),
        names(),
        rules(),
        rules_of_bindings(),
        rules_of_tags(),
        rules_of_tenants(),
        pod_templates::refused(),
        ingress::refused(),
        shapes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A spec in which only `field` is wrong.
pub(super) fn wrong(field: &'static str, says: &'static str, value: impl Into<Value>) -> Refused {
    let path = field.trim_start_matches("spec.");
    let spec = match path.strip_prefix("tenants[0].") {
        Some(name) => tenant(&json!({name: value.into()})),
        None => path.rsplit('.').fold(value.into(), |value, name| json!({name: value})),
    };
    Refused { spec, field, says }
}

/// The numbers just below and just above what is allowed.
fn numbers() -> Vec<Refused> {
    let bounds = [
        ("spec.web.replicas", 0, 101),
        ("spec.web.holdSeconds", 22, 30),
        ("spec.worker.minReplicas", -1, 1_001),
        ("spec.worker.maxReplicas", 0, 1_001),
        ("spec.worker.concurrency", 0, 65),
        ("spec.worker.backlogPerReplica", 0, 10_001),
        ("spec.worker.scaleDownDelaySeconds", -1, 86_401),
        ("spec.freshness.maxAgeSeconds", -1, 31_536_001),
        ("spec.freshness.maxStaleSeconds", -1, 31_536_001),
        ("spec.service.nodePort", 0, 65_536),
        ("spec.limits.requestsPerSecond", 0, 1_000_001),
        ("spec.limits.missesPerSecond", 0, 100_001),
        ("spec.limits.coldPathsPerMinute", 0, 1_000_001),
        ("spec.bindings.bucket.noncurrentVersionDays", 0, 3_651),
    ];
    let cases = bounds.map(|(field, below, above)| {
        [
            wrong(field, "should be greater than or equal to", below),
            wrong(field, "should be less than or equal to", above),
        ]
    });
    cases.into_iter().flatten().collect()
}

fn words() -> Vec<Refused> {
    let modes = r#"supported values: "Create", "Adopt", "AdoptOrCreate", "ReadOnly""#;
    let policies = r#"supported values: "Retain", "Delete""#;
    vec![
        wrong("spec.compile.style", r#"supported values: "Expanded", "Compressed""#, "Nested"),
        wrong("spec.compile.engine", r#"supported values: "Auto", "Grass", "Sasso""#, "Dart"),
        wrong("spec.compile.urls", r#"supported values: "Rebase", "Keep""#, "Move"),
        wrong("spec.compile.sourceMaps", r#"supported values: "None", "Inline""#, "File"),
        wrong("spec.tenants[0].engine", r#"supported values: "Auto", "Grass", "Sasso""#, "Dart"),
        wrong("spec.errors", r#"supported values: "Show", "Status""#, "Hide"),
        wrong("spec.liveReload", r#"supported values: "Enabled", "Disabled""#, "On"),
        wrong("spec.networkPolicies", r#"supported values: "Managed", "None""#, "Enabled"),
        wrong("spec.service.type", r#"supported values: "ClusterIP", "NodePort""#, "LoadBalancer"),
        wrong("spec.ingress.scheme", r#"supported values: "Internal", "InternetFacing""#, "Public"),
        wrong("spec.bindings.bucket.mode", modes, "Make"),
        wrong("spec.bindings.queues.mode", modes, "create"),
        wrong("spec.bindings.topic.mode", modes, ""),
        wrong("spec.bindings.bucket.deletionPolicy", policies, "Orphan"),
        wrong("spec.bindings.queues.deletionPolicy", policies, "delete"),
        wrong("spec.bindings.topic.deletionPolicy", policies, "Keep"),
        wrong(
            "spec.bindings.bucket.whenNotEmpty",
            r#"supported values: "Keep", "DeleteAllObjects""#,
            "Delete",
        ),
        wrong("spec.bindings.bucket.versioning", r#"supported values: "Enabled", "Suspended""#, "Off"),
        wrong("spec.bindings.bucket.encryption.kmsKeyArn", ":key/", "arn:aws:kms:a:123456789012:alias/shop"),
        wrong("spec.bindings.bucket.encryption.kmsKeyArn", ":key/", "11111111-2222"),
        wrong("spec.bindings.bucket.encryption", "kmsKeyArn: Required value", json!({})),
        wrong("spec.ingress.certificateArn", ":certificate/", "certificate"),
        wrong("spec.aws.webRoleArn", ":role/", "role"),
        wrong("spec.aws.workerRoleArn", ":role/", "role"),
    ]
}

fn lengths() -> Vec<Refused> {
    let (empty, name) = ("at least 1 chars long", "may not be more than 253");
    let (url, networks) = ("may not be more than 2048", vec!["10.20.0.0/16"; 33]);
    let (role, certificate) = ("arn:aws:iam::123456789012:role/", "arn:aws:acm:a:123456789012:certificate/");
    vec![
        wrong("spec.ingress.className", empty, ""),
        wrong("spec.ingress.className", name, "c".repeat(254)),
        wrong("spec.ingress.certificateArn", url, arn(certificate, 2049)),
        wrong("spec.originCredentials.secretName", empty, ""),
        wrong("spec.originCredentials.secretName", name, "c".repeat(254)),
        wrong("spec.aws.credentialsSecretName", empty, ""),
        wrong("spec.aws.credentialsSecretName", name, "c".repeat(254)),
        wrong("spec.aws.webRoleArn", url, arn(role, 2049)),
        wrong("spec.aws.workerRoleArn", url, arn(role, 2049)),
        wrong("spec.bindings.bucket.encryption.kmsKeyArn", url, arn("arn:aws:kms:a:123456789012:key/", 2049)),
        wrong("spec.notifications.endpoint", url, long_url(2049, "/work_complete")),
        wrong("spec.privateNetworks", "must have at most 32 items", networks),
        wrong("spec.privateNetworks", "may not be more than 43", vec!["1".repeat(44)]),
        wrong("spec.tenants[0].host", empty, ""),
        wrong("spec.tenants[0].host", name, long_host(254)),
        wrong("spec.tenants[0].origin", empty, ""),
        wrong("spec.tenants[0].origin", url, long_url(2049, "")),
        wrong("spec.tenants[0].siteUrl", empty, ""),
        wrong("spec.tenants[0].siteUrl", url, long_url(2049, "")),
        wrong("spec.tenants[0].loadPaths", "must have at most 16 items", vec!["/a"; 17]),
        wrong("spec.tenants[0].loadPaths", "may not be more than 512", vec![format!("/{}", "a".repeat(512))]),
        Refused { spec: tenants(101), field: "spec.tenants", says: "must have at most 100 items" },
    ]
}

/// Names that S3, SQS and SNS would not take, or take for something else.
fn names() -> Vec<Refused> {
    let (bucket, word) = ("should match '^[a-z0-9]", "should match '^[A-Za-z0-9_-]+$'");
    let mut cases = vec![
        wrong("spec.bindings.bucket.name", "at least 3 chars long", "ab"),
        wrong("spec.bindings.bucket.name", "may not be more than 63", "a".repeat(64)),
        wrong("spec.bindings.topic.name", "may not be more than 256", "a".repeat(257)),
        wrong("spec.bindings.queues.names.visits", "may not be more than 80", "a".repeat(81)),
        wrong("spec.bindings.queues.names.refreshes", "may not be more than 80", "a".repeat(81)),
        wrong("spec.bindings.queues.names.deadLetters", "may not be more than 80", "a".repeat(81)),
        wrong(
            "spec.bindings.queues.names",
            "names.deadLetters: Required value",
            json!({"visits": "v", "refreshes": "r"}),
        ),
    ];
    let buckets = ["Site", "-site", "site-", "site_a", "arn:aws:s3:::site"];
    cases.extend(buckets.map(|name| wrong("spec.bindings.bucket.name", bucket, name)));
    for name in ["", "jobs.fifo", "arn:aws:sqs:eu-west-1:123456789012:jobs", "https://sqs/jobs"] {
        cases.extend([
            wrong("spec.bindings.topic.name", word, name),
            wrong("spec.bindings.queues.names.visits", word, name),
            wrong("spec.bindings.queues.names.refreshes", word, name),
            wrong("spec.bindings.queues.names.deadLetters", word, name),
        ]);
    }
    cases
}

/// Tags that S3, SQS or SNS would not take, or that are not the spec's to set.
fn rules_of_tags() -> Vec<Refused> {
    let letters = "must have 1 to 128 letters, digits, spaces or characters of _.:/=+-@: change it";
    let own = "that begin with aws: or assetpipeline.dev/ are not yours to set: leave them out";
    let refused = |says, key: &str| Refused {
        spec: json!({"bindings": {"tags": {"a": "v", key: "v"}}}),
        field: "spec.bindings.tags",
        says,
    };
    let mut cases = vec![
        refused(letters, ""),
        refused(letters, &"k".repeat(129)),
        refused(letters, "a&b"),
        refused(own, "aws:team"),
        refused(own, "AWS:team"),
        refused(own, "assetpipeline.dev/state"),
        wrong("spec.bindings.tags", "must have at most 30 items", tags(31)),
    ];
    // The refusal names the key.
    cases.extend([("a&b", "key a&b: "), ("Aws:x", "key Aws:x: ")].map(|(key, says)| refused(says, key)));
    let value = |says, value: String| wrong("spec.bindings.tags.team", says, value);
    cases.extend([
        value("may not be more than 256", "v".repeat(257)),
        value("should match", "a,b".to_owned()),
    ]);
    cases
}

fn rules_of_bindings() -> Vec<Refused> {
    let needed = "is needed with mode Adopt or ReadOnly: name the";
    let (bucket, queues, topic) = (
        "is needed with mode Adopt or ReadOnly: name the bucket, or set mode Create",
        "is needed with mode Adopt or ReadOnly: name the queues, or set mode Create",
        "is needed with mode Adopt or ReadOnly: name the topic, or set mode Create",
    );
    let one =
        "needs mode Adopt, AdoptOrCreate or ReadOnly: set the mode, or leave the name out and one is drawn";
    let many = "needs mode Adopt, AdoptOrCreate or ReadOnly: set the mode, or leave the names out and they are drawn";
    let three =
        "must name three different queues: give each of visits, refreshes and deadLetters one of its own";
    let emptied =
        "whenNotEmpty DeleteAllObjects needs deletionPolicy Delete: set it, or leave whenNotEmpty out";
    let names = |visits, refreshes, dead_letters| json!({"visits": visits, "refreshes": refreshes, "deadLetters": dead_letters});
    let mut cases = vec![
        wrong("spec.bindings.bucket", one, json!({"name": "site"})),
        wrong("spec.bindings.bucket", bucket, json!({"mode": "Adopt"})),
        wrong("spec.bindings.bucket", needed, json!({"mode": "ReadOnly"})),
        wrong("spec.bindings.bucket", emptied, json!({"whenNotEmpty": "DeleteAllObjects"})),
        wrong("spec.bindings.queues", many, json!({"names": names("v", "r", "d")})),
        wrong("spec.bindings.queues", queues, json!({"mode": "Adopt"})),
        wrong("spec.bindings.queues", needed, json!({"mode": "ReadOnly"})),
        wrong("spec.bindings.topic", one, json!({"name": "notices"})),
        wrong("spec.bindings.topic", topic, json!({"mode": "Adopt"})),
        wrong("spec.bindings.topic", needed, json!({"mode": "ReadOnly"})),
    ];
    for names in [names("v", "v", "d"), names("v", "r", "v"), names("v", "r", "r")] {
        let spec = json!({"bindings": {"queues": {"mode": "Adopt", "names": names}}});
        cases.push(Refused { spec, field: "spec.bindings.queues.names", says: three });
    }
    cases
}

fn rules() -> Vec<Refused> {
    let replicas = "minReplicas must not be above spec.worker.maxReplicas: lower the one or raise the other";
    let stale =
        "maxStaleSeconds must not be below spec.freshness.maxAgeSeconds: raise the one or lower the other";
    let port = "needs spec.service.type NodePort: set the type, or leave nodePort out";
    let endpoint =
        "an http or https URL that ends in /work_complete, without user, query or fragment, such as";
    let network = "a network with its prefix length, such as 10.20.0.0/16";
    let mut cases = vec![
        wrong("spec.worker", replicas, json!({"minReplicas": 3, "maxReplicas": 2})),
        wrong("spec.freshness", stale, json!({"maxAgeSeconds": 20, "maxStaleSeconds": 19})),
        wrong("spec.service", port, json!({"nodePort": 30_000})),
        wrong("spec.privateNetworks", network, ["10.20.0.0"].as_slice()),
        wrong("spec.privateNetworks", network, ["10.20.0.0/16", "intranet"].as_slice()),
    ];
    let endpoints = [
        "https://hooks.example.com/",
        "sqs://hooks.example.com/work_complete",
        "https://u:p@hooks.example.com/work_complete",
        "https://hooks.example.com/work_complete?x",
        "https:///work_complete",
    ];
    cases.extend(endpoints.map(|url| wrong("spec.notifications.endpoint", endpoint, url)));
    cases
}

fn rules_of_tenants() -> Vec<Refused> {
    let host = "a DNS name in lower case without a port, such as assets.example.com";
    let address = "a DNS name and not an IP address, which no Ingress takes";
    let origin = "an http or https URL without user, query or fragment, such as https://www.example.com";
    let path = "a path that begins with / and holds no .., such as /node_modules";
    let hosts = ["Shop.example", "shop.example:80", "shop_example", "-shop.example", "shop..example"];
    let origins =
        ["shop.example", "ftp://a.example", "https://u@a.example", "http://a.example/?x", "http://"];
    let mut cases: Vec<_> = hosts.map(|text| wrong("spec.tenants[0].host", host, text)).into();
    cases.push(wrong("spec.tenants[0].host", address, "10.0.0.1"));
    cases.extend(origins.map(|text| wrong("spec.tenants[0].origin", origin, text)));
    cases.extend(origins.map(|text| wrong("spec.tenants[0].siteUrl", origin, text)));
    cases.extend(["scss", "/a/../b", ""].map(|text| wrong("spec.tenants[0].loadPaths", path, vec![text])));
    cases
}

fn shapes() -> Vec<Refused> {
    let refuse = |field, says, spec| Refused { spec, field, says };
    vec![
        wrong("spec.web.replica", "field not declared in schema", 3),
        wrong("spec.dashboard", "field not declared in schema", json!({})),
        wrong("spec.web.replicas", "expected numeric", "three"),
        wrong("spec.suspend", "expected boolean", "yes"),
        refuse("spec.tenants[0].origin", "Required value", json!({"tenants": [{"host": "a.example"}]})),
        refuse(
            "spec.tenants",
            "duplicate entries for key [host=\"shop.example\"]",
            json!({"tenants": [base_tenant(), base_tenant()]}),
        ),
    ]
}
