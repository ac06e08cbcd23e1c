//! A tenant: one host, one origin. Also the registry object `tenants/<host>.json`.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{
    names::{HostName, TenantId},
    options::Engine,
    place::{Place, place},
    purge::Purges,
    rate::RateLimits,
};

/// Where a host's registry object lies.
pub fn registry_object(host: &HostName) -> String {
    format!("{REGISTRY_PREFIX}{host}.json")
}

/// The prefix of all registry objects.
pub const REGISTRY_PREFIX: &str = "tenants/";

/// The URL of the source at `path` (absolute, percent-decoded, without `..`) below `origin`.
/// `None` where the origin's URL cannot have a path, such as `mailto:`.
pub fn source_url(origin: &Url, path: &str) -> Option<Url> {
    let mut url = origin.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop_if_empty().extend(path.trim_start_matches('/').split('/'));
    Some(url)
}

/// A site whose Sass we compile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The host that visitors ask for.
    pub host: HostName,
    /// Changes with every change of origin, site URL or load paths, so that old files are never served for new
    /// sources.
    pub id: TenantId,
    /// The site's own web server, `http` or `https`; a path is a prefix of every source's path.
    pub origin: Url,
    /// The site as browsers reach it, where they do not reach the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_url: Option<Url>,
    /// Absolute paths at the origin where imports are looked for after the importing file's own folder.
    #[serde(default)]
    pub load_paths: Vec<String>,
    /// Whether compile errors are shown in the page whatever the pipeline's setting is.
    #[serde(default)]
    pub development: bool,
    /// Which compiler makes the tenant's files, in place of the pipeline's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// How much the tenant may ask of one web pod, in place of the pipeline's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<RateLimits>,
    /// What is not served any more unless its sources were read since.
    #[serde(default, skip_serializing_if = "Purges::is_empty")]
    pub purges: Purges,
}

impl Tenant {
    /// A tenant with nothing of its own but its site.
    pub fn new(host: HostName, id: TenantId, origin: Url) -> Self {
        Self {
            host,
            id,
            origin,
            site_url: None,
            load_paths: Vec::new(),
            development: false,
            engine: None,
            limits: None,
            purges: Purges::default(),
        }
    }

    /// Where browsers find the site's files that are no style sheets: at the site's URL, or else at the origin,
    /// unless that lies in a folder, or by its name or address in a network that they do not reach.
    pub fn public_url(&self) -> Option<&Url> {
        let origin = Some(&self.origin).filter(|origin| is_public(origin));
        self.site_url.as_ref().or(origin)
    }
}

fn is_public(url: &Url) -> bool {
    let is_http = matches!(url.scheme(), "http" | "https");
    is_http
        && match url.host() {
            Some(Host::Domain(name)) => place(name) == Place::Public,
            Some(Host::Ipv4(address)) => {
                !(address.is_private() || address.is_loopback() || address.is_link_local())
            }
            Some(Host::Ipv6(address)) => {
                !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
            }
            None => false,
        }
}

/// What `tenants/<host>.json` holds: the tenant, and whose claim on the host it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// Shape of this object; 1.
    pub version: u32,
    /// Who claimed the host, such as `assetpipeline/<namespace>/<name>`. Only the owner may change it.
    pub owner: String,
    /// A random label that lives as long as the claim; the tenant id is made from it and the generation.
    pub label: String,
    /// Rises with every change of origin, site URL or load paths.
    pub generation: u64,
    #[serde(flatten)]
    pub tenant: Tenant,
}

/// The `version` that this build writes and understands.
pub const REGISTRATION_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_sent_where_they_reach_the_site() {
        for (origin, site_url, expected) in [
            ("https://www.shop.example/a/", None, Some("https://www.shop.example/a/")),
            ("http://203.0.113.7/", None, Some("http://203.0.113.7/")),
            ("http://origin.shop.svc/", None, None),
            ("http://origin/", None, None),
            ("http://10.0.0.1:8080/", None, None),
            ("http://[fd00::1]/", None, None),
            ("file:///srv/site/", None, None),
            ("http://origin.shop.svc/", Some("http://localhost:3000/"), Some("http://localhost:3000/")),
        ] {
            let (host, id) = ("a.example".parse().unwrap(), "a-g1".parse().unwrap());
            let tenant = Tenant::new(host, id, origin.parse().unwrap());
            let tenant = Tenant { site_url: site_url.map(|url| url.parse().unwrap()), ..tenant };
            assert_eq!(tenant.public_url().map(Url::as_str), expected, "{origin}");
        }
    }

    #[test]
    fn sources_lie_below_the_origin_and_are_encoded() {
        let url = |origin: &str, path: &str| source_url(&origin.parse().unwrap(), path).unwrap().to_string();
        assert_eq!(url("http://a.example", "/x/app.scss"), "http://a.example/x/app.scss");
        assert_eq!(url("http://a.example/site/?q#f", "/app.scss"), "http://a.example/site/app.scss");
        assert_eq!(url("http://a.example/", "/a b%2f.scss"), "http://a.example/a%20b%252f.scss");
    }
}
