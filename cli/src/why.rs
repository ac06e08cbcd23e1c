//! `why`: asks a web pod what it knows of a URL, and tells it to a person.

mod render;

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use crds::AssetPipeline;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use pipeline::{
    env::OPERATION_PORT,
    key::AssetPath,
    names::HostName,
    why::{WHY_PATH, Why},
};
use tokio::time::timeout;
use url::{Url, form_urlencoded};

use crate::cluster::{Cluster, is_ready};

/// For the pod's answer, which costs it a read of the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a URL is, where it came from, what it is made of, and whether it is fresh.
#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// The style sheet's URL, or just host and path: shop.example/app.css
    #[arg(value_parser = Subject::parse)]
    url: Subject,
    /// Name of the `AssetPipeline`; without it, the one of the namespace that has the host
    pipeline: Option<String>,
    /// Namespace of the pipeline; else the kubeconfig's
    #[arg(short, long)]
    namespace: Option<String>,
    /// How it is told
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    host: HostName,
    path: AssetPath,
}

impl Subject {
    fn parse(text: &str) -> Result<Self, String> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url: Url = with_scheme.parse().map_err(|error| format!("it is no URL: {error}"))?;
        let host = HostName::from_authority(url.host_str().unwrap_or_default());
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
        Ok(Self {
            host: host.map_err(|error| error.to_string())?,
            path: path.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

#[tokio::main]
pub(crate) async fn run(arguments: &WhyArguments) -> anyhow::Result<()> {
    let cluster = Cluster::open(arguments.namespace.clone()).await?;
    let pipeline = match &arguments.pipeline {
        Some(name) => cluster.pipeline(name).await?,
        None => find_pipeline(&cluster, &arguments.url.host).await?,
    };
    let pod = find_pod(&cluster, &pipeline.name_any()).await?;
    let why = ask(&cluster, &pod, &arguments.url).await?;
    match arguments.output {
        Output::Text => print!("{}", render::to_text(&why)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&why)?),
    }
    Ok(())
}

async fn find_pipeline(cluster: &Cluster, host: &HostName) -> anyhow::Result<AssetPipeline> {
    let all = cluster.pipelines().list(&ListParams::default()).await;
    let all =
        all.with_context(|| format!("cannot list AssetPipelines in namespace {}", cluster.namespace))?;
    choose_pipeline(all.items, host)
        .with_context(|| format!("looked at the AssetPipelines of namespace {}", cluster.namespace))
}

/// The only one, or the one whose status tells the host.
fn choose_pipeline(mut all: Vec<AssetPipeline>, host: &HostName) -> anyhow::Result<AssetPipeline> {
    if all.len() > 1 {
        let has_host = |pipeline: &AssetPipeline| {
            pipeline
                .status
                .iter()
                .flat_map(|status| &status.tenants)
                .any(|tenant| tenant.host == host.as_str())
        };
        all.retain(has_host);
    }
    match (all.pop(), all.is_empty()) {
        (Some(pipeline), true) => Ok(pipeline),
        (None, _) => {
            Err(anyhow!("none of them has the host {host}; name the pipeline, or its namespace with -n"))
        }
        (Some(_), false) => Err(anyhow!("several of them have the host {host}; name the pipeline")),
    }
}

/// A web pod that serves visitors.
async fn find_pod(cluster: &Cluster, pipeline: &str) -> anyhow::Result<String> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let labels = format!("assetpipeline.dev/pipeline={pipeline},app.kubernetes.io/component=web");
    let pods = api.list(&ListParams::default().labels(&labels)).await;
    let pods = pods.with_context(|| format!("cannot list the web pods of {pipeline}"))?;
    let ready = pods.items.iter().find(|pod| is_ready(pod));
    ready.map(ResourceExt::name_any).ok_or_else(|| {
        anyhow!(
            "no web pod of {pipeline} is ready to be asked; see `kubectl describe assetpipeline {pipeline}`"
        )
    })
}

/// Through the API server, so that nothing of the pipeline has to be reachable from here.
async fn ask(cluster: &Cluster, pod: &str, subject: &Subject) -> anyhow::Result<Why> {
    let namespace = &cluster.namespace;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("host", subject.host.as_str())
        .append_pair("path", subject.path.as_str())
        .finish();
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{OPERATION_PORT}/proxy{WHY_PATH}?{query}");
    let request = http::Request::get(path).body(Vec::new())?;
    let answer = timeout(PATIENCE, cluster.client.request_text(request)).await;
    let Ok(answer) = answer else { bail!("web pod {pod} did not answer within {} s", PATIENCE.as_secs()) };
    let answer = answer.with_context(|| {
        format!("cannot ask web pod {pod} through the API server, which needs the right to get pods/proxy")
    })?;
    serde_json::from_str(&answer)
        .with_context(|| format!("web pod {pod} is of another version than this program"))
}

#[cfg(test)]
mod tests {
    use crds::{AssetPipelineStatus, TenantStatus};

    use super::*;

    fn pipeline(name: &str, host: &str) -> AssetPipeline {
        let mut pipeline = AssetPipeline::new(name, crds::AssetPipelineSpec::default());
        let tenants = vec![TenantStatus { host: host.to_owned(), id: "t-g1".to_owned() }];
        pipeline.status = Some(AssetPipelineStatus { tenants, ..AssetPipelineStatus::default() });
        pipeline
    }

    #[test]
    fn urls_are_taken_in_every_spelling_that_people_paste() {
        let expected =
            Subject { host: "shop.example".parse().unwrap(), path: "/a b/app.css".parse().unwrap() };
        for text in [
            "https://shop.example/a%20b/app.css?v=1",
            "http://Shop.Example:8080/a b/app.css",
            "shop.example/a%20b/app.css",
        ] {
            assert_eq!(Subject::parse(text), Ok(expected.clone()), "{text}");
        }
        for (text, named) in
            [("shop.example/app.js", "style sheet"), ("shop.example", "style sheet"), ("[::1]/a.css", "host")]
        {
            let error = Subject::parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn pipeline_of_the_host_is_found_and_doubt_is_told() {
        let host: HostName = "b.example".parse().unwrap();
        let name = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(name, host)| pipeline(name, host)).collect();
            choose_pipeline(all, &host).map(|found| found.name_any()).map_err(|error| error.to_string())
        };
        assert_eq!(name(&[("one", "a.example")]), Ok("one".to_owned()), "its registry may hold more hosts");
        assert_eq!(name(&[("one", "a.example"), ("two", "b.example")]), Ok("two".to_owned()));
        assert!(name(&[]).unwrap_err().contains("none of them"));
        assert!(name(&[("one", "a.example"), ("two", "c.example")]).unwrap_err().contains("none of them"));
        assert!(name(&[("one", "b.example"), ("two", "b.example")]).unwrap_err().contains("several"));
    }
}
