//! Where sources come from: tenants' web servers, or a folder on a laptop.

mod cached_origin;
mod credentials;
mod file_origin;
mod guard;
mod http_origin;

pub(crate) use cached_origin::SourceCache;
pub use credentials::OriginCredentials;
pub use file_origin::FileOrigin;
pub use guard::{Guard, Reach, Refusal};
pub use http_origin::HttpOrigin;

/// The largest source that is taken, in bytes. Bootstrap's whole source is a tenth of it.
pub const MAX_SOURCE_BYTES: usize = 4 << 20;
