//! PayBy: a merchant's settings loaded, and the bodies that are signed shown.

use rampauth_core::{Clock as _, Error, RefreshToken, SecretString, SystemClock, Verifier as _};
use rampauth_payby::{Config, Environment, refresh_string_to_sign};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Keys, Signed, sign};
use crate::config::PayByMerchant;

/// The members of a body whose text is no secret.
const PLAIN: [&str; 3] = ["\"partnerId\"", "\"merchantOrderNo\"", "\"subject\""];

impl PayByMerchant {
    pub(super) fn load(&self, keys: &Keys) -> Result<Config, Error> {
        let environment = Environment::at(self.base_url.clone(), keys.verifying(&self.provider_public_key)?);
        let mut config = Config::new(environment, self.partner_id.clone(), keys.signing(&self.signing_key)?);
        if let Some(subject) = &self.subject {
            config = config.with_subject(subject.clone());
        }
        if let Some(number) = &self.merchant_order_no {
            config = config.with_order_numbers(number.clone());
        }
        if let Some(send) = self.send_partner_id {
            config = config.with_send_partner_id(send);
        }
        if let Some(language) = &self.content_language {
            config = config.with_content_language(language.clone());
        }
        match &self.refresh_token_field {
            Some(name) => config.with_refresh_token_field(name),
            None => Ok(config),
        }
    }

    /// Signs this body; without one, that of a refresh that would be sent now. There is no refresh token at hand then:
    /// `***` stands for it, in the text and under the signature.
    pub(super) async fn sign(&self, body: Option<Zeroizing<Vec<u8>>>) -> Result<Signed, Error> {
        let config = self.load(&Keys::default())?;
        let string_to_sign = match body {
            Some(body) => {
                let text = std::str::from_utf8(&body);
                SecretString::from(text.map_err(|_| {
                    Error::input("sign the body", "it is not UTF-8")
                        .with_help("give the exact bytes of the body, which are JSON")
                })?)
            }
            None => {
                let now = SystemClock.now();
                let order_no = config.order_numbers.next(now)?;
                refresh_string_to_sign(&config, &RefreshToken::new("***")?, &order_no, now)?
            }
        };
        let shown = mask(string_to_sign.expose_secret());
        sign(&*config.signer, string_to_sign, shown).await
    }

    pub(super) fn verify(&self, body: Option<Zeroizing<Vec<u8>>>, signature: &str) -> Result<bool, Error> {
        let body = body.ok_or_else(|| {
            Error::input("verify", "the body is missing")
                .with_help("give the exact bytes of the answer's body on standard input")
        })?;
        Ok(Keys::default().verifying(&self.provider_public_key)?.verify_base64(&body, signature))
    }
}

/// The body as it stands, with `***` for every text that may be a secret; `***` alone where it is no JSON object, for then
/// nobody can say what its parts are.
fn mask(body: &str) -> String {
    // By a strict parser: what is taken for a text here must be one.
    if !serde_json::from_str::<&RawValue>(body).is_ok_and(|json| json.get().starts_with('{')) {
        return "***".to_owned();
    }
    let (mut shown, mut rest, mut name) = (String::with_capacity(body.len()), body, "");
    while let Some(start) = rest.find('"') {
        let (before, from) = rest.split_at(start);
        let (text, after) = from.split_at(end_of_text(from));
        shown.push_str(before);
        let is_name = after.trim_start().starts_with(':');
        if is_name {
            name = text;
        }
        shown.push_str(if is_name || PLAIN.contains(&name) { text } else { "\"***\"" });
        if !is_name {
            // A name is for the one text after it: what follows in a list, or in an object of its own, is another.
            name = "";
        }
        rest = after;
    }
    shown + rest
}

/// The length of the JSON text that this starts with, both quotes included.
fn end_of_text(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(from.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_it_stands_without_its_secrets() {
        let body = "{ \"requestTime\":1581493898000,\n \"partnerId\": \"20\",\"bizContent\":{\"subject\":\"i\\\"Phone\",\"refreshToken\":\"s\\\\\\\"ecret\",\"x\":[\"secret\",1]}}";
        let shown = "{ \"requestTime\":1581493898000,\n \"partnerId\": \"20\",\"bizContent\":{\"subject\":\"i\\\"Phone\",\"refreshToken\":\"***\",\"x\":[\"***\",1]}}";
        assert_eq!(mask(body), shown);
        assert_eq!(
            mask(r#"{"refreshToken":"secret","refreshToken":"secret"}"#),
            r#"{"refreshToken":"***","refreshToken":"***"}"#
        );
        assert_eq!(mask("{}"), "{}");
    }

    #[test]
    fn what_is_no_object_is_not_shown() {
        for body in [
            "test echo",
            "[\"secret\"]",
            "\"secret\"",
            "{\"a\":\"secret",
            "{\"a\":secret}",
            "{\"a\":\"b\"}\0secret",
            "",
        ] {
            assert_eq!(mask(body), "***");
        }
    }
}
