//! The visitors' service: ready answers first, then the routes.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    response,
};
use bytes::Bytes;
use http::{Method, Request, Response, header::CONTENT_LENGTH};
use tokio::time::Instant;
use tower::Service;

use super::{AnswerBody, Asked, Place, Ready, ReadyAnswers};
use crate::{
    answer::rate_limited,
    router::public_router,
    serve::{Front, Fronted, Head, Whole},
    visit::Visit,
    web::Web,
};

/// What visitors, the load balancer and SNS reach: as [`public_router`], with ready answers before it.
pub fn public_service(web: Arc<Web>) -> PublicService {
    let router = public_router(web.clone());
    PublicService(Arc::new(Shared { web, router, ready: ReadyAnswers::default() }))
}

/// See [`public_service`].
#[derive(Clone)]
pub struct PublicService(Arc<Shared>);

struct Shared {
    web: Arc<Web>,
    router: Router,
    ready: ReadyAnswers,
}

/// An answer that is there, or is being made.
pub enum Answering {
    Ready(Option<Response<AnswerBody>>),
    Routed(Pin<Box<dyn Future<Output = response::Response> + Send>>),
}

impl<B> Service<Request<B>> for PublicService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answering;

    /// Always ready, as routers are.
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let Some(asked) = Asked::of(&request) else { return self.0.clone().route(request, None) };
        let query = request.uri().query();
        if let Some(ready) = self.0.ready.find(&asked, &self.0.web.files.marks, Instant::now())
            && !ready.is_outdated(&self.0.web, query)
        {
            let answer = match self.0.web.note_ready(&ready.repeatable.limiter) {
                Ok(()) => ready.answer(request.method(), query),
                Err(too_many) => rate_limited(&too_many).map(AnswerBody::Routed),
            };
            return Answering::Ready(Some(answer));
        }
        let place = Some(asked.into());
        self.0.clone().route(request, place)
    }
}

impl Fronted for PublicService {
    fn front(&self) -> Option<Arc<dyn Front>> {
        Some(self.0.clone())
    }
}

impl Front for Shared {
    fn find(&self, head: &Head<'_>) -> Option<Arc<Whole>> {
        let (path, query) = match head.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (head.target, None),
        };
        let asked = Asked { authority: head.host, path, accept_encoding: head.accept_encoding };
        let ready = self.ready.find(&asked, &self.web.files.marks, Instant::now())?;
        let is_given =
            !ready.is_outdated(&self.web, query) && self.web.try_note_ready(&ready.repeatable.limiter);
        is_given.then(|| ready.whole(query).clone())
    }
}

impl Shared {
    fn route<B>(self: Arc<Self>, request: Request<B>, place: Option<Place>) -> Answering
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let is_visit = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(mut visit) =
            is_visit.then(|| Visit::parse(request.uri(), request.headers()).ok()).flatten()
        {
            // Past the routes, which lead all visits to the same place: whoever is held shall not keep what
            // they need, nor the request's head.
            let is_head = *request.method() == Method::HEAD;
            visit.place = place.map(Box::new);
            return Answering::Routed(Box::pin(async move {
                let answer = self.web.answer(&mut visit).await;
                self.keep(visit.place.map(|place| *place), &answer);
                if is_head { without_body(answer) } else { with_length(answer) }
            }));
        }
        let routed = self.router.clone().call(request);
        Answering::Routed(Box::pin(async move { routed.await.unwrap_or_else(|never| match never {}) }))
    }

    fn keep(&self, place: Option<Place>, answer: &response::Response) {
        if let Some(ready) = place.and_then(|place| Ready::from_answer(place, answer)) {
            self.ready.keep(ready, Instant::now());
        }
    }
}

/// As routes do it.
fn with_length(mut answer: response::Response) -> response::Response {
    if let (Some(length), false) =
        (answer.body().size_hint().exact(), answer.headers().contains_key(CONTENT_LENGTH))
    {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    answer
}

/// To `HEAD`: the length is told all the same.
fn without_body(answer: response::Response) -> response::Response {
    with_length(answer).map(|_| Body::empty())
}

impl Future for Answering {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Polled again after its end, it never ends again, as futures may.
            Self::Ready(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Self::Routed(answer) => {
                answer.as_mut().poll(context).map(|answer| Ok(answer.map(AnswerBody::Routed)))
            }
        }
    }
}
