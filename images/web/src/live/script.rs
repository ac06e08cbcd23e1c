//! The script that pages load.

use axum::{
    http::{
        HeaderValue,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};

const SCRIPT: &str = include_str!("live.js");

pub(super) fn answer() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8")),
        // A page that is being developed is loaded often, and the script comes with our releases.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, SCRIPT).into_response()
}
