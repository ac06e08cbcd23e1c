//! Values of fields for which the schema gives none that mean anything, and what a field needs beside it.
//!
//! Enums, booleans and integers with both bounds need no entry here.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::{
    apiserver::merge,
    schema::{Field, fields_of, get, has_fields, required, set},
};

/// Where a field makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shows {
    /// In the children or on AWS, once nothing is left to do.
    AtRest,
    /// In what a deletion leaves.
    AfterDeletion,
    /// In what a deletion leaves where somebody else's object is in the bucket.
    AfterDeletionOfFullBucket,
    /// In the number of workers that the scaler decides on.
    InScaling,
}

/// What stands here of one field.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) path: String,
    /// In place of the schema's own. Each makes another difference.
    pub(crate) values: Vec<Value>,
    /// What else the spec says, without which the field says nothing.
    pub(crate) given: Value,
    pub(crate) shows: Shows,
}

/// The examples of one definition.
#[derive(Debug)]
pub(crate) struct Examples(pub(crate) Vec<Example>);

fn field(path: impl Into<String>) -> Example {
    Example { path: path.into(), values: Vec::new(), given: json!({}), shows: Shows::AtRest }
}

fn values<const N: usize>(path: impl Into<String>, values: [Value; N]) -> Example {
    Example { values: values.into(), ..field(path) }
}

fn texts(path: impl Into<String>, texts: [&str; 2]) -> Example {
    values(path, texts.map(|text| json!(text)))
}

impl Example {
    fn given(self, given: Value) -> Self {
        Self { given, ..self }
    }

    fn shows(self, shows: Shows) -> Self {
        Self { shows, ..self }
    }
}

/// Of `AssetPipeline`. People made the resources by whose names bindings are adopted.
pub(crate) fn of_pipelines(given_names: &[String; 5]) -> Examples {
    let [bucket, visits, refreshes, dead, topic] = given_names;
    let names = |end: &str| json!({"visits": format!("v-{end}"), "refreshes": "r", "deadLetters": "d"});
    let mut rows =
        of_bindings(bucket, &json!({"visits": visits, "refreshes": refreshes, "deadLetters": dead}), topic);
    rows.extend([
        texts("aws.credentialsSecretName", ["aws", "aws-too"]),
        role("aws.webRoleArn"),
        role("aws.workerRoleArn"),
        values("bindings.queues.names", [Value::Null, names("a")])
            .given(json!({"bindings": {"queues": {"mode": "AdoptOrCreate"}}})),
        values("freshness.maxAgeSeconds", [json!(0), json!(60)]),
        values("freshness.maxStaleSeconds", [json!(400), json!(86_401)]),
        values(
            "notifications.endpoint",
            [
                Value::Null,
                json!("https://hooks.example.com/work_complete"),
                json!("https://other.example.com/in/work_complete"),
            ],
        ),
        texts("originCredentials.secretName", ["origins", "origins-too"]),
        values("privateNetworks", [json!([]), json!(["10.20.0.0/16"]), json!(["10.20.0.0/16", "fd12::/16"])]),
        values("service.nodePort", [json!(30_080), json!(30_081)])
            .given(json!({"service": {"type": "NodePort"}})),
        values("worker.minReplicas", [json!(0), json!(2)]).shows(Shows::InScaling),
        field("worker.maxReplicas").shows(Shows::InScaling),
        field("worker.backlogPerReplica").shows(Shows::InScaling),
        field("worker.scaleDownDelaySeconds").shows(Shows::InScaling),
    ]);
    rows.extend(of_ingress());
    for tier in ["web", "worker"] {
        rows.extend([of_a_pod(tier), of_volumes(tier), of_nodes(tier), of_resources(tier)].concat());
    }
    rows.extend(of_a_site(["tenants[].origin", "tenants[].siteUrl", "tenants[].loadPaths"]));
    rows.push(values(
        "tenants[].host",
        ["shop.example.com", "blog.example.com", "news.example.com"].map(|host| json!(host)),
    ));
    Examples(rows)
}

/// Behind what the web pods are reached.
fn of_ingress() -> Vec<Example> {
    let place = |field: &str| format!("ingress.{field}");
    let certificate = |id: &str| format!("arn:aws:acm:eu-central-1:123456789012:certificate/{id}");
    let acl = |id: &str| json!(format!("arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/shop/{id}"));
    let logs = json!({"ingress": {"accessLogs": {"bucket": "logs"}}});
    let of_nginx = json!({"ingress": {"className": "nginx"}});
    vec![
        texts(place("className"), ["alb", "nginx"]),
        texts(place("certificateArn"), [certificate("a").as_str(), certificate("b").as_str()]),
        texts(place("tls.secretName"), ["certificate", "certificate-too"]).given(of_nginx),
        texts(
            place("tls.sslPolicy"),
            ["ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"],
        ),
        values(
            place("hosts"),
            [json!([]), json!(["assets.example"]), json!(["*.assets.example", "assets.example"])],
        ),
        values(place("wafAclArn"), [Value::Null, json!("none"), acl("a"), acl("b")]),
        texts(place("group.name"), ["shared", "shared.too"]),
        values(
            place("subnets"),
            [json!([]), json!(["subnet-1", "subnet-2"]), json!(["public a", "public b", "public c"])],
        ),
        values(
            place("inboundCidrs"),
            [json!([]), json!(["203.0.113.0/24"]), json!(["203.0.113.0/24", "2001:db8::/32"])],
        ),
        values(place("accessLogs.bucket"), [Value::Null, json!("logs"), json!("logs-too")]),
        values(place("accessLogs.prefix"), [Value::Null, json!("shop"), json!("shop/web")]).given(logs),
        field(place("idleTimeoutSeconds")).given(json!({"web": {"holdSeconds": 23}})),
        field(place("deregistrationDelaySeconds")).given(json!({"web": {"holdSeconds": 23}})),
        values(place("slowStartSeconds"), [Value::Null, json!(0), json!(30), json!(900)]),
        values(
            place("loadBalancerAttributes"),
            [
                json!({}),
                json!({"routing.http2.enabled": "false"}),
                json!({"deletion_protection.enabled": "true"}),
            ],
        ),
        values(
            place("targetGroupAttributes"),
            [
                json!({}),
                json!({"load_balancing.algorithm.type": "round_robin"}),
                json!({"load_balancing.algorithm.type": "weighted_random"}),
            ],
        ),
        values(
            place("annotations"),
            [
                json!({}),
                json!({"alb.ingress.kubernetes.io/tags": "team=shop"}),
                json!({"alb.ingress.kubernetes.io/security-groups": "sg-1", "example.com/team": "shop"}),
            ],
        ),
        values(
            place("externalDns.hosts"),
            [json!([]), json!(["assets.example"]), json!(["*.assets.example", "assets.example"])],
        ),
    ]
}

fn of_bindings(bucket: &str, queues: &Value, topic: &str) -> Vec<Example> {
    let modes = || [json!("Adopt"), json!("ReadOnly")];
    let either = |part: &str, more: &Value| {
        let mut given = json!({"bindings": {part: {"mode": "AdoptOrCreate"}}});
        merge(&mut given["bindings"][part], more);
        given
    };
    let queue = |path: &'static str| {
        texts(path, ["one", "two"]).given(either(
            "queues",
            &json!({"names": {
                "visits": "visits", "refreshes": "refreshes", "deadLetters": "dead",
            }}),
        ))
    };
    let key = |id: &str| json!(format!("arn:aws:kms:eu-central-1:123456789012:key/{id}"));
    let deleted = json!({"bindings": {"bucket": {"deletionPolicy": "Delete"}}});
    vec![
        values("bindings.bucket.mode", modes()).given(json!({"bindings": {"bucket": {"name": bucket}}})),
        texts("bindings.bucket.name", ["one-bucket", "two-bucket"]).given(either("bucket", &json!({}))),
        field("bindings.bucket.deletionPolicy").shows(Shows::AfterDeletion),
        field("bindings.bucket.whenNotEmpty").given(deleted).shows(Shows::AfterDeletionOfFullBucket),
        values("bindings.bucket.encryption.kmsKeyArn", [key("a"), key("b")]),
        field("bindings.bucket.noncurrentVersionDays")
            .given(json!({"bindings": {"bucket": {"versioning": "Enabled"}}})),
        values("bindings.queues.mode", modes()).given(json!({"bindings": {"queues": {"names": queues}}})),
        queue("bindings.queues.names.visits"),
        queue("bindings.queues.names.refreshes"),
        queue("bindings.queues.names.deadLetters"),
        field("bindings.queues.deletionPolicy").shows(Shows::AfterDeletion),
        values("bindings.topic.mode", modes()).given(json!({"bindings": {"topic": {"name": topic}}})),
        texts("bindings.topic.name", ["one", "two"]).given(either("topic", &json!({}))),
        field("bindings.topic.deletionPolicy").shows(Shows::AfterDeletion),
        values(
            "bindings.tags",
            [json!({}), json!({"cost-center": "42"}), json!({"cost-center": "43", "team": "shop"})],
        ),
    ]
}

/// Of `AssetTenant`, whose pipeline has this name.
pub(crate) fn of_tenants(pipeline: &str) -> Examples {
    let mut rows = vec![
        texts("pipelineRef.name", [pipeline, "not-there"]),
        values(
            "hosts",
            [
                json!(["docs.example.com"]),
                json!(["help.example.com"]),
                json!(["docs.example.com", "help.example.com"]),
            ],
        ),
    ];
    rows.extend(of_a_site(["origin", "siteUrl", "loadPaths"]));
    Examples(rows)
}

/// What a person adds to the pods of a tier.
fn of_a_pod(tier: &str) -> Vec<Example> {
    let pods = |field: &str| format!("{tier}.podTemplate{field}");
    let of_env = |entry: Value| json!({tier: {"podTemplate": {"env": [entry]}}});
    let entry = |name: &str| json!({"name": name, "key": "k"});
    let by = |kind: &str, name: &str| json!({kind: entry(name)});
    let texts_by_key = || [json!({}), json!({"team": "shop"}), json!({"team": "web", "example.com/a": ""})];
    let mut rows = vec![
        values(pods(""), [Value::Null, json!({"labels": {"team": "shop"}})]),
        values(pods(".labels"), texts_by_key()),
        values(pods(".annotations"), texts_by_key()),
        values(
            pods(".env"),
            [
                json!([]),
                json!([{"name": "RUST_LOG", "value": "debug"}]),
                json!([{"name": "A", "valueFrom": by("secretKeyRef", "s")}, {"name": "B", "value": "b"}]),
                json!([{"name": "B", "valueFrom": by("configMapKeyRef", "c")}]),
                json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "t", "key": "l", "optional": true}}}]),
                json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "d", "key": "l", "optional": true}}}]),
            ],
        ),
        texts(pods(".env[].name"), ["A", "B"]).given(of_env(json!({"name": "A", "value": "a"}))),
        texts(pods(".env[].value"), ["a", "b"]),
        values(pods(".env[].valueFrom"), [by("secretKeyRef", "a"), by("configMapKeyRef", "a")]),
    ];
    for kind in ["secretKeyRef", "configMapKeyRef"] {
        let place = |field: &str| pods(&format!(".env[].valueFrom.{kind}{field}"));
        let given = || of_env(json!({"name": "A", "valueFrom": by(kind, "a")}));
        rows.extend([
            values(place(""), [entry("a"), entry("b")]),
            texts(place(".name"), ["a", "b"]).given(given()),
            texts(place(".key"), ["k", "l"]).given(given()),
            field(place(".optional")).given(given()),
        ]);
    }
    rows
}

/// Folders for the pods of a tier.
fn of_volumes(tier: &str) -> Vec<Example> {
    let pods = |field: &str| format!("{tier}.podTemplate{field}");
    let of = |list: &str, entry: &Value| json!({tier: {"podTemplate": {list: [entry]}}});
    let volume = |name: &str, kind: &str, source: Value| json!({"name": name, "mountPath": format!("/mnt/{name}"), kind: source});
    let map = |name: &str| json!({"name": name});
    let secret = |name: &str| json!({"secretName": name});
    let folder = json!({"name": "a", "mountPath": "/mnt/a"});
    let (of_map, of_secret) = (volume("a", "configMap", map("c")), volume("a", "secret", secret("s")));
    let empty = |size: &str| json!({"sizeLimit": size});
    vec![
        values(
            pods(".volumes"),
            [
                json!([]),
                json!([of_map]),
                json!([of_secret, volume("b", "emptyDir", empty("64Mi"))]),
                json!([volume("b", "configMap", json!({"name": "d", "optional": true}))]),
                json!([volume("c", "secret", json!({"secretName": "t", "optional": true}))]),
                json!([volume("c", "emptyDir", empty("1Gi"))]),
            ],
        ),
        texts(pods(".volumes[].name"), ["a", "b"]).given(of("volumes", &of_map)),
        texts(pods(".volumes[].mountPath"), ["/mnt/a", "/mnt/b"]).given(of("volumes", &of_map)),
        values(pods(".volumes[].configMap"), [map("c"), map("d")]).given(of("volumes", &folder)),
        texts(pods(".volumes[].configMap.name"), ["c", "d"]).given(of("volumes", &folder)),
        field(pods(".volumes[].configMap.optional")).given(of("volumes", &of_map)),
        values(pods(".volumes[].secret"), [secret("s"), secret("t")]).given(of("volumes", &folder)),
        texts(pods(".volumes[].secret.secretName"), ["s", "t"]).given(of("volumes", &folder)),
        field(pods(".volumes[].secret.optional")).given(of("volumes", &of_secret)),
        values(pods(".volumes[].emptyDir"), [empty("64Mi"), empty("1Gi")]).given(of("volumes", &folder)),
        texts(pods(".volumes[].emptyDir.sizeLimit"), ["64Mi", "1Gi"]).given(of("volumes", &folder)),
    ]
}

/// Where the pods of a tier run, and with which images.
fn of_nodes(tier: &str) -> Vec<Example> {
    let pods = |field: &str| format!("{tier}.podTemplate{field}");
    let of = |entry: Value| json!({tier: {"podTemplate": {"tolerations": [entry]}}});
    let secret = |name: &str| json!([{"name": name}]);
    let taint = |more: Value| {
        let mut taint = json!({"key": "spot"});
        merge(&mut taint, &more);
        taint
    };
    vec![
        values(pods(".nodeSelector"), [json!({}), json!({"karpenter.sh/capacity-type": "spot"})]),
        values(
            pods(".tolerations"),
            [
                json!([]),
                json!([taint(json!({"value": "yes"}))]),
                json!([taint(json!({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}))]),
                json!([{"key": "batch", "effect": "NoSchedule"}]),
            ],
        ),
        texts(pods(".tolerations[].key"), ["spot", "batch"]),
        field(pods(".tolerations[].operator")).given(of(taint(json!({})))),
        texts(pods(".tolerations[].value"), ["a", "b"]).given(of(taint(json!({})))),
        field(pods(".tolerations[].effect")).given(of(taint(json!({})))),
        field(pods(".tolerations[].tolerationSeconds")).given(of(taint(json!({"effect": "NoExecute"})))),
        texts(pods(".priorityClassName"), ["low", "high"]),
        values(pods(".imagePullSecrets"), [json!([]), secret("a"), secret("b")]),
        texts(pods(".imagePullSecrets[].name"), ["a", "b"]),
        texts(pods(".runtimeClassName"), ["kata", "gvisor"]),
    ]
}

/// What the pods of a tier ask for and may have.
fn of_resources(tier: &str) -> Vec<Example> {
    let amounts = |field: &str| format!("{tier}.podTemplate.resources{field}");
    let (request, limit) = (json!({"memory": "256Mi"}), json!({"memory": "4Gi"}));
    vec![
        values(amounts(""), [Value::Null, json!({"requests": request})]),
        values(amounts(".requests"), [Value::Null, request]),
        texts(amounts(".requests.cpu"), ["200m", "1"]),
        texts(amounts(".requests.memory"), ["256Mi", "512Mi"]),
        values(amounts(".limits"), [Value::Null, limit]),
        texts(amounts(".limits.cpu"), ["1.5", "4"]),
        // Enough for a worker of two jobs, and for one of the most.
        texts(amounts(".limits.memory"), ["4Gi", "80Gi"]),
    ]
}

/// Where a site is, and what its style sheets load.
fn of_a_site([origin, site_url, load_paths]: [&'static str; 3]) -> [Example; 3] {
    [
        texts(origin, ["https://www.example.com", "http://origin.web.svc:8000/theme"]),
        values(
            site_url,
            [Value::Null, json!("https://site.example.com"), json!("http://site.example.com/de")],
        ),
        values(load_paths, [json!([]), json!(["/node_modules"]), json!(["/node_modules", "/vendor"])]),
    ]
}

fn role(path: &'static str) -> Example {
    texts(path, ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"])
}

impl Examples {
    pub(crate) fn of(&self, path: &str) -> Example {
        let row = self.0.iter().find(|row| row.path == path).cloned();
        row.unwrap_or_else(|| field(path))
    }

    /// The fields of the definition; each that stands here must be there.
    pub(crate) fn fields(&self, schema: &Value) -> Result<Vec<Field>> {
        let all = fields_of(schema);
        for row in &self.0 {
            let is_there = all.iter().any(|field| field.path == row.path);
            ensure!(is_there, "the schema has no field {}: take it out of the examples", row.path);
        }
        Ok(all)
    }

    /// At least two values of the field, each of which makes another difference.
    pub(crate) fn values(&self, path: &str, schema: &Value) -> Result<Vec<Value>> {
        let own = self.of(path).values;
        if !own.is_empty() {
            return Ok(own);
        }
        if let Some(values) = schema["enum"].as_array() {
            return Ok(values.iter().filter(|value| !value.is_null()).cloned().collect());
        }
        Ok(match schema["type"].as_str() {
            Some("boolean") => vec![json!(false), json!(true)],
            Some("integer") if schema["minimum"].is_number() && schema["maximum"].is_number() => {
                let bounds = ["minimum", "maximum"].map(|bound| schema[bound].as_f64().unwrap_or_default());
                bounds
                    .map(|bound| serde_json::from_str(&format!("{bound:.0}")))
                    .into_iter()
                    .collect::<Result<_, _>>()?
            }
            Some("object") if has_fields(schema) => vec![Value::Null, self.least(path, schema)?],
            Some("array") if has_fields(&schema["items"]) => {
                vec![json!([]), json!([self.least(&format!("{path}[]"), &schema["items"])?])]
            }
            _ => bail!("spec.{path} is new: give two examples of it"),
        })
    }

    /// Makes what the field is in, where the spec has nothing of it.
    pub(crate) fn furnish(&self, spec: &mut Value, path: &str, schema: &Value) -> Result<()> {
        let (mut at, mut schema) = (String::new(), schema);
        let Some((above, _)) = path.rsplit_once('.') else { return Ok(()) };
        for name in above.split('.') {
            let list = name.strip_suffix("[]");
            let before = if at.is_empty() { at } else { at + "." };
            let place = before.clone() + list.unwrap_or(name);
            at = before + name;
            schema = &schema["properties"][list.unwrap_or(name)];
            schema = if list.is_some() { &schema["items"] } else { schema };
            let is_empty = |value: &&Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if get(spec, &place).iter().all(is_empty) {
                let least = self.least(&at, schema)?;
                set(spec, &place, &if list.is_some() { json!([least]) } else { least });
            }
        }
        Ok(())
    }

    /// An object with what it cannot be without.
    fn least(&self, path: &str, schema: &Value) -> Result<Value> {
        let mut fields = Map::new();
        for name in required(schema) {
            let values = self.values(&format!("{path}.{name}"), &schema["properties"][name])?;
            fields.insert(name.to_owned(), values.first().context("no value")?.clone());
        }
        Ok(Value::Object(fields))
    }
}

#[test]
fn field_is_put_into_what_cannot_be_without_others() -> Result<()> {
    let schema = json!({"properties": {"door": {"properties": {"keys": {"items": {
        "properties": {"label": {"type": "string"}, "kind": {"enum": ["Old", "New"]}, "is_lost": {"type": "boolean"}},
        "required": ["kind", "is_lost"],
    }}}}}});
    let mut spec = json!({});
    Examples(Vec::new()).furnish(&mut spec, "door.keys[].label", &schema)?;
    assert_eq!(spec, json!({"door": {"keys": [{"kind": "Old", "is_lost": false}]}}));
    let before = spec.clone();
    Examples(Vec::new()).furnish(&mut spec, "door.keys[].label", &schema)?;
    assert_eq!(spec, before);
    Ok(())
}
