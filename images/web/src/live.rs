//! Live reload: tells open pages that a style sheet of their site has changed.
//!
//! `GET /_assets/live?path=/app.css` is a stream of server-sent events (WHATWG HTML §9.2), and
//! `GET /_assets/live.js` the script that puts what they tell into the page. While at least one page listens
//! for a style sheet, its manifest is looked at every second, and jobs are sent for it at a bounded rate;
//! while none does, nothing happens.

mod script;
mod stream;
mod watches;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use pipeline::{key::AssetPath, tenant::Tenant};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use crate::{answer, limits::Limit, router::AppState, visit::Visit, web::Web};

use stream::Places;
use watches::{Full, Watches};

/// The path of the stream of events.
pub(crate) const LIVE_PATH: &str = "/_assets/live";
/// The path of the script.
pub(crate) const LIVE_SCRIPT_PATH: &str = "/_assets/live.js";

/// Proxies that hold answers back until they are complete must not do so here (nginx's header).
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Style sheets that one page may listen for.
const MAX_PATHS: usize = 32;

/// How pages are told of changes.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Streams that may be open in this process.
    pub max_streams: usize,
    /// Streams of one tenant that may be open in this process.
    pub max_streams_per_tenant: usize,
    /// Style sheets that pages may listen for in this process; each costs one read of the store a second.
    pub max_watched: usize,
    /// Style sheets of one tenant that pages may listen for in this process.
    pub max_watched_per_tenant: usize,
    /// How often a tenant in development's sources are looked at while a page listens. Those of others are
    /// looked at when their files are no longer fresh, as without a page.
    pub refresh_every: Duration,
    /// Ends all streams when it is cancelled; pages then ask another process.
    pub ended: CancellationToken,
}

/// What one process knows of pages that listen.
pub(crate) struct Live {
    places: Arc<Places>,
    watches: Arc<Watches>,
    ended: CancellationToken,
}

impl Live {
    pub(crate) fn new(settings: LiveSettings) -> Self {
        let LiveSettings {
            max_streams,
            max_streams_per_tenant,
            max_watched,
            max_watched_per_tenant,
            refresh_every,
            ended,
        } = settings;
        Self {
            places: Arc::new(Places::new(max_streams, max_streams_per_tenant)),
            watches: Arc::new(Watches::new(max_watched, max_watched_per_tenant, refresh_every)),
            ended,
        }
    }

    /// Ends all streams, and waits until nothing is watched any more: a second at the most.
    pub(crate) async fn finish(&self) {
        self.ended.cancel();
        self.watches.finish().await;
    }
}

/// `GET /_assets/live`.
pub(crate) async fn stream(State(web): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(live) = &web.live else { return off() };
    let tenant = match find_tenant(&web, &uri, &headers).await {
        Ok(tenant) => tenant,
        Err(refusal) => return refusal,
    };
    let paths = match parse_paths(uri.query().unwrap_or_default()) {
        Ok(paths) => paths,
        Err(why) => return plain(StatusCode::BAD_REQUEST, &why),
    };
    if live.ended.is_cancelled() {
        return answer::unavailable("this process is about to end; ask again", None);
    }
    let events = live.places.take(&tenant.id).ok_or(Full);
    let Ok(events) = events.and_then(|place| stream::open(&web, live, &tenant, paths, place)) else {
        let message = "too many pages listen for changes; close some, or ask again later";
        return answer::unavailable(message, None);
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, Body::from_stream(events)).into_response()
}

/// `GET /_assets/live.js`.
pub(crate) async fn script(State(web): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    if web.live.is_none() {
        return off();
    }
    match find_tenant(&web, &uri, &headers).await {
        Ok(_) => script::answer(),
        Err(refusal) => refusal,
    }
}

fn off() -> Response {
    plain(StatusCode::NOT_FOUND, "live reload is off; spec.liveReload turns it on")
}

async fn find_tenant(web: &Web, uri: &Uri, headers: &HeaderMap) -> Result<Arc<Tenant>, Response> {
    let host = Visit::host_of(uri, headers).map_err(|why| answer::no_visit(&why))?;
    let tenant = web.find_tenant(&host).await?;
    web.limits.of(&tenant).take(Limit::Requests).map_err(|too_many| answer::rate_limited(&too_many))?;
    Ok(tenant)
}

/// Each `path` as the page wrote it, and the style sheet that it names.
fn parse_paths(query: &str) -> Result<HashMap<String, AssetPath>, String> {
    let mut paths = HashMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "path" {
            continue;
        }
        let path = Visit::path_of(&value).map_err(|_| {
            format!("{value:?} is not the path of a style sheet; ask for {LIVE_PATH}?path=/app.css")
        })?;
        paths.insert(value.into_owned(), path);
        if paths.len() > MAX_PATHS {
            return Err(format!("a page may listen for {MAX_PATHS} style sheets at the most"));
        }
    }
    if paths.is_empty() {
        return Err(format!("name the style sheets to listen for, such as {LIVE_PATH}?path=/app.css"));
    }
    Ok(paths)
}

fn plain(status: StatusCode, message: &str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ];
    (status, headers, format!("{message}\n")).into_response()
}
