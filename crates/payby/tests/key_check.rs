//! The key self-test: what each answer says of the two keys.

mod common;

use std::time::Duration;

use common::Sign::{self, Absent, Good};
use common::{BASE, Canned, client, expand, now, provider_key};
use rampauth_core::{ReqwestClient, RsaSigningKey, RsaVerifyingKey};
use rampauth_payby::{BaseUrl, Client, Config, Environment, Error, PartnerId, PayByCredential, Signature, Signer};
use rampauth_sandbox::{Call, PayByCredentials, Sandbox};
use rampauth_test_kit::keys;
use rampauth_test_kit::scripted::{Script, ScriptedServer};

const PROVIDER_KEY: &str =
    "untrusted: the answer's signature does not verify: the provider's public key is likely wrong";
const SIGNING_KEY: &str = "the provider did not accept the request's signature: the signing key is likely wrong";
const NEITHER: &str = "untrusted: the answer is not signed, which says nothing of either key";

fn describe(result: Result<(), Error>) -> String {
    let Err(error) = result else { return "good".to_owned() };
    let message = error.to_string();
    let reason = message.strip_prefix("failed to check the PayBy keys: ").expect("the call is named");
    format!("{}: {reason}", error.kind().as_str())
}

#[tokio::test]
async fn each_answer_says_which_key_is_likely_wrong() {
    let error = r#"{"head":{"applyStatus":"ERROR","code":"400","msg":"m"}}"#;
    for (status, sign, body, expected) in [
        (200, Good, "test echo", "good".to_owned()),
        (202, Good, "", "good".to_owned()),
        (200, Good, r#"{#0,"body":"test echo"}"#, "good".to_owned()),
        // The signing key.
        (200, Absent, "{#403}", format!("refused: {SIGNING_KEY} (status 200, code 403)")),
        (200, Good, "{#403}", format!("refused: {SIGNING_KEY} (status 200, code 403)")),
        (200, Absent, error, format!("refused: {SIGNING_KEY} (status 200, code 400)")),
        (401, Absent, "", format!("unauthorized: {SIGNING_KEY} (status 401)")),
        (403, Absent, "<html>", format!("forbidden: {SIGNING_KEY} (status 403)")),
        (403, Sign::Blank, "", format!("forbidden: {SIGNING_KEY} (status 403)")),
        // PayBy's key.
        (200, Sign::Foreign, "test echo", format!("{PROVIDER_KEY} (status 200)")),
        (200, Sign::Stale, "{#403}", format!("{PROVIDER_KEY} (status 200)")),
        (403, Sign::Garbage, "", format!("{PROVIDER_KEY} (status 403)")),
        // Neither.
        (200, Absent, "test echo", format!("{NEITHER} (status 200)")),
        (200, Sign::Blank, "test echo", format!("{NEITHER} (status 200)")),
        (200, Absent, "{#0}", format!("{NEITHER} (status 200, code 0)")),
        (200, Absent, "{#62001}", format!("{NEITHER} (status 200, code 62001)")),
        (200, Absent, "", format!("{NEITHER} (status 200)")),
        (200, Good, "{#62001}", "refused: the provider refused (status 200, code 62001)".to_owned()),
        (
            200,
            Good,
            "{#402}",
            "rate_limited: the provider turned the call away as one too many (status 200, code 402)".to_owned(),
        ),
        (200, Absent, "{#500}", "server: the provider failed (status 200, code 500)".to_owned()),
        (404, Absent, "", "wrong_endpoint: the provider has no such call at this address (status 404)".to_owned()),
        (302, Good, "", "protocol: the provider redirected, which is never followed (status 302)".to_owned()),
        (500, Sign::Stale, "", "server: the provider failed (status 500)".to_owned()),
    ] {
        let http = Canned::new(status, sign, expand(body));
        let result = client(BASE, http.clone()).check_keys().await;
        if let Err(error) = &result {
            assert_eq!(error.verified(), Some(sign == Good), "{status} {sign:?} {body}");
        }
        assert_eq!(describe(result), expected, "{status} {sign:?} {body}");
        assert_eq!(http.sent().len(), 1);
    }
}

#[tokio::test]
async fn the_advice_is_about_the_keys_and_never_about_a_token_in_doubt() {
    let help = async |status, sign, body: &str| {
        let error = client(BASE, Canned::new(status, sign, expand(body))).check_keys().await.expect_err("bad");
        error.help().to_owned()
    };
    insta::assert_snapshot!(help(200, Absent, "{#403}").await, @"check the partner id, and that PayBy has this signing key's public half on file for this merchant and this environment");
    insta::assert_snapshot!(help(200, Sign::Stale, "test echo").await, @"get the public key for this merchant and this environment from PayBy; the signing key was not judged");
    insta::assert_snapshot!(help(200, Absent, "test echo").await, @"check the base URL: something other than PayBy may have answered");
    insta::assert_snapshot!(help(500, Absent, "").await, @"neither key was judged and no token was presented: try again, and check the base URL");
    for script in [Script::Stalled, Script::CloseAfterRequest] {
        let server = ScriptedServer::start(script);
        let http = ReqwestClient::builder().timeout(Duration::from_millis(800)).build().expect("an HTTP client");
        let error = client(&server.url(), http).check_keys().await.expect_err("no answer");
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.help(), @"neither key was judged and no token was presented: try again, and check the base URL");
        }
        server.assert_exactly_one_request_async().await;
    }
}

/// A client of the sandbox's merchant with these keys (PEM), at a time that is off by `behind`.
fn merchant(sandbox: &Sandbox, signing_key: &str, provider_key: &str, behind: Duration) -> Client {
    let PayByCredentials { partner_id, .. } = &sandbox.credentials().payby;
    let provider_key = RsaVerifyingKey::parse(provider_key).expect("a public key");
    let environment = Environment::at(BaseUrl::parse(sandbox.url()).expect("a base URL"), provider_key);
    let config = Config::new(
        environment,
        PartnerId::new(partner_id).expect("a partner id"),
        RsaSigningKey::parse(signing_key).expect("a private key"),
    );
    let now = sandbox.now() - behind;
    Client::with_http_client(config, ReqwestClient::new().expect("an HTTP client")).with_clock(move || now)
}

#[tokio::test]
async fn the_sandbox_tells_the_keys_apart() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let good = sandbox.credentials().payby.clone();
    let check = async |signing_key: &str, provider_key: &str| {
        describe(merchant(&sandbox, signing_key, provider_key, Duration::ZERO).check_keys().await)
    };
    assert_eq!(check(&good.signing_key, &good.provider_public_key).await, "good");
    let swapped = check(keys::PARTNER_PKCS8.pem, &good.provider_public_key).await;
    assert_eq!(swapped, format!("refused: {SIGNING_KEY} (status 200, code 403)"));
    let swapped = check(&good.signing_key, keys::PROVIDER_SPKI.pem).await;
    assert_eq!(swapped, format!("{PROVIDER_KEY} (status 200)"));
    assert_eq!(sandbox.events().len(), 3);
}

#[tokio::test]
async fn the_sandbox_grants_and_refuses_a_time_that_is_off() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let good = sandbox.credentials().payby.clone();
    let refresh = async |behind: Duration| {
        let token = sandbox.issue(Call::PayBy).refresh_token.expect("a refresh token");
        let client = merchant(&sandbox, &good.signing_key, &good.provider_public_key, behind);
        client.refresh(&PayByCredential::new(token).expect("a token")).await
    };
    let tokens = refresh(Duration::from_secs(60)).await.expect("granted");
    assert!(tokens.rotated() && tokens.access_expiry().time().is_some());
    let error = refresh(Duration::from_secs(3_600)).await.expect_err("refused");
    let difference = error.clock_difference().expect("the difference is told");
    assert!((3_590..3_700).contains(&difference.by().as_secs()) && !difference.is_ahead(), "{difference}");
    assert!(error.help().ends_with(&difference.to_string()), "{}", error.help());
}

/// A signer that is out of reach.
#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl Signer for Broken {
    async fn sign(&self, _message: &[u8]) -> Result<Signature, Error> {
        Err(Error::config("reach the key service", "it is locked"))
    }
}

#[tokio::test]
async fn without_a_signature_nothing_is_sent() {
    let http = Canned::new(200, Good, "test echo");
    let environment = Environment::staging(provider_key());
    let config = Config::new(environment, common::partner_id(), Broken);
    let client = Client::with_http_client(config, http.clone()).with_clock(now);
    let error = client.check_keys().await.expect_err("no signature");
    assert_eq!(error.to_string(), "failed to check the PayBy keys: it is locked");
    let error = client.refresh(&common::credential()).await.expect_err("no signature");
    assert_eq!(error.to_string(), "failed to refresh the PayBy tokens: it is locked");
    assert!(http.sent().is_empty());
}
