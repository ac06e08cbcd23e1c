//! Who connected to whom on the local cluster while something went on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, Pod as PodObject};
use kube::{Api, Client, ResourceExt, api::ListParams};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Connection, End, Pod, Protocol,
    connections::{self, Tracked},
};

/// A connection that was reset is known for ten seconds, and a pod lives for longer than one.
const PAUSE: Duration = Duration::from_secs(1);

/// Nobody listens above, but servers of tests that take any port; whoever connects does so from above.
const FIRST_OWN_PORT: u16 = 32_768;

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    tracked: BTreeSet<Tracked>,
    /// By their addresses, which are given to another pod only after all others of the node.
    pods: BTreeMap<IpAddr, Pod>,
}

/// A watch that goes on until it is ended or dropped.
pub struct Watch {
    stop: CancellationToken,
    _dropped: DropGuard,
    watching: JoinHandle<Result<Seen>>,
}

impl Watch {
    /// Passes over what was tracked `before`: those of pods that are gone may have had the same addresses.
    pub fn begin(client: Client, before: BTreeSet<Tracked>) -> Self {
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch(client, before, stop.clone()));
        Self { _dropped: stop.clone().drop_guard(), stop, watching }
    }

    /// Looks once more, and tells what was seen.
    pub async fn end(self) -> Result<Seen> {
        let Self { stop, _dropped, watching } = self;
        stop.cancel();
        watching.await.context("the watch ended early")?
    }
}

async fn watch(client: Client, before: BTreeSet<Tracked>, stop: CancellationToken) -> Result<Seen> {
    let mut seen = Seen::default();
    loop {
        let is_last = stop.is_cancelled();
        connections::read()?.difference(&before).for_each(|tracked| seen.note(*tracked));
        for pod in fetch_pods(&client).await? {
            seen.pods.insert(pod.address, pod);
        }
        if is_last {
            return Ok(seen);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(PAUSE) => {}
        }
    }
}

async fn fetch_pods(client: &Client) -> Result<Vec<Pod>> {
    let namespaces = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await?;
    let labels: BTreeMap<String, BTreeMap<String, String>> =
        namespaces.iter().map(|namespace| (namespace.name_any(), namespace.labels().clone())).collect();
    let pods = Api::<PodObject>::all(client.clone()).list(&ListParams::default()).await?;
    let none = BTreeMap::new();
    let read = |pod| {
        let of_namespace = ResourceExt::namespace(pod).and_then(|namespace| labels.get(&namespace));
        Pod::from_object(pod, of_namespace.unwrap_or(&none)).transpose()
    };
    pods.iter().filter_map(read).collect()
}

impl Seen {
    /// The connections at one or both of whose ends such a pod is, as policies may see them: with what was asked for,
    /// and with what was reached.
    pub fn of(&self, is_one: impl Fn(&Pod) -> bool) -> BTreeSet<Connection> {
        let mut found = BTreeSet::new();
        for tracked in &self.tracked {
            let Tracked { protocol, from, asked, reached, seen_from } = tracked;
            // A pod's plugin knows it before anybody passes its packets on in another name.
            let from = if self.pods.contains_key(&from.ip()) { from.ip() } else { *seen_from };
            for to in [asked, reached] {
                let connection = self.connect(*protocol, from, to.ip(), to.port());
                let ends = [&connection.from, &connection.to];
                if ends.into_iter().filter_map(End::pod).any(&is_one) {
                    found.insert(connection);
                }
            }
        }
        found
    }

    /// Passes over what is the late answer of a connection that the kernel tracked no longer, and took for a new one.
    fn note(&mut self, tracked: Tracked) {
        let Tracked { protocol, from, asked: _, reached, seen_from: _ } = tracked;
        let is_reverse =
            |other: &Tracked| (other.protocol, other.from, other.reached) == (protocol, reached, from);
        let comes_from_a_server = from.port() < FIRST_OWN_PORT && reached.port() >= FIRST_OWN_PORT;
        let is_known = self.tracked.contains(&tracked);
        if !is_known && !comes_from_a_server && !self.tracked.iter().any(is_reverse) {
            self.tracked.insert(tracked);
        }
    }

    /// The pods that were there.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    fn connect(&self, protocol: Protocol, from: IpAddr, to: IpAddr, port: u16) -> Connection {
        let end = |address| self.pods.get(&address).cloned().map_or(End::Outside(address), End::Pod);
        Connection { from: end(from), to: end(to), protocol, port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, address: &str) -> Pod {
        Pod {
            namespace: "shop".to_owned(),
            namespace_labels: BTreeMap::new(),
            name: name.to_owned(),
            labels: BTreeMap::new(),
            address: address.parse().unwrap(),
            ports: BTreeMap::new(),
        }
    }

    fn tracked(from: &str, asked: &str, reached: &str, seen_from: &str) -> Tracked {
        Tracked {
            protocol: Protocol::Tcp,
            from: from.parse().unwrap(),
            asked: asked.parse().unwrap(),
            reached: reached.parse().unwrap(),
            seen_from: seen_from.parse().unwrap(),
        }
    }

    #[test]
    fn connections_are_told_by_their_pods_before_and_behind_a_service() {
        let (web, other) = (pod("web", "10.0.1.1"), pod("other", "10.0.1.2"));
        let pods = [&web, &other].map(|pod| (pod.address, pod.clone())).into();
        let mut seen = Seen { tracked: BTreeSet::new(), pods };
        for tracked in [
            // A visitor by a node, the pod by a Service, and itself by a Service in the node's name.
            tracked("127.0.0.1:40", "127.0.0.1:30080", "10.0.1.1:8080", "10.0.0.1"),
            tracked("10.0.1.1:40000", "10.96.0.9:80", "10.0.1.2:8080", "10.0.1.1"),
            tracked("10.0.1.1:40001", "10.96.0.8:80", "10.0.1.1:8080", "10.0.0.1"),
            // The pod at a server, late answers by the pod and by that server, and strangers.
            tracked("10.0.1.1:40002", "10.0.9.9:41000", "10.0.9.9:41000", "10.0.1.1"),
            tracked("10.0.1.1:8080", "10.0.9.9:40003", "10.0.9.9:40003", "10.0.1.1"),
            tracked("10.0.9.9:41000", "10.0.1.1:40002", "10.0.1.1:40002", "10.0.9.9"),
            tracked("10.0.1.2:40002", "10.0.9.9:80", "10.0.9.9:80", "10.0.1.2"),
        ] {
            seen.note(tracked);
        }
        let found: Vec<String> = seen.of(|pod| pod.name == "web").iter().map(ToString::to_string).collect();
        let mut expected = [
            "10.0.0.1 to shop/web (10.0.1.1) at Tcp 8080",
            "shop/web (10.0.1.1) to 10.96.0.9 at Tcp 80",
            "shop/web (10.0.1.1) to shop/other (10.0.1.2) at Tcp 8080",
            "shop/web (10.0.1.1) to 10.96.0.8 at Tcp 80",
            "shop/web (10.0.1.1) to shop/web (10.0.1.1) at Tcp 8080",
            "shop/web (10.0.1.1) to 10.0.9.9 at Tcp 41000",
        ];
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
