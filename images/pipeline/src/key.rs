//! What names one compiled file in the whole fleet: fingerprint + tenant + path, and where it lies.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::names::{Digest, Fingerprint, TenantId};

/// Longest path that we accept, in bytes. Longer ones are no style sheet that anybody wrote.
pub const MAX_PATH_BYTES: usize = 1024;

/// A style sheet's path as visitors ask for it, percent-decoded: `/theme/app.css`.
///
/// Absolute, ends in `.css`, and has neither empty, `.` or `..` segments nor control characters,
/// backslashes, `?` or `#`, so that one file has one spelling and no path leaves its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetPath(Arc<str>);

/// Why a path names no style sheet.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not the path of a style sheet (/…/name.css)")]
pub struct InvalidPath(String);

impl AssetPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The paths at the origin of what it may be made from: `/app.css` is made from `/app.scss`, where that is
    /// absent from `/app.sass`, and where that is absent, too, from `/app.css`.
    pub fn sources(&self) -> [String; 3] {
        let stem = self.0.strip_suffix("css").unwrap_or(&self.0);
        ["scss", "sass", "css"].map(|ending| format!("{stem}{ending}"))
    }
}

impl FromStr for AssetPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let is_segment = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
        let is_plain = |c: char| !c.is_control() && !matches!(c, '\\' | '?' | '#');
        let valid = text.len() <= MAX_PATH_BYTES
            && text.chars().all(is_plain)
            && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
            && text.strip_suffix(".css").is_some_and(|stem| !stem.ends_with('/'));
        if valid { Ok(Self(text.into())) } else { Err(InvalidPath(text.to_owned())) }
    }
}

impl TryFrom<String> for AssetPath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

impl From<AssetPath> for String {
    fn from(path: AssetPath) -> Self {
        path.0.as_ref().to_owned()
    }
}

impl fmt::Display for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of one compiled file. The query string never enters it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub fingerprint: Fingerprint,
    pub tenant_id: TenantId,
    pub path: AssetPath,
}

/// The prefix of all manifests.
pub const MANIFESTS_PREFIX: &str = "a/";
/// The prefix of all bodies.
pub const BODIES_PREFIX: &str = "b/";
/// The prefix of all counts of attempts.
pub const ATTEMPTS_PREFIX: &str = "n/";

impl Key {
    /// Where this key's manifest lies: `a/<fingerprint>/<tenantId>/<SHA-256 of the path>`.
    pub fn manifest_object(&self) -> String {
        self.object_of_path(MANIFESTS_PREFIX)
    }

    /// Where it is counted how often this key's jobs were begun since the latest outcome, while that is not
    /// once: `n/<fingerprint>/<tenantId>/<SHA-256 of the path>`.
    pub fn attempts_object(&self) -> String {
        self.object_of_path(ATTEMPTS_PREFIX)
    }

    fn object_of_path(&self, prefix: &str) -> String {
        let path_hash = Digest::of(self.path.as_str().as_bytes());
        format!("{prefix}{}/{}/{path_hash}", self.fingerprint, self.tenant_id)
    }

    /// Where a body with this digest and content coding lies: `b/<fingerprint>/<tenantId>/<digest>.<coding>`.
    pub fn body_object(&self, digest: &Digest, encoding: Encoding) -> String {
        format!("{BODIES_PREFIX}{}/{}/{digest}.{encoding}", self.fingerprint, self.tenant_id)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.fingerprint, self.tenant_id, self.path)
    }
}

/// A content coding (RFC 9110 §8.4.1) in which a body is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Identity,
    Gzip,
    /// brotli as it is worth its time while somebody waits.
    Br,
    /// brotli as dense as it gets, made afterwards.
    Br11,
}

impl Encoding {
    /// The coding's name as it stands in `Content-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Br | Self::Br11 => "br",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names a body: two of one coding are two.
        f.write_str(match self {
            Self::Br11 => "br11",
            Self::Identity | Self::Gzip | Self::Br => self.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_a_path_are_in_the_order_of_their_precedence() {
        let path: AssetPath = "/theme/app.css".parse().unwrap();
        assert_eq!(path.sources(), ["/theme/app.scss", "/theme/app.sass", "/theme/app.css"]);
    }

    #[test]
    fn paths_that_are_no_single_spelling_of_a_file_are_refused() {
        for text in [
            "",
            "/",
            "app.css",
            "/app.scss",
            "/app",
            "/.css/",
            "//app.css",
            "/a//b.css",
            "/../app.css",
            "/a/./b.css",
            "/a\\b.css",
            "/a\n.css",
            "/a/.css",
            "/a.css?x",
            "/a#.css",
        ] {
            assert!(text.parse::<AssetPath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn too_long_a_path_is_refused() {
        let longest = format!("/{}.css", "x".repeat(MAX_PATH_BYTES - 5));
        assert!(longest.parse::<AssetPath>().is_ok());
        assert!(format!("/x{longest}").parse::<AssetPath>().is_err());
    }

    #[test]
    fn objects_lie_under_fingerprint_and_tenant() {
        let key = Key {
            fingerprint: "00112233445566aa".parse().unwrap(),
            tenant_id: "t1-g1".parse().unwrap(),
            path: "/app.css".parse().unwrap(),
        };
        let body = key.body_object(&Digest::of(b""), Encoding::Br);
        assert!(key.manifest_object().starts_with("a/00112233445566aa/t1-g1/"));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(body, format!("b/00112233445566aa/t1-g1/{empty}.br"));
    }
}
