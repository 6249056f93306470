//! The whole way, against the sandbox, which is as strict as its documentation says production is.

mod common;

use std::sync::Arc;
use std::time::Duration;

use rampauth_core::ReqwestClient;
use rampauth_sandbox::{Call, Sandbox, Verdict};
use rampauth_transak::{ApiKey, BaseUrl, Config, ErrorKind, Expiry, Outcome, Refresh, TokenSet, UserClient, UserToken};

const DAY: Duration = Duration::from_secs(86_400);

/// A client that takes the time from the sandbox.
fn client(sandbox: &Arc<Sandbox>, config: Config) -> UserClient {
    let clock = Arc::clone(sandbox);
    UserClient::with_http_client(config, ReqwestClient::new().expect("an HTTP client")).with_clock(move || clock.now())
}

fn config(sandbox: &Sandbox) -> Config {
    Config::new(BaseUrl::parse(sandbox.url()).expect("a base URL"))
}

#[tokio::test]
async fn a_token_is_renewed_again_and_again() {
    let sandbox = Arc::new(Sandbox::start().await.expect("a sandbox"));
    let key = ApiKey::new(&sandbox.credentials().transak.api_key).expect("a key");
    let client = client(&sandbox, config(&sandbox).with_api_key(key));
    let mut token = UserToken::new(sandbox.issue(Call::TransakUser).access_token).expect("a token");
    for ip in ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"] {
        sandbox.advance(25 * DAY);
        let renewed = client.refresh_for(&token, ip.parse().expect("an address")).await.expect("granted");
        let (Expiry::At(old), Expiry::At(new)) = (token.expiry(), renewed.expiry()) else {
            panic!("the sandbox's tokens say when they expire")
        };
        let gained = new.duration_since(old).expect("a later time");
        assert!(gained.abs_diff(25 * DAY) < Duration::from_secs(60), "{gained:?}");
        token = renewed;
    }
    sandbox.advance(25 * DAY);
    let set = Refresh::refresh(&client, &TokenSet::from(token)).await.expect("granted");
    assert!(set.is_usable_at(sandbox.now()) && set.refresh_token.is_none());
    assert!(sandbox.events().iter().all(|event| event.verdict == Verdict::Granted));
    assert_eq!(sandbox.events().len(), 4);
}

#[tokio::test]
async fn a_replaced_an_expired_and_a_foreign_token_need_a_login_and_a_wrong_key_does_not() {
    let sandbox = Arc::new(Sandbox::start().await.expect("a sandbox"));
    let issue = || UserToken::new(sandbox.issue(Call::TransakUser).access_token).expect("a token");
    let plain = client(&sandbox, config(&sandbox));
    let wrong_key = config(&sandbox).with_api_key(ApiKey::new("not-the-key").expect("a key"));

    let token = issue();
    let error = client(&sandbox, wrong_key).refresh(&token).await.expect_err("the key is wrong");
    assert_eq!(
        (error.kind(), error.outcome(), error.provider_code()),
        (ErrorKind::Unauthorized, Outcome::Refused, None)
    );
    sandbox.advance(DAY);
    plain.refresh(&token).await.expect("the token was not touched");

    let foreign = UserToken::new("foreign").expect("a token");
    for dead in [&token, &foreign] {
        let error = plain.refresh(dead).await.expect_err("a dead token");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
        assert_eq!((error.status(), error.provider_code()), (Some(401), Some("1002")));
    }

    let token = issue();
    sandbox.advance(31 * DAY);
    let sent = sandbox.events().len();
    let error = plain.refresh(&token).await.expect_err("an expired token");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    assert_eq!(sandbox.events().len(), sent);
    // One whose expiry is not known goes out, and it is the provider that refuses.
    let error = plain.refresh(&token.with_expiry(Expiry::Unknown)).await.expect_err("an expired token");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
}
