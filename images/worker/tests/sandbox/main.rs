//! What a compile child can do to anything but itself: nothing.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod attempts;
mod child;
mod layers;
