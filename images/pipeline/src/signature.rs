//! What pods say to pods is signed: HMAC-SHA-256 over the time and the body, with keys from a Secret.

mod key_file;

use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use crate::{Error, ErrorKind};

pub use key_file::KeyFile;

/// The header that carries time and signature: `t=<unix seconds>,v1=<hex>`.
pub const SIGNATURE_HEADER: &str = "x-assets-signature";

/// How far the signer's clock and ours may differ, travel included.
const WINDOW: Duration = Duration::from_mins(1);
/// Shorter keys than this are a mistake in the Secret.
const MIN_KEY_BYTES: usize = 16;

/// The keys of one pipeline: the first signs, every one is accepted, so that keys can be rotated. Clones
/// share them, and a replacement reaches all of them.
#[derive(Clone)]
pub struct SigningKeys(Arc<RwLock<Keys>>);

#[derive(Clone)]
struct Keys {
    /// As the file has them, in order.
    lines: Vec<String>,
    keys: Vec<hmac::Key>,
}

impl SigningKeys {
    /// One key a line; empty lines do not count.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let invalid =
            |why: &str| Error::new(ErrorKind::Invalid, "read signing keys").with_source(why.to_owned());
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return Err(invalid("there is none; put one key of at least 16 bytes on a line"));
        }
        if lines.iter().any(|line| line.len() < MIN_KEY_BYTES) {
            return Err(invalid("a key is shorter than 16 bytes"));
        }
        let keys = lines.iter().map(|line| hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes())).collect();
        let lines = lines.into_iter().map(str::to_owned).collect();
        Ok(Self(Arc::new(RwLock::new(Keys { lines, keys }))))
    }

    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let unreadable =
            || Error::new(ErrorKind::Invalid, format!("read signing keys from {}", path.display()));
        let text = fs::read_to_string(path).map_err(|source| unreadable().with_source(source))?;
        Self::from_text(&text).map_err(|source| unreadable().with_source(source))
    }

    /// The value of [`SIGNATURE_HEADER`] for this body at this time.
    pub fn sign(&self, body: &[u8], now: Timestamp) -> String {
        let keys = self.read();
        let key = keys.keys.first().expect("from_text refuses an empty list of keys");
        let time = now.as_second();
        format!("t={time},v1={}", hex::encode(hmac::sign(key, &signed_text(time, body))))
    }

    /// Whether one of the keys signed this body at a time near `now`.
    pub fn is_signed(&self, header: &str, body: &[u8], now: Timestamp) -> bool {
        let Some((time, signature)) = parse_header(header) else { return false };
        let apart = now.as_second().abs_diff(time);
        apart <= WINDOW.as_secs()
            && self
                .read()
                .keys
                .iter()
                .any(|key| hmac::verify(key, &signed_text(time, body), &signature).is_ok())
    }

    /// Takes over the other's keys, for all clones. Answers whether they were other ones.
    pub fn replace(&self, other: &Self) -> bool {
        let taken = other.read().clone();
        if self.read().lines == taken.lines {
            return false;
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = taken;
        true
    }

    fn count(&self) -> usize {
        self.read().keys.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        // No code panics while it holds the lock half-way through a change.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signed_text(time: i64, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{time}\n").into_bytes();
    text.extend_from_slice(body);
    text
}

fn parse_header(header: &str) -> Option<(i64, Vec<u8>)> {
    let (time, signature) = header.split_once(',')?;
    Some((time.strip_prefix("t=")?.parse().ok()?, hex::decode(signature.strip_prefix("v1=")?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> SigningKeys {
        SigningKeys::from_text(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn signed_body_is_accepted_within_the_window_only() {
        let keys = keys("0123456789abcdef");
        let header = keys.sign(b"body", at(1000));
        assert!(keys.is_signed(&header, b"body", at(1060)));
        assert!(keys.is_signed(&header, b"body", at(940)));
        assert!(!keys.is_signed(&header, b"body", at(1061)));
        assert!(!keys.is_signed(&header, b"body", at(939)));
    }

    #[test]
    fn other_body_time_or_key_is_refused() {
        let signer = keys("0123456789abcdef");
        let header = signer.sign(b"body", at(1000));
        assert!(!signer.is_signed(&header, b"Body", at(1000)));
        assert!(!signer.is_signed(&header.replace("t=1000", "t=1001"), b"body", at(1000)));
        assert!(!keys("fedcba9876543210").is_signed(&header, b"body", at(1000)));
        for garbage in ["", "t=1000", "t=x,v1=00", "t=1000,v1=zz", "v1=00,t=1000"] {
            assert!(!signer.is_signed(garbage, b"body", at(1000)), "{garbage}");
        }
    }

    #[test]
    fn rotation_accepts_both_keys_and_signs_with_the_first() {
        let old = keys("old-old-old-old-old");
        let both = keys("new-new-new-new-new\nold-old-old-old-old\n");
        let new = keys("new-new-new-new-new");
        assert!(both.is_signed(&old.sign(b"x", at(1)), b"x", at(1)));
        assert!(new.is_signed(&both.sign(b"x", at(1)), b"x", at(1)));
    }

    #[test]
    fn missing_and_short_keys_are_refused() {
        assert!(SigningKeys::from_text("\n \n").is_err());
        assert!(SigningKeys::from_text("short").is_err());
    }
}
