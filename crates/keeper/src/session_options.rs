//! What one session is told beyond its provider's rules.

use std::time::Duration;

/// What one session is told beyond its provider's rules; see [`Keeper::session_with`](crate::Keeper::session_with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SessionOptions {
    // Whole seconds: there is one of these for each session.
    refresh_at_least_every: Option<std::num::NonZeroU32>,
    warn_before_expiry: u32,
}

impl SessionOptions {
    /// No refresh while nobody knows when the access token expires, and a warning seven days before the credential does.
    pub const fn new() -> Self {
        Self { refresh_at_least_every: None, warn_before_expiry: 7 * 86_400 }
    }

    /// Refreshes an access token of which nobody knows when it expires once it is this old, and up to a tenth of that time sooner.
    /// Whole seconds, one at least. By default such a token is used until the provider rejects it.
    ///
    /// It is an account's owner who says so, and that stands above a policy that leaves such a session alone
    /// ([`RefreshPolicy::with_unknown_expiry`](rampauth_core::RefreshPolicy)): choose less than the token lives, for some providers
    /// take none back that has expired. A token whose expiry is known or assumed is refreshed by that, whatever is said here.
    pub fn refresh_at_least_every(mut self, time: Duration) -> Self {
        self.refresh_at_least_every = std::num::NonZeroU32::new(seconds(time).max(1));
        self
    }

    /// How long before the credential's expiry [`EventKind::CredentialExpiresSoon`](crate::EventKind) is told: the refresh token's,
    /// or the access token's where that renews itself. Whole seconds; never more than the last fifth of its life, and of one that
    /// lives less than a minute nothing is told. Default seven days; zero tells nothing.
    pub fn warn_before_expiry(mut self, time: Duration) -> Self {
        self.warn_before_expiry = seconds(time);
        self
    }

    /// How old an access token may get of which nobody knows when it expires; `None` where that does not matter.
    pub fn refresh_interval(self) -> Option<Duration> {
        self.refresh_at_least_every.map(|seconds| Duration::from_secs(seconds.get().into()))
    }

    pub(crate) fn warning(self) -> Duration {
        Duration::from_secs(self.warn_before_expiry.into())
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_within_what_a_session_has_room_for() {
        let options = SessionOptions::default();
        assert_eq!((options.refresh_interval(), options.warning()), (None, Duration::from_secs(604_800)));
        let most = Duration::from_secs(u32::MAX.into());
        for (given, interval, warning) in [
            (Duration::ZERO, Duration::from_secs(1), Duration::ZERO),
            (Duration::from_millis(2_999), Duration::from_secs(2), Duration::from_secs(2)),
            (Duration::MAX, most, most),
        ] {
            let options = SessionOptions::new().refresh_at_least_every(given).warn_before_expiry(given);
            assert_eq!((options.refresh_interval(), options.warning()), (Some(interval), warning));
        }
        assert!(size_of::<SessionOptions>() == 8, "there is one for each session");
    }
}
