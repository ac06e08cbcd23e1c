//! The example on a cluster that is not the local one: its origin's image comes from a registry, its Service is the
//! cluster's alone, and of private addresses its pipeline asks the origin's and no other.

use std::net::IpAddr;

use anyhow::{Context, Result};
use cluster::progress::Progress;
use serde_json::{Value, json};

use crate::aws::Access;
use crate::example::forward::Forward;
use crate::example::{Example, Front};
use crate::operator::create_credentials;

impl Example<'_> {
    /// Applies the example, whose origin has this image, and waits until its pipeline is ready. `aws` is the real one.
    pub fn apply_elsewhere(&self, aws: &Access, origin: &str, progress: &Progress) -> Result<Front> {
        create_credentials(self.target, aws, self.name)?;
        let (mut pipelines, mut others) = split(&self.read_manifests(aws, progress)?)?;
        set_image(&mut others, origin)?;
        self.target.apply(&list(&others))?;
        self.wait("condition=Available", "deployment/origin", progress)?;
        let address = self.read_field("service/origin", "{.spec.clusterIP}")?;
        set_origin(&mut pipelines, address.parse().context("the origin has no address in the cluster")?)?;
        self.target.apply(&list(&pipelines))?;
        self.wait_until_ready(progress)?;
        let port = self.read_field(&self.service(), "{.spec.ports[0].port}")?;
        let (forward, address) = Forward::open(self.target.kubectl(), self.name, &self.service(), &port)?;
        Ok(Front { host: self.fetch_host()?, address, _forward: Some(forward) })
    }
}

/// The pipelines of a list of objects, and what they need to be there.
fn split(manifests: &str) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut list: Value = serde_json::from_str(manifests).context("the example is no list of objects")?;
    let items = list.get_mut("items").and_then(Value::as_array_mut).context("the example has no objects")?;
    Ok(std::mem::take(items).into_iter().partition(|object| object["kind"] == "AssetPipeline"))
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn set_image(objects: &mut [Value], image: &str) -> Result<()> {
    let mut images =
        objects.iter_mut().filter_map(|object| object.pointer_mut("/spec/template/spec/containers/0/image"));
    *images.next().context("the example has no origin")? = image.into();
    Ok(())
}

/// Which networks hold a cluster's Services nobody tells; the origin's own address is enough.
fn set_origin(pipelines: &mut [Value], address: IpAddr) -> Result<()> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    for pipeline in pipelines {
        let spec = pipeline.get_mut("spec").and_then(Value::as_object_mut);
        let spec = spec.context("the example's pipeline has no spec")?;
        spec.insert("privateNetworks".to_owned(), json!([format!("{address}/{bits}")]));
        spec.remove("service");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_local_cluster_is_left_in_the_manifests() {
        let pipeline = json!({
            "kind": "AssetPipeline",
            "spec": {"privateNetworks": ["10.96.0.0/16"], "service": {"nodePort": 1}, "web": {"replicas": 3}},
        });
        let origin = |image: &str| {
            let containers = json!([{"name": "origin", "image": image}]);
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}})
        };
        let (mut pipelines, mut others) =
            split(&list(&[pipeline, origin("localhost/origin:latest")])).unwrap();
        set_image(&mut others, "registry.example/origin@sha256:a").unwrap();
        set_origin(&mut pipelines, IpAddr::from([172, 20, 0, 7])).unwrap();
        assert_eq!(others, [origin("registry.example/origin@sha256:a")]);
        let spec = json!({"privateNetworks": ["172.20.0.7/32"], "web": {"replicas": 3}});
        assert_eq!(pipelines, [json!({"kind": "AssetPipeline", "spec": spec})]);
    }
}
