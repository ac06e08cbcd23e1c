//! An API server in memory, as far as the operator uses one: server-side apply by several managers, versions and
//! conflicts, the status beside the rest, finalizers, and what the cluster's controllers do about deletions.
//!
//! It knows no schema: what a definition refuses or fills in is not shown here, except that a pipeline needs a spec.

mod fields;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, Uri};
use serde_json::{Value, json};

use self::fields::Owners;
pub(crate) use self::fields::merge;

const FOREGROUND: &str = "foregroundDeletion";

/// The objects of one cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryApiServer(Arc<Mutex<State>>);

#[derive(Debug, Clone)]
struct State {
    objects: BTreeMap<Key, Stored>,
    /// The latest one. etcd's first write is its second revision.
    version: u64,
    /// What was made so far, as `plural/name`.
    made: Vec<String>,
}

impl Default for State {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), version: 1, made: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    plural: String,
    name: String,
}

#[derive(Debug, Clone)]
struct Stored {
    value: Value,
    owners: Owners,
}

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// Of what is sent.
    pub(crate) content_type: &'a str,
    /// Of what is wanted.
    pub(crate) accept: &'a str,
    pub(crate) body: &'a [u8],
}

/// An answer's status and body.
type Answer = (u16, Value);
/// What is wrong with a request.
type Refused = Answer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Main,
    Status,
}

impl MemoryApiServer {
    /// Another cluster that is now as this one.
    pub(crate) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// What was made since the last call, as `plural/name`; events are left out.
    pub(crate) fn take_made(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().made)
    }

    /// Everything but events, in the order of namespaces, kinds and names.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let state = self.lock();
        let told = state.objects.iter().filter(|(key, _)| key.plural != "events");
        told.map(|(_, stored)| stored.value.clone()).collect()
    }

    /// Reason and note of each event, in the order of notes.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let events = state.objects.iter().filter(|(key, _)| key.plural == "events");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut told: Vec<_> =
            events.map(|(_, stored)| (text(&stored.value["reason"]), text(&stored.value["note"]))).collect();
        told.sort();
        told
    }

    /// What the cluster's controllers do: what was deleted in the foreground goes, and what belonged to somebody
    /// who is gone. Whether there was anything to do.
    pub(crate) fn work(&self) -> bool {
        let mut state = self.lock();
        let version = state.version;
        let waiting = state.objects.iter().filter(|(_, stored)| {
            let metadata = &stored.value["metadata"];
            metadata["finalizers"].as_array().is_some_and(|all| all.contains(&json!(FOREGROUND)))
        });
        let waiting: Vec<Key> = waiting.map(|(key, _)| key.clone()).collect();
        for key in waiting {
            let _ = state.change(&key, |object, _| {
                let mut kept = finalizers(object);
                kept.retain(|name| name != FOREGROUND);
                object["metadata"]["finalizers"] = json!(kept);
                Ok(())
            });
        }
        let uids: Vec<Value> =
            state.objects.values().map(|stored| stored.value["metadata"]["uid"].clone()).collect();
        let is_orphan = |stored: &Stored| {
            let owners = stored.value["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| !owners.iter().any(|owner| uids.contains(&owner["uid"])))
        };
        let orphans: Vec<Key> = state
            .objects
            .iter()
            .filter(|(_, stored)| is_orphan(stored))
            .map(|(key, _)| key.clone())
            .collect();
        for key in orphans {
            let _ = state.delete(&key, &Value::Null);
        }
        state.version != version
    }

    pub(crate) fn answer(&self, request: &Request<'_>) -> Answer {
        let parts: Vec<&str> = request.uri.path().trim_matches('/').split('/').collect();
        let Some(at) = parts.iter().position(|part| *part == "namespaces") else {
            return refuse(404, "NotFound", "it has namespaced resources only");
        };
        let key = |name: &str| Key {
            namespace: parts[at + 1].to_owned(),
            plural: parts[at + 2].to_owned(),
            name: name.to_owned(),
        };
        let mut state = self.lock();
        let answer = match parts[at + 3..] {
            [] if request.method == Method::GET => Ok(state.list(&key(""), request.uri)),
            [] if request.method == Method::POST => state.create(key(""), request),
            [name] => match *request.method {
                Method::GET => state.get(&key(name), request.accept),
                Method::DELETE => state.delete(&key(name), &parse(request.body)),
                Method::PATCH => state.patch(&key(name), Part::Main, request),
                _ => Err(refuse(405, "MethodNotAllowed", "no such method")),
            },
            [name, "status"] if request.method == Method::PATCH => {
                state.patch(&key(name), Part::Status, request)
            }
            _ => Err(refuse(404, "NotFound", "no such path")),
        };
        answer.unwrap_or_else(|refused| refused)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those with the labels that are asked for.
    fn list(&self, of: &Key, uri: &Uri) -> Answer {
        let query = uri.query().unwrap_or_default();
        let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "labelSelector");
        let asked = asked.map(|(_, labels)| labels.into_owned()).unwrap_or_default();
        let labels: Vec<(&str, &str)> = asked.split(',').filter_map(|label| label.split_once('=')).collect();
        let is_listed = |key: &Key, value: &Value| {
            (&key.namespace, &key.plural) == (&of.namespace, &of.plural)
                && labels.iter().all(|(name, wanted)| value["metadata"]["labels"][*name] == *wanted)
        };
        let listed = self.objects.iter().filter(|(key, stored)| is_listed(key, &stored.value));
        let items: Vec<&Value> = listed.map(|(_, stored)| &stored.value).collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        (200, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}))
    }

    fn get(&self, key: &Key, accept: &str) -> Result<Answer, Refused> {
        let stored = self.objects.get(key).ok_or_else(|| not_found(key))?;
        if accept.contains("PartialObjectMetadata") {
            let metadata = &stored.value["metadata"];
            let partial = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            });
            return Ok((200, partial));
        }
        Ok((200, stored.value.clone()))
    }

    fn create(&mut self, key: Key, request: &Request<'_>) -> Result<Answer, Refused> {
        let mut value = parse(request.body);
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = Key { name, ..key };
        if self.objects.contains_key(&key) {
            return Err(refuse(409, "AlreadyExists", &format!("{} exists", key.name)));
        }
        if let Some(fields) = value.as_object_mut() {
            fields.remove("status");
        }
        let mut owners = Owners::default();
        owners.write(&json!({}), &value);
        self.insert(key, value, owners)
    }

    fn patch(&mut self, key: &Key, part: Part, request: &Request<'_>) -> Result<Answer, Refused> {
        let patch = parse(request.body);
        if let Some(version) = patch["metadata"]["resourceVersion"].as_str() {
            let present = self.objects.get(key).map(|stored| &stored.value["metadata"]["resourceVersion"]);
            if present.is_some_and(|present| present != version) {
                return Err(refuse(409, "Conflict", "the object has been modified"));
            }
        }
        let present = self.objects.get(key).map(|stored| &stored.value["metadata"]["uid"]);
        if patch["metadata"]["uid"].is_string() && present != Some(&patch["metadata"]["uid"]) {
            return Err(refuse_uid(present.is_some()));
        }
        let is_applied = request.content_type.starts_with("application/apply-patch");
        let wanted = of_part(&patch, part);
        if !is_applied {
            return self.change(key, |object, owners| {
                let before = object.clone();
                merge(object, &wanted);
                owners.write(&before, object);
                Ok(())
            });
        }
        let query = request.uri.query().unwrap_or_default();
        let named = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager="));
        let manager = named.ok_or_else(|| refuse(400, "BadRequest", "fieldManager is required"))?;
        let manager = format!("{manager} {part:?}");
        let is_forced = query.split('&').any(|pair| pair == "force=true");
        if !self.objects.contains_key(key) && part == Part::Main {
            let mut value = json!({});
            for field in ["apiVersion", "kind"] {
                value[field] = patch[field].clone();
            }
            value["metadata"] = json!({"name": key.name, "namespace": key.namespace});
            let mut owners = Owners::default();
            let applied = owners.apply(&mut value, &manager, &wanted, is_forced);
            applied.map_err(|message| refuse(409, "Conflict", &message))?;
            return self.insert(key.clone(), value, owners);
        }
        self.change(key, |object, owners| owners.apply(object, &manager, &wanted, is_forced))
    }

    fn insert(&mut self, key: Key, mut value: Value, owners: Owners) -> Result<Answer, Refused> {
        if key.plural == "assetpipelines" && !value["spec"].is_object() {
            return Err(refuse(422, "Invalid", "spec: Required value"));
        }
        self.version += 1;
        let metadata = &mut value["metadata"];
        metadata["namespace"] = json!(key.namespace);
        metadata["uid"] = json!(format!("uid-{}", self.version));
        metadata["resourceVersion"] = json!(self.version.to_string());
        metadata["generation"] = json!(1);
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        if key.plural != "events" {
            self.made.push(format!("{}/{}", key.plural, key.name));
        }
        self.objects.insert(key, Stored { value: value.clone(), owners });
        Ok((201, value))
    }

    /// Changes what is there. What changes nothing leaves the version as it is.
    fn change(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Value, &mut Owners) -> Result<(), String>,
    ) -> Result<Answer, Refused> {
        let stored = self.objects.get_mut(key).ok_or_else(|| not_found(key))?;
        let before = stored.value.clone();
        let mut after = stored.clone();
        let changed = change(&mut after.value, &mut after.owners);
        changed.map_err(|message| refuse(409, "Conflict", &message))?;
        let is_going = !before["metadata"]["deletionTimestamp"].is_null();
        let added = finalizers(&after.value).iter().any(|name| !finalizers(&before).contains(name));
        if is_going && added && !finalizers(&after.value).contains(&json!(FOREGROUND)) {
            return Err(refuse(
                422,
                "Invalid",
                "no new finalizers can be added if the object is being deleted",
            ));
        }
        let goes = is_going && finalizers(&after.value).is_empty();
        // Who set which field is part of the object. What goes with this change is never stored again.
        if !goes && (after.value != before || after.owners != stored.owners) {
            self.version += 1;
            let generation = before["metadata"]["generation"].as_u64().unwrap_or_default();
            let metadata = &mut after.value["metadata"];
            metadata["resourceVersion"] = json!(self.version.to_string());
            let is_told_to_go = !is_going && !metadata["deletionTimestamp"].is_null();
            if is_told_to_go || after.value["spec"] != before["spec"] {
                after.value["metadata"]["generation"] = json!(generation + 1);
            }
        }
        let answer = after.value.clone();
        *stored = after;
        if goes {
            self.objects.remove(key);
        }
        Ok((200, answer))
    }

    fn delete(&mut self, key: &Key, options: &Value) -> Result<Answer, Refused> {
        let stored = self.objects.get(key).ok_or_else(|| not_found(key))?;
        let wanted = &options["preconditions"]["uid"];
        if wanted.is_string() && *wanted != stored.value["metadata"]["uid"] {
            return Err(refuse(409, "Conflict", "it is not the object of this uid"));
        }
        let is_foreground = options["propagationPolicy"] == "Foreground";
        if finalizers(&stored.value).is_empty() && !is_foreground {
            self.version += 1;
            self.objects.remove(key);
            return Ok((
                200,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
            ));
        }
        self.change(key, |object, _| {
            let mut kept = finalizers(object);
            if is_foreground && !kept.contains(&json!(FOREGROUND)) {
                kept.push(json!(FOREGROUND));
            }
            object["metadata"]["finalizers"] = json!(kept);
            if object["metadata"]["deletionTimestamp"].is_null() {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            }
            Ok(())
        })
    }
}

fn finalizers(object: &Value) -> Vec<Value> {
    object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default()
}

/// What a patch of that part may say.
fn of_part(patch: &Value, part: Part) -> Value {
    match part {
        Part::Status => json!({"status": patch["status"]}),
        Part::Main => {
            let mut wanted = patch.clone();
            without(&mut wanted, &["apiVersion", "kind", "status"]);
            if let Some(metadata) = wanted.get_mut("metadata") {
                without(metadata, &["name", "namespace", "resourceVersion", "uid"]);
            }
            if wanted["metadata"] == json!({}) {
                without(&mut wanted, &["metadata"]);
            }
            wanted
        }
    }
}

fn without(object: &mut Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn not_found(key: &Key) -> Refused {
    refuse(404, "NotFound", &format!("{} {:?} not found", key.plural, key.name))
}

/// To the API server another UID is a change of a field that never changes.
fn refuse_uid(is_there: bool) -> Refused {
    if !is_there {
        return refuse(409, "Conflict", "there is no object of this uid");
    }
    let (code, mut status) = refuse(422, "Invalid", "metadata.uid: field is immutable");
    status["details"] = json!({"causes": [{"field": "metadata.uid", "reason": "FieldValueInvalid"}]});
    (code, status)
}

fn refuse(code: u16, reason: &str, message: &str) -> Refused {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message,
    });
    (code, status)
}
