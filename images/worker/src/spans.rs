//! How long the parts of one job take: fetching, compiling, compressing, storing, telling.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use pipeline::ports::{Fetched, Origin, OriginError, Validators};
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use tokio::time::Instant;
use url::Url;

/// A part of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// The origin is asked, by however many requests at the same time, also while a child compiles.
    Fetch,
    /// A child compiles, and waits for what was not fetched ahead.
    Compile,
    Compress,
    /// Bodies and the manifest are written.
    Store,
    Notify,
}

impl Span {
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Compile, Self::Compress, Self::Store, Self::Notify];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Compile => "compile",
            Self::Compress => "compress",
            Self::Store => "store",
            Self::Notify => "notify",
        }
    }
}

impl EncodeLabelValue for Span {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.name().encode(encoder)
    }
}

/// One job's times. What was given up half-way counts, too.
#[derive(Debug, Default)]
pub(crate) struct Spans(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    /// In the order of `Span::ALL`; `None` for what has not happened.
    by_span: [Option<Duration>; Span::ALL.len()],
    fetches: usize,
    /// Since when there are any.
    fetching: Option<Instant>,
}

/// Adds the time of its life.
struct Timed<'s> {
    spans: &'s Spans,
    span: Span,
    began: Instant,
}

/// An origin whose answers are waited for on one job's account.
struct TimedOrigin {
    inner: Arc<dyn Origin>,
    spans: Arc<Spans>,
}

impl Spans {
    pub(crate) fn get(&self, span: Span) -> Option<Duration> {
        self.lock().by_span.get(span as usize).copied().flatten()
    }

    pub(crate) async fn time<T>(&self, span: Span, doing: impl Future<Output = T>) -> T {
        let _timed = self.timed(span);
        doing.await
    }

    /// What this origin is asked counts as fetching.
    pub(crate) fn watch(self: &Arc<Self>, origin: Arc<dyn Origin>) -> Arc<dyn Origin> {
        Arc::new(TimedOrigin { inner: origin, spans: self.clone() })
    }

    fn timed(&self, span: Span) -> Timed<'_> {
        let began = Instant::now();
        let mut times = self.lock();
        if let (Span::Fetch, true) = (span, times.fetching.is_none()) {
            times.fetching = Some(began);
        }
        times.fetches += usize::from(span == Span::Fetch);
        drop(times);
        Timed { spans: self, span, began }
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        // No code panics while it holds the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn add(&mut self, span: Span, time: Duration) {
        if let Some(total) = self.by_span.get_mut(span as usize) {
            *total = Some(total.unwrap_or_default() + time);
        }
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut times = self.spans.lock();
        match self.span {
            Span::Fetch => {
                times.fetches -= 1;
                if times.fetches == 0
                    && let Some(since) = times.fetching.take()
                {
                    times.add(Span::Fetch, now - since);
                }
            }
            Span::Compile | Span::Compress | Span::Store | Span::Notify => {
                times.add(self.span, now - self.began);
            }
        }
    }
}

#[async_trait]
impl Origin for TimedOrigin {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        self.spans.time(Span::Fetch, self.inner.fetch(url, known)).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn fetches_at_the_same_time_count_once() {
        let spans = Spans::default();
        let fetch = |after, lasts| {
            let spans = &spans;
            async move {
                sleep(millis(after)).await;
                spans.time(Span::Fetch, sleep(millis(lasts))).await;
            }
        };
        fetch(0, 5).await;
        let compile = spans.time(Span::Compile, async {
            tokio::join!(fetch(10, 30), fetch(20, 10), fetch(50, 10), sleep(millis(100)));
        });
        compile.await;
        assert_eq!(spans.get(Span::Fetch), Some(millis(45)));
        assert_eq!(spans.get(Span::Compile), Some(millis(100)));
        assert_eq!(spans.get(Span::Store), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_counts_until_then() {
        let spans = Spans::default();
        for _ in 0..2 {
            let fetch = spans.time(Span::Fetch, sleep(millis(100)));
            timeout(millis(7), spans.time(Span::Compile, fetch)).await.unwrap_err();
        }
        assert_eq!((spans.get(Span::Fetch), spans.get(Span::Compile)), (Some(millis(14)), Some(millis(14))));
    }
}
