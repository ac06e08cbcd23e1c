//! The objects of a scene, and how they are made.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cluster::layout::{HOST_ADDRESS, HOST_NETWORK};
use crds::{
    AssetPipeline, AssetPipelineSpec, AwsSpec, NotificationsSpec, ServiceSpec, ServiceType, TenantSpec,
    WebSpec,
};
use k8s_openapi::{
    api::core::v1::{Namespace, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use rand::seq::IteratorRandom;

use super::{PIPELINE, Scene, Setting, Sns};
use crate::{
    control::{CREDENTIALS, Control},
    origin::Origin,
    visitor::Visitor,
};

/// The part of the API server's range from which it takes no port by itself while there are others.
const NODE_PORTS: std::ops::Range<u16> = 30_000..30_080;

impl Scene {
    /// Everything but the pipeline: its namespace, its origin, its visitors.
    pub(super) async fn prepare(control: Control, name: &str) -> Result<Self> {
        let namespace = format!("e2e-{name}-{:06x}", rand::random::<u32>() & 0xff_ffff);
        let node_port = choose_node_port(&control).await?;
        let scene = Self {
            origin: Origin::listen().await?,
            visitor: Visitor::new(node_port, &format!("{namespace}.example"))?,
            developer: Visitor::new(node_port, &format!("dev.{namespace}.example"))?,
            control,
            namespace,
        };
        let namespaces: Api<Namespace> = Api::all(scene.control.client.clone());
        namespaces.create(&PostParams::default(), &build_namespace(&scene.namespace)).await?;
        scene.control.ensure_credentials(&scene.namespace).await?;
        Ok(scene)
    }

    /// Makes the pipeline.
    pub(super) async fn set(&self, setting: &Setting) -> Result<()> {
        let pipeline = AssetPipeline::new(PIPELINE, self.build_spec(setting));
        let created = self.pipelines().create(&PostParams::default(), &pipeline).await;
        created.map(drop).context("cannot create the pipeline")
    }

    fn build_spec(&self, setting: &Setting) -> AssetPipelineSpec {
        let node_port = self.visitor.node_port();
        let tenant = |visitor: &Visitor, development| TenantSpec {
            host: visitor.host().to_owned(),
            origin: self.origin.url(),
            site_url: None,
            load_paths: Vec::new(),
            development,
            engine: None,
        };
        AssetPipelineSpec {
            web: WebSpec { replicas: setting.web_replicas, ..WebSpec::default() },
            worker: setting.worker.clone(),
            service: ServiceSpec { type_: ServiceType::NodePort, node_port: Some(node_port.into()) },
            notifications: NotificationsSpec {
                // Both the emulator, which runs on this machine, and the operator, in a pod, reach it.
                endpoint: (setting.sns == Sns::Subscribed)
                    .then(|| format!("http://{HOST_ADDRESS}:{node_port}/work_complete")),
            },
            freshness: setting.freshness.clone(),
            private_networks: vec![HOST_NETWORK.to_owned()],
            aws: AwsSpec { credentials_secret_name: Some(CREDENTIALS.to_owned()), ..AwsSpec::default() },
            tenants: vec![tenant(&self.visitor, false), tenant(&self.developer, true)],
            ..AssetPipelineSpec::default()
        }
    }
}

async fn choose_node_port(control: &Control) -> Result<u16> {
    let services: Api<Service> = Api::all(control.client.clone());
    let services = services.list(&ListParams::default()).await?;
    let ports = services.items.into_iter().filter_map(|service| service.spec?.ports);
    let taken: BTreeSet<i32> = ports.flatten().filter_map(|port| port.node_port).collect();
    let free = NODE_PORTS.filter(|port| !taken.contains(&i32::from(*port)));
    free.choose(&mut rand::rng()).context("no NodePort is free: delete namespaces that begin with e2e-")
}

/// The namespace enforces what the operator promises of its pods.
fn build_namespace(name: &str) -> Namespace {
    let enforce = ("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned());
    Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([enforce])),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}
