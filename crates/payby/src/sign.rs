//! What is signed, in both directions: the exact bytes of the HTTP body, and nothing else. Pure: values in, text out.
//!
//! `sign` is the base64 of RSASSA-PKCS1-v1_5 with SHA-256 over the body as it travels: no sorting, no canonical form;
//! neither URL nor headers are covered (PayBy integration guide and public SDKs, read 2026-11).

use std::time::SystemTime;

use http::{HeaderName, HeaderValue};
use rampauth_core::time::to_unix_milliseconds;
use rampauth_core::{Answer, Error, ErrorKind, MAX_BODY_LENGTH, Outcome, RefreshToken, SecretString, Verifier};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::config::{Config, MerchantOrderNo};

/// The header of a signature, in requests and in answers.
pub(crate) const SIGN: HeaderName = HeaderName::from_static("sign");

/// What [`Client::check_keys`](crate::Client::check_keys) signs and sends: raw text, no JSON (PayBy's Java SDK, read
/// 2026-11).
pub const KEY_CHECK_STRING_TO_SIGN: &str = "test echo";

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshBody<'a> {
    request_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_id: Option<&'a str>,
    biz_content: BizContent<'a>,
}

struct BizContent<'a> {
    config: &'a Config,
    token: &'a RefreshToken,
    order_no: &'a MerchantOrderNo,
}

impl Serialize for BizContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut content = serializer.serialize_map(None)?;
        content.serialize_entry("merchantOrderNo", self.order_no.as_str())?;
        content.serialize_entry("subject", self.config.subject.as_str())?;
        content.serialize_entry(self.config.refresh_token_field(), self.token.expose_secret())?;
        for (name, value) in self.config.extra_fields() {
            content.serialize_entry(name, value)?;
        }
        content.end()
    }
}

/// The body of a refresh that starts at `request_time`: the text that is signed and sent, byte for byte.
///
/// `{"requestTime": …, "partnerId": …, "bizContent": {"merchantOrderNo", "subject", the refresh token, extra
/// fields}}`, in this order and without white space. `requestTime` is a JSON integer of milliseconds since 1970; PayBy
/// rejects one that is more than 15 minutes off its clock (PayBy docs, "Refresh Tokens", read 2026-11).
///
/// # Errors
///
/// [`ErrorKind::Internal`], with nothing sent, when a value has no JSON form.
pub fn refresh_string_to_sign(
    config: &Config,
    token: &RefreshToken,
    order_no: &MerchantOrderNo,
    request_time: SystemTime,
) -> Result<SecretString, Error> {
    let body = RefreshBody {
        request_time: to_unix_milliseconds(request_time),
        partner_id: config.send_partner_id.then(|| config.partner_id.as_str()),
        biz_content: BizContent { config, token, order_no },
    };
    match serde_json::to_string(&body) {
        Ok(body) => Ok(SecretString::new(body)),
        Err(_) => {
            let reason = "a value has no JSON form";
            Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "build the request", reason))
        }
    }
}

/// What an answer's `sign` proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The body is PayBy's word.
    Verified,
    /// There is no signature or a blank one, or too much was sent to check one.
    Unsigned,
    /// There is a signature, and it is not PayBy's over this body.
    Wrong,
}

impl Proof {
    /// Over the raw bytes, before anything is read from them.
    pub(crate) fn of(answer: &Answer, key: &dyn Verifier) -> Self {
        // A body that was cut cannot be verified; nothing is read from it either.
        // A blank signature is none to PayBy's own SDK (Java SDK 1.4.3, read 2026-11).
        let is_blank = |value: &HeaderValue| value.as_bytes().trim_ascii().is_empty();
        if answer.headers().get_all(SIGN).iter().all(is_blank) || answer.body().len() > MAX_BODY_LENGTH {
            return Self::Unsigned;
        }
        match answer.header(&SIGN) {
            Some(signature) if key.verify_base64(answer.body(), signature) => Self::Verified,
            _ => Self::Wrong,
        }
    }
}
