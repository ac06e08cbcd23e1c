//! A certificate authority of the test's own, and signers whom it vouches for or not.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair},
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};

pub(crate) const SIGNER_NAME: &str = "sns.amazonaws.com";

/// Issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::with(|params, key| params.self_signed(key).unwrap())
    }

    /// An authority that this one vouches for.
    pub(crate) fn intermediate(&self) -> Self {
        Self::with(|params, key| params.signed_by(key, &self.issuer).unwrap())
    }

    fn with(certify: impl Fn(&CertificateParams, &KeyPair) -> rcgen::Certificate) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let key = KeyPair::generate().unwrap();
        let certificate = certify(&params, &key);
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn certify(&self, params: &CertificateParams, key: &SigningKey) -> String {
        params.signed_by(&key.pair, &self.issuer).unwrap().pem()
    }
}

/// Authorities are told apart by their names.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// What SNS's own certificate says: a server of this name, valid for a long time.
pub(crate) fn signer_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

pub(crate) fn expired(mut params: CertificateParams) -> CertificateParams {
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    params
}

pub(crate) fn not_yet_valid(mut params: CertificateParams) -> CertificateParams {
    (params.not_before, params.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    params
}

/// With an address of the issuer's certificate (RFC 5280 §4.2.2.1): SEQUENCE { SEQUENCE { caIssuers, URI } }.
pub(crate) fn with_issuer_at(mut params: CertificateParams, url: &str) -> CertificateParams {
    let uri = [&[0x86, u8::try_from(url.len()).unwrap()], url.as_bytes()].concat();
    let method = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let sequence = |inner: &[u8]| [&[0x30, u8::try_from(inner.len()).unwrap()], inner].concat();
    let content = sequence(&sequence(&[&method[..], &uri].concat()));
    params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content));
    params
}

/// An RSA key of 2048 bits that signs messages.
pub(crate) struct SigningKey {
    pub(crate) pair: KeyPair,
    rsa: RsaKeyPair,
}

impl SigningKey {
    pub(crate) fn generate() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let rsa = RsaKeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
        Self { pair, rsa }
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.sign_as(&RSA_PKCS1_SHA256, text)
    }

    pub(crate) fn sign_as(&self, encoding: &'static dyn RsaEncoding, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        signature
    }
}
