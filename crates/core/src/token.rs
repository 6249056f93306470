//! Tokens, when they expire, and the two questions asked of them: *should it be refreshed?* and *may it be used?*

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::{ClockDifference, SecretString};

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes over a token that was checked when it came in.
            #[doc(hidden)]
            pub fn from_checked(token: SecretString) -> Self {
                Self(token)
            }

            /// The token itself.
            pub fn expose_secret(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

token!(
    /// The token that authorizes calls to the provider.
    AccessToken
);
token!(
    /// The token that buys the next access token; often usable only once.
    RefreshToken
);

/// When a token expires, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expiry {
    /// The provider said so, in its answer or in the token.
    At(SystemTime),
    /// Reckoned from the documented lifetime, or read from a refresh token that nobody here can verify: good enough to
    /// schedule by, no ground for calling a token dead.
    Assumed(SystemTime),
    /// Nobody said: used until it is rejected.
    #[default]
    Unknown,
}

impl Expiry {
    /// The time to schedule by, said or assumed.
    pub fn time(self) -> Option<SystemTime> {
        match self {
            Self::At(time) | Self::Assumed(time) => Some(time),
            Self::Unknown => None,
        }
    }

    /// The same time as a hint alone, which never makes a token dead.
    #[must_use]
    pub fn as_assumed(self) -> Self {
        self.time().map_or(Self::Unknown, Self::Assumed)
    }

    /// Whether the provider's own word says that the token is dead at `now`. An assumed expiry never does.
    pub fn is_known_past(self, now: SystemTime) -> bool {
        matches!(self, Self::At(time) if time <= now)
    }
}

/// The tokens of one session, as they are stored: what a login or a refresh gave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenSet {
    /// Authorizes calls; `None` when only a refresh token is known yet.
    pub access_token: Option<AccessToken>,
    /// When the access token expires.
    pub access_expiry: Expiry,
    /// Buys the next access token; `None` where the provider has none (Transak's user token renews itself).
    pub refresh_token: Option<RefreshToken>,
    /// When the refresh token expires.
    pub refresh_expiry: Expiry,
    /// How far this machine's clock was from the provider's when it granted these; `None` where no answer told. The expiries
    /// are by this machine's clock already.
    pub clock_difference: Option<ClockDifference>,
}

impl TokenSet {
    /// No tokens yet; see the `with_…` methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the access token and when it expires.
    #[must_use]
    pub fn with_access_token(mut self, token: AccessToken, expiry: Expiry) -> Self {
        (self.access_token, self.access_expiry) = (Some(token), expiry);
        self
    }

    /// Sets the refresh token and when it expires.
    #[must_use]
    pub fn with_refresh_token(mut self, token: RefreshToken, expiry: Expiry) -> Self {
        (self.refresh_token, self.refresh_expiry) = (Some(token), expiry);
        self
    }

    /// Keeps how far this machine's clock was from the provider's.
    #[must_use]
    pub fn with_clock_difference(mut self, difference: Option<ClockDifference>) -> Self {
        self.clock_difference = difference;
        self
    }

    /// *Should it be refreshed?* True when the access token expires within `ahead` of `now`, or is missing. With an
    /// unknown expiry only a rejection can tell, so the answer is no.
    pub fn should_refresh(&self, now: SystemTime, ahead: Duration) -> bool {
        // A moment past the end of the calendar is past every expiry.
        let due = |time| now.checked_add(ahead).is_none_or(|horizon| time <= horizon);
        self.access_token.is_none() || self.access_expiry.time().is_some_and(due)
    }

    /// *May it be used at this time?* True when there is an access token that is not past its expiry at `time`; with an
    /// unknown expiry it may, until the provider rejects it.
    pub fn is_usable_at(&self, time: SystemTime) -> bool {
        self.access_token.is_some() && self.access_expiry.time().is_none_or(|expiry| time < expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_two_questions() {
        let token = AccessToken::new("a").expect("a token");
        let ask = |expiry, now| {
            let set = TokenSet::new().with_access_token(token.clone(), expiry);
            (set.should_refresh(at(now), Duration::from_secs(10)), set.is_usable_at(at(now)))
        };
        assert_eq!(ask(Expiry::At(at(100)), 89), (false, true));
        assert_eq!(ask(Expiry::At(at(100)), 90), (true, true));
        assert_eq!(ask(Expiry::Assumed(at(100)), 100), (true, false));
        assert_eq!(ask(Expiry::Unknown, 1_000), (false, true));
        assert!(TokenSet::new().should_refresh(at(0), Duration::ZERO) && !TokenSet::new().is_usable_at(at(0)));
    }

    #[test]
    fn only_the_providers_word_makes_a_token_dead() {
        assert!(Expiry::At(at(5)).is_known_past(at(5)) && !Expiry::At(at(5)).is_known_past(at(4)));
        assert!(!Expiry::Assumed(at(5)).is_known_past(at(9)) && !Expiry::Unknown.is_known_past(at(9)));
        for hint in [Expiry::At(at(5)), Expiry::Assumed(at(5))] {
            assert_eq!(hint.as_assumed(), Expiry::Assumed(at(5)));
        }
        assert_eq!(Expiry::Unknown.as_assumed(), Expiry::Unknown);
    }
}
