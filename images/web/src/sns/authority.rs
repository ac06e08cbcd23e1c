//! Who vouches for SNS's signer.

use rustls_native_certs::load_native_certs;
use rustls_pki_types::{CertificateDer, TrustAnchor, pem::PemObject};
use webpki::anchor_from_trusted_cert;

/// Certificate authorities: the machine's own, or those of an emulator. There is always one.
pub struct Authority(Vec<TrustAnchor<'static>>);

/// Why there is nobody who vouches.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAuthority {
    #[error("this machine has no certificate authorities; install its ca-certificates")]
    NoneInstalled,
    #[error("the certificate authority of SNS's signer is no certificate in PEM")]
    Malformed,
}

impl Authority {
    /// The authorities that this machine trusts; in an image, the bundle at `/etc/ssl/certs`.
    pub fn installed() -> Result<Self, InvalidAuthority> {
        // A certificate of the bundle that cannot be used costs only itself.
        let anchors = load_native_certs().certs.iter().filter_map(|der| to_anchor(der)).collect();
        Self::of(anchors).ok_or(InvalidAuthority::NoneInstalled)
    }

    /// The authorities of this PEM, and no others.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidAuthority> {
        let parsed: Option<Vec<_>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| to_anchor(&der.ok()?)).collect();
        parsed.and_then(Self::of).ok_or(InvalidAuthority::Malformed)
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0
    }

    fn of(anchors: Vec<TrustAnchor<'static>>) -> Option<Self> {
        (!anchors.is_empty()).then_some(Self(anchors))
    }
}

fn to_anchor(der: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    anchor_from_trusted_cert(der).ok().map(|anchor| anchor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_vouches_for_nobody() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "no PEM", broken] {
            assert!(matches!(Authority::from_pem(pem), Err(InvalidAuthority::Malformed)), "{pem}");
        }
    }
}
