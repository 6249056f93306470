//! Who the partner is and where Alix is: everything checked before a client exists.

use std::fmt;
use std::sync::Arc;

use rampauth_core::{BaseUrl, Error, Signer, secret_newtype};

/// Alix's hosts. No page gives a host for the two refresh calls; these are the ones that other v2 calls of the same
/// documentation use (Alix docs, read 2026-11). Any other address goes in as a [`BaseUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `https://sandbox.alixpay.com`
    Sandbox,
    /// `https://api.alixpay.com`
    Production,
}

impl Environment {
    /// The host's URL.
    pub const fn url(self) -> &'static str {
        match self {
            Self::Sandbox => "https://sandbox.alixpay.com",
            Self::Production => "https://api.alixpay.com",
        }
    }
}

impl From<Environment> for BaseUrl {
    fn from(environment: Environment) -> Self {
        Self::parse(environment.url()).expect("the constants are base URLs")
    }
}

/// The partner code that Alix assigned. Not empty, and without `|`, which separates the parts of the string to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerCode(String);

impl PartnerCode {
    /// Checks and takes the partner code, used as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is empty or holds a `|`.
    pub fn new(code: impl Into<String>) -> Result<Self, Error> {
        let code = code.into();
        match check_part(&code) {
            Ok(()) => Ok(Self(code)),
            Err(reason) => Err(Error::config("read the partner code", reason)),
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

secret_newtype!(
    /// The secret key that Alix assigned: the last part of every string to sign, never sent. Not empty; may hold `|`.
    SecretKey,
    action: "read the secret key",
    check: |key| if key.is_empty() { Err("it is empty") } else { Ok(()) }
);

secret_newtype!(
    /// An end user's e-mail address, used as it is: neither trimmed nor lower-cased, because it is signed. Not empty, and
    /// without `|`. Personal data, so it is kept like a secret.
    Email,
    action: "read the e-mail address",
    check: check_part
);

fn check_part(part: &str) -> Result<(), &'static str> {
    if part.is_empty() {
        Err("it is empty")
    } else if part.contains('|') {
        Err("it holds a `|`, which separates the parts of the string to sign")
    } else {
        Ok(())
    }
}

/// The language of Alix's messages, the header `lang` (Alix docs, "Refresh Token" of the on/off-ramp API, read 2026-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lang {
    /// `en`, Alix's default.
    En,
    /// `cn`
    Cn,
    /// `vi`
    Vi,
}

impl Lang {
    /// The header's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Cn => "cn",
            Self::Vi => "vi",
        }
    }
}

/// A partner of Alix: what both products' clients are built from.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where Alix is.
    pub base_url: BaseUrl,
    /// The code that Alix assigned.
    pub partner_code: PartnerCode,
    /// The secret that Alix assigned.
    pub secret_key: SecretKey,
    /// Signs with the partner's own private key. (The refresh pages say "public key", with which nobody can sign; the
    /// "Digital Signature" page says whose key it is.)
    pub signer: Arc<dyn Signer>,
}

impl Config {
    /// Puts the parts together; each has been checked on its own.
    pub fn new(
        base_url: impl Into<BaseUrl>,
        partner_code: PartnerCode,
        secret_key: SecretKey,
        signer: impl Signer + 'static,
    ) -> Self {
        Self { base_url: base_url.into(), partner_code, secret_key, signer: Arc::new(signer) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The signer is the caller's: what its `Debug` shows is not known here.
        f.debug_struct("Config")
            .field("base_url", &self.base_url)
            .field("partner_code", &self.partner_code)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_are_base_urls() {
        for environment in [Environment::Sandbox, Environment::Production] {
            assert_eq!(BaseUrl::from(environment).as_str(), environment.url());
        }
    }

    #[test]
    fn parts_of_the_string_to_sign_keep_the_separator_to_itself() {
        let separator = "it holds a `|`, which separates the parts of the string to sign";
        let message = |result: Result<(), Error>| result.expect_err("refused").to_string();
        for (bad, reason) in [("", "it is empty"), ("a|b", separator)] {
            let code = PartnerCode::new(bad).map(drop);
            assert_eq!(message(code), format!("failed to read the partner code: {reason}"));
            let email = Email::new(bad).map(drop);
            assert_eq!(message(email), format!("failed to read the e-mail address: {reason}"));
        }
        assert_eq!(message(SecretKey::new("").map(drop)), "failed to read the secret key: it is empty");
        assert_eq!(SecretKey::new("a|b").expect("a key").expose_secret(), "a|b");
        assert_eq!(Email::new(" Jane@Example.com ").expect("an e-mail").expose_secret(), " Jane@Example.com ");
    }
}
