//! The operator's own clients, with a wire between them and what they work on.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use http::{Method, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::BoxError;
use url::Url;

use crate::{
    apiserver::{self, MemoryApiServer},
    aws::{self, MemoryAws, Operation},
    real::GROUP,
    wire::{Answer, Call, Effect, Wire},
};

/// An API server.
#[derive(Clone)]
pub(crate) enum Cluster {
    Memory(MemoryApiServer),
    Real(Client),
}

/// Where AWS's services are.
#[derive(Debug, Clone)]
pub(crate) enum Aws {
    Memory(MemoryAws),
    /// An emulator behind this address.
    Real(Url, reqwest::Client),
}

/// A client of the cluster, in which every Deployment's pods are ready as soon as they are wanted.
pub(crate) fn kube_client(cluster: &Cluster, wire: &Wire, namespace: &str) -> Client {
    let (cluster, wire) = (cluster.clone(), wire.clone());
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (cluster, wire) = (cluster.clone(), wire.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?.to_vec();
            let (path, text) = (parts.uri.path().to_owned(), String::from_utf8_lossy(&body).into_owned());
            let accept =
                parts.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let effect = if parts.method == Method::GET { Effect::Read } else { Effect::Write };
            let call = Call {
                effect,
                told: format!("{} {path}", parts.method),
                text: format!("{} {} {accept} {text}", parts.method, parts.uri),
            };
            let request = http::Request::from_parts(parts, body);
            let answer =
                wire.carry(call, async move { with_pods(&path, cluster.send(request).await?) }).await?;
            Ok::<_, BoxError>(http::Response::builder().status(answer.status).body(Body::from(answer.body))?)
        }
    });
    Client::new(service, namespace)
}

/// What kubelets would tell.
fn with_pods(path: &str, answer: Answer) -> Result<Answer, BoxError> {
    if !path.contains("/deployments") || answer.status >= 300 {
        return Ok(answer);
    }
    let mut told: Value = serde_json::from_slice(&answer.body)?;
    if told["kind"] == "Deployment" {
        add_pods(&mut told);
    }
    let listed = told.get_mut("items").and_then(Value::as_array_mut);
    listed.into_iter().flatten().for_each(add_pods);
    Ok(Answer { body: serde_json::to_vec(&told)?.into(), ..answer })
}

fn add_pods(deployment: &mut Value) {
    let (replicas, generation) = (&deployment["spec"]["replicas"], &deployment["metadata"]["generation"]);
    deployment["status"] = json!({
        "observedGeneration": generation, "replicas": replicas, "readyReplicas": replicas,
        "updatedReplicas": replicas, "availableReplicas": replicas,
    });
}

impl Cluster {
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Answer, BoxError> {
        match self {
            Self::Memory(server) => {
                let header = |name: &str| {
                    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
                };
                let (status, body) = server.answer(&apiserver::Request {
                    method: request.method(),
                    uri: request.uri(),
                    content_type: header("content-type"),
                    accept: header("accept"),
                    body: request.body(),
                });
                Ok(Answer { status, headers: Vec::new(), body: serde_json::to_vec(&body)?.into() })
            }
            Self::Real(client) => {
                let (mut parts, body) = request.into_parts();
                parts.uri = parts
                    .uri
                    .to_string()
                    .replace("/apis/assetpipeline.dev/", &format!("/apis/{GROUP}/"))
                    .parse()?;
                let (ours, theirs) = ("assetpipeline.dev/v1alpha1", format!("{GROUP}/v1alpha1"));
                let body = String::from_utf8(body)?.replace(ours, &theirs);
                let answer =
                    client.send(http::Request::from_parts(parts, Body::from(body.into_bytes()))).await?;
                let (parts, body) = answer.into_parts();
                let body = String::from_utf8(body.collect_bytes().await?.to_vec())?.replace(&theirs, ours);
                Ok(Answer { status: parts.status.as_u16(), headers: Vec::new(), body: body.into() })
            }
        }
    }
}

/// The HTTP client of all AWS clients of one process.
pub(crate) fn aws_client(aws: &Aws, wire: &Wire) -> SharedHttpClient {
    SharedHttpClient::new(AwsLink { aws: Arc::new(aws.clone()), wire: wire.clone() })
}

#[derive(Debug, Clone)]
struct AwsLink {
    aws: Arc<Aws>,
    wire: Wire,
}

impl HttpClient for AwsLink {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for AwsLink {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let link = self.clone();
        HttpConnectorFuture::new(async move { link.carry(request).await.map_err(ConnectorError::io) })
    }
}

impl AwsLink {
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, BoxError> {
        let url = Url::parse(request.uri())?;
        let target = url[url::Position::BeforePath..].to_owned();
        let body = request.body().bytes().ok_or("a body that comes in pieces")?.to_vec();
        let headers: BTreeMap<String, String> =
            request.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let method = request.method().to_owned();
        let call = tell(&aws::Request { method: &method, target: &target, headers: &headers, body: &body });
        let send = async {
            match &*self.aws {
                Aws::Memory(aws) => Ok(aws.answer(&aws::Request {
                    method: &method,
                    target: &target,
                    headers: &headers,
                    body: &body,
                })),
                Aws::Real(endpoint, client) => {
                    let mut request =
                        client.request(Method::from_bytes(method.as_bytes())?, endpoint.join(&target)?);
                    for (name, value) in &headers {
                        request = request.header(name, value);
                    }
                    let answer = request.body(body.clone()).send().await?;
                    let status = answer.status().as_u16();
                    let told = answer.headers().iter();
                    let headers = told
                        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                        .collect();
                    Ok(Answer { status, headers, body: answer.bytes().await? })
                }
            }
        };
        let answer = self.wire.carry(call, send).await?;
        let status = StatusCode::from_u16(answer.status)?;
        let mut response = HttpResponse::new(status.into(), SdkBody::from(answer.body.to_vec()));
        for (name, value) in answer.headers {
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

/// Operations of SQS and SNS say in their names whether they change anything.
fn tell(request: &aws::Request<'_>) -> Call {
    let aws::Request { method, target, headers: _, body } = request;
    let (told, is_read) = match Operation::of(request) {
        Operation::S3 => (format!("S3 {method} {target}"), ["GET", "HEAD"].contains(method)),
        Operation::Sqs(name) => (format!("SQS {name}"), name.starts_with("Get") || name.starts_with("List")),
        Operation::Sns(name) => (format!("SNS {name}"), name.starts_with("Get") || name.starts_with("List")),
    };
    let text = format!("{told} {method} {target} {}", String::from_utf8_lossy(body));
    Call { effect: if is_read { Effect::Read } else { Effect::Write }, told, text }
}
