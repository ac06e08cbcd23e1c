//! The listener for those who run the pods: `/health`, `/ready` and `/metrics`, apart from visitors.

use std::{io, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The media type of what `/metrics` answers.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process tells about itself.
#[derive(Default)]
pub struct Operation {
    pub registry: Registry,
    /// Cancelled when the process has finished its work; ends the listener.
    pub stopped: CancellationToken,
}

impl Operation {
    /// Serves until [`Operation::stopped`]. `/ready` answers 503 as soon as `draining` is cancelled.
    pub async fn serve(self, listener: TcpListener, draining: CancellationToken) -> io::Result<()> {
        let Self { registry, stopped } = self;
        let registry = Arc::new(registry);
        let ready = async move || {
            if draining.is_cancelled() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        };
        let router = Router::new()
            .route("/health", get(async || StatusCode::OK))
            .route("/ready", get(ready))
            .route("/metrics", get(async move || metrics(&registry)));
        axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await
    }
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => (StatusCode::OK, [(CONTENT_TYPE, OPENMETRICS)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}
