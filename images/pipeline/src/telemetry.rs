//! Logs: one JSON object a line in pods, readable lines on a terminal.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Installs the process's log writer. `RUST_LOG` filters as `tracing_subscriber::EnvFilter` defines;
/// without it `default` does. Call once, at the start of main.
pub fn init(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    if stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(stderr).with_target(false)).init();
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).init();
    }
}
