//! Where a certificate says that its issuer's own certificate lies (RFC 5280 §4.2.2.1).
//!
//! Needed where SNS publishes the signer's certificate alone: authorities vouch for those who issue, not
//! for the signer itself. What is fetched there proves nothing until the whole chain was verified.

use rustls_pki_types::CertificateDer;
use url::Url;
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS,
    prelude::{FromDer, X509Certificate},
};

/// The address of the issuer's certificate, if it is one of Amazon's own trust services. No other is asked.
pub(super) fn issuer_url(certificate: &CertificateDer<'_>) -> Option<Url> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let access =
        certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        })?;
    let issuers = access.iter().filter(|entry| entry.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS);
    issuers
        .filter_map(|entry| match &entry.access_location {
            GeneralName::URI(url) => Some(*url),
            _ => None,
        })
        .find(|url| is_amazons(url))
        .and_then(|url| url.parse().ok())
}

/// `http://crt.<label>.amazontrust.com/<name>.cer`, compared as text. Plain HTTP is what all authorities
/// use here: certificates are signed.
fn is_amazons(url: &str) -> bool {
    let is_word = |text: &str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let parts = url.strip_prefix("http://crt.").and_then(|rest| rest.split_once(".amazontrust.com/"));
    parts.is_some_and(|(label, file)| is_word(label) && file.strip_suffix(".cer").is_some_and(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_own_addresses_are_asked() {
        assert!(is_amazons("http://crt.r2m01.amazontrust.com/r2m01.cer"));
        for other in [
            "http://crt.amazontrust.com/r2m01.cer",
            "http://crt.r2m01.amazontrust.com.evil.example/r2m01.cer",
            "http://crt.evil.example/.amazontrust.com/r2m01.cer",
            "http://crt.u@evil.amazontrust.com/r2m01.cer",
            "http://crt.r2m01.amazontrust.com:81/r2m01.cer",
            "http://crt.r2m01.amazontrust.com/../r2m01.cer",
            "http://crt.r2m01.amazontrust.com/r2m01.cer?x",
            "file:///etc/r2m01.cer",
        ] {
            assert!(!is_amazons(other), "{other}");
        }
    }
}
