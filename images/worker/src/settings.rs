//! The worker pod's settings, from flags or the environment, parsed once.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use ipnet::IpNet;
use pipeline::{
    env,
    job::RUN_LIMIT_SECONDS,
    settings::{OnOff, PodSettings},
};

use crate::{ChildLimits, Limits, SourceLimits};

/// For fetching and compiling one job.
pub const RUN_LIMIT: Duration = Duration::from_secs(RUN_LIMIT_SECONDS as u64);

/// For one source.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(4);

/// What one job may read.
pub const SOURCE_LIMITS: SourceLimits = SourceLimits { files: 2_000, bytes: 16 << 20, requests: 30_000 };

/// What one compile may use. The CPU time is below the run limit, so that a loop is named as such.
pub const COMPILE_LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 8, memory_bytes: 768 << 20 }, output_bytes: 16 << 20 };

/// Compiles style sheets for the pipeline whose queue it is given.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Settings {
    #[command(flatten)]
    pub pod: PodSettings,
    /// Whether the waiting web pod is told directly
    #[arg(long, env = env::DIRECT_NOTICES, value_enum, default_value_t = OnOff::On)]
    pub direct_notices: OnOff,
    /// Private networks (CIDR) in which tenants' origins may lie, separated by commas
    #[arg(long, env = env::PRIVATE_NETWORKS, value_delimiter = ',')]
    pub private_networks: Vec<IpNet>,
    /// Folder with the headers for tenants' origins: a file for each host, which holds `Name: value`
    #[arg(long, env = env::ORIGIN_CREDENTIALS)]
    pub origin_credentials: Option<PathBuf>,
    /// Jobs at the same time
    #[arg(long, env = env::CONCURRENCY, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Seconds for which a received job stays invisible unless it is extended
    #[arg(long, env = env::VISIBILITY_SECONDS, default_value_t = 8, value_parser = clap::value_parser!(u64).range(3..=60))]
    pub visibility_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [&str; 13] = [
        "worker",
        "--bucket",
        "b",
        "--queue-url",
        "q",
        "--refresh-queue-url",
        "r",
        "--topic-arn",
        "t",
        "--notice-key-file",
        "k",
        "--peers-host",
        "p",
    ];

    #[test]
    fn defaults_fit_the_timeout_chain() {
        let settings = Settings::try_parse_from(REQUIRED).unwrap();
        let hold = Duration::from_secs(25);
        let visibility = Duration::from_secs(settings.visibility_seconds);
        assert!(Duration::from_secs(COMPILE_LIMITS.child.cpu_seconds) < RUN_LIMIT);
        assert!(RUN_LIMIT + visibility < hold);
        assert!(visibility <= hold / 3);
    }

    #[test]
    fn malformed_settings_name_themselves() {
        for (flag, value) in
            [("--private-networks", "10.0.0.0/40"), ("--concurrency", "0"), ("--direct-notices", "Maybe")]
        {
            let error =
                Settings::try_parse_from(REQUIRED.into_iter().chain([flag, value])).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(value), "{error}");
        }
    }
}
