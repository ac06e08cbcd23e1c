//! How style sheets are compiled, how errors are answered, and how long results are fresh.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the CSS is laid out.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileStyle {
    #[default]
    Expanded,
    Compressed,
}

/// Which compiler makes the CSS.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileEngine {
    #[default]
    Auto,
    Grass,
    Sasso,
}

/// What becomes of URLs in the CSS that are relative or begin with `/`.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileUrls {
    #[default]
    Rebase,
    Keep,
}

/// Whether the CSS tells browsers which place in the Sass each of its places is from.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileSourceMaps {
    #[default]
    None,
    Inline,
}

/// How style sheets are compiled.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CompileSpec {
    /// `Expanded`: one declaration a line. `Compressed`: no needless white space.
    pub style: CompileStyle,
    /// `Auto`: grass, except where a style sheet's sources hold what grass is known to get wrong, or grass
    /// reports an error: then sasso. `Grass` and `Sasso`: always that one. Answers tell which one it was by
    /// their `X-Asset-Engine`. A tenant may have a setting of its own.
    pub engine: CompileEngine,
    /// What becomes of URLs of fonts and images in the CSS that are relative or begin with `/`. `Rebase`: they
    /// are made absolute below the tenant's `siteUrl`, or else its `origin`, so that browsers get the files from
    /// the site itself. `Keep`: they stay as they are; whoever follows one is redirected to the site, where fonts
    /// then need CORS headers. A change makes new files.
    pub urls: CompileUrls,
    /// Whether browsers' developer tools show the Sass. `Inline`: a source map stands in a comment at the end of the
    /// CSS, and all sources with it, for everybody to read. Only sasso makes one: what grass has made says so in
    /// its place. `None`: nothing. A change makes new files.
    pub source_maps: CompileSourceMaps,
}

/// How a compile error is answered.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompileErrors {
    /// Status 200 with a style sheet that makes the error visible in the page.
    Show,
    /// Status 422, which browsers ignore.
    #[default]
    Status,
}

/// Whether pages may listen for changes of their style sheets. Not `On` and `Off`, which YAML takes for
/// booleans.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LiveReload {
    /// `/_assets/live.js` puts changed style sheets into pages that load it.
    Enabled,
    /// `/_assets/live` and `/_assets/live.js` are not there.
    #[default]
    Disabled,
}

/// For how long compiled files are served before their sources are looked at again.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.maxStaleSeconds >= self.maxAgeSeconds",
    "message": "spec.freshness.maxStaleSeconds must not be below spec.freshness.maxAgeSeconds: raise the one or lower the other"
}]))]
pub struct FreshnessSpec {
    /// Seconds for which a compiled file is served without a look at its sources.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub max_age_seconds: i32,
    /// Seconds after which a file is compiled anew before it is served; in between it is served stale.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub max_stale_seconds: i32,
}

impl Default for FreshnessSpec {
    fn default() -> Self {
        Self { max_age_seconds: 300, max_stale_seconds: 86_400 }
    }
}
