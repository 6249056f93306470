//! Where Onboard is and whose tokens are expected: everything checked before a client exists.

use rampauth_core::{BaseUrl, Error};

/// Onboard's hosts, as far as they are published: staging alone (docs.onboard.xyz, "Refresh token", read 2026-11). The
/// production host comes from Onboard and goes in as a [`BaseUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `https://external.dev.onboardpay.co`
    Staging,
}

impl Environment {
    /// The host's URL.
    pub const fn url(self) -> &'static str {
        match self {
            Self::Staging => "https://external.dev.onboardpay.co",
        }
    }
}

impl From<Environment> for BaseUrl {
    fn from(environment: Environment) -> Self {
        Self::parse(environment.url()).expect("the constants are base URLs")
    }
}

/// Onboard's id of a user, `userId` on the wire: an opaque text, compared as it is. Not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserId(String);

impl UserId {
    /// Checks and takes the id, used as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is empty.
    pub fn new(id: impl Into<String>) -> Result<Self, Error> {
        let id = id.into();
        if id.is_empty() {
            return Err(Error::config("read the user id", "it is empty"));
        }
        Ok(Self(id))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client is built from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where Onboard is.
    pub base_url: BaseUrl,
    /// Whose tokens are expected; `None` leaves that to the caller, who does not learn it through
    /// [`Refresh`](rampauth_core::Refresh).
    pub user_id: Option<UserId>,
}

impl Config {
    /// Tokens of any user, from this address.
    pub fn new(base_url: impl Into<BaseUrl>) -> Self {
        Self { base_url: base_url.into(), user_id: None }
    }

    /// Takes tokens of this user alone, for a client that serves one person, such as that of a session in a keeper:
    /// through [`Refresh`](rampauth_core::Refresh) nobody else looks whose tokens came.
    ///
    /// An answer whose `userId` is another, or cannot be told, is a protocol error, and nothing of it is handed out,
    /// not as [`salvage`](Error::salvage) either: its tokens are somebody else's. An answer that names no user breaks
    /// the contract too, but its tokens are salvaged, for nothing says that they are another's.
    #[must_use]
    pub fn with_user_id(mut self, user_id: UserId) -> Self {
        self.user_id = Some(user_id);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_a_base_url() {
        assert_eq!(BaseUrl::from(Environment::Staging).as_str(), Environment::Staging.url());
    }

    #[test]
    fn a_user_id_is_any_text_but_none() {
        assert_eq!(UserId::new(" Ü-1 ").expect("an id").as_str(), " Ü-1 ");
        let error = UserId::new("").expect_err("refused");
        assert_eq!(error.to_string(), "failed to read the user id: it is empty");
    }
}
