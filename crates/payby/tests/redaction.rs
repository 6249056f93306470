//! No secret is in anything that prints: a needle goes in everywhere, is proven to be held, and must not come out.

mod common;

use common::{BASE, Canned, Sign, now, partner_id, provider_key};
use rampauth_core::{RsaSigningKey, RsaVerifyingKey};
use rampauth_payby::{
    ApiVersion, BaseUrl, Client, Config, ContentLanguage, Environment, Error, Expiry, MerchantOrderNo, PartnerId,
    PayByCredential, Refresh, RefreshToken, Signature, Signer, Subject, TokenSet, Verifier, refresh_string_to_sign,
};
use rampauth_test_kit::keys;
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;

struct Needles {
    refresh_token: Needle,
    signature: Needle,
    provider_key: Needle,
    extra: Needle,
}

impl Needles {
    fn new() -> Self {
        Self {
            refresh_token: Needle::new("refresh-token"),
            signature: Needle::new("signature"),
            provider_key: Needle::new("provider-key"),
            extra: Needle::new("extra"),
        }
    }

    fn assert_absent_from(&self, what: &str, text: &str) {
        for needle in [&self.refresh_token, &self.signature, &self.provider_key, &self.extra] {
            needle.assert_absent_from_nonempty(what, text);
        }
    }

    fn config(&self) -> Config {
        let base_url = BaseUrl::parse(BASE).expect("a base URL");
        let environment = Environment::at(base_url, Leaky(self.provider_key.as_str().to_owned()));
        Config::new(environment, partner_id(), Leaky(self.signature.as_str().to_owned()))
            .with_extra_text("pin", self.extra.as_str())
            .and_then(|config| config.with_extra_json("more", format!("[\"{}\"]", self.extra)))
            .expect("legal fields")
    }

    fn credential(&self) -> PayByCredential {
        PayByCredential::new(self.refresh_token.as_str()).expect("a token")
    }
}

/// A careless key of a caller's: what it holds stands in its own `Debug`. Verifies as PayBy's key does.
#[derive(Debug)]
struct Leaky(String);

#[async_trait::async_trait]
impl Signer for Leaky {
    async fn sign(&self, _message: &[u8]) -> Result<Signature, Error> {
        Ok(Signature::new(self.0.as_bytes().to_vec()))
    }
}

impl Verifier for Leaky {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        provider_key().verify(message, signature)
    }
}

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    let needles = Needles::new();
    let (config, credential) = (needles.config(), needles.credential());
    let order_no = MerchantOrderNo::new("M1").expect("a number");
    let string = refresh_string_to_sign(&config, credential.token(), &order_no, now()).expect("a body");
    needles.refresh_token.assert_held_in("the string to sign", string.expose_secret());
    needles.extra.assert_held_in("the string to sign", string.expose_secret());
    needles.signature.assert_held_in("the signer", &format!("{:?}", config.signer));
    needles.provider_key.assert_held_in("the verifier", &format!("{:?}", config.environment.provider_key()));

    let answer = Needle::new("answer");
    let http = Canned::granting(&format!(r#""accessToken":"{answer}","refreshToken":"{answer}","other":"{answer}""#));
    let client = Client::with_http_client(config.clone(), http).with_clock(now);
    let tokens = client.refresh(&credential).await.expect("granted");
    answer.assert_held_in("the raw body", std::str::from_utf8(tokens.raw_body().expose_secret()).expect("text"));
    let set = TokenSet::from(tokens.clone());
    for (what, text) in [
        ("Config", format!("{config:?} {config:#?}")),
        ("Environment", format!("{:?} {:#?}", config.environment, config.environment)),
        ("Client", format!("{client:?} {client:#?}")),
        ("the string to sign", format!("{string:?} {string:#?}")),
        ("PayByCredential", format!("{credential:?} {credential:#?}")),
        ("PayByTokens", format!("{tokens:?} {tokens:#?} {:?}", tokens.raw_body())),
        ("TokenSet", format!("{set:?} {set:#?}")),
    ] {
        needles.assert_absent_from(what, &text);
        answer.assert_absent_from(what, &text);
    }
}

#[test]
fn no_error_about_a_setting_repeats_it() {
    let needle = Needle::new("setting");
    let long = format!("{needle}{needle}{needle}");
    let config = || Needles::new().config();
    for error in [
        PartnerId::new(long.as_str()).map(drop).expect_err("refused"),
        ContentLanguage::new(long.as_str()).map(drop).expect_err("refused"),
        ApiVersion::new(format!("{needle}\n")).map(drop).expect_err("refused"),
        Subject::new(long.as_str()).map(drop).expect_err("refused"),
        MerchantOrderNo::new(long.as_str()).map(drop).expect_err("refused"),
        PayByCredential::new(format!("{needle}\n")).map(drop).expect_err("refused"),
        BaseUrl::parse(&format!("https://{needle}@example.com/?{needle}")).map(drop).expect_err("refused"),
        config().with_extra_text("pin", needle.as_str()).map(drop).expect_err("taken"),
        config().with_extra_json("free", needle.as_str()).map(drop).expect_err("no JSON"),
        config().with_extra_json("free", format!("\"{needle}")).map(drop).expect_err("no JSON"),
        RsaSigningKey::parse(keys::PARTNER_PKCS8.pem.replace("-----END", needle.as_str()))
            .map(drop)
            .expect_err("refused"),
        RsaVerifyingKey::parse(needle.as_str()).map(drop).expect_err("refused"),
    ] {
        needle.assert_absent_from_nonempty("an error about a setting", &render_error(&error));
    }
}

/// Answers with a needle wherever a careless reader would quote it.
fn hostile_answers(needle: &Needle) -> Vec<(u16, Sign, String)> {
    let bodies = [
        r#"{"head":{"applyStatus":"SUCCESS","code":"0","msg":"N"},"body":{"accessToken":"N","refreshToken":"N2"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":["N"],"refreshToken":"N"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":"N","accessToken":"N"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":"N","access_token":"M"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":"N\n"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":"a","refreshToken":{"N":"N"}}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"accessToken":"a","expiresIn":"N","expiresAt":"N"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":{"token":"N"}}"#,
        r#"{"head":{"applyStatus":"SUCCESS","code":"0"},"body":"N"}"#,
        r#"{"head":{"applyStatus":"N","code":"0"},"body":{"accessToken":"N","refreshToken":"N"}}"#,
        r#"{"head":{"applyStatus":"FAIL","code":"400","msg":"REQUESTTIME_TOO_EARLY N","traceCode":"N"}}"#,
        r#"{"head":{"applyStatus":"FAIL","code":"400","msg":"N","traceCode":"N"},"N":"N"}"#,
        r#"{"head":{"applyStatus":"FAIL","code":"403","msg":"N"}}"#,
        r#"{"head":{"applyStatus":"FAIL","code":"N"}}"#,
        r#"{"head":{"applyStatus":["N"],"code":{"N":"N"}}}"#,
        r#"{"head":"N","head":"N"}"#,
        r#"["N"]"#,
        r#""N""#,
        r#"{"N": N}"#,
        "N",
    ];
    let mut answers = Vec::new();
    for body in bodies {
        let body = body.replace('N', needle.as_str());
        for status in [200, 302, 400, 401, 403, 404, 429, 500] {
            for sign in [Sign::Good, Sign::Stale, Sign::Absent] {
                answers.push((status, sign, body.clone()));
            }
        }
    }
    answers
}

#[tokio::test]
async fn no_answer_is_quoted_in_errors_or_logs() {
    let (needles, in_answers) = (Needles::new(), Needle::new("answer"));
    let logs = CaptureLogs::start();
    let (mut errors, mut kept, mut salvaged) = (0, 0, 0);
    for (status, sign, body) in hostile_answers(&in_answers) {
        let client =
            Client::with_http_client(needles.config(), Canned::new(status, sign, body.as_str())).with_clock(now);
        let token = RefreshToken::new(needles.refresh_token.as_str()).expect("a token");
        let set = TokenSet::new().with_refresh_token(token, Expiry::Unknown);
        let what = format!("the result of {status} {sign:?} {body}");
        for text in [
            client.refresh(&needles.credential()).await.map(|tokens| format!("{tokens:?} {tokens:#?}")),
            Refresh::refresh(&client, &set).await.map(|set| format!("{set:?} {set:#?}")),
            client.check_keys().await.map(|()| "good".to_owned()),
        ] {
            let text = text.unwrap_or_else(|error| {
                errors += 1;
                salvaged += usize::from(error.salvage().is_some());
                if let Some(answer) = error.body() {
                    kept += 1;
                    let held = std::str::from_utf8(answer.expose_secret()).expect("text");
                    in_answers.assert_held_in("the kept answer", held);
                }
                render_error(&error)
            });
            in_answers.assert_absent_from_nonempty(&what, &text);
            needles.assert_absent_from(&what, &text);
        }
    }
    assert!(errors > 1_000 && kept > 40 && salvaged > 20, "{errors} errors, {kept} kept, {salvaged} salvaged");
    // This crate logs nothing; whatever a dependency logs, it is none of this.
    for needle in [&in_answers, &needles.refresh_token, &needles.signature, &needles.extra, &needles.provider_key] {
        needle.assert_absent_from("the logs", &logs.text());
    }
}

/// What is marked as sensitive is left out by clients that log headers; nothing else in them is a secret.
#[tokio::test]
async fn the_signature_travels_in_a_header_that_is_marked() {
    let needles = Needles::new();
    let http = Canned::granting(r#""accessToken":"a""#);
    Client::with_http_client(needles.config(), http.clone())
        .with_clock(now)
        .refresh(&needles.credential())
        .await
        .expect("granted");
    let [request] = &http.sent()[..] else { panic!("not one request") };
    assert!(request.headers()["sign"].is_sensitive());
    needles.assert_absent_from("the headers", &format!("{:?}", request.headers()));
}
