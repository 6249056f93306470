//! The PayBy refresh and its key check against the sandbox: granted for what is signed, refused for the right reason
//! otherwise, and no token taken from an answer that is not PayBy's.

use std::time::Duration;

use rampauth_e2e::{Tampering, flip, last_refusal, replace_in_body};
use rampauth_payby::{
    AwsLcSigningKey, AwsLcVerifyingKey, BaseUrl, Client, Config, Environment, Error, ErrorKind, Expiry, HttpClient,
    MerchantOrderNo, Outcome, PartnerId, PayByCredential, ReqwestClient, RsaSigningKey, RsaVerifyingKey, Signer,
    Verifier,
};
use rampauth_sandbox::{Call, Sandbox};
use rampauth_test_kit::keys;

fn config_with(sandbox: &Sandbox, signer: impl Signer + 'static, key: impl Verifier + 'static) -> Config {
    let partner_id = PartnerId::new(&sandbox.credentials().payby.partner_id).expect("a partner id");
    let environment = Environment::at(BaseUrl::parse(sandbox.url()).expect("a base URL"), key);
    Config::new(environment, partner_id, signer)
}

fn signer(sandbox: &Sandbox) -> RsaSigningKey {
    RsaSigningKey::parse(&sandbox.credentials().payby.signing_key).expect("the merchant's key")
}

fn provider_key(sandbox: &Sandbox) -> RsaVerifyingKey {
    RsaVerifyingKey::parse(&sandbox.credentials().payby.provider_public_key).expect("PayBy's key")
}

fn config(sandbox: &Sandbox) -> Config {
    config_with(sandbox, signer(sandbox), provider_key(sandbox))
}

fn credential(sandbox: &Sandbox) -> PayByCredential {
    PayByCredential::new(sandbox.issue(Call::PayBy).refresh_token.expect("a refresh token")).expect("a token")
}

#[tokio::test]
async fn a_session_goes_on_refreshing_with_either_backend() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let payby = &sandbox.credentials().payby;
    let aws_lc = config_with(
        &sandbox,
        AwsLcSigningKey::parse(&payby.signing_key).expect("the merchant's key"),
        AwsLcVerifyingKey::parse(&payby.provider_public_key).expect("PayBy's key"),
    );
    let clients = [config(&sandbox), aws_lc].map(|config| Client::new(config).expect("a client"));
    let mut current = credential(&sandbox);
    for client in clients.iter().cycle().take(4) {
        let tokens = client.refresh(&current).await.expect("granted");
        assert!(tokens.rotated() && matches!(tokens.access_expiry(), Expiry::At(_)));
        let raw_body = std::str::from_utf8(tokens.raw_body().expose_secret()).expect("text");
        assert!(raw_body.contains("\"applyStatus\":\"SUCCESS\""));
        current = tokens.refresh_credential().clone();
    }
}

#[tokio::test]
async fn every_option_is_accepted() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let config = config(&sandbox)
        .with_order_numbers(MerchantOrderNo::new("M965739182419").expect("an order number"))
        .with_send_partner_id(false)
        .with_extra_text("remark", "كتاب")
        .expect("an extra field");
    Client::new(config).expect("a client").refresh(&credential(&sandbox)).await.expect("granted");
}

/// What a refresh fails with, and why by the sandbox's log.
async fn refused(sandbox: &Sandbox, config: Config, http: impl HttpClient + 'static) -> (Error, String) {
    let client = Client::with_http_client(config, http);
    let error = client.refresh(&credential(sandbox)).await.expect_err("refused");
    assert_eq!((error.outcome(), error.status()), (Outcome::Refused, Some(200)));
    (error, last_refusal(sandbox))
}

#[tokio::test]
async fn a_tampered_request_is_refused_for_the_right_reason() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    const NOT_OVER: &str = "signature does not verify over the exact bytes of the body";
    let plain = || ReqwestClient::new().expect("an HTTP client");

    let one_byte = Tampering::new(|request| replace_in_body(request, "\"requestTime\":1", "\"requestTime\":2"));
    let (error, reason) = refused(&sandbox, config(&sandbox), one_byte).await;
    assert!(reason.starts_with(NOT_OVER), "{reason}");
    assert_eq!((error.kind(), error.provider_code(), error.verified()), (ErrorKind::Refused, Some("403"), Some(false)));

    let one_letter = Tampering::new(|request: &mut http::Request<bytes::Bytes>| {
        let sign = flip(request.headers()["sign"].to_str().expect("a text header"));
        request.headers_mut().insert("sign", sign.parse().expect("a header"));
    });
    let (_, reason) = refused(&sandbox, config(&sandbox), one_letter).await;
    assert!(reason.starts_with(NOT_OVER), "{reason}");

    let spaced = Tampering::new(|request| replace_in_body(request, ":", ": "));
    let (_, reason) = refused(&sandbox, config(&sandbox), spaced).await;
    assert!(reason.contains("re-serialised (compact)"), "{reason}");

    let stranger = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("another key");
    let (_, reason) = refused(&sandbox, config_with(&sandbox, stranger, provider_key(&sandbox)), plain()).await;
    assert!(reason.contains("it was not made with the partner's private key"), "{reason}");

    let other_merchant = Tampering::new(|request: &mut http::Request<bytes::Bytes>| {
        request.headers_mut().insert("partner-id", http::HeaderValue::from_static("1"));
    });
    let (_, reason) = refused(&sandbox, config(&sandbox), other_merchant).await;
    assert!(reason.starts_with("partner-id is not"), "{reason}");
}

#[tokio::test]
async fn a_stale_request_is_refused_and_the_error_says_by_how_much() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let client = Client::new(config(&sandbox)).expect("a client");
    sandbox.advance(Duration::from_secs(14 * 60));
    client.refresh(&credential(&sandbox)).await.expect("14 minutes are within the limit");
    sandbox.advance(Duration::from_secs(2 * 60));
    let error = client.refresh(&credential(&sandbox)).await.expect_err("16 minutes are not");
    assert_eq!((error.kind(), error.outcome(), error.verified()), (ErrorKind::Refused, Outcome::Refused, Some(true)));
    assert_eq!((error.provider_code(), error.provider_message()), (Some("400"), Some("REQUESTTIME_TOO_EARLY")));
    assert!(format!("{error} {}", error.help()).contains("clock"), "{error}: {}", error.help());
    assert!(last_refusal(&sandbox).contains("s behind the sandbox's clock, 900 s are allowed"));
}

#[tokio::test]
async fn a_spent_refresh_token_is_refused_by_a_signed_answer() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let (client, credential) = (Client::new(config(&sandbox)).expect("a client"), credential(&sandbox));
    client.refresh(&credential).await.expect("granted");
    let error = client.refresh(&credential).await.expect_err("spent");
    assert_eq!((error.kind(), error.outcome(), error.verified()), (ErrorKind::Refused, Outcome::Refused, Some(true)));
    assert_eq!(last_refusal(&sandbox), "refresh token was already used");
}

#[tokio::test]
async fn an_answer_that_another_key_signed_is_not_believed() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let stranger = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("another key");
    let client = Client::new(config_with(&sandbox, signer(&sandbox), stranger)).expect("a client");
    let error = client.refresh(&credential(&sandbox)).await.expect_err("untrusted");
    assert_eq!(
        (error.kind(), error.outcome(), error.verified()),
        (ErrorKind::Untrusted, Outcome::Unknown, Some(false))
    );
    assert!(error.salvage().is_none());
}

#[tokio::test]
async fn the_key_check_tells_which_key_is_wrong() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let check = async |config| Client::new(config).expect("a client").check_keys().await;
    check(config(&sandbox)).await.expect("both keys are right");

    let stranger = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("another key");
    let error = check(config_with(&sandbox, stranger, provider_key(&sandbox))).await.expect_err("a wrong signing key");
    assert!(error.to_string().contains("the signing key is likely wrong"), "{error}");

    let stranger = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("another key");
    let error = check(config_with(&sandbox, signer(&sandbox), stranger)).await.expect_err("a wrong public key");
    assert!(error.to_string().contains("the provider's public key is likely wrong"), "{error}");
}
