//! The web pod's settings, from flags or the environment, parsed once.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use clap::Parser;
use pipeline::{
    direct::NOTICE_PATH,
    env,
    options::CompileOptions,
    rate::RateLimits,
    settings::{OnOff, PodSettings},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{Authority, Backoff, ErrorDisplay, HoldSettings, InvalidAuthority, LiveSettings, Member, Policy};

/// Visitors whom one pod holds at the same time, unless it is told otherwise: at 20 kB each, 200 MB.
const MAX_HELD: usize = 10_000;
/// How many of a hundred places one tenant may take, unless it is told otherwise.
const TENANT_PERCENT: usize = 50;

/// Waits of other pods that one pod keeps open at the same time: at 4 kB each, 80 MB.
pub const MAX_WAITS: usize = 20_000;

/// Pages that may listen for changes in one pod, and of one tenant in it.
pub const MAX_STREAMS: usize = 1_000;
pub const MAX_STREAMS_PER_TENANT: usize = 50;
/// Style sheets that they may listen for in one pod, and of one tenant in it.
pub const MAX_WATCHED: usize = 500;
pub const MAX_WATCHED_PER_TENANT: usize = 64;

/// How often the sources of a tenant in development are looked at while a page listens.
pub const REFRESH_EVERY: Duration = Duration::from_secs(2);

/// Serves a pipeline's visitors.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Settings {
    #[command(flatten)]
    pub pod: PodSettings,
    /// This pod's own address, for workers to reply to
    #[arg(long, env = env::POD_IP)]
    pub pod_ip: IpAddr,
    /// PEM of the authorities that vouch for SNS's signer, in place of this machine's
    #[arg(long, env = env::SNS_CERTIFICATE_AUTHORITY, value_name = "PEM")]
    pub sns_certificate_authority: Option<String>,
    /// Where the certificate of SNS's signer is fetched, in place of SNS's own host
    #[arg(long, env = env::SNS_CERTIFICATE_ENDPOINT, value_name = "URL")]
    pub sns_certificate_endpoint: Option<Url>,
    /// Compile options, as JSON
    #[arg(long, env = env::COMPILE_OPTIONS, default_value = "{}", value_parser = parse_options)]
    pub compile_options: CompileOptions,
    /// Seconds that a visitor is held before 503
    #[arg(long, env = env::HOLD_SECONDS, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=110))]
    pub hold_seconds: u64,
    /// Visitors that are held at the same time, at the most
    #[arg(long, env = env::MAX_HELD, default_value_t = MAX_HELD)]
    pub max_held: usize,
    /// How many of a hundred places for held visitors one tenant may take
    #[arg(long, env = env::TENANT_PERCENT, default_value_t = TENANT_PERCENT, value_parser = parse_percent)]
    pub tenant_percent: usize,
    /// Seconds for which a compiled file is fresh
    #[arg(long, env = env::MAX_AGE_SECONDS, default_value_t = 300)]
    pub max_age_seconds: u64,
    /// Seconds after which a file is compiled again before it is served
    #[arg(long, env = env::MAX_STALE_SECONDS, default_value_t = 86_400)]
    pub max_stale_seconds: u64,
    /// How compile errors are answered
    #[arg(long, env = env::ERRORS, value_enum, default_value_t = ErrorDisplay::Status)]
    pub errors: ErrorDisplay,
    /// How much one tenant may ask of this pod, as JSON
    #[arg(long, env = env::RATE_LIMITS, default_value = "{}", value_parser = parse_rate_limits)]
    pub rate_limits: RateLimits,
    /// Whether pages may listen for changes of their style sheets
    #[arg(long, env = env::LIVE_RELOAD, value_enum, default_value_t = OnOff::Off)]
    pub live_reload: OnOff,
    /// Whether the store is asked again while visitors wait
    #[arg(long, env = env::RECHECK, value_enum, default_value_t = OnOff::On)]
    pub recheck: OnOff,
    /// Where visitors are served
    #[arg(long, default_value_t = SocketAddr::from(([0, 0, 0, 0], env::PUBLIC_PORT)))]
    pub listen: SocketAddr,
    /// Where pods of this pipeline send notices
    #[arg(long, default_value_t = SocketAddr::from(([0, 0, 0, 0], env::INTERNAL_PORT)))]
    pub internal_listen: SocketAddr,
}

impl Settings {
    pub fn policy(&self) -> Policy {
        Policy {
            errors: self.errors,
            max_age: Duration::from_secs(self.max_age_seconds),
            max_stale: Duration::from_secs(self.max_stale_seconds),
            backoff: Backoff::PRODUCTION,
            purged: None,
        }
    }

    pub fn hold(&self) -> HoldSettings {
        HoldSettings {
            hold: Duration::from_secs(self.hold_seconds),
            max_held: self.max_held,
            max_held_of_tenant: self.max_held.saturating_mul(self.tenant_percent) / 100,
            max_waits: MAX_WAITS,
            recheck: self.recheck,
            reply_to: Some(self.reply_to()),
            options: self.compile_options.clone(),
        }
    }

    /// How pages are told of changes, until `ended`; `None` where live reload is off.
    pub fn live(&self, ended: CancellationToken) -> Option<LiveSettings> {
        match self.live_reload {
            OnOff::Off => None,
            OnOff::On => Some(LiveSettings {
                max_streams: MAX_STREAMS,
                max_streams_per_tenant: MAX_STREAMS_PER_TENANT,
                max_watched: MAX_WATCHED,
                max_watched_per_tenant: MAX_WATCHED_PER_TENANT,
                refresh_every: REFRESH_EVERY,
                ended,
            }),
        }
    }

    /// Who vouches for SNS's signer.
    pub fn sns_authority(&self) -> Result<Authority, InvalidAuthority> {
        match &self.sns_certificate_authority {
            Some(pem) => Authority::from_pem(pem),
            None => Authority::installed(),
        }
    }

    /// This pod, as other pods know it.
    pub fn member(&self) -> Member {
        Member(SocketAddr::new(self.pod_ip, self.internal_listen.port()))
    }

    fn reply_to(&self) -> Url {
        format!("http://{}{NOTICE_PATH}", self.member())
            .parse()
            .expect("an address with a port and a path is a URL")
    }
}

fn parse_options(text: &str) -> Result<CompileOptions, serde_json::Error> {
    serde_json::from_str(text)
}

fn parse_rate_limits(text: &str) -> Result<RateLimits, serde_json::Error> {
    serde_json::from_str(text)
}

fn parse_percent(text: &str) -> Result<usize, String> {
    let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| "it is no whole number from 1 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [&str; 15] = [
        "web",
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
        "--pod-ip",
        "10.0.0.7",
    ];

    #[test]
    fn workers_reply_to_the_internal_listener_of_this_pod() {
        let settings = Settings::try_parse_from(REQUIRED).unwrap();
        assert_eq!(settings.hold().reply_to.unwrap().as_str(), "http://10.0.0.7:8081/notice");
        assert_eq!(settings.policy().errors, ErrorDisplay::Status);
    }

    #[test]
    fn malformed_settings_name_themselves() {
        for (flag, value) in [
            ("--pod-ip", "web-1"),
            ("--errors", "Maybe"),
            ("--compile-options", "{\"engine\":\"Less\"}"),
            ("--rate-limits", "{\"missesPerSecond\":0}"),
            ("--tenant-percent", "0"),
            ("--tenant-percent", "101"),
        ] {
            let arguments =
                REQUIRED.into_iter().filter(|argument| *argument != "--pod-ip" && *argument != "10.0.0.7");
            let error = Settings::try_parse_from(arguments.chain([flag, value])).unwrap_err().to_string();
            assert!(error.contains(flag), "{error}");
        }
    }
}
