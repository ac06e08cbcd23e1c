//! The listeners' routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
    routing::{get, post},
};
use jiff::Timestamp;
use pipeline::{direct::NOTICE_PATH, purge::PURGE_HINT_PATH, signature::SigningKeys};

use crate::{
    answer, complete, fleet,
    live::{self, LIVE_PATH, LIVE_SCRIPT_PATH},
    purge, sns,
    visit::{NoVisit, Visit},
    web::Web,
};

pub(crate) type AppState = Arc<Web>;

/// SNS's largest message (256 KiB) in its JSON envelope.
const MAX_NOTICE_BYTES: usize = 600 << 10;

/// What visitors, the load balancer and SNS reach.
pub fn public_router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/health", get(async || StatusCode::OK))
        .route("/work_complete", post(sns::work_complete).get(reached))
        .route(LIVE_PATH, get(live::stream))
        .route(LIVE_SCRIPT_PATH, get(live::script))
        .fallback(visit)
        .layer(DefaultBodyLimit::max(MAX_NOTICE_BYTES))
        .with_state(web)
}

/// What only pods of this pipeline and the operator reach.
pub fn internal_router(web: Arc<Web>, keys: SigningKeys) -> Router {
    Router::new()
        .route(NOTICE_PATH, post(complete::notice))
        .route(PURGE_HINT_PATH, post(purge::hint::hint))
        .route(fleet::WAIT_PATH, post(fleet::serve::wait))
        .route(&format!("{}/{{fingerprint}}", fleet::WAIT_PATH), get(fleet::serve::takes_waits))
        .layer(DefaultBodyLimit::max(MAX_NOTICE_BYTES))
        .with_state((web, keys))
}

/// Whether a holder of the pipeline's keys has signed the body; 401 where nobody has, and counted.
pub(crate) fn check_signed(
    web: &Web,
    keys: &SigningKeys,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), StatusCode> {
    if keys.is_signed(fleet::signature_of(headers), body, Timestamp::now()) {
        return Ok(());
    }
    web.metrics.notices_refused.inc();
    Err(StatusCode::UNAUTHORIZED)
}

/// A process that SNS cannot reach has nothing to show there.
async fn reached(State(web): State<AppState>, request: Request) -> Response {
    match sns::show_reached(&web) {
        Some(shown) => shown,
        None => Box::pin(visit(State(web), request)).await,
    }
}

async fn visit(State(web): State<AppState>, request: Request) -> Response {
    let visit = match *request.method() {
        Method::GET | Method::HEAD => Visit::parse(request.uri(), request.headers()),
        Method::OPTIONS => return answer::options(),
        _ => return answer::method_not_allowed(),
    };
    if let Err(NoVisit::NoStyleSheet) = visit {
        // Apart, so that the room for it is not kept by visitors who are held.
        let (head, _) = request.into_parts();
        return Box::pin(async move { web.send_elsewhere(&head.uri, &head.headers).await }).await;
    }
    // Visitors may be held for long: neither their heads nor the buffers that these were read into stay.
    drop(request);
    match visit {
        Ok(mut visit) => web.answer(&mut visit).await,
        Err(why) => answer::no_visit(&why),
    }
}
