use crds::{AssetPipeline, AssetTenant};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::DeserializeGuard;
use serde_json::json;

use super::*;
use crate::scope::Part;

/// An account of the first part's namespace, or of the second one's.
fn account(part: usize, name: &str) -> ServiceAccount {
    let namespace = ["blog", "shop"][part];
    let metadata = json!({"name": name, "namespace": namespace});
    serde_json::from_value(json!({"metadata": metadata})).unwrap()
}

fn tell(all: &[Told<ServiceAccount>]) -> Vec<String> {
    let tell = |what: &str, object: &ServiceAccount| {
        format!("{what} {}/{}", object.namespace().unwrap(), object.name_any())
    };
    let told = all.iter().map(|told| match told {
        Told::Event(Event::Init) => "begin".to_owned(),
        Told::Event(Event::InitApply(object)) => tell("list", object),
        Told::Event(Event::InitDone) => "end".to_owned(),
        Told::Event(Event::Apply(object)) => tell("apply", object),
        Told::Event(Event::Delete(object)) => tell("delete", object),
        Told::Refused(part) => format!("refuse {}", part.as_str()),
        Told::Allowed(part) => format!("allow {}", part.as_str()),
    });
    told.collect()
}

/// What the merge of two parts tells, step by step.
struct Script(Merge<ServiceAccount>);

impl Script {
    fn new() -> Self {
        Self(Merge::of(2))
    }

    fn hear(&mut self, part: usize, event: Event<ServiceAccount>) -> Vec<String> {
        tell(&self.0.take(part, Told::Event(event)))
    }

    fn list(&mut self, part: usize, names: &[&str]) -> Vec<String> {
        let objects = names.iter().map(|name| Event::InitApply(account(part, name)));
        let events = [Event::Init].into_iter().chain(objects).chain([Event::InitDone]);
        events.flat_map(|event| self.hear(part, event)).collect()
    }
}

#[test]
fn one_list_is_told_once_every_part_is_listed() {
    let mut script = Script::new();
    assert_eq!(script.list(0, &["a"]), ["begin", "list blog/a"]);
    assert_eq!(script.list(1, &["b", "a"]), ["list shop/b", "list shop/a", "end"]);
    assert_eq!(script.hear(0, Event::Apply(account(0, "c"))), ["apply blog/c"]);
    assert_eq!(script.hear(1, Event::Delete(account(1, "a"))), ["delete shop/a"]);
}

#[test]
fn refused_part_keeps_nobody_waiting_and_is_told_of_later() {
    let mut script = Script::new();
    let refused = || Told::Refused(Part::of("shop"));
    assert_eq!(tell(&script.0.take(1, refused())), ["refuse shop", "begin"]);
    assert_eq!(script.list(0, &["a"]), ["list blog/a", "end"]);
    assert_eq!(tell(&script.0.take(1, refused())), ["refuse shop"]);
    assert_eq!(script.list(1, &["b"]), ["apply shop/b"]);
    assert_eq!(tell(&script.0.take(1, Told::Allowed(Part::of("shop")))), ["allow shop"]);
    // A right that is taken away takes nothing of what was heard.
    assert_eq!(tell(&script.0.take(1, refused())), ["refuse shop"]);
    assert_eq!(script.list(1, &[]), ["delete shop/b"]);
}

#[test]
fn part_that_is_listed_anew_tells_what_came_and_what_went_there() {
    let mut script = Script::new();
    script.list(0, &["a"]);
    script.list(1, &["a", "b"]);
    assert_eq!(script.list(1, &["b", "c"]), ["apply shop/b", "apply shop/c", "delete shop/a"]);
    // A list that breaks off says nothing of what it has not brought.
    assert_eq!(script.hear(1, Event::Init), [""; 0]);
    assert_eq!(script.hear(1, Event::InitApply(account(1, "b"))), ["apply shop/b"]);
    assert_eq!(script.list(1, &["c"]), ["apply shop/c", "delete shop/b"]);
}

#[test]
fn what_goes_while_the_list_is_made_is_gone_after_it() {
    let mut script = Script::new();
    script.list(0, &["a", "b", "c"]);
    assert_eq!(script.hear(0, Event::Delete(account(0, "a"))), [""; 0]);
    assert_eq!(script.hear(0, Event::Delete(account(0, "b"))), [""; 0]);
    assert_eq!(script.hear(0, Event::Apply(account(0, "b"))), ["list blog/b"]);
    assert_eq!(script.list(1, &[]), ["end", "delete blog/a"]);
}

#[test]
fn single_watch_is_told_as_it_is() {
    let mut merge = Merge::of(1);
    for events in [
        vec![Event::Init, Event::InitApply(account(0, "a")), Event::InitDone],
        vec![Event::Init, Event::InitDone, Event::Apply(account(0, "b")), Event::Delete(account(0, "b"))],
    ] {
        let told: Vec<_> =
            events.clone().into_iter().flat_map(|event| merge.take(0, Told::Event(event))).collect();
        let expected: Vec<_> = events.into_iter().map(Told::Event).collect();
        assert_eq!(tell(&told), tell(&expected));
    }
    assert_eq!(tell(&merge.take(0, Told::Refused(Part::all()))), ["refuse all"]);
    assert!(merge.parts[0].known.is_empty());
}

fn revived<K: Resource<DynamicType = ()> + DeserializeOwned>() -> ObjectMeta {
    let metadata = json!({
        "name": "a", "namespace": "shop", "uid": "u-1", "labels": {"l": "v"}, "resourceVersion": "7",
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u-2"}],
    });
    let object: K = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    let revived: K = revive("a", &remnant_of(&object)).unwrap();
    revived.meta().clone()
}

#[test]
fn every_kind_that_is_watched_is_told_to_be_gone_with_its_marks_and_its_owner() {
    let expected = revived::<Pod>();
    assert_eq!((expected.name.as_deref(), expected.namespace.as_deref()), (Some("a"), Some("shop")));
    assert_eq!(expected.labels.as_ref().map(|labels| labels["l"].as_str()), Some("v"));
    assert_eq!(expected.owner_references.as_ref().map(|owners| owners[0].uid.as_str()), Some("u-2"));
    for found in [
        revived::<Deployment>(),
        revived::<Service>(),
        revived::<ServiceAccount>(),
        revived::<PodDisruptionBudget>(),
        revived::<Ingress>(),
        revived::<NetworkPolicy>(),
        revived::<DeserializeGuard<AssetPipeline>>(),
        revived::<DeserializeGuard<AssetTenant>>(),
    ] {
        assert_eq!(found, expected);
    }
}
