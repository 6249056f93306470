//! What a refresh-token call presents and what it gives, each marked with the kind of session it belongs to.

use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use crate::{AccessToken, ClockDifference, Error, ErrorKind, Expiry, Outcome, RefreshToken, TokenSet};

/// Names one kind of session (a provider's product), so that its tokens cannot be presented for another.
pub trait SessionKind: Send + Sync + 'static {
    /// The kind's name in messages, such as `Alix card`.
    const NAME: &'static str;
}

/// The refresh token of a session of kind `K`, and when it expires.
pub struct RefreshCredential<K> {
    token: RefreshToken,
    expiry: Expiry,
    clock_difference: Option<ClockDifference>,
    kind: PhantomData<fn() -> K>,
}

impl<K: SessionKind> RefreshCredential<K> {
    /// Takes a refresh token whose expiry is unknown; see [`with_expiry`](Self::with_expiry).
    ///
    /// # Errors
    ///
    /// As [`RefreshToken::new`].
    pub fn new(token: impl Into<String>) -> Result<Self, Error> {
        RefreshToken::new(token).map(Self::from)
    }

    /// Sets when the refresh token expires. Once an [`Expiry::At`] has passed it is not presented any more.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// The refresh token.
    pub fn token(&self) -> &RefreshToken {
        &self.token
    }

    /// When it expires.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Makes sure that the token is not known to be dead at `now`, so that nothing is sent in vain.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LoginNeeded`], with nothing sent, once its expiry, an [`Expiry::At`], has passed.
    pub fn check_alive(&self, now: SystemTime, action: &'static str) -> Result<(), Error> {
        if self.expiry.is_known_past(now) {
            let reason = "the refresh token has expired, so nothing was sent";
            return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, action, reason)
                .with_clock_difference(self.clock_difference));
        }
        Ok(())
    }
}

impl<K: SessionKind> From<RefreshToken> for RefreshCredential<K> {
    fn from(token: RefreshToken) -> Self {
        Self { token, expiry: Expiry::Unknown, clock_difference: None, kind: PhantomData }
    }
}

/// Takes the refresh token out of a stored set.
impl<K: SessionKind> TryFrom<&TokenSet> for RefreshCredential<K> {
    type Error = Error;

    fn try_from(set: &TokenSet) -> Result<Self, Error> {
        match &set.refresh_token {
            Some(token) => {
                let credential = Self::from(token.clone()).with_expiry(set.refresh_expiry);
                Ok(Self { clock_difference: set.clock_difference, ..credential })
            }
            None => {
                Err(Error::input("refresh the tokens", format!("a session of kind {} needs a refresh token", K::NAME)))
            }
        }
    }
}

impl<K> Clone for RefreshCredential<K> {
    fn clone(&self) -> Self {
        Self {
            token: self.token.clone(),
            expiry: self.expiry,
            clock_difference: self.clock_difference,
            kind: PhantomData,
        }
    }
}

impl<K: SessionKind> fmt::Debug for RefreshCredential<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshCredential({}, ***, expires {:?})", K::NAME, self.expiry)
    }
}

/// The tokens that a refresh gave to a session of kind `K`.
pub struct Granted<K> {
    access_token: AccessToken,
    access_expiry: Expiry,
    refresh: RefreshCredential<K>,
    rotated: bool,
    clock_difference: Option<ClockDifference>,
}

impl<K: SessionKind> Granted<K> {
    /// Puts an answer together with what was presented for it.
    ///
    /// Without a refresh token in the answer the presented one stays valid, with the expiry known for it unless the
    /// answer tells another; what is only assumed does not replace what the provider said.
    pub fn new(
        presented: &RefreshCredential<K>,
        access: (AccessToken, Expiry),
        refresh_token: Option<RefreshToken>,
        refresh_expiry: Expiry,
    ) -> Self {
        let rotated = refresh_token.as_ref().is_some_and(|new| new.expose_secret() != presented.token.expose_secret());
        let refresh_expiry = match (refresh_expiry, presented.expiry) {
            // An expiry belongs to its token: that of the old one says nothing about a new one.
            (expiry, _) if rotated => expiry,
            (Expiry::Unknown, known) | (Expiry::Assumed(_), known @ Expiry::At(_)) => known,
            (expiry, _) => expiry,
        };
        let token = refresh_token.unwrap_or_else(|| presented.token.clone());
        let (access_token, access_expiry) = access;
        Self {
            access_token,
            access_expiry,
            refresh: RefreshCredential::from(token).with_expiry(refresh_expiry),
            rotated,
            clock_difference: None,
        }
    }

    /// Keeps how far this machine's clock was from the provider's when it granted these tokens.
    /// [`Answer::grant`](crate::Answer::grant) does it.
    #[must_use]
    pub fn with_clock_difference(mut self, difference: Option<ClockDifference>) -> Self {
        self.clock_difference = difference;
        self.refresh.clock_difference = difference;
        self
    }

    /// The new access token.
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// When the access token expires.
    pub fn access_expiry(&self) -> Expiry {
        self.access_expiry
    }

    /// What to present next time. Store it before the access token is used.
    pub fn refresh_credential(&self) -> &RefreshCredential<K> {
        &self.refresh
    }

    /// Whether the refresh token is another one than was presented.
    pub fn rotated(&self) -> bool {
        self.rotated
    }

    /// How far this machine's clock was from the provider's; `None` where the answer did not tell. The expiries are right by
    /// this machine's clock all the same.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.clock_difference
    }
}

impl<K> From<Granted<K>> for TokenSet {
    fn from(granted: Granted<K>) -> Self {
        Self::new()
            .with_access_token(granted.access_token, granted.access_expiry)
            .with_refresh_token(granted.refresh.token, granted.refresh.expiry)
            .with_clock_difference(granted.clock_difference)
    }
}

impl<K> Clone for Granted<K> {
    fn clone(&self) -> Self {
        Self {
            access_token: self.access_token.clone(),
            access_expiry: self.access_expiry,
            refresh: self.refresh.clone(),
            rotated: self.rotated,
            clock_difference: self.clock_difference,
        }
    }
}

impl<K: SessionKind> fmt::Debug for Granted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("access_expiry", &self.access_expiry)
            .field("refresh", &self.refresh)
            .field("rotated", &self.rotated)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    struct Shop;

    impl SessionKind for Shop {
        const NAME: &'static str = "shop";
    }

    #[test]
    fn a_dead_credential_says_how_far_the_clocks_differed_when_its_tokens_were_granted() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let token = |text: &str| RefreshToken::new(text).expect("a token");
        let difference = Some(ClockDifference::from_milliseconds(-61_000));
        let told = |credential: &RefreshCredential<Shop>| {
            let error = credential.check_alive(at(100), "refresh the tokens").expect_err("it has expired");
            error.clock_difference()
        };
        let stored = TokenSet::new().with_refresh_token(token("old"), Expiry::At(at(100)));
        let bare = RefreshCredential::<Shop>::try_from(&stored).expect("a refresh token");
        assert_eq!(told(&bare), None);
        let stored = stored.with_clock_difference(difference);
        let credential = RefreshCredential::<Shop>::try_from(&stored).expect("a refresh token");
        assert_eq!((told(&credential), told(&credential.clone())), (difference, difference));

        let access = (AccessToken::new("access").expect("a token"), Expiry::Unknown);
        let granted =
            Granted::new(&bare, access, Some(token("new")), Expiry::At(at(100))).with_clock_difference(difference);
        assert_eq!(told(granted.refresh_credential()), difference);
        assert_eq!(TokenSet::from(granted).clock_difference, difference);
    }
}
