//! The strings that Alix signatures cover. Pure: texts in, text out.
//!
//! A literal `|` between the parts, no spaces, the secret key last and never sent (Alix docs, "Digital Signature" and the
//! two "Refresh Token" pages, read 2026-11). The signature over them is RSASSA-PKCS1-v1_5 with SHA-256 over the UTF-8
//! bytes, in base64; neither a nonce nor the time nor the refresh token is covered, so it never changes.

use rampauth_core::SecretString;

use crate::config::{Email, PartnerCode, SecretKey};

/// `partnerCode|secretKey`, for a card refresh.
pub fn card_string_to_sign(partner_code: &PartnerCode, secret_key: &SecretKey) -> SecretString {
    SecretString::new([partner_code.as_str(), secret_key.expose_secret()].join("|"))
}

/// `partnerCode|email|secretKey`, for an on/off-ramp refresh. The e-mail is signed as it is given and never sent.
pub fn on_off_ramp_string_to_sign(partner_code: &PartnerCode, email: &Email, secret_key: &SecretKey) -> SecretString {
    SecretString::new([partner_code.as_str(), email.expose_secret(), secret_key.expose_secret()].join("|"))
}

/// What Alix signs in an on/off-ramp answer: by its page the secret key alone. The page says "private key that has been
/// of yours", which cannot be, for Alix does not hold it; that Alix signs with a key of its own is inferred. Being
/// constant, it says that Alix answered, and nothing about the tokens.
pub fn response_string_to_sign(secret_key: &SecretKey) -> SecretString {
    SecretString::from(secret_key.expose_secret())
}
