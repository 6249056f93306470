//! Tokens, when they expire, and the two questions asked of them: *should it be refreshed?* and *may it be used?*

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::{ClockDifference, Error, SecretString};

/// The longest token that is accepted, in bytes: 64 KiB.
pub const MAX_TOKEN_LENGTH: usize = 64 * 1024;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Checks the token and takes it over.
            ///
            /// A token is 1 to 65,536 printable ASCII characters (RFC 6749, appendix A) without a space at either end,
            /// which HTTP would strip.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Input`](crate::ErrorKind::Input) when it is not; the error does not repeat the token.
            pub fn new(token: impl Into<String>) -> Result<Self, Error> {
                Self::from_secret(SecretString::new(token))
            }

            /// The same for a secret that is held already, for instance as a view of a shared block.
            ///
            /// # Errors
            ///
            /// As [`new`](Self::new).
            pub fn from_secret(token: SecretString) -> Result<Self, Error> {
                match check(token.expose_secret()) {
                    Ok(()) => Ok(Self(token)),
                    Err(reason) => Err(Error::input(concat!("read the ", $what), reason)),
                }
            }

            /// The same for a secret that was checked when it came in.
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
    AccessToken,
    "access token"
);
token!(
    /// The token that buys the next access token; often usable only once.
    RefreshToken,
    "refresh token"
);

fn check(token: &str) -> Result<(), &'static str> {
    if token.is_empty() {
        return Err("it is empty");
    }
    if token.len() > MAX_TOKEN_LENGTH {
        return Err("it is longer than 65,536 bytes");
    }
    // To the end, legal or not: without a way out half-way many bytes are looked at in one step.
    if !token.bytes().fold(true, |legal, byte| legal & (0x20..=0x7e).contains(&byte)) {
        return Err("it holds a character other than printable ASCII (a line break, perhaps)");
    }
    if token.starts_with(' ') || token.ends_with(' ') {
        return Err("it starts or ends with a space");
    }
    Ok(())
}

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
    fn tokens_are_printable_ascii() {
        for good in ["a", "a b", "~!", &"x".repeat(MAX_TOKEN_LENGTH)] {
            assert_eq!(AccessToken::new(good).expect("a token").expose_secret(), good);
        }
        let long = "x".repeat(MAX_TOKEN_LENGTH + 1);
        for (bad, message) in [
            ("", "failed to read the refresh token: it is empty"),
            (&long, "failed to read the refresh token: it is longer than 65,536 bytes"),
            (
                "a\r\nb",
                "failed to read the refresh token: it holds a character other than printable ASCII (a line break, perhaps)",
            ),
            (
                "é",
                "failed to read the refresh token: it holds a character other than printable ASCII (a line break, perhaps)",
            ),
            (" a", "failed to read the refresh token: it starts or ends with a space"),
        ] {
            assert_eq!(RefreshToken::new(bad).expect_err("refused").to_string(), message);
        }
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
