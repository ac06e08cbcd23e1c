//! The web tier: answers visitors at once from memory or the store, and holds those whose style sheet
//! does not exist yet until a worker has made it.
//!
//! Knows nothing of Kubernetes or AWS: it is given ports.

mod answer;
mod breaker;
mod complete;
mod elsewhere;
mod error_sheet;
mod files;
mod fingerprints;
mod fleet;
mod gauges;
mod hold;
mod limits;
mod live;
mod lookups;
pub mod metrics;
mod negotiate;
mod policy;
mod purge;
mod ready;
mod router;
mod serve;
pub mod settings;
mod sns;
mod visit;
mod web;
mod why;

pub use fleet::{Fleet, Member, Transport, h2::H2Transport};
pub use hold::HoldSettings;
pub use live::LiveSettings;
pub use policy::{Backoff, ErrorDisplay, Policy};
pub use ready::{AnswerBody, PublicService, public_service};
pub use router::{internal_router, public_router};
pub use serve::{Front, Fronted, Head, Ping, ServeSettings, Whole, serve};
pub use sns::{Authority, InvalidAuthority, InvalidTopicArn, SnsSetupError, SnsTopic};
pub use web::{Web, WebPorts, WebSettings};
pub use why::why_router;
