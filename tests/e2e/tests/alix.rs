//! Both Alix refreshes against the sandbox: granted for what is right, refused for the right reason otherwise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_alix::{
    AwsLcSigningKey, BaseUrl, CardClient, CardCredential, Config, Email, ErrorKind, Expiry, HttpClient, Lang,
    OnOffRampClient, OnOffRampCredential, Outcome, PartnerCode, Refresh, RefreshToken, ReqwestClient, RsaSigningKey,
    RsaVerifyingKey, SecretKey, Signer, TokenSet,
};
use rampauth_e2e::{Tampering, flip, last_refusal, replace_in_body};
use rampauth_sandbox::{Call, Sandbox};
use rampauth_test_kit::keys;

fn config_with(sandbox: &Sandbox, secret_key: &str, signer: impl Signer + 'static) -> Config {
    let partner = &sandbox.credentials().alix;
    Config::new(
        BaseUrl::parse(sandbox.url()).expect("a base URL"),
        PartnerCode::new(&partner.partner_code).expect("a partner code"),
        SecretKey::new(secret_key).expect("a secret key"),
        signer,
    )
}

fn config(sandbox: &Sandbox) -> Config {
    let partner = &sandbox.credentials().alix;
    config_with(sandbox, &partner.secret_key, RsaSigningKey::parse(&partner.signing_key).expect("the partner's key"))
}

fn card_credential(sandbox: &Sandbox) -> CardCredential {
    CardCredential::new(sandbox.issue(Call::AlixCard).refresh_token.expect("a refresh token")).expect("a token")
}

fn ramp_credential(sandbox: &Sandbox) -> OnOffRampCredential {
    let token = sandbox.issue(Call::AlixOnOffRamp).refresh_token.expect("a refresh token");
    OnOffRampCredential::new(token).expect("a token")
}

fn email(sandbox: &Sandbox) -> Email {
    Email::new(&sandbox.credentials().alix.email).expect("an e-mail address")
}

/// The sandbox's clock, held still, so that an expiry can be told to the second.
async fn still() -> (Sandbox, SystemTime) {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let since = sandbox.now().duration_since(UNIX_EPOCH).expect("after 1970");
    (sandbox, UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

#[tokio::test]
async fn a_card_session_goes_on_refreshing() {
    let (sandbox, started) = still().await;
    let client = CardClient::new(config(&sandbox)).expect("a client");
    let mut credential = card_credential(&sandbox);
    for _ in 0..3 {
        let tokens = client.refresh(&credential).await.expect("granted");
        assert!(tokens.rotated());
        let lifetime = tokens.access_expiry().time().expect("a time").duration_since(started).expect("in the future");
        assert!((900..960).contains(&lifetime.as_secs()), "{lifetime:?}");
        credential = tokens.refresh_credential().clone();
        assert!(matches!(credential.expiry(), Expiry::At(_)));
    }
}

#[tokio::test]
async fn an_on_off_ramp_session_with_everything_asked_for() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let key = RsaVerifyingKey::parse(&sandbox.credentials().alix.provider_public_key).expect("Alix's key");
    let client = OnOffRampClient::new(config(&sandbox)).expect("a client").with_lang(Lang::Vi).with_provider_key(key);
    let session = client.session(email(&sandbox));
    let tokens = session.refresh(&ramp_credential(&sandbox)).await.expect("granted");
    assert!(tokens.rotated() && matches!(tokens.access_expiry(), Expiry::At(_)));
    session.refresh(tokens.refresh_credential()).await.expect("granted again");
}

#[tokio::test]
async fn the_other_backend_makes_signatures_that_are_as_good() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let partner = &sandbox.credentials().alix;
    let key = AwsLcSigningKey::parse(&partner.signing_key).expect("the partner's key");
    let client = CardClient::new(config_with(&sandbox, &partner.secret_key, key)).expect("a client");
    client.refresh(&card_credential(&sandbox)).await.expect("granted");
}

const PRODUCTS: [Call; 2] = [Call::AlixCard, Call::AlixOnOffRamp];

/// Either product behind the contract that both share.
fn product(sandbox: &Sandbox, call: Call, config: Config, http: impl HttpClient + 'static) -> Box<dyn Refresh> {
    match call {
        Call::AlixCard => Box::new(CardClient::with_http_client(config, http)),
        _ => Box::new(OnOffRampClient::with_http_client(config, http).session(email(sandbox))),
    }
}

fn issued(sandbox: &Sandbox, call: Call) -> TokenSet {
    let token = sandbox.issue(call).refresh_token.expect("a refresh token");
    TokenSet::new().with_refresh_token(RefreshToken::new(token).expect("a token"), Expiry::Unknown)
}

fn plain() -> ReqwestClient {
    ReqwestClient::new().expect("an HTTP client")
}

/// Why a refresh is refused, by the sandbox's log.
async fn refused(sandbox: &Sandbox, call: Call, config: Config, http: impl HttpClient + 'static) -> String {
    let set = issued(sandbox, call);
    let error = product(sandbox, call, config, http).refresh(&set).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome(), error.status()), (ErrorKind::Refused, Outcome::Refused, Some(400)));
    // The on/off-ramp's refusals carry no code.
    assert_eq!(error.provider_code(), (call == Call::AlixCard).then_some("32"));
    last_refusal(sandbox)
}

#[tokio::test]
async fn a_tampered_request_is_refused_for_the_right_reason() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let partner = sandbox.credentials().alix.clone();
    let (code, email) = (&partner.partner_code, &partner.email);
    for call in PRODUCTS {
        let over = match call {
            Call::AlixCard => format!("\"{code}|***\" (partnerCode|secretKey)"),
            _ => format!("\"{code}|{email}|***\" (partnerCode|email|secretKey)"),
        };
        let not_over = format!("signature does not verify over {over}");

        let one_letter = Tampering::new(|request| {
            let body = std::str::from_utf8(request.body()).expect("a text body").to_owned();
            let signature = body.split("\"signature\":\"").nth(1).and_then(|rest| rest.split('"').next());
            let signature = signature.expect("a signature");
            replace_in_body(request, signature, &flip(signature));
        });
        let reason = refused(&sandbox, call, config(&sandbox), one_letter).await;
        assert!(reason.starts_with(&not_over), "{reason}");

        let stranger = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("another key");
        let reason = refused(&sandbox, call, config_with(&sandbox, &partner.secret_key, stranger), plain()).await;
        assert_eq!(reason, format!("{not_over}: it was not made with the partner's private key"));

        let key = RsaSigningKey::parse(&partner.signing_key).expect("the partner's key");
        let newline = config_with(&sandbox, &format!("{}\n", partner.secret_key), key);
        let reason = refused(&sandbox, call, newline, plain()).await;
        assert!(reason.contains("secretKey has white space around it"), "{reason}");

        let own = code.clone();
        let another_partner = Tampering::new(move |request| replace_in_body(request, &own, "another"));
        let reason = refused(&sandbox, call, config(&sandbox), another_partner).await;
        assert_eq!(reason, format!("partnerCode is not \"{code}\""));

        let unlabelled = Tampering::new(|request| drop(request.headers_mut().remove("content-type")));
        let reason = refused(&sandbox, call, config(&sandbox), unlabelled).await;
        assert_eq!(reason, "header content-type is missing");
    }
}

#[tokio::test]
async fn a_spent_refresh_token_is_refused_and_a_forged_request_spends_none() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for call in PRODUCTS {
        let set = issued(&sandbox, call);
        let forged = Tampering::new(|request| replace_in_body(request, "\"signature\":\"", "\"signature\":\"AAAA"));
        product(&sandbox, call, config(&sandbox), forged).refresh(&set).await.expect_err("refused");

        let client = product(&sandbox, call, config(&sandbox), plain());
        client.refresh(&set).await.expect("the forgery spent nothing");
        let error = client.refresh(&set).await.expect_err("spent");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Refused, Outcome::Refused));
        assert_eq!(last_refusal(&sandbox), "refresh token was already used");
    }
}

#[tokio::test]
async fn an_on_off_ramp_request_for_another_person_or_product_is_refused() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let client = OnOffRampClient::new(config(&sandbox)).expect("a client");
    let lower = Email::new(sandbox.credentials().alix.email.to_lowercase()).expect("an e-mail address");
    client.session(lower).refresh(&ramp_credential(&sandbox)).await.expect_err("refused");
    let reason = last_refusal(&sandbox);
    assert!(reason.contains("the e-mail's case was changed: sign it verbatim"), "{reason}");

    // A card token at the on/off-ramp call: the types forbid it, so it is put there by hand.
    let card = card_credential(&sandbox);
    let swapped = OnOffRampCredential::new(card.token().expose_secret()).expect("a token");
    client.session(email(&sandbox)).refresh(&swapped).await.expect_err("refused");
    let reason = last_refusal(&sandbox);
    assert!(reason.contains("alix-card"), "{reason}");
}

#[tokio::test]
async fn an_answer_that_another_key_signed_is_not_taken() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let stranger = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("another key");
    let client = OnOffRampClient::new(config(&sandbox)).expect("a client").with_provider_key(stranger);
    let error = client.session(email(&sandbox)).refresh(&ramp_credential(&sandbox)).await.expect_err("untrusted");
    assert_eq!(
        (error.kind(), error.outcome(), error.verified()),
        (ErrorKind::Untrusted, Outcome::Unknown, Some(false))
    );
}
