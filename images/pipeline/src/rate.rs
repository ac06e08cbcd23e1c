//! Rate limits: a burst at once, and then so many in a time. What is limited, and what its refusal looks
//! like, is the caller's.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    state::{InMemoryState, NotKeyed},
};
use serde::{Deserialize, Serialize};

/// How much one tenant may ask of one web pod. The defaults are far above what a site needs, and far below
/// what would be felt by the other tenants of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RateLimits {
    /// Requests a second, whatever they ask for; twice as many at once.
    pub requests_per_second: NonZeroU32,
    /// Requests a second that memory alone cannot answer: each costs a read, and may cost a job. Five times
    /// as many at once.
    pub misses_per_second: NonZeroU32,
    /// Jobs a minute for paths that never gave a style sheet; as many at once.
    pub cold_paths_per_minute: NonZeroU32,
}

/// See [`RateLimits::requests_per_second`].
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10_000).expect("it is not 0");
/// See [`RateLimits::misses_per_second`].
pub const MISSES_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).expect("it is not 0");
/// See [`RateLimits::cold_paths_per_minute`].
pub const COLD_PATHS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).expect("it is not 0");

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            requests_per_second: REQUESTS_PER_SECOND,
            misses_per_second: MISSES_PER_SECOND,
            cold_paths_per_minute: COLD_PATHS_PER_MINUTE,
        }
    }
}

/// One limit. Shared by reference; takes no lock.
pub struct RateLimit(RateLimiter<NotKeyed, InMemoryState, TokioClock>);

impl RateLimit {
    /// `burst` at once, and from then on `rate` a second.
    pub fn per_second(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with(Quota::per_second(rate).allow_burst(burst))
    }

    /// `burst` at once, and from then on `rate` a minute.
    pub fn per_minute(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with(Quota::per_minute(rate).allow_burst(burst))
    }

    /// Takes one, or tells how long it is until there is one to take.
    pub fn take(&self) -> Result<(), Duration> {
        self.0.check().map_err(|not_until| not_until.wait_time_from(TokioClock.now()))
    }

    fn with(quota: Quota) -> Self {
        Self(RateLimiter::direct_with_clock(quota, TokioClock))
    }
}

/// The runtime's clock, which tests move.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn burst_is_taken_at_once_and_the_rest_at_the_rate() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let limit = RateLimit::per_second(number(2), number(3));
        assert_eq!([(); 3].map(|()| limit.take()), [Ok(()); 3]);
        assert_eq!(limit.take(), Err(Duration::from_millis(500)));
        advance(Duration::from_millis(500)).await;
        assert_eq!(limit.take(), Ok(()));
        assert!(limit.take().is_err());
        advance(Duration::from_mins(1)).await;
        assert_eq!([(); 3].map(|()| limit.take()), [Ok(()); 3]);
        assert!(limit.take().is_err(), "idle time was saved up beyond the burst");
    }

    #[test]
    fn limits_that_are_left_out_have_their_defaults() {
        let limits: RateLimits = serde_json::from_str(r#"{"missesPerSecond": 7}"#).unwrap();
        let expected = RateLimits { misses_per_second: NonZeroU32::new(7).unwrap(), ..RateLimits::default() };
        assert_eq!(limits, expected);
        for wrong in [r#"{"missesPerSecond": 0}"#, r#"{"missesPerHour": 1}"#] {
            assert!(serde_json::from_str::<RateLimits>(wrong).is_err(), "{wrong}");
        }
    }
}
