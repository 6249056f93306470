//! Alix: a partner's settings loaded, and the texts that it signs shown.

use rampauth_alix::{
    Config, Email, SecretKey, card_string_to_sign, on_off_ramp_string_to_sign, response_string_to_sign,
};
use rampauth_core::{Error, Verifier as _};

use super::{Keys, Signed, sign};
use crate::config::{AlixPartner, SecretRef};

impl AlixPartner {
    pub(super) fn load(&self, keys: &Keys) -> Result<Config, Error> {
        let secret_key = keys.text(&self.secret_key, SecretKey::new)?;
        let signing_key = keys.signing(&self.signing_key)?;
        Ok(Config::new(self.base_url.clone(), self.partner_code.clone(), secret_key, signing_key))
    }

    pub(super) async fn sign_card(&self) -> Result<Signed, Error> {
        let config = self.load(&Keys::default())?;
        let string_to_sign = card_string_to_sign(&config.partner_code, &config.secret_key);
        sign(&*config.signer, string_to_sign, format!("{}|***", config.partner_code.as_str())).await
    }

    pub(super) async fn sign_on_off_ramp(&self, email: &Email) -> Result<Signed, Error> {
        let config = self.load(&Keys::default())?;
        let string_to_sign = on_off_ramp_string_to_sign(&config.partner_code, email, &config.secret_key);
        // The e-mail stands in the configuration as plain text, and its spelling is what goes wrong most.
        let shown = format!("{}|{}|***", config.partner_code.as_str(), email.expose_secret());
        sign(&*config.signer, string_to_sign, shown).await
    }

    pub(super) fn verify(&self, key: Option<&SecretRef>, signature: &str) -> Result<bool, Error> {
        let Some(key) = key else {
            let place = self.secret_key.place().missing_key("provider_public_key");
            return Err(place.refuse("it is missing, and needed to verify"));
        };
        let secret_key = Keys::default().text(&self.secret_key, SecretKey::new)?;
        let signed = response_string_to_sign(&secret_key);
        Ok(Keys::default().verifying(key)?.verify_base64(signed.expose_secret().as_bytes(), signature))
    }
}
