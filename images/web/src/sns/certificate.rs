//! A signer's certificate: whether it is to be trusted now, and what it has signed.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, aws_lc_rs::RSA_PKCS1_2048_8192_SHA256};

use super::authority::Authority;

/// Certificates in one file: the signer's own, and those between it and an authority.
const MAX_CERTIFICATES: usize = 8;

/// What is wrong with a signer's certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("could not fetch {url}")]
    Fetch {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} gives more bytes than a certificate has")]
    TooLong { url: String },
    #[error("it is no certificate in PEM")]
    Malformed,
    #[error("no authority vouches for it")]
    Untrusted(#[source] webpki::Error),
    #[error("it is nobody's who signs for SNS")]
    OtherName,
}

impl CertificateError {
    /// Whether another fetch may give another answer soon.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Fetch { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::TooLong { .. } | Self::Malformed | Self::Untrusted(_) | Self::OtherName => false,
        }
    }
}

/// The signer's certificate, with what connects it to an authority.
#[derive(Debug)]
pub(super) struct SignerCertificate {
    own: CertificateDer<'static>,
    between: Vec<CertificateDer<'static>>,
}

impl SignerCertificate {
    /// The first certificate of a PEM file is the signer's own.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let all = CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES).collect::<Result<Vec<_>, _>>();
        let mut all = all.map_err(|_| CertificateError::Malformed)?.into_iter();
        Ok(Self { own: all.next().ok_or(CertificateError::Malformed)?, between: all.collect() })
    }

    pub(super) fn own(&self) -> &CertificateDer<'static> {
        &self.own
    }

    /// One more certificate between the signer's own and an authority.
    pub(super) fn add(&mut self, between: Vec<u8>) {
        self.between.push(CertificateDer::from(between));
    }

    /// Whether an authority vouches for it at `now`, and it carries one of the signer's names.
    pub(super) fn check(
        &self,
        authority: &Authority,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), CertificateError> {
        let certificate = EndEntityCert::try_from(&self.own).map_err(CertificateError::Untrusted)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        certificate
            .verify_for_usage(
                ALL_VERIFICATION_ALGS,
                authority.anchors(),
                &self.between,
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(CertificateError::Untrusted)?;
        let carries = |name: &String| {
            let name = ServerName::try_from(name.as_str());
            name.is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        if names.iter().any(carries) { Ok(()) } else { Err(CertificateError::OtherName) }
    }

    /// Whether its key made this signature: RSA of at least 2048 bits, PKCS #1 v1.5, SHA-256.
    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        EndEntityCert::try_from(&self.own).is_ok_and(|certificate| {
            certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, text, signature).is_ok()
        })
    }
}
