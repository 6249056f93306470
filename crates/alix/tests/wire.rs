//! Every byte that is sent, and what is read from each documented answer.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use common::{Canned, Own, card, config, email, now, on_off_ramp};
use rampauth_alix::{
    CardClient, CardCredential, CardTokens, Email, Error, Expiry, Lang, OnOffRampClient, OnOffRampCredential,
    PartnerCode, Presents, Refresh, RefreshTime, Rotation, Signature, Signer, TokenSet, TransportFailure, WhenUnknown,
};
use rampauth_core::RsaVerifyingKey;
use rampauth_test_kit::keys;

const BASE: &str = "https://sandbox.alixpay.com";
/// The sample answers of the vendor's pages (Alix docs, "Refresh Token", read 2026-11), as they stand there.
const CARD_SAMPLE: &str = include_str!("samples/card-200.json");
const CARD_REFUSAL: &str = include_str!("samples/card-400.json");
const ON_OFF_RAMP_SAMPLE: &str = r#"{"accessToken": "string", "refreshToken": "string", "signature": "string"}"#;
const ON_OFF_RAMP_REFUSAL: &str = r#"{"error": "Invalid request"}"#;

fn credential() -> CardCredential {
    CardCredential::new("the-refresh-token").expect("a token")
}

fn ramp_credential() -> OnOffRampCredential {
    OnOffRampCredential::new("the-refresh-token").expect("a token")
}

#[tokio::test]
async fn card_request() {
    let http = Canned::new(200, CARD_SAMPLE);
    card(BASE, http.clone()).refresh(&credential()).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

#[tokio::test]
async fn card_request_with_the_email_of_the_vendors_table() {
    let http = Canned::new(200, CARD_SAMPLE);
    let client = card(&format!("{BASE}/prefix/"), http.clone()).with_user_email(email());
    client.refresh(&credential()).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

/// A body is put together of parts, and what a JSON text has to escape is escaped in each.
#[tokio::test]
async fn what_has_to_be_escaped_is() {
    let (odd, at) = (r#"a"b\c"#, r#"a"b\c@example.com"#);
    let http = Canned::new(200, CARD_SAMPLE);
    let mut config = config(BASE);
    config.partner_code = PartnerCode::new(odd).expect("a partner code");
    let client = CardClient::with_http_client(config, http.clone()).with_clock(now);
    let client = client.with_user_email(Email::new(at).expect("an e-mail address"));
    client.refresh(&CardCredential::new(odd).expect("a token")).await.expect("granted");
    let request = http.request();
    let (_, body) = request.split_once("\n\n").expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let members: Vec<_> = ["partnerCode", "refreshToken", "userEmail"].map(|name| &body[name]).into();
    assert_eq!(members, [odd, odd, at]);
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(4), "and the signature");
}

#[tokio::test]
async fn on_off_ramp_request() {
    let http = Canned::new(200, ON_OFF_RAMP_SAMPLE);
    on_off_ramp(BASE, http.clone()).refresh(&ramp_credential()).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

#[tokio::test]
async fn on_off_ramp_request_in_another_language() {
    let http = Canned::new(200, ON_OFF_RAMP_SAMPLE);
    let client = OnOffRampClient::with_http_client(config(BASE), http.clone()).with_lang(Lang::Vi).with_clock(now);
    let session = client.session(Email::new("Zoë@example.com").expect("an e-mail address"));
    session.refresh(&ramp_credential()).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

fn seconds(expiry: Expiry) -> u64 {
    expiry.time().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).expect("an expiry").as_secs()
}

/// All that a caller can learn from tokens, secrets included.
fn describe(tokens: &CardTokens) -> String {
    let (access, refresh) = (tokens.access_token().clone(), tokens.refresh_credential().clone());
    format!(
        "access {} {}\nrefresh {} {}\nrotated {}",
        seconds(tokens.access_expiry()),
        access.expose_secret(),
        seconds(refresh.expiry()),
        refresh.token().expose_secret(),
        tokens.rotated(),
    )
}

#[tokio::test]
async fn the_vendors_card_sample() {
    let tokens = card(BASE, Canned::new(200, CARD_SAMPLE)).refresh(&credential()).await.expect("granted");
    insta::assert_snapshot!(describe(&tokens));
}

#[tokio::test]
async fn the_vendors_on_off_ramp_sample() {
    let tokens = on_off_ramp(BASE, Canned::new(200, ON_OFF_RAMP_SAMPLE)).refresh(&ramp_credential()).await;
    let tokens = TokenSet::from(tokens.expect("granted"));
    assert_eq!(tokens.access_token.map(|token| token.expose_secret().to_owned()).as_deref(), Some("string"));
    assert_eq!(tokens.refresh_token.map(|token| token.expose_secret().to_owned()).as_deref(), Some("string"));
    assert_eq!((tokens.access_expiry, tokens.refresh_expiry), (Expiry::Unknown, Expiry::Unknown));
}

fn summary(error: &Error) -> String {
    format!("{error} · {:?} {:?} · {:?}", error.kind(), error.outcome(), error.provider_message().unwrap_or_default())
}

#[tokio::test]
async fn the_vendors_refusals_are_understood_at_either_endpoint() {
    const CARD: &str = "failed to refresh the Alix card tokens: the provider refused";
    const MESSAGE: &str = r#"Refused Refused · "The QR code is invalid. Please check and try again""#;
    for (status, body, expected) in [
        (400, CARD_REFUSAL, format!("{CARD} (status 400, code 32) · {MESSAGE}")),
        (200, CARD_REFUSAL, format!("{CARD} (status 200, code 32) · {MESSAGE}")),
        (400, ON_OFF_RAMP_REFUSAL, format!("{CARD} (status 400) · Refused Refused · \"Invalid request\"")),
    ] {
        let at_card = card(BASE, Canned::new(status, body)).refresh(&credential()).await.expect_err("refused");
        let at_ramp =
            on_off_ramp(BASE, Canned::new(status, body)).refresh(&ramp_credential()).await.expect_err("refused");
        assert_eq!(summary(&at_ramp), summary(&at_card).replace("card", "on/off-ramp"));
        assert_eq!(summary(&at_card), expected);
    }
}

/// What a keeper concludes of a refusal in doubt hangs on it.
#[tokio::test]
async fn a_message_in_none_of_the_two_shapes_is_not_the_vendors() {
    let said = async |body: &str| {
        let refused = card(BASE, Canned::new(400, body)).refresh(&credential()).await.expect_err("refused");
        refused.provider_message().map(str::to_owned)
    };
    for body in
        [r#"{"message":"m"}"#, r#"{"message":"m","success":"no"}"#, r#"{"message":"m","error":{},"errorCode":0}"#]
    {
        assert_eq!(said(body).await, None, "{body}");
    }
    for body in [r#"{"message":"m","success":false}"#, r#"{"message":"m","errorCode":7}"#, r#"{"error":"m"}"#] {
        assert_eq!(said(body).await.as_deref(), Some("m"), "{body}");
    }
}

#[tokio::test]
async fn either_endpoint_may_answer_in_the_others_shape() {
    let bare = card(BASE, Canned::new(200, ON_OFF_RAMP_SAMPLE)).refresh(&credential()).await.expect("granted");
    assert_eq!(bare.access_token().expose_secret(), "string");
    let enveloped = on_off_ramp(BASE, Canned::new(200, CARD_SAMPLE)).refresh(&ramp_credential()).await;
    assert_eq!(enveloped.expect("granted").access_expiry(), Expiry::At(common::at(1_731_314_878)));
}

/// Header `{"alg":"HS256"}`, claims `{"exp":1731313999}`: a second before the tests take place.
const EXPIRED_JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MzEzMTM5OTl9.c2ln";

#[tokio::test]
async fn neither_an_odd_expiry_nor_an_unverified_one_kills_a_refresh_token() {
    let answer = |token: &str, expiry: &str| {
        format!(r#"{{"accessToken":"a","refreshToken":"{token}","refreshTokenExpiresAt":{expiry}}}"#)
    };
    let jwts_own = Expiry::Assumed(common::at(1_731_313_999));
    for (token, expiry, expected) in [
        // The sample's own 180 days as a lifetime.
        ("r", "\"15552000\"", Expiry::Unknown),
        ("r", "15552000", Expiry::Unknown),
        ("r", "\"2024-11-11T08:33:20Z\"", Expiry::Unknown),
        ("r", "\"2024-11-11T08:33:21Z\"", Expiry::At(common::at(1_731_314_001))),
        (EXPIRED_JWT, "15552000", jwts_own),
        (EXPIRED_JWT, "null", jwts_own),
        (EXPIRED_JWT, "1731314001", Expiry::At(common::at(1_731_314_001))),
    ] {
        let http = Canned::new(200, answer(token, expiry));
        let tokens = card(BASE, http.clone()).refresh(&credential()).await.expect("granted");
        let next = tokens.refresh_credential();
        assert_eq!((next.token().expose_secret(), next.expiry()), (token, expected), "{expiry}");
        // It is alive, so it is presented again.
        card(BASE, http).refresh(next).await.expect("granted again");
    }
}

#[tokio::test]
async fn a_number_counts_milliseconds_from_1e12_on() {
    // Long before the boundary's own time as milliseconds, so that no time is past.
    let early = || common::at(900_000_000);
    for (number, expected) in [
        // As seconds past every calendar.
        ("999999999999", Expiry::Unknown),
        ("1000000000000", Expiry::At(common::at(1_000_000_000))),
        ("\"1000000000000\"", Expiry::At(common::at(1_000_000_000))),
        ("1e12", Expiry::At(common::at(1_000_000_000))),
        ("253402207200", Expiry::At(common::at(253_402_207_200))),
    ] {
        let http = Canned::new(200, format!(r#"{{"accessToken":"a","accessTokenExpiresAt":{number}}}"#));
        let client = CardClient::with_http_client(config(BASE), http).with_clock(early);
        let tokens = client.refresh(&credential()).await.expect("granted");
        assert_eq!(tokens.access_expiry(), expected, "{number}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_presented_until_the_second_of_its_expiry() {
    let next = Expiry::At(common::at(1_731_314_001));
    let http = Canned::new(200, CARD_SAMPLE);
    card(BASE, http.clone()).refresh(&credential().with_expiry(next)).await.expect("alive");
    on_off_ramp(BASE, http).refresh(&ramp_credential().with_expiry(next)).await.expect("alive");
}

#[tokio::test]
async fn what_a_kept_refresh_token_says_of_itself_does_not_replace_what_alix_said() {
    let said = Expiry::At(common::at(1_731_400_000));
    let credential = CardCredential::new(EXPIRED_JWT).expect("a token").with_expiry(said);
    let tokens = card(BASE, Canned::new(200, r#"{"accessToken":"a"}"#)).refresh(&credential).await.expect("granted");
    assert_eq!(tokens.refresh_credential().expiry(), said);
}

#[tokio::test]
async fn an_http_client_of_ones_own_needs_no_other_crate_of_ours() {
    for (failure, expected) in [
        (None, "the answer is longer than 64 KiB (status 200)"),
        (Some(TransportFailure::Interrupted), "the connection broke before the whole answer was there"),
    ] {
        let error = card(BASE, Own(failure)).refresh(&credential()).await.expect_err("no tokens");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn the_rules_as_data() {
    let (card, ramp) = (card(BASE, Canned::new(200, "")), on_off_ramp(BASE, Canned::new(200, "")));
    assert_eq!(card.policy(), ramp.policy());
    let policy = card.policy();
    assert_eq!((policy.presents, policy.time), (Presents::RefreshToken, RefreshTime::AnyTime));
    assert_eq!((policy.rotation, policy.names_dead_tokens), (Rotation::Unpublished, false));
    assert_eq!(policy.when_unknown, WhenUnknown::Promptly { within: Duration::from_secs(60) });
    assert_eq!((policy.with_unknown_expiry, policy.ahead), (true, 0.2));
}

#[tokio::test]
async fn an_answer_signed_by_alix_is_taken_and_any_other_is_not() {
    let provider = rampauth_core::RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the provider's key");
    let good = provider.sign(b"alix-secret-key-for-tests").await.expect("a signature").to_base64();
    let refresh = async |answer: String| {
        let key = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("the provider's key");
        let client = OnOffRampClient::with_http_client(config(BASE), Canned::new(200, answer)).with_provider_key(key);
        client.with_clock(now).session(email()).refresh(&ramp_credential()).await
    };
    let answer = |signature: &str| format!(r#"{{"accessToken":"a","refreshToken":"r","signature":{signature}}}"#);
    refresh(answer(&format!("{:?}", good.expose_secret()))).await.expect("granted");

    let flipped = good.expose_secret().replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
    for wrong in [format!("{flipped:?}"), "\"\"".to_owned(), "null".to_owned(), "7".to_owned(), "\"?\"".to_owned()] {
        let error = refresh(answer(&wrong)).await.expect_err("untrusted");
        assert!(error.salvage().is_none() && error.verified() == Some(false));
        assert_eq!(
            summary(&error),
            "failed to refresh the Alix on/off-ramp tokens: the answer's signature is missing or not Alix's, so no token \
             was taken (status 200) · Untrusted Unknown · \"\""
        );
    }
}

/// Signs like the local key and counts how often it was asked.
#[derive(Clone, Debug)]
struct Counting(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Signer for Counting {
    async fn sign(&self, _message: &[u8]) -> Result<Signature, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Signature::new(vec![7; 256]))
    }
}

#[tokio::test]
async fn the_constant_signature_is_made_once_and_shared_by_clones() {
    let counting = Counting(Arc::default());
    let mut config = config(BASE);
    config.signer = Arc::new(counting.clone());
    let client = CardClient::with_http_client(config.clone(), Canned::new(200, CARD_SAMPLE)).with_clock(now);
    for client in [client.clone(), client.clone(), client] {
        client.refresh(&credential()).await.expect("granted");
    }
    assert_eq!(counting.0.load(Ordering::SeqCst), 1);

    let ramp = OnOffRampClient::with_http_client(config, Canned::new(200, ON_OFF_RAMP_SAMPLE)).with_clock(now);
    for email in ["a@example.com", "b@example.com"] {
        let session = ramp.session(Email::new(email).expect("an e-mail address"));
        session.refresh(&ramp_credential()).await.expect("granted");
        session.clone().refresh(&ramp_credential()).await.expect("granted");
    }
    assert_eq!(counting.0.load(Ordering::SeqCst), 3);
}
