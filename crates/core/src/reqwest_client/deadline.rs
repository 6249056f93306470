//! A time limit that throws nothing away that has arrived.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long after its time a call is still looked at: long enough for the threads of the connections to hand over what lies
/// in a socket.
const LAST_LOOK: Duration = Duration::from_millis(100);
/// How often that is done for a process that stood still, be it stopped, frozen or without a processor, during the last look.
const LOOKS: u32 = 5;

/// The result of the call, if it is there in time. A process that was stopped past that time finds the answer in its socket.
pub(super) async fn in_time<F: Future>(limit: Duration, mut call: Pin<&mut F>) -> Option<F::Output> {
    if let Ok(result) = timeout(limit, call.as_mut()).await {
        return Some(result);
    }
    for _ in 0..LOOKS {
        let started = Instant::now();
        if let Ok(result) = timeout(LAST_LOOK, call.as_mut()).await {
            return Some(result);
        }
        if started.elapsed() < 2 * LAST_LOOK {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{advance, sleep};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(1);

    async fn within_the_limit(takes: Duration) -> bool {
        in_time(LIMIT, pin!(sleep(takes))).await.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_has_its_time_and_a_last_look() {
        assert!(within_the_limit(LIMIT).await);
        assert!(within_the_limit(LIMIT + LAST_LOOK).await);
        let started = Instant::now();
        assert!(!within_the_limit(LIMIT + 2 * LAST_LOOK).await);
        assert!((LIMIT..LIMIT + 2 * LAST_LOOK).contains(&started.elapsed()), "{:?}", started.elapsed());
    }

    /// What lies in a socket is taken shortly after the process goes on, however long it stood still.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_stood_still_looks_anew() {
        for stopped_at in [LIMIT - MOMENT, LIMIT + MOMENT] {
            let call = async {
                sleep(stopped_at).await;
                advance(Duration::from_secs(60)).await;
                sleep(LAST_LOOK / 2).await;
            };
            assert!(in_time(LIMIT, pin!(call)).await.is_some(), "{stopped_at:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_looks_have_an_end() {
        let call = async {
            loop {
                sleep(MOMENT).await;
                advance(Duration::from_secs(60)).await;
            }
        };
        assert!(in_time(LIMIT, pin!(call)).await.is_none());
    }
}
