//! What `spec.ingress` may hold, and what it must not.

use serde_json::{Map, Value, json};

use super::{Refused, arn, long_host, refused::wrong};

const ACL: &str = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/";
const ALGORITHM: &str = "load_balancing.algorithm.type";
const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/a";

pub(crate) fn accepted() -> Vec<Value> {
    let secret = json!({"className": "nginx", "tls": {"secretName": "c".repeat(253)}});
    let timed = |hold: i32, idle: i32, delay: i32| {
        json!({
            "web": {"holdSeconds": hold}, "ingress": {"idleTimeoutSeconds": idle, "deregistrationDelaySeconds": delay},
        })
    };
    let http = |ingress: Value, host: &str| {
        json!({
            "ingress": ingress, "notifications": {"endpoint": format!("http://{host}/work_complete")},
        })
    };
    vec![
        json!({"ingress": {}}),
        json!({"ingress": least()}),
        json!({"ingress": most()}),
        json!({"ingress": secret}),
        json!({"ingress": {"tls": {}, "accessLogs": {}, "externalDns": {}, "wafAclArn": "none"}}),
        json!({"ingress": {"certificateArn": CERTIFICATE, "tls": {"redirect": false}}}),
        json!({"ingress": {"slowStartSeconds": 30, "targetGroupAttributes": {ALGORITHM: "round_robin"}}}),
        json!({"ingress": {"slowStartSeconds": 0, "targetGroupAttributes": {ALGORITHM: "weighted_random"}}}),
        timed(23, 28, 23),
        timed(29, 34, 29),
        timed(29, 4000, 3600),
        http(json!({"tls": {"redirect": false}}), "hooks.example"),
        http(json!({"tls": {}}), "hooks.example:30080"),
        http(json!({"tls": {}}), "10.0.0.1"),
        http(json!({"certificateArn": CERTIFICATE}), "hooks.example"),
        http(json!({"hosts": ["*.example", "hooks.example.org"]}), "hooks.example"),
    ]
}

/// The shortest of everything.
fn least() -> Value {
    json!({
        "tls": {"sslPolicy": "ELBSecurityPolicy-1"}, "hosts": ["a", "*.a"], "wafAclArn": format!("{ACL}a/b"),
        "group": {"name": "a", "order": 1}, "subnets": ["a", "b"], "inboundCidrs": ["0.0.0.0/0", "::/0"],
        "accessLogs": {"bucket": "a-b", "prefix": "a"}, "slowStartSeconds": 0,
        "loadBalancerAttributes": {"a": ""}, "targetGroupAttributes": {"a": ""}, "annotations": {"a": ""},
        "externalDns": {"hosts": ["a"]},
    })
}

/// The longest of everything, on the right side of each bound.
fn most() -> Value {
    let entries = |key: &dyn Fn(usize) -> String, value: &str| -> Value {
        (0..32).map(|index| (key(index), json!(value))).collect::<Map<_, _>>().into()
    };
    let hosts: Vec<_> = (0..32).map(|index| format!("*.{index:02}.{}", long_host(248))).collect();
    let subnets: Vec<_> = (0..16).map(|index| format!("{index:02} {}", "s".repeat(253))).collect();
    let networks: Vec<_> = (0..64).map(|index| format!("203.0.113.{index}/32")).collect();
    let attribute = |index: usize| format!("a{index:02}{}", ".b".repeat(126) + "c");
    let key = |index: usize| format!("{}.{}/a{index}", "a".repeat(63), "b".repeat(63));
    json!({
        "tls": {"sslPolicy": format!("ELBSecurityPolicy-{}", "p".repeat(110))}, "hosts": hosts,
        "wafAclArn": arn(&format!("{ACL}a/"), 2048), "group": {"name": "g".repeat(63), "order": 1000},
        "subnets": subnets, "inboundCidrs": networks,
        "accessLogs": {"bucket": "b".repeat(63), "prefix": "p".repeat(512)}, "slowStartSeconds": 900,
        "loadBalancerAttributes": entries(&attribute, &"v".repeat(1024)),
        "targetGroupAttributes": entries(&attribute, &"=".repeat(1024)),
        "annotations": entries(&key, &"v".repeat(4096)), "externalDns": {"hosts": hosts},
    })
}

pub(crate) fn refused() -> Vec<Refused> {
    [tls(), balancer(), timeouts(), attributes(), annotations(), hosts(), endpoints()]
        .into_iter()
        .flatten()
        .collect()
}

fn tls() -> Vec<Refused> {
    let (two, class, acm) = (
        "are two certificates: leave one of them out",
        "is for other classes than alb, which takes certificates of ACM: leave it out",
        "and redirect false, need a certificate of ACM: leave them out beside secretName",
    );
    let nginx = |more: Value| {
        let mut tls = json!({"secretName": "s"});
        if let (Some(tls), Some(more)) = (tls.as_object_mut(), more.as_object()) {
            tls.extend(more.clone());
        }
        json!({"ingress": {"className": "nginx", "tls": tls}})
    };
    let policy = "spec.ingress.tls.sslPolicy";
    let refuse = |field, says, spec| Refused { spec, field, says };
    vec![
        wrong("spec.ingress", class, json!({"tls": {"secretName": "s"}})),
        wrong(
            "spec.ingress",
            two,
            json!({"className": "nginx", "certificateArn": CERTIFICATE, "tls": {"secretName": "s"}}),
        ),
        refuse("spec.ingress.tls", acm, nginx(json!({"redirect": false}))),
        refuse("spec.ingress.tls", acm, nginx(json!({"sslPolicy": "ELBSecurityPolicy-1"}))),
        wrong("spec.ingress.tls.secretName", "at least 1 chars long", ""),
        wrong("spec.ingress.tls.secretName", "may not be more than 253", "s".repeat(254)),
        wrong(policy, "should match", "TLS-1-3"),
        wrong(policy, "should match", "ELBSecurityPolicy-1,2"),
        wrong(policy, "may not be more than 128", format!("ELBSecurityPolicy-{}", "p".repeat(111))),
        wrong("spec.ingress.tls.redirect", "expected boolean", "no"),
    ]
}

fn balancer() -> Vec<Refused> {
    let (acl, name, bucket, prefix) = (
        "spec.ingress.wafAclArn",
        "spec.ingress.group.name",
        "spec.ingress.accessLogs.bucket",
        "spec.ingress.accessLogs.prefix",
    );
    let (subnets, networks) = ("spec.ingress.subnets", "spec.ingress.inboundCidrs");
    let network = "a network with its prefix length, such as 203.0.113.0/24";
    let groups =
        "counts for the security group that the controller makes, and none is made with the annotation";
    let many: Vec<_> = (0..65).map(|index| format!("203.0.113.{index}/32")).collect();
    let mut cases = vec![
        wrong(acl, "may not be more than 2048", arn(&format!("{ACL}a/"), 2049)),
        wrong(name, "at least 1 chars long", ""),
        wrong(name, "may not be more than 63", "g".repeat(64)),
        wrong("spec.ingress.group", "name: Required value", json!({})),
        wrong(subnets, "should have at least 2 items", ["subnet-1"].as_slice()),
        wrong(
            subnets,
            "must have at most 16 items",
            (0..17).map(|index| index.to_string()).collect::<Vec<_>>(),
        ),
        wrong(subnets, "may not be more than 256", vec!["a".to_owned(), "s".repeat(257)]),
        wrong(subnets, "at least 1 chars long", ["a", ""].as_slice()),
        wrong(subnets, "should match", ["a", "b,c"].as_slice()),
        wrong(subnets, "should match", ["a", " b"].as_slice()),
        wrong(subnets, "duplicate entries", ["a", "a"].as_slice()),
        wrong(networks, network, ["203.0.113.0"].as_slice()),
        wrong(networks, "must have at most 64 items", many),
        wrong(networks, "may not be more than 43", vec!["1".repeat(44)]),
        wrong(
            "spec.ingress",
            groups,
            json!({
                "inboundCidrs": ["203.0.113.0/24"],
                "annotations": {"alb.ingress.kubernetes.io/security-groups": "sg-1"},
            }),
        ),
        wrong(
            "spec.ingress.accessLogs",
            "needs a bucket: name it, or leave the prefix out",
            json!({"prefix": "a"}),
        ),
        wrong(bucket, "at least 3 chars long", "ab"),
        wrong(bucket, "may not be more than 63", "b".repeat(64)),
        wrong(bucket, "should match", "arn:aws:s3:::logs"),
        wrong(bucket, "should match", "logs,a=b"),
        wrong(prefix, "at least 1 chars long", ""),
        wrong(prefix, "may not be more than 512", "p".repeat(513)),
        wrong(prefix, "should match", "/a"),
        wrong(prefix, "should match", "a/"),
        wrong(prefix, "should match", "a,b"),
        wrong(prefix, "cannot hold AWSLogs, which Elastic Load Balancing adds itself", "a/AWSLogs"),
        wrong("spec.ingress.group.order", "should be greater than or equal to", 0),
        wrong("spec.ingress.group.order", "should be less than or equal to", 1001),
    ];
    let acls = ["", "None", "arn:aws:wafv2:a:123456789012:global/webacl/a/b", "499e8b99-6671"];
    cases.extend(acls.map(|text| wrong(acl, "should match", text)));
    cases.extend(["A", "-a", "a-", "a_b"].map(|text| wrong(name, "should match", text)));
    cases
}

fn timeouts() -> Vec<Refused> {
    let idle = "spec.ingress.idleTimeoutSeconds must be at least spec.web.holdSeconds + 5";
    let delay = "spec.ingress.deregistrationDelaySeconds must not be below spec.web.holdSeconds";
    let algorithm =
        "spec.ingress.slowStartSeconds goes with the algorithm round_robin alone: set 0, or leave";
    let behind = |hold: i32, ingress: Value| json!({"web": {"holdSeconds": hold}, "ingress": ingress});
    let slow = "spec.ingress.slowStartSeconds must be 0, or lie between 30 and 900: change it";
    let mut cases = vec![
        Refused { spec: behind(29, json!({"idleTimeoutSeconds": 33})), field: "spec", says: idle },
        // Of the default hold, 25 s.
        Refused { spec: json!({"ingress": {"idleTimeoutSeconds": 29}}), field: "spec", says: idle },
        Refused { spec: behind(29, json!({"deregistrationDelaySeconds": 28})), field: "spec", says: delay },
        Refused { spec: json!({"ingress": {"deregistrationDelaySeconds": 24}}), field: "spec", says: delay },
        wrong("spec.ingress.slowStartSeconds", slow, 1),
        wrong("spec.ingress.slowStartSeconds", slow, 29),
        wrong(
            "spec.ingress",
            algorithm,
            json!({"slowStartSeconds": 30, "targetGroupAttributes": {ALGORITHM: "least_outstanding_requests"}}),
        ),
    ];
    for (field, below, above) in [
        ("spec.ingress.idleTimeoutSeconds", 27, 4001),
        ("spec.ingress.deregistrationDelaySeconds", 22, 3601),
        ("spec.ingress.slowStartSeconds", -1, 901),
    ] {
        cases.push(wrong(field, "should be greater than or equal to", below));
        cases.push(wrong(field, "should be less than or equal to", above));
    }
    cases
}

/// A map in which one key is wrong, and more than it may hold.
fn map(key: &str, value: &str) -> Value {
    json!({"fine": "v", key: value})
}

fn too_many() -> Value {
    (0..33).map(|index| (format!("a{index}"), json!("v"))).collect::<Map<_, _>>().into()
}

fn attributes() -> Vec<Refused> {
    let (balancer, group) = ("spec.ingress.loadBalancerAttributes", "spec.ingress.targetGroupAttributes");
    let (of_balancer, of_group) = (
        "in spec.ingress.loadBalancerAttributes is set by a field of spec.ingress: leave it out",
        "in spec.ingress.targetGroupAttributes is set by a field of spec.ingress: leave it out",
    );
    let (balancer_key, group_key) = (
        "a key of spec.ingress.loadBalancerAttributes must be the name of an attribute",
        "a key of spec.ingress.targetGroupAttributes must be the name of an attribute",
    );
    let mut cases = vec![
        wrong(balancer, "must have at most 32 items", too_many()),
        wrong(group, "must have at most 32 items", too_many()),
        wrong("spec.ingress.loadBalancerAttributes.a", "should match", "b,c=d"),
        wrong("spec.ingress.targetGroupAttributes.a", "should match", "b c"),
        wrong("spec.ingress.loadBalancerAttributes.a", "may not be more than 1024", "v".repeat(1025)),
        wrong("spec.ingress.targetGroupAttributes.a", "may not be more than 1024", "v".repeat(1025)),
        wrong(balancer, "key idle_timeout.timeout_seconds: ", map("idle_timeout.timeout_seconds", "90")),
        wrong(group, "key slow_start.duration_seconds: ", map("slow_start.duration_seconds", "90")),
    ];
    for key in crds::OWN_LOAD_BALANCER_ATTRIBUTES {
        cases.push(wrong(balancer, of_balancer, map(key, "1")));
    }
    for key in crds::OWN_TARGET_GROUP_ATTRIBUTES {
        cases.push(wrong(group, of_group, map(key, "1")));
    }
    for key in ["", "a=b", "a,b", "a b", &"a".repeat(257)] {
        cases.push(wrong(balancer, balancer_key, map(key, "1")));
        cases.push(wrong(group, group_key, map(key, "1")));
    }
    cases
}

fn annotations() -> Vec<Refused> {
    let field = "spec.ingress.annotations";
    let name = "a key of spec.ingress.annotations must be a name such as example.com/team: change it";
    let own = "is said by the operator or by a field of spec.ingress: leave it out, and set the field";
    let snippet = "cannot hold snippets, which change a controller that serves others, too: leave it out";
    let mut cases = vec![
        wrong(field, "must have at most 32 items", too_many()),
        wrong("spec.ingress.annotations.a", "may not be more than 4096", "v".repeat(4097)),
        wrong(field, own, map("assetpipeline.dev/applied", "v")),
        wrong(field, snippet, map("nginx.ingress.kubernetes.io/server-snippet", "v")),
        wrong(field, "key kubernetes.io/ingress.class: ", map("kubernetes.io/ingress.class", "nginx")),
    ];
    cases.extend(crds::OWN_INGRESS_ANNOTATIONS.map(|key| wrong(field, own, map(key, "v"))));
    cases.extend(["a b", "-a", "/a", "A.b/c"].map(|key| wrong(field, name, map(key, "v"))));
    cases
}

fn hosts() -> Vec<Refused> {
    let mut cases = Vec::new();
    for (field, host, address) in [
        (
            "spec.ingress.hosts",
            "every entry of spec.ingress.hosts must be a DNS name in lower case without a port, or one behind *.",
            "every entry of spec.ingress.hosts must be a DNS name and not an IP address",
        ),
        (
            "spec.ingress.externalDns.hosts",
            "every entry of spec.ingress.externalDns.hosts must be a DNS name in lower case without a port, or one",
            "every entry of spec.ingress.externalDns.hosts must be a DNS name and not an IP address",
        ),
    ] {
        let many: Vec<_> = (0..33).map(|index| format!("{index}.example")).collect();
        cases.extend([
            wrong(field, "must have at most 32 items", many),
            wrong(field, "at least 1 chars long", [""].as_slice()),
            wrong(field, "may not be more than 253", vec![long_host(254)]),
            wrong(field, "duplicate entries", ["a.example", "a.example"].as_slice()),
            wrong(field, address, ["10.0.0.1"].as_slice()),
            wrong(field, address, ["*.10.0.0.1"].as_slice()),
        ]);
        for text in
            ["*", "*.", "*a.example", "a.*.example", "*.*.example", "A.example", "a.example:80", "a_b"]
        {
            cases.push(wrong(field, host, ["fine.example", text].as_slice()));
        }
    }
    cases
}

fn endpoints() -> Vec<Refused> {
    let redirect = "spec.notifications.endpoint must be https where spec.ingress.tls redirects http";
    let visitors = "the host of spec.notifications.endpoint stands in spec.ingress.hosts, too";
    let at =
        |ingress: Value, endpoint: &str| json!({"ingress": ingress, "notifications": {"endpoint": endpoint}});
    let refuse = |says, spec| Refused { spec, field: "spec", says };
    vec![
        refuse(redirect, at(json!({"tls": {}}), "http://hooks.example/work_complete")),
        refuse(redirect, at(json!({"tls": {}}), "http://hooks.example:80/work_complete")),
        refuse(
            redirect,
            at(json!({"certificateArn": CERTIFICATE, "tls": {}}), "http://10.example/in/work_complete"),
        ),
        refuse(visitors, at(json!({"hosts": ["hooks.example"]}), "https://hooks.example/work_complete")),
        refuse(
            visitors,
            at(json!({"hosts": ["a", "hooks.example"]}), "http://hooks.example:81/work_complete"),
        ),
    ]
}
