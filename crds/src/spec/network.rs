//! What may reach the pods, and what they may reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the operator keeps a `NetworkPolicy` for each tier of pods.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkPolicies {
    /// One for the web pods and one for the workers, which let pass what they need and nothing else.
    Managed,
    /// None is made, and those that were made are deleted.
    None,
}
