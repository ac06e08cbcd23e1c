use serde_json::{Value, json};

use super::*;

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn pod(namespace: &str, app: &str, address: &str) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        namespace_labels: labels([("kubernetes.io/metadata.name", namespace)]),
        name: app.to_owned(),
        labels: labels([("app", app)]),
        address: address.parse().unwrap(),
        ports: [("http".to_owned(), (Protocol::Tcp, 8080))].into(),
    }
}

fn web() -> End {
    End::Pod(pod("shop", "web", "10.0.1.1"))
}

fn worker() -> End {
    End::Pod(pod("shop", "worker", "10.0.1.2"))
}

fn stranger() -> End {
    End::Pod(pod("other", "web", "10.0.2.1"))
}

fn outside(address: &str) -> End {
    End::Outside(address.parse().unwrap())
}

/// A policy for the pods of `app` in namespace `shop`.
fn policy(app: &str, mut spec: Value) -> NetworkPolicy {
    spec["podSelector"] = json!({"matchLabels": {"app": app}});
    let metadata = json!({"name": app, "namespace": "shop"});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn tcp(from: End, to: End, port: u16) -> Connection {
    Connection { from, to, protocol: Protocol::Tcp, port }
}

fn passes(policies: &[NetworkPolicy], connection: &Connection) -> bool {
    let [first, second] =
        ALL_BLOCKS.map(|blocks| judge(policies, connection, blocks).unwrap() == Verdict::Allowed);
    assert_eq!(first, second, "{connection}");
    first
}

/// Whether this end may connect to the web pod at 8080 by one rule of ingress.
fn comes_in(rule: &Value, from: End) -> bool {
    passes(&[policy("web", json!({"ingress": [rule]}))], &tcp(from, web(), 8080))
}

#[test]
fn pod_that_no_policy_selects_is_isolated_in_no_way() {
    let others = policy("db", json!({"policyTypes": ["Ingress", "Egress"]}));
    assert!(passes(&[], &tcp(outside("8.8.8.8"), web(), 1)));
    assert!(passes(&[others], &tcp(worker(), web(), 1)));
    // A policy holds in its own namespace.
    assert!(passes(&[policy("web", json!({}))], &tcp(worker(), stranger(), 1)));
}

#[test]
fn policy_without_rules_lets_nothing_pass_in_its_directions() {
    let (comes, goes) = (tcp(worker(), web(), 1), tcp(web(), worker(), 1));
    for (spec, may_come, may_go) in [
        // By default it is of ingress, and of egress where it has such a section.
        (json!({}), false, true),
        (json!({"ingress": []}), false, true),
        (json!({"egress": []}), false, false),
        (json!({"policyTypes": ["Ingress"], "egress": [{}]}), false, true),
        (json!({"policyTypes": ["Egress"]}), true, false),
        (json!({"policyTypes": ["Ingress", "Egress"]}), false, false),
    ] {
        let policies = [policy("web", spec.clone())];
        assert_eq!((passes(&policies, &comes), passes(&policies, &goes)), (may_come, may_go), "{spec}");
    }
}

#[test]
fn both_ends_must_let_a_connection_pass_and_the_verdict_says_which_does_not() {
    let closed = |app| policy(app, json!({"policyTypes": ["Ingress", "Egress"]}));
    let open = |app| policy(app, json!({"ingress": [{}], "egress": [{}]}));
    let connection = tcp(worker(), web(), 8080);
    let of = |policies: &[NetworkPolicy]| judge(policies, &connection, Blocks::MeanNoPod).unwrap();
    assert_eq!(of(&[open("worker"), open("web")]), Verdict::Allowed);
    let denied = |direction, by: &str| Verdict::Denied { direction, by: vec![by.to_owned()] };
    assert_eq!(of(&[closed("worker"), open("web")]), denied(Direction::Egress, "shop/worker"));
    assert_eq!(of(&[open("worker"), closed("web")]), denied(Direction::Ingress, "shop/web"));
    // One that opens is enough: policies add up.
    assert_eq!(of(&[closed("web"), open("web"), open("worker"), closed("worker")]), Verdict::Allowed);
}

#[test]
fn nothing_keeps_a_pod_from_itself() {
    let closed = policy("web", json!({"policyTypes": ["Ingress", "Egress"]}));
    assert!(passes(&[closed], &tcp(web(), web(), 8080)));
}

#[test]
fn rule_without_peers_or_ports_means_all_of_them() {
    for rule in [json!({}), json!({"from": [], "ports": []})] {
        assert!(comes_in(&rule, outside("8.8.8.8")) && comes_in(&rule, stranger()), "{rule}");
    }
}

#[test]
fn peers_are_pods_of_the_policys_namespace_unless_they_name_others() {
    let webs = json!({"matchLabels": {"app": "web"}});
    let workers = json!({"matchLabels": {"app": "worker"}});
    let other = json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}});
    for (peer, from_worker, from_stranger) in [
        (json!({"podSelector": workers}), true, false),
        (json!({"podSelector": {}}), true, false),
        (json!({"podSelector": webs}), false, false),
        (json!({"namespaceSelector": {}}), true, true),
        (json!({"namespaceSelector": other}), false, true),
        (json!({"namespaceSelector": other, "podSelector": webs}), false, true),
        (json!({"namespaceSelector": other, "podSelector": workers}), false, false),
    ] {
        let rule = json!({"from": [peer]});
        let found = (comes_in(&rule, worker()), comes_in(&rule, stranger()));
        assert_eq!(found, (from_worker, from_stranger), "{peer}");
        assert!(!comes_in(&rule, outside("10.0.1.2")), "an address without a pod has no labels");
    }
    let either = json!({"from": [{"podSelector": webs}, {"namespaceSelector": other}]});
    assert!(comes_in(&either, stranger()) && !comes_in(&either, worker()));
}

#[test]
fn blocks_hold_their_network_without_its_exceptions() {
    let rule =
        json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16", "10.8.8.8/32"]}}]});
    for (address, is_in) in [
        ("10.1.2.3", true),
        ("10.9.0.1", false),
        ("10.8.8.8", false),
        ("11.0.0.1", false),
        ("fd00::1", false),
    ] {
        assert_eq!(comes_in(&rule, outside(address)), is_in, "{address}");
    }
    let six = json!({"from": [{"ipBlock": {"cidr": "fd00::/8"}}]});
    assert!(comes_in(&six, outside("fd00::1")) && !comes_in(&six, outside("10.1.2.3")));
}

#[test]
fn blocks_mean_pods_to_some_plugins_only() {
    let block = policy("web", json!({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}));
    let found = ALL_BLOCKS
        .map(|blocks| judge(std::slice::from_ref(&block), &tcp(worker(), web(), 8080), blocks).unwrap());
    let [everybody, no_pod] = found;
    assert_eq!(everybody, Verdict::Allowed);
    assert_eq!(no_pod, Verdict::Denied { direction: Direction::Ingress, by: vec!["shop/web".to_owned()] });
}

#[test]
fn ports_are_of_one_protocol_and_a_number_a_range_or_a_name() {
    let at = |port: &Value, protocol: Protocol, number: u16| {
        let policies = [policy("web", json!({"ingress": [{"ports": [port]}]}))];
        passes(&policies, &Connection { from: worker(), to: web(), protocol, port: number })
    };
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    for (port, protocol, number, is_allowed) in [
        (json!({"port": 53}), tcp, 53, true),
        (json!({"port": 53}), udp, 53, false),
        (json!({"port": 53, "protocol": "UDP"}), udp, 53, true),
        (json!({"port": 53, "protocol": "UDP"}), tcp, 53, false),
        (json!({"port": 53}), tcp, 54, false),
        (json!({"port": 53, "endPort": 55}), tcp, 55, true),
        (json!({"port": 53, "endPort": 55}), tcp, 56, false),
        (json!({"protocol": "UDP"}), udp, 9, true),
        (json!({"protocol": "UDP"}), tcp, 9, false),
        (json!({}), tcp, 9, true),
        (json!({"port": "http"}), tcp, 8080, true),
        (json!({"port": "http"}), tcp, 80, false),
        (json!({"port": "http"}), udp, 8080, false),
        (json!({"port": "https"}), tcp, 8080, false),
    ] {
        assert_eq!(at(&port, protocol, number), is_allowed, "{port} {protocol:?} {number}");
    }
}

#[test]
fn port_names_are_those_of_the_pod_that_is_connected_to() {
    let policies = [policy("web", json!({"egress": [{"ports": [{"port": "http"}]}], "ingress": [{}]}))];
    let mut renamed = pod("shop", "worker", "10.0.1.2");
    renamed.ports = [("http".to_owned(), (Protocol::Tcp, 9090))].into();
    assert!(passes(&policies, &tcp(web(), End::Pod(renamed.clone()), 9090)));
    assert!(!passes(&policies, &tcp(web(), End::Pod(renamed), 8080)));
    assert!(!passes(&policies, &tcp(web(), outside("8.8.8.8"), 8080)));
}

#[test]
fn peers_and_ports_of_a_rule_hold_together_and_rules_add_up() {
    let workers = json!({"podSelector": {"matchLabels": {"app": "worker"}}});
    let rules = json!([{"from": [workers], "ports": [{"port": 1}]}, {"ports": [{"port": 2}]}]);
    let policies = [policy("web", json!({"ingress": rules}))];
    let at = |from: End, port| passes(&policies, &tcp(from, web(), port));
    assert!(at(worker(), 1) && at(worker(), 2) && at(stranger(), 2));
    assert!(!at(stranger(), 1) && !at(worker(), 3));
}

#[test]
fn policies_that_no_api_server_takes_are_not_judged() {
    for peer in [
        json!({}),
        json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
        json!({"ipBlock": {"cidr": "10.0.0.0"}}),
        json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}),
        json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}),
    ] {
        let policies = [policy("web", json!({"ingress": [{"from": [peer]}]}))];
        let judged = judge(&policies, &tcp(outside("10.0.0.1"), web(), 1), Blocks::MeanEverybody);
        assert!(judged.is_err(), "{peer}: {judged:?}");
    }
}

#[test]
fn pods_are_read_with_what_policies_ask_of_them() {
    let object = |spec: Value, phase: &str| -> PodObject {
        let metadata = json!({"name": "web-1", "namespace": "shop", "labels": {"app": "web"}});
        let status = json!({"podIP": "10.0.1.1", "phase": phase});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
    };
    let ports = json!([{"name": "http", "containerPort": 8080}, {"containerPort": 9}]);
    let spec = json!({"containers": [{"name": "web", "ports": ports}]});
    let of_namespace = labels([("kubernetes.io/metadata.name", "shop")]);
    let read = |object: &PodObject| Pod::from_object(object, &of_namespace).unwrap();
    let expected = Pod { name: "web-1".to_owned(), ..pod("shop", "web", "10.0.1.1") };
    assert_eq!(read(&object(spec.clone(), "Running")), Some(expected));
    assert_eq!(read(&object(spec.clone(), "Succeeded")), None);
    let mut on_host = spec;
    on_host["hostNetwork"] = json!(true);
    assert_eq!(read(&object(on_host, "Running")), None);
}
