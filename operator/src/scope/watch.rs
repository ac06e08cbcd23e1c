//! Watches that outlive whatever disturbs them, and say so: one that is refused keeps no other from going on.

use std::fmt::Debug;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::ClusterResourceScope;
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use pipeline::chain;
use serde::de::DeserializeOwned;

use super::{Namespaced, Part, Scope, merge::Merge};

/// What comes of a watch.
#[derive(Debug)]
pub enum Told<K> {
    Event(Event<K>),
    /// The right to list or watch is missing there. It is asked for again, half a minute apart at the most.
    Refused(Part),
    /// What was refused has been listed.
    Allowed(Part),
}

impl Scope {
    /// What happens to the kind's objects, as of one watch, in however many namespaces there is one. Never ends.
    pub fn watch<K: Namespaced>(
        &self,
        client: &Client,
        config: &watcher::Config,
    ) -> impl Stream<Item = Event<K>> + Send + use<K> {
        self.hear(client, config).filter_map(async |told| match told {
            Told::Event(event) => Some(event),
            Told::Refused(_) | Told::Allowed(_) => None,
        })
    }

    /// The same, and where the right to it is missing.
    pub fn hear<K: Namespaced>(
        &self,
        client: &Client,
        config: &watcher::Config,
    ) -> impl Stream<Item = Told<K>> + Send + use<K> {
        let parts = self.parts();
        let mut merge = Merge::of(parts.len());
        let watches = parts.into_iter().enumerate().map(|(number, part)| {
            let api = part.api(client);
            keep(api, config.clone(), part).map(move |told| (number, told)).boxed()
        });
        stream::select_all(watches).flat_map(move |(number, told)| stream::iter(merge.take(number, told)))
    }
}

/// Watches a kind that belongs to no namespace.
pub fn watch_cluster_wide<K>(client: &Client) -> impl Stream<Item = Told<K>> + Send + use<K>
where
    K: Resource<Scope = ClusterResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    keep(Api::all(client.clone()), watcher::Config::default(), Part::all())
}

/// One watch, begun again for as long as it takes.
fn keep<K>(api: Api<K>, config: watcher::Config, part: Part) -> impl Stream<Item = Told<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut is_refused = false;
    watcher(api, config)
        .default_backoff()
        .flat_map(move |event| stream::iter(note::<K>(event, &part, &mut is_refused)))
}

/// What is told of it, and, once, that a right is missing.
fn note<K: Resource<DynamicType = ()>>(
    event: watcher::Result<Event<K>>,
    part: &Part,
    is_refused: &mut bool,
) -> Vec<Told<K>> {
    let (kind, namespace) = (K::plural(&()), part.as_str());
    match event {
        Ok(event) => {
            if !(*is_refused && matches!(event, Event::InitDone)) {
                return vec![Told::Event(event)];
            }
            *is_refused = false;
            tracing::info!(%kind, namespace, "the operator may list and watch these now");
            vec![Told::Event(event), Told::Allowed(part.clone())]
        }
        Err(error) if is_forbidden(&error) => {
            if !std::mem::replace(is_refused, true) {
                tracing::warn!(
                    %kind,
                    namespace,
                    error = chain(&error),
                    "the operator has no right to list and watch these, and goes on without them: give its \
                     ServiceAccount the right, or take the namespace out of its settings"
                );
            }
            vec![Told::Refused(part.clone())]
        }
        Err(error) => {
            tracing::warn!(%kind, namespace, error = chain(&error), "a watch was disturbed");
            Vec::new()
        }
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};

    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.code == 403)
        }
        WatchError(status) => status.code == 403,
        NoResourceVersion => false,
    }
}
