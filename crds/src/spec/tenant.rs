//! A tenant, written inline: for the handful that fits into one resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CompileEngine;

/// A site whose Sass is compiled.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// The host name under which visitors ask for the style sheets, in lower case and without a port.
    #[schemars(length(min = 1, max = 253))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$')",
        "message": "host must be a DNS name in lower case without a port, such as assets.example.com"
    }, {
        "rule": r"!self.matches('^[0-9]+([.][0-9]+){3}$')",
        "message": "host must be a DNS name and not an IP address, which no Ingress takes"
    }]))]
    pub host: String,
    /// The site's own web server: an http or https URL. A path is put before every source's path.
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        "message": "origin must be an http or https URL without user, query or fragment, such as https://www.example.com"
    }]))]
    pub origin: String,
    /// The site as visitors' browsers reach it, where that is not the `origin`, as with an origin that only the
    /// cluster reaches: an http or https URL. Fonts and images of the CSS are looked for below it, and visitors
    /// who ask for anything but style sheets are redirected there. A change makes new files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        "message": "siteUrl must be an http or https URL without user, query or fragment, such as https://www.example.com"
    }]))]
    pub site_url: Option<String>,
    /// Absolute paths at the origin where imports are looked for after the importing file's own
    /// folder, such as `/node_modules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(path, path.startsWith('/') && !path.contains('..'))",
        "message": "every entry of loadPaths must be a path that begins with / and holds no .., such as /node_modules"
    }]))]
    pub load_paths: Vec<String>,
    /// A site under development: compile errors are always shown in its pages.
    #[serde(default)]
    pub development: bool,
    /// Which compiler makes this site's CSS, in place of the pipeline's `spec.compile.engine`. A change makes
    /// new files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<CompileEngine>,
}
