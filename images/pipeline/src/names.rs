//! Parsed names: once one of these exists, its text is known to be well formed. Copies share it: each
//! visitor who waits has some.

use std::{fmt, str::FromStr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Why a text is not the name that it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not {what}")]
pub struct InvalidName {
    text: String,
    what: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                let is_valid: fn(&str) -> bool = $valid;
                if is_valid(&text) { Ok(Self(text.into())) } else { Err(InvalidName { text, what: $what }) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A tenant at one generation of its origin, load paths and credentials. Never reused, and not the host.
    TenantId, "a tenant id (1 to 63 of a-z, 0-9 and -)", |text| is_label(text, 63)
}

name! {
    /// A DNS host name in lower case, without a port.
    HostName, "a host name (lower-case letters, digits, - and ., at most 253 characters)", |text| {
        text.len() <= 253 && text.split('.').all(|label| is_label(label, 63))
    }
}

name! {
    /// The hash of everything that decides a compiled file's bytes, its sources aside: 16 hex digits.
    Fingerprint, "a fingerprint (16 hex digits)", |text| is_hex(text, 16)
}

name! {
    /// The SHA-256 of a style sheet's bytes before any content coding: 64 hex digits.
    Digest, "a SHA-256 digest (64 hex digits)", |text| is_hex(text, 64)
}

name! {
    /// One job's random id: 32 hex digits.
    JobId, "a job id (32 hex digits)", |text| is_hex(text, 32)
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(digest(&SHA256, bytes)).into())
    }
}

impl Fingerprint {
    /// The first 16 hex digits of the SHA-256 of `text`.
    pub fn of(text: &str) -> Self {
        let mut hex = hex::encode(digest(&SHA256, text.as_bytes()));
        hex.truncate(16);
        Self(hex.into())
    }
}

impl JobId {
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()).into())
    }
}

impl TenantId {
    /// The id of `tenant` (a random label that lives as long as the tenant) at `generation`.
    pub fn at_generation(tenant: &str, generation: u64) -> Result<Self, InvalidName> {
        format!("{tenant}-g{generation}").parse()
    }
}

impl HostName {
    /// The host of a request's `Host` header or `:authority`: the port and letter case do not matter.
    pub fn from_authority(authority: &str) -> Result<Self, InvalidName> {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase().parse()
    }
}

fn is_label(text: &str, max: usize) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= max && text.bytes().all(is_plain) && !text.starts_with('-')
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_ignores_port_case_and_final_dot() {
        for authority in
            ["shop.example.com", "Shop.Example.COM", "shop.example.com:8080", "shop.example.com."]
        {
            assert_eq!(HostName::from_authority(authority).unwrap().as_str(), "shop.example.com");
        }
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for authority in ["", ".", "a..b", "a b", "-a.example", "[::1]", "a/b", "ä.example", "a_b.example"] {
            assert!(HostName::from_authority(authority).is_err(), "{authority}");
        }
    }

    #[test]
    fn names_refuse_to_deserialize_what_they_would_not_parse() {
        assert!(serde_json::from_str::<Digest>("\"abc\"").is_err());
        assert!(serde_json::from_str::<TenantId>("\"../x\"").is_err());
    }
}
