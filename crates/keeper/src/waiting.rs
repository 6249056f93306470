//! Waiting for a claim that is another process's: callers until it lapses, the keeper itself until it looks again.

use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome};
use tokio::time::{Instant, sleep};

use crate::keeper::random;
use crate::metrics;
use crate::process;
use crate::refresher::ACTION;
use crate::session::Inner;

/// A caller's wait for a claim that is somebody else's.
#[derive(Default)]
pub(crate) struct Wait {
    /// When it began.
    since: Option<Instant>,
    looks: u32,
}

impl Inner {
    /// Somebody is at it: the short pause of a caller until the next look, or the end of the waiting. Whoever died with a claim
    /// is waited for until it lapses.
    pub(crate) async fn wait_for_claim(
        &self,
        wait: &mut Wait,
        until: SystemTime,
        ahead: bool,
    ) -> Option<Result<(), Error>> {
        let options = self.keeper.options;
        let began = *wait.since.get_or_insert_with(|| {
            metrics::claim_waits(&self.key);
            Instant::now()
        });
        let over = began.elapsed() >= options.lease + options.save;
        if !ahead && !over {
            sleep(short_pause(wait.looks)).await;
            wait.looks += 1;
            return None;
        }
        // What comes of it is seen at the next look.
        let left = process::leave_alone(until, options.lease, self.keeper.clock.wall());
        let now = self.keeper.clock.now();
        let over = now.checked_add(left).unwrap_or(now);
        // Tokens that do not live that long are looked at again while they do.
        let next = self.next_look(now).map_or(over, |next| next.min(over));
        self.flight().look_again_at(next);
        Some(if ahead { Ok(()) } else { Err(claimed(until, left)) })
    }
}

/// Not processed: it is for the next call, once the claim is over.
fn claimed(until: SystemTime, left: Duration) -> Error {
    let until = jiff::Timestamp::try_from(until).and_then(|until| until.round(jiff::Unit::Second));
    let until = until.map_or_else(|_| "a time far away".to_owned(), |until| until.to_string());
    let reason = format!("another process holds the session's claim until {until}");
    Error::new(ErrorKind::RateLimited, Outcome::NotSent, ACTION, reason)
        .with_retry_after(Some(left))
        .with_help("try again then: the other process has new tokens by then, or its claim has lapsed")
}

/// 25 to 250 ms, longer with each look, and not the same in every process.
fn short_pause(look: u32) -> Duration {
    let ceiling = Duration::from_millis(25 * (1 << look.min(4))).min(Duration::from_millis(250));
    let part = random().map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
    ceiling.mul_f64(0.5 + 0.5 * part).max(Duration::from_millis(25))
}
