//! One answer that is kept, and the ways to give it again: to the HTTP engine, or in one piece.

use std::{
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use axum::response;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response,
    header::{CACHE_CONTROL, DATE},
};
use pipeline::names::Digest;
use tokio::time::Instant;

use super::{AnswerBody, Mark, Place};
use crate::{
    answer::file::{File, IMMUTABLE, is_prefix},
    limits::TenantLimiter,
    serve::{KernelCopy, Whole},
    visit::{Visit, told, version},
    web::Web,
};

/// What the ordinary way says of an answer that may be given again. Travels as an extension of the response.
#[derive(Clone)]
pub(crate) struct Repeatable {
    pub(crate) body: Bytes,
    pub(crate) digest: Digest,
    /// Counts the requests that are answered by it.
    pub(crate) limiter: Arc<TenantLimiter>,
    /// What a visit without `v` is told.
    pub(crate) cache_control: HeaderValue,
    pub(crate) mark: Mark,
    pub(crate) until: Instant,
}

/// A kept answer.
pub(super) struct Ready {
    pub(super) place: Place,
    headers: HeaderMap,
    pub(super) repeatable: Repeatable,
    pub(super) kernel_copy: Option<Arc<KernelCopy>>,
    /// As HTTP/1.1 writes it, once somebody asked for it.
    whole: OnceLock<Arc<Whole>>,
    /// Likewise, to those who name its bytes.
    immutable: OnceLock<Arc<Whole>>,
}

impl Repeatable {
    /// `None` where the file is no fresh one from memory.
    pub(crate) fn of(
        file: &File<'_>,
        visit: &Visit,
        limiter: Arc<TenantLimiter>,
        mark: Mark,
        body: &Bytes,
    ) -> Option<Self> {
        Some(Self {
            until: Instant::now() + file.lasts()?,
            body: body.clone(),
            digest: file.digest.clone(),
            limiter,
            cache_control: file.cache_control(&visit.path, None),
            mark,
        })
    }
}

impl Ready {
    /// `None` where the ordinary way did not say that its answer may be given again.
    pub(super) fn from_answer(place: Place, answer: &response::Response) -> Option<Self> {
        let repeatable = answer.extensions().get::<Repeatable>()?.clone();
        let mut headers = answer.headers().clone();
        headers.insert(CACHE_CONTROL, repeatable.cache_control.clone());
        let (whole, immutable) = (OnceLock::new(), OnceLock::new());
        Some(Self { place, headers, repeatable, kernel_copy: None, whole, immutable })
    }

    pub(super) fn is_outdated(&self, web: &Web, query: Option<&str>) -> bool {
        let Some(query) = query else { return false };
        web.is_outdated(Some(&self.repeatable.digest), version(query), told(query))
    }

    pub(super) fn answer(&self, method: &Method, query: Option<&str>) -> Response<AnswerBody> {
        let is_head = *method == Method::HEAD;
        let body = AnswerBody::Ready((!is_head).then(|| self.repeatable.body.clone()));
        let mut answer = Response::new(body);
        answer.headers_mut().clone_from(&self.headers);
        if self.is_named_by(query) {
            answer.headers_mut().insert(CACHE_CONTROL, IMMUTABLE);
        }
        answer
    }

    /// The answer to `GET` in one piece.
    pub(super) fn whole(&self, query: Option<&str>) -> &Arc<Whole> {
        let build = |cache_control: &HeaderValue| {
            let head = self.write_head(cache_control);
            Arc::new(Whole::new(head, self.repeatable.body.clone(), self.kernel_copy.clone()))
        };
        if self.is_named_by(query) {
            self.immutable.get_or_init(|| build(&IMMUTABLE))
        } else {
            self.whole.get_or_init(|| build(&self.repeatable.cache_control))
        }
    }

    /// As the HTTP engine writes it: these headers in their order, and the date, which is a second old at the
    /// most, as the answer is.
    fn write_head(&self, cache_control: &HeaderValue) -> Vec<u8> {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        let headers = self.headers.iter().map(|(name, value)| {
            let value = if *name == CACHE_CONTROL { cache_control } else { value };
            (name.as_str(), value.as_bytes())
        });
        for (name, value) in headers.chain([(DATE.as_str(), date.as_bytes())]) {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn is_named_by(&self, query: Option<&str>) -> bool {
        query.and_then(version).is_some_and(|version| is_prefix(version, &self.repeatable.digest))
    }
}
