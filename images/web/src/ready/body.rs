//! The body of an answer to a visitor.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::serve::{KernelCopy, Sendable};

/// A body that was there, or one that the routes made. The former needs no box.
#[derive(Debug)]
pub enum AnswerBody {
    /// Without bytes once they are given.
    Ready {
        bytes: Option<Bytes>,
        kernel_copy: Option<Arc<KernelCopy>>,
    },
    Routed(Body),
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Ready { bytes, .. } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Routed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ready { bytes, .. } => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ready { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Routed(body) => body.size_hint(),
        }
    }
}

impl Sendable for AnswerBody {
    fn kernel_copy(&self) -> Option<Arc<KernelCopy>> {
        match self {
            Self::Ready { kernel_copy, .. } => kernel_copy.clone(),
            Self::Routed(_) => None,
        }
    }
}
