//! From a profile to what can be done with it: refresh, sign, verify, the same way for every provider.

mod alix;
mod deferred;
mod keys;
mod payby;

use rampauth_alix::{CardClient, OnOffRampClient};
use rampauth_core::{BaseUrl, Error, ErrorKind, Refresh, RefreshPolicy, SecretString, Signer};
use rampauth_transak::{ApiKey, UserClient};

use crate::config::{Profile, Provider, printable};
use crate::http_client::{Advised, is_unreachable};
use crate::input;
pub(crate) use deferred::Deferred;
pub(crate) use keys::Keys;

/// RSASSA-PKCS1-v1_5 with SHA-256, by the name that the providers' pages use.
pub(crate) const ALGORITHM: &str = "RSA-SHA256";

/// A text and the signature over it.
#[derive(Debug)]
pub(crate) struct Signed {
    /// The text, exactly.
    pub(crate) string_to_sign: SecretString,
    /// The same with `***` for its secret parts.
    pub(crate) shown: String,
    /// In base64.
    pub(crate) signature: SecretString,
}

impl Profile {
    /// The provider's rules, which nothing has to be loaded for.
    pub(crate) fn policy(&self) -> RefreshPolicy {
        match self.provider {
            Provider::AlixCard { .. } | Provider::AlixOnOffRamp { .. } => rampauth_alix::POLICY,
            Provider::TransakUser { .. } => rampauth_transak::POLICY,
            Provider::PayBy(_) => rampauth_payby::POLICY,
            Provider::Onboard(_) => rampauth_onboard::POLICY,
        }
    }

    /// The client of the profile's provider, ready to send: its secrets are fetched, its keys loaded, and its HTTP client is built,
    /// once for all profiles that travel alike.
    ///
    /// # Errors
    ///
    /// When a secret cannot be had or is unusable, or TLS cannot be set up: by profile and key, before anything is sent.
    pub(crate) fn client(&self) -> Result<Box<dyn Refresh>, Error> {
        self.client_with(&Keys::default())
    }

    /// The same for one of many profiles, whose keys are shared.
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client).
    pub(crate) fn client_with(&self, keys: &Keys) -> Result<Box<dyn Refresh>, Error> {
        let client = self.load(keys)?;
        self.network.client()?;
        let client: Box<dyn Refresh> = match self.network.advice(self.base_url()) {
            Some(advice) => Box::new(Advised { client, concerns: is_unreachable, advice }),
            None => client,
        };
        Ok(match self.provider {
            Provider::AlixCard { .. } | Provider::AlixOnOffRamp { .. } | Provider::PayBy(_) => {
                let advice = format!("`rampauth sign {}` shows what is signed", printable(&self.name));
                Box::new(Advised { client, concerns: |error| error.kind() == ErrorKind::Refused, advice })
            }
            _ => client,
        })
    }

    /// Looks at all that the configuration names of this profile, except what is needed for sending alone.
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client).
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.load(&Keys::default()).map(drop)
    }

    fn base_url(&self) -> &BaseUrl {
        match &self.provider {
            Provider::AlixCard { partner, .. } | Provider::AlixOnOffRamp { partner, .. } => &partner.base_url,
            Provider::TransakUser { base_url, .. } => base_url,
            Provider::PayBy(merchant) => &merchant.base_url,
            Provider::Onboard(config) => &config.base_url,
        }
    }

    /// The client with its secrets and keys; its HTTP client is built when it sends.
    fn load(&self, keys: &Keys) -> Result<Box<dyn Refresh>, Error> {
        let http = || self.network.clone();
        Ok(match &self.provider {
            Provider::AlixCard { partner, user_email } => {
                let client = CardClient::with_http_client(partner.load(keys)?, http());
                match user_email {
                    Some(email) => Box::new(client.with_user_email(email.clone())),
                    None => Box::new(client),
                }
            }
            Provider::AlixOnOffRamp { partner, email, lang, provider_public_key } => {
                let config = partner.load(keys)?;
                let key = provider_public_key.as_ref().map(|key| keys.verifying(key)).transpose()?;
                let mut client = OnOffRampClient::with_http_client(config, http());
                if let Some(lang) = lang {
                    client = client.with_lang(*lang);
                }
                if let Some(key) = key {
                    client = client.with_provider_key(key);
                }
                Box::new(client.session(email.clone()))
            }
            Provider::TransakUser { base_url, api_key } => {
                let mut config = rampauth_transak::Config::new(base_url.clone());
                if let Some(key) = api_key {
                    config = config.with_api_key(keys.text(key, ApiKey::new)?);
                }
                Box::new(UserClient::with_http_client(config, http()))
            }
            Provider::PayBy(merchant) => {
                Box::new(rampauth_payby::Client::with_http_client(merchant.load(keys)?, http()))
            }
            Provider::Onboard(config) => Box::new(rampauth_onboard::Client::with_http_client(config.clone(), http())),
        })
    }

    /// What the provider's refresh call has signed, and the signature. PayBy signs the body on standard input.
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client); and when the call is not signed.
    pub(crate) async fn sign(&self) -> Result<Signed, Error> {
        match &self.provider {
            Provider::AlixCard { partner, .. } => partner.sign_card().await,
            Provider::AlixOnOffRamp { partner, email, .. } => partner.sign_on_off_ramp(email).await,
            Provider::PayBy(merchant) => merchant.sign(input::offered()?).await,
            Provider::TransakUser { .. } | Provider::Onboard(_) => {
                let reason = "this provider's refresh call is not signed: the token is all that it takes";
                Err(Error::input("sign", reason)
                    .with_help("sign with a profile of alix-card, alix-on-off-ramp or payby"))
            }
        }
    }

    /// Whether this is the provider's signature (base64): over the body on standard input for PayBy, over what it always
    /// signs for Alix on/off-ramp.
    ///
    /// # Errors
    ///
    /// When the profile has no public key, no body is there, or the provider's answers are not signed.
    pub(crate) fn verify(&self, signature: &str) -> Result<bool, Error> {
        match &self.provider {
            Provider::AlixOnOffRamp { partner, provider_public_key, .. } => {
                partner.verify(provider_public_key.as_ref(), signature)
            }
            Provider::PayBy(merchant) => merchant.verify(input::offered()?, signature),
            Provider::AlixCard { .. } | Provider::TransakUser { .. } | Provider::Onboard(_) => {
                let reason = "this provider does not sign its answers";
                Err(Error::input("verify", reason).with_help("verify with a profile of alix-on-off-ramp or payby"))
            }
        }
    }
}

async fn sign(key: &dyn Signer, string_to_sign: SecretString, shown: String) -> Result<Signed, Error> {
    let signature = key.sign(string_to_sign.expose_secret().as_bytes()).await?.to_base64();
    Ok(Signed { string_to_sign, shown, signature })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn the_rules_without_a_client_are_the_clients() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("partner.pem", rampauth_test_kit::keys::PARTNER_PKCS8.pem);
        write("public.pem", rampauth_test_kit::keys::PROVIDER_SPKI.pem);
        write("secret.txt", "secret");
        let alix =
            "partner_code = \"p\"\nsecret_key = { file = \"secret.txt\" }\nsigning_key = { file = \"partner.pem\" }";
        let payby = "partner_id = \"200001200101\"\nsigning_key = { file = \"partner.pem\" }\n\
                     provider_public_key = { file = \"public.pem\" }";
        let ramp = format!("{alix}\nemail = \"jane@example.com\"");
        let providers =
            [("alix-card", alix), ("alix-on-off-ramp", &ramp), ("transak-user", ""), ("payby", payby), ("onboard", "")];
        let section = |(provider, keys): &(&str, &str)| {
            format!("[profile.{provider}]\nprovider = \"{provider}\"\nbase_url = \"http://127.0.0.1:9\"\n{keys}\n")
        };
        write("rampauth.toml", &providers.iter().map(section).collect::<String>());
        let config = Config::load(&folder.path().join("rampauth.toml")).expect("a configuration");
        assert_eq!(config.profiles().count(), providers.len());
        for profile in config.profiles() {
            assert_eq!(profile.policy(), *profile.client().expect("a client").policy(), "{}", profile.name);
        }
    }
}
