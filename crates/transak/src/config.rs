//! Where Transak is and which partner calls: everything checked before a client exists.

use rampauth_core::{BaseUrl, secret_newtype};

/// Transak's gateway, which serves the calls of its users (docs.transak.com "Refresh User Access Token" and the other
/// pages of the user API, read 2026-11). Any other address goes in as a [`BaseUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `https://api-gateway-stg.transak.com`
    Staging,
    /// `https://api-gateway.transak.com`
    Production,
}

impl Environment {
    /// The gateway's URL. The partner API has hosts of its own.
    pub const fn gateway_url(self) -> &'static str {
        match self {
            Self::Staging => "https://api-gateway-stg.transak.com",
            Self::Production => "https://api-gateway.transak.com",
        }
    }
}

/// The gateway.
impl From<Environment> for BaseUrl {
    fn from(environment: Environment) -> Self {
        Self::parse(environment.gateway_url()).expect("the constants are base URLs")
    }
}

secret_newtype!(
    /// The API key that Transak assigned to the partner, the header `x-api-key`. Not empty, printable ASCII, and no space
    /// at either end, which HTTP would strip.
    ApiKey,
    action: "read the API key",
    check: check_api_key
);

fn check_api_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        Err("it is empty")
    } else if !key.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Err("it holds a character other than printable ASCII (a line break, perhaps)")
    } else if key.starts_with(' ') || key.ends_with(' ') {
        Err("it starts or ends with a space")
    } else {
        Ok(())
    }
}

/// What a client of the user API is built from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where Transak's gateway is.
    pub base_url: BaseUrl,
    /// Sent as `x-api-key` when there.
    pub api_key: Option<ApiKey>,
}

impl Config {
    /// Takes the address, checked already; no API key.
    pub fn new(base_url: impl Into<BaseUrl>) -> Self {
        Self { base_url: base_url.into(), api_key: None }
    }

    /// Sends `x-api-key` too. Transak's guides ask for it on every request of its user API, the page of this call does
    /// not list it (docs.transak.com, read 2026-11); it is left out by default.
    #[must_use]
    pub fn with_api_key(mut self, key: ApiKey) -> Self {
        self.api_key = Some(key);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_are_base_urls() {
        for environment in [Environment::Staging, Environment::Production] {
            assert_eq!(BaseUrl::from(environment).as_str(), environment.gateway_url());
        }
    }

    #[test]
    fn an_api_key_is_legal_in_a_header() {
        let charset = "it holds a character other than printable ASCII (a line break, perhaps)";
        let space = "it starts or ends with a space";
        for (bad, reason) in
            [("", "it is empty"), ("key\n", charset), ("k\u{e9}y", charset), (" key", space), ("key ", space)]
        {
            let message = ApiKey::new(bad).expect_err("refused").to_string();
            assert_eq!(message, format!("failed to read the API key: {reason}"));
        }
        for good in ["8ec94d15-b7ad-4d3e-a3e5-7f6c2a2f6c11", "a b", "~!"] {
            assert_eq!(ApiKey::new(good).expect("a key").expose_secret(), good);
        }
    }
}
