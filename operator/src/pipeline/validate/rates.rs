//! What one tenant may ask of one web pod.

use crds::LimitsSpec;
use pipeline::rate::RateLimits;

use super::{InvalidSpec, positive};

pub fn validate_rate_limits(limits: &LimitsSpec) -> Result<RateLimits, InvalidSpec> {
    let LimitsSpec { requests_per_second, misses_per_second, cold_paths_per_minute } = limits;
    Ok(RateLimits {
        requests_per_second: positive("spec.limits.requestsPerSecond", *requests_per_second)?,
        misses_per_second: positive("spec.limits.missesPerSecond", *misses_per_second)?,
        cold_paths_per_minute: positive("spec.limits.coldPathsPerMinute", *cold_paths_per_minute)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_web_tier() {
        assert_eq!(validate_rate_limits(&LimitsSpec::default()), Ok(RateLimits::default()));
    }
}
