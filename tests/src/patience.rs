//! Waiting, with a bound, for what is about to become true.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::{Instant, sleep, timeout_at};

const PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until there is an answer. Past `limit` the error says what was waited for, and
/// why the last answer was none.
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut reason = anyhow!("it was never asked to the end");
    while Instant::now() < deadline {
        match timeout_at(deadline, ask()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => reason = error,
            Err(_) => break,
        }
        sleep(PAUSE).await;
    }
    Err(reason).with_context(|| format!("waited {limit:?} in vain for {what}"))
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn first_answer_ends_the_wait() {
        let mut asked = 0;
        let answer = eventually(Duration::from_secs(5), "the third time", async || {
            asked += 1;
            ensure!(asked == 3, "it is only {asked}");
            Ok(asked)
        });
        assert_eq!(answer.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn wait_in_vain_says_what_for_and_why() {
        let never: Result<()> =
            eventually(Duration::from_secs(1), "snow", async || Err(anyhow!("it is warm"))).await;
        assert_eq!(format!("{:#}", never.unwrap_err()), "waited 1s in vain for snow: it is warm");
        let hangs: Result<()> = eventually(Duration::from_secs(1), "snow", std::future::pending).await;
        assert_eq!(
            format!("{:#}", hangs.unwrap_err()),
            "waited 1s in vain for snow: it was never asked to the end"
        );
    }
}
