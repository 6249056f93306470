//! No secret is in anything that prints: a needle goes in everywhere, is proven to be held, and must not come out.

mod common;

use common::{Canned, now};
use rampauth_alix::{
    AccessToken, BaseUrl, CardClient, CardCredential, Config, Email, Error, Expiry, OnOffRampClient,
    OnOffRampCredential, PartnerCode, Refresh, RefreshToken, SecretKey, Signature, Signer, TokenSet,
    card_string_to_sign, on_off_ramp_string_to_sign, response_string_to_sign,
};
use rampauth_core::{RsaSigningKey, RsaVerifyingKey};
use rampauth_test_kit::keys;
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;

const BASE: &str = "https://sandbox.alixpay.com";

struct Needles {
    secret_key: Needle,
    email: Needle,
    refresh_token: Needle,
    signature: Needle,
}

impl Needles {
    fn new() -> Self {
        Self {
            secret_key: Needle::new("secret-key"),
            email: Needle::new("email"),
            refresh_token: Needle::new("refresh-token"),
            signature: Needle::new("signature"),
        }
    }

    fn assert_absent_from(&self, what: &str, text: &str) {
        for needle in [&self.secret_key, &self.email, &self.refresh_token, &self.signature] {
            needle.assert_absent_from_nonempty(what, text);
        }
    }

    fn config(&self) -> Config {
        Config::new(
            BaseUrl::parse(BASE).expect("a base URL"),
            PartnerCode::new("zencardtest").expect("a partner code"),
            SecretKey::new(self.secret_key.as_str()).expect("a secret key"),
            Leaky(self.signature.as_str().to_owned()),
        )
    }

    fn email(&self) -> Email {
        Email::new(self.email.as_str()).expect("an e-mail address")
    }
}

/// A careless signer of a caller's: what it holds stands in its own `Debug`.
#[derive(Debug)]
struct Leaky(String);

#[async_trait::async_trait]
impl Signer for Leaky {
    async fn sign(&self, _message: &[u8]) -> Result<Signature, Error> {
        Ok(Signature::new(self.0.as_bytes().to_vec()))
    }
}

#[test]
fn no_public_type_prints_a_secret() {
    let needles = Needles::new();
    let (config, email) = (needles.config(), needles.email());
    needles.secret_key.assert_held_in("the configuration", config.secret_key.expose_secret());
    needles.email.assert_held_in("the e-mail", email.expose_secret());
    let http = Canned::new(200, "");
    let ramp = OnOffRampClient::with_http_client(config.clone(), http.clone())
        .with_provider_key(RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("a public key"));
    let card = CardCredential::new(needles.refresh_token.as_str()).expect("a token");
    let strings = [
        card_string_to_sign(&config.partner_code, &config.secret_key),
        on_off_ramp_string_to_sign(&config.partner_code, &email, &config.secret_key),
        response_string_to_sign(&config.secret_key),
    ];
    for string in &strings {
        needles.secret_key.assert_held_in("the string to sign", string.expose_secret());
    }
    for (what, text) in [
        ("Config", format!("{config:?} {config:#?}")),
        ("SecretKey", format!("{:?} {:#?}", config.secret_key, config.secret_key)),
        ("Email", format!("{email:?} {email:#?}")),
        ("the strings to sign", format!("{strings:?} {strings:#?}")),
        ("OnOffRampClient", format!("{ramp:?} {ramp:#?}")),
        ("OnOffRampSession", format!("{:?}", ramp.session(email.clone()))),
        ("CardClient", {
            let client = CardClient::with_http_client(config, http).with_user_email(email);
            format!("{client:?} {client:#?}")
        }),
        ("CardCredential", format!("{card:?} {card:#?}")),
        ("TokenSet", {
            let token = RefreshToken::new(needles.refresh_token.as_str()).expect("a token");
            format!("{:?}", TokenSet::new().with_refresh_token(token, Expiry::Unknown))
        }),
    ] {
        needles.assert_absent_from(what, &text);
    }
}

#[test]
fn no_error_about_a_setting_repeats_it() {
    let needle = Needle::new("setting");
    let value = format!("{needle}|");
    let pem = keys::PARTNER_PKCS8.pem.replace("-----END", needle.as_str());
    for error in [
        PartnerCode::new(value.as_str()).map(drop).expect_err("refused"),
        Email::new(value.as_str()).map(drop).expect_err("refused"),
        BaseUrl::parse(&format!("https://{needle}@example.com/?{needle}")).map(drop).expect_err("refused"),
        AccessToken::new(format!("{needle}\n")).map(drop).expect_err("refused"),
        RsaSigningKey::parse(pem).map(drop).expect_err("refused"),
        RsaSigningKey::parse(needle.as_str()).map(drop).expect_err("refused"),
        RsaVerifyingKey::parse(format!("-----BEGIN {needle}-----\n-----END X-----")).map(drop).expect_err("refused"),
    ] {
        needle.assert_absent_from_nonempty("an error about a setting", &render_error(&error));
    }
}

/// Answers with a needle wherever a careless reader would quote it.
fn hostile_answers(needle: &Needle) -> Vec<(u16, String)> {
    let bodies = [
        r#"{"accessToken":"N","refreshToken":"N2"}"#,
        r#"{"accessToken":["N"],"refreshToken":"N"}"#,
        r#"{"accessToken":"N","accessToken":"N","refreshToken":"N"}"#,
        r#"{"accessToken":"a","refreshToken":{"N":"N"}}"#,
        r#"{"accessToken":"N\n"}"#,
        r#"{"accessToken":"a","signature":"N"}"#,
        r#"{"success":"N","accessToken":"N"}"#,
        r#"{"success":false,"message":"N","data":{"refreshToken":"N"},"errorCode":"N"}"#,
        r#"{"success":false,"message":"N","data":null,"errorCode":"N"}"#,
        r#"{"error":"N"}"#,
        r#"{"data":"N"}"#,
        r#"{"accessToken":"a","accessTokenExpiresAt":"N"}"#,
        r#"["N"]"#,
        r#""N""#,
        r#"{"N": N}"#,
        "N",
    ];
    let answers = bodies.iter().map(|body| body.replace('N', needle.as_str()));
    answers.flat_map(|body| [200, 302, 400, 401, 403, 404, 429, 500].map(|status| (status, body.clone()))).collect()
}

#[tokio::test]
async fn no_answer_is_quoted_in_errors_or_logs() {
    let (needles, in_answers) = (Needles::new(), Needle::new("answer"));
    let logs = CaptureLogs::start();
    let mut errors = 0;
    for (status, body) in hostile_answers(&in_answers) {
        let http = Canned::new(status, body.as_str());
        let key = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("a public key");
        let card = CardClient::with_http_client(needles.config(), http.clone()).with_clock(now);
        let ramp = OnOffRampClient::with_http_client(needles.config(), http).with_clock(now);
        let plain = ramp.session(needles.email());
        let verifying = ramp.with_provider_key(key).session(needles.email());
        let token = needles.refresh_token.as_str();
        let set = TokenSet::new().with_refresh_token(RefreshToken::new(token).expect("a token"), Expiry::Unknown);
        let ramp_credential = OnOffRampCredential::new(token).expect("a token");
        for text in [
            card.refresh(&CardCredential::new(token).expect("a token")).await.map(|tokens| format!("{tokens:?}")),
            plain.refresh(&ramp_credential).await.map(|tokens| format!("{tokens:#?}")),
            verifying.refresh(&ramp_credential).await.map(|tokens| format!("{tokens:?}")),
            Refresh::refresh(&card, &set).await.map(|set| format!("{set:?}")),
        ] {
            let text = text.unwrap_or_else(|error| {
                errors += 1;
                render_error(&error)
            });
            in_answers.assert_absent_from_nonempty(&format!("the result of {status} {body}"), &text);
            needles.assert_absent_from(&format!("the result of {status} {body}"), &text);
        }
    }
    assert!(errors > 300, "only {errors} answers were refused");
    // This crate logs nothing; whatever a dependency logs, it is none of this.
    for needle in [&in_answers, &needles.secret_key, &needles.refresh_token, &needles.signature] {
        needle.assert_absent_from("the logs", &logs.text());
    }
}
