//! How tenants' origins are asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Headers that tenants' origins are asked with.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OriginCredentialsSpec {
    /// A Secret in the pipeline's namespace. Each of its keys is the host of an origin, such as `www.example.com`,
    /// and the value the header that it is asked with, such as `Authorization: Bearer abc`, whichever tenant names
    /// it. Nobody else gets it, whomever the origin redirects to. Changes reach the workers within two minutes.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}
