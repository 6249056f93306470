//! The user token: both what authorizes a user's calls and what is presented to renew itself.

use std::fmt;
use std::time::SystemTime;

use rampauth_core::{AccessToken, ClockDifference, Error, ErrorKind, Expiry, Outcome, TokenSet};

const ACTION: &str = "read the user token";

/// A user's access token, got from Transak's e-mail login, and when it expires. A type of its own: Transak also gives
/// access tokens to partners, and one can never be presented in the other's place.
///
/// It is personal data too, for it names the user's e-mail address.
#[derive(Clone)]
pub struct UserToken {
    token: AccessToken,
    expiry: Expiry,
    clock_difference: Option<ClockDifference>,
}

impl UserToken {
    /// Checks the token, bare as Transak gave it, and takes it over. It expires when it, if it is a JWT, says so (`exp`,
    /// read and not verified); otherwise its expiry is unknown, see [`with_expiry`](Self::with_expiry).
    ///
    /// # Errors
    ///
    /// As [`AccessToken::new`]; and [`ErrorKind::Input`] when it starts with `Bearer `, in any case.
    pub fn new(token: impl Into<String>) -> Result<Self, Error> {
        AccessToken::new(token).map_err(|error| error.with_action(ACTION))?.try_into()
    }

    /// Sets when it expires, in place of what it says of itself. Once an [`Expiry::At`] has passed it is not presented
    /// any more.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// The token, which stands in the header `authorization` of the user's calls as it is, without `Bearer `.
    pub fn access_token(&self) -> &AccessToken {
        &self.token
    }

    /// When it expires.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// How far this machine's clock was from Transak's when it granted the token; `None` where no answer told. The expiry is
    /// right by this machine's clock all the same.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.clock_difference
    }

    pub(crate) fn with_clock_difference(mut self, difference: Option<ClockDifference>) -> Self {
        self.clock_difference = difference;
        self
    }

    /// Makes sure that the token is not known to be dead at `now`, so that nothing is sent in vain.
    ///
    /// "If Access token is expired, it cannot be refreshed" (docs.transak.com "Refresh User Access Token", read 2026-11).
    pub(crate) fn check_alive(&self, now: SystemTime, action: &'static str) -> Result<(), Error> {
        if self.expiry.is_known_past(now) {
            let reason = "the user token has expired and cannot be renewed any more, so nothing was sent";
            return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, action, reason)
                .with_clock_difference(self.clock_difference));
        }
        Ok(())
    }
}

/// As [`UserToken::new`].
impl TryFrom<AccessToken> for UserToken {
    type Error = Error;

    fn try_from(token: AccessToken) -> Result<Self, Error> {
        let text = token.expose_secret();
        // The token calls itself `token_type: Bearer`, and yet the header must be bare (docs.transak.com, read 2026-11).
        if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
            return Err(Error::input(ACTION, "it starts with `Bearer `; leave that prefix off"));
        }
        let expiry = Expiry::of_jwt(text);
        Ok(Self { token, expiry, clock_difference: None })
    }
}

/// Takes the access token out of a stored set. It expires when the set says that Transak said so: the set's expiry is by this
/// machine's clock, which may differ from Transak's, by which the token says its own. Without one the token's own counts, and
/// last what the set only assumes.
impl TryFrom<&TokenSet> for UserToken {
    type Error = Error;

    fn try_from(set: &TokenSet) -> Result<Self, Error> {
        let Some(token) = &set.access_token else {
            return Err(Error::input(ACTION, "a Transak user session needs an access token"));
        };
        let token = Self::try_from(token.clone())?;
        let expiry = match (token.expiry, set.access_expiry) {
            (own @ Expiry::At(_), Expiry::Assumed(_) | Expiry::Unknown) => own,
            (_, told) => told,
        };
        Ok(token.with_expiry(expiry).with_clock_difference(set.clock_difference))
    }
}

/// The token as the set's access token; there is no refresh token.
impl From<UserToken> for TokenSet {
    fn from(token: UserToken) -> Self {
        Self::new().with_access_token(token.token, token.expiry).with_clock_difference(token.clock_difference)
    }
}

impl fmt::Debug for UserToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserToken(***, expires {:?})", self.expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    /// Header `{"alg":"HS256"}`, claims `{"exp":1752921735}`.
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTI5MjE3MzV9.c2ln";

    fn at(seconds: u64) -> Expiry {
        Expiry::At(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn assumed(seconds: u64) -> Expiry {
        Expiry::Assumed(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn the_expiry_is_read_from_the_token() {
        let token = UserToken::new(JWT).expect("a token");
        assert_eq!((token.access_token().expose_secret(), token.expiry()), (JWT, at(1_752_921_735)));
        let cut = &JWT[..JWT.len() - 12];
        for opaque in ["opaque", "a.b.c", cut, "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiIxIn0.c2ln"] {
            assert_eq!(UserToken::new(opaque).expect("a token").expiry(), Expiry::Unknown, "{opaque}");
        }
        assert_eq!(UserToken::new(JWT).expect("a token").with_expiry(assumed(7)).expiry(), assumed(7));
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused() {
        let message = |token: &str| UserToken::new(token).expect_err("refused").to_string();
        for prefix in ["Bearer ", "bearer ", "BEARER "] {
            let expected = "failed to read the user token: it starts with `Bearer `; leave that prefix off";
            assert_eq!(message(&format!("{prefix}{JWT}")), expected);
        }
        assert_eq!(message(""), "failed to read the user token: it is empty");
        assert!(UserToken::new("bearer").is_ok() && UserToken::new("bearer.x").is_ok());
    }

    #[test]
    fn what_a_set_was_told_counts_before_what_the_token_says() {
        let read = |token: &str, told| {
            let set = TokenSet::new().with_access_token(AccessToken::new(token).expect("a token"), told);
            UserToken::try_from(&set).expect("a user token").expiry()
        };
        let own = at(1_752_921_735);
        assert_eq!([read(JWT, Expiry::Unknown), read(JWT, assumed(5))], [own; 2]);
        // By this machine's clock, which may be ahead of the provider's or behind it.
        for told in [at(5), at(1_752_922_935)] {
            assert_eq!(read(JWT, told), told);
        }
        for told in [Expiry::Unknown, assumed(5), at(5)] {
            assert_eq!(read("opaque", told), told);
        }
        let none = UserToken::try_from(&TokenSet::new()).expect_err("refused");
        assert_eq!(none.to_string(), "failed to read the user token: a Transak user session needs an access token");
        let prefixed = TokenSet::new().with_access_token(AccessToken::new("Bearer x").expect("a token"), own);
        assert_eq!(UserToken::try_from(&prefixed).expect_err("refused").kind(), ErrorKind::Input);
    }

    #[test]
    fn only_a_read_expiry_stops_a_token() {
        let alive = |expiry, now| {
            let token = UserToken::new("opaque").expect("a token").with_expiry(expiry);
            token.check_alive(UNIX_EPOCH + Duration::from_secs(now), "test")
        };
        let error = alive(at(5), 5).expect_err("dead");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
        assert!(alive(at(5), 4).is_ok() && alive(assumed(5), 9).is_ok() && alive(Expiry::Unknown, 9).is_ok());
    }
}
