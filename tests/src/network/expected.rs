//! What must not pass, whatever a pipeline's pods do: into them what nobody has to ask, and out of them what they
//! never ask.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use pipeline::env::{INTERNAL_PORT, OPERATION_PORT, PUBLIC_PORT};

use super::{ALL_BLOCKS, Connection, End, Pod, Protocol, Verdict, judge};

const PIPELINE_LABEL: &str = "assetpipeline.dev/pipeline";
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// Where clouds tell machines their secrets.
const METADATA: [&str; 3] = ["169.254.169.254", "fd00:ec2::254", "168.63.129.16"];
/// Somebody on the internet, and a machine of the cluster. Nobody of the local cluster has such addresses.
const PUBLIC: &str = "1.1.1.1";
const MACHINE: &str = "10.250.0.9";
const STRANGER: &str = "10.250.1.7";

/// Some web pod and some worker of one pipeline.
#[derive(Debug, Clone)]
pub struct Site {
    pub web: Pod,
    pub worker: Pod,
}

/// Fails unless the connection passes, whatever a plugin takes an `ipBlock` for.
pub fn check_passes(policies: &[NetworkPolicy], connection: &Connection) -> Result<()> {
    for blocks in ALL_BLOCKS {
        let verdict = judge(policies, connection, blocks)?;
        ensure!(verdict == Verdict::Allowed, "{connection}, where blocks {blocks:?}: {verdict:?}");
    }
    Ok(())
}

/// Fails unless the connection is stopped, whatever a plugin takes an `ipBlock` for.
pub fn check_is_stopped(policies: &[NetworkPolicy], connection: &Connection) -> Result<()> {
    for blocks in ALL_BLOCKS {
        let verdict = judge(policies, connection, blocks)?;
        ensure!(verdict != Verdict::Allowed, "{connection} passes, where blocks {blocks:?}");
    }
    Ok(())
}

/// A connection by TCP.
pub fn tcp(from: &Pod, to: impl Into<End>, port: u16) -> Connection {
    Connection { from: from.into(), to: to.into(), protocol: Protocol::Tcp, port }
}

/// A pod at another address, in this namespace and with these labels.
pub fn pod(namespace: &str, name: &str, labels: &BTreeMap<String, String>, address: IpAddr) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        namespace_labels: [(NAMESPACE_LABEL.to_owned(), namespace.to_owned())].into(),
        name: name.to_owned(),
        labels: labels.clone(),
        address,
        ports: BTreeMap::new(),
    }
}

/// All that must not pass.
pub fn forbidden(site: &Site) -> Result<Vec<Connection>> {
    let all = [into_pods(site)?, out_of_pods(site)?];
    Ok(all.into_iter().flatten().collect())
}

fn into_pods(site: &Site) -> Result<Vec<Connection>> {
    let Site { web, worker } = site;
    let public = End::Outside(PUBLIC.parse()?);
    let machine = End::Outside(MACHINE.parse()?);
    let strangers = build_strangers(site)?;
    let to = |from: &End, to: &Pod, port| Connection {
        from: from.clone(),
        to: to.into(),
        protocol: Protocol::Tcp,
        port,
    };
    let mut found = Vec::new();
    for from in strangers.iter().map(End::from).chain([public.clone(), machine]) {
        found.extend(
            [(web, INTERNAL_PORT), (web, 22), (worker, PUBLIC_PORT), (worker, INTERNAL_PORT)]
                .map(|(pod, port)| to(&from, pod, port)),
        );
    }
    found.extend([web, worker].map(|pod| to(&public, pod, OPERATION_PORT)));
    found.extend([tcp(web, worker, OPERATION_PORT), tcp(web, worker, PUBLIC_PORT)]);
    Ok(found)
}

fn out_of_pods(site: &Site) -> Result<Vec<Connection>> {
    let Site { web, worker } = site;
    let mut found = Vec::new();
    for pod in [web, worker] {
        for metadata in METADATA {
            let metadata = End::Outside(metadata.parse()?);
            found.extend([80, 443, 8080].map(|port| tcp(pod, metadata.clone(), port)));
        }
        let outside = [(MACHINE, 22), (MACHINE, 80), (MACHINE, 6443), (PUBLIC, 22), (PUBLIC, 8080)];
        for (address, port) in outside {
            found.push(tcp(pod, End::Outside(address.parse()?), port));
        }
        let of_udp = tcp(pod, End::Outside(PUBLIC.parse()?), 443);
        found.push(Connection { protocol: Protocol::Udp, ..of_udp });
        for other in [another_namespaces(web)?, another_pipelines(web)?] {
            found.extend([PUBLIC_PORT, INTERNAL_PORT].map(|port| tcp(pod, &other, port)));
        }
    }
    found.extend([tcp(worker, web, PUBLIC_PORT), tcp(worker, web, OPERATION_PORT)]);
    found.push(tcp(web, &bystander(web)?, PUBLIC_PORT));
    Ok(found)
}

/// Pods that resemble those that may ask, each in all but one thing.
fn build_strangers(site: &Site) -> Result<Vec<Pod>> {
    let Site { web, worker } = site;
    let operator = [("app.kubernetes.io/name".to_owned(), "assetpipeline-operator".to_owned())].into();
    Ok(vec![
        another_namespaces(web)?,
        another_namespaces(worker)?,
        another_pipelines(web)?,
        another_pipelines(worker)?,
        bystander(web)?,
        pod("elsewhere", "operator", &operator, STRANGER.parse()?),
    ])
}

/// As if the pipeline were in another namespace, too.
fn another_namespaces(of: &Pod) -> Result<Pod> {
    Ok(pod("elsewhere", &of.name, &of.labels, STRANGER.parse()?))
}

fn another_pipelines(of: &Pod) -> Result<Pod> {
    let mut labels = of.labels.clone();
    let label = labels.get_mut(PIPELINE_LABEL).context("a pod without its pipeline's label")?;
    label.push_str("-two");
    Ok(pod(&of.namespace, "another", &labels, STRANGER.parse()?))
}

/// Of the same namespace, and of no pipeline.
fn bystander(of: &Pod) -> Result<Pod> {
    let labels = [("app".to_owned(), "bystander".to_owned())].into();
    Ok(pod(&of.namespace, "bystander", &labels, STRANGER.parse()?))
}

impl From<&Pod> for End {
    fn from(pod: &Pod) -> Self {
        Self::Pod(pod.clone())
    }
}
