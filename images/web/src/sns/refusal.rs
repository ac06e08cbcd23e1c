//! Why a message at `/work_complete` is not believed.

use std::sync::Arc;

use axum::http::StatusCode;

use super::certificate::CertificateError;

/// One refusal. Its text is for the log: whoever sent the message is told the status alone.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this process listens to no topic")]
    NoTopic,
    #[error("its media type is not text/plain, which SNS sends")]
    NoText,
    #[error("it is no message of SNS")]
    NoEnvelope(#[source] Arc<serde_json::Error>),
    #[error("it is of another topic")]
    OtherTopic,
    #[error("its Type is none that SNS has")]
    UnknownType,
    #[error(
        "it is not signed by signature version 2; set the topic's attribute SignatureVersion to 2, which the \
         operator does for its own topics"
    )]
    SignatureVersion,
    #[error("its {0} is absent or not as SNS writes it")]
    Field(&'static str),
    #[error("its Timestamp is too long ago or in the future; check this node's clock")]
    Outdated,
    #[error("its SigningCertURL is not an address of SNS in the topic's region")]
    CertificateUrl,
    #[error("its signer's certificate is not to be trusted")]
    Certificate(#[source] Arc<CertificateError>),
    #[error("its signer's certificate cannot be fetched now")]
    Unavailable(#[source] Arc<CertificateError>),
    #[error("too many unknown certificates were asked for lately")]
    TooManyCertificates,
    #[error("its signature does not match")]
    Signature,
    #[error("it holds no notice")]
    NoNotice(#[source] Arc<serde_json::Error>),
    #[error("too many confirmations are under way")]
    TooManyConfirmations,
}

impl Refusal {
    /// 503 where the same message may be believed later: SNS tries again after a status of 500 or more.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unavailable(_) | Self::TooManyCertificates | Self::TooManyConfirmations => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoTopic
            | Self::NoText
            | Self::NoEnvelope(_)
            | Self::OtherTopic
            | Self::UnknownType
            | Self::SignatureVersion
            | Self::Field(_)
            | Self::Outdated
            | Self::CertificateUrl
            | Self::Certificate(_)
            | Self::Signature
            | Self::NoNotice(_) => StatusCode::FORBIDDEN,
        }
    }

    /// The outcome as metrics name it.
    pub(super) fn as_str(&self) -> &'static str {
        if self.status() == StatusCode::SERVICE_UNAVAILABLE { "unverified" } else { "refused" }
    }
}
