//! The settings that web and worker pods have in common, from flags or the environment.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::env;

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum OnOff {
    On,
    Off,
}

/// Where a pod finds its pipeline, and who may know how it is doing.
#[derive(Debug, Args)]
pub struct PodSettings {
    /// Bucket of manifests, bodies and registry
    #[arg(long, env = env::BUCKET)]
    pub bucket: String,
    /// URL of the queue of visits
    #[arg(long, env = env::QUEUE_URL)]
    pub queue_url: String,
    /// URL of the queue of refreshes
    #[arg(long, env = env::REFRESH_QUEUE_URL)]
    pub refresh_queue_url: String,
    /// ARN of the topic of notices
    #[arg(long, env = env::TOPIC_ARN)]
    pub topic_arn: String,
    /// File of the keys that sign notices, one a line
    #[arg(long, env = env::NOTICE_KEY_FILE)]
    pub notice_key_file: PathBuf,
    /// DNS name of the headless Service of all web pods
    #[arg(long, env = env::PEERS_HOST)]
    pub peers_host: String,
    /// Where /health, /ready and /metrics are served
    #[arg(long, default_value_t = SocketAddr::from(([0, 0, 0, 0], env::OPERATION_PORT)))]
    pub operation_listen: SocketAddr,
}
