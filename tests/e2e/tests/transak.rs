//! The Transak user refresh against the sandbox: granted before expiry, refused for the right reason otherwise.

use std::time::{Duration, UNIX_EPOCH};

use rampauth_e2e::{Tampering, flip, last_refusal};
use rampauth_sandbox::{Call, Sandbox};
use rampauth_transak::{
    ApiKey, BaseUrl, Config, ErrorKind, Expiry, HttpClient, Outcome, ReqwestClient, UserClient, UserToken,
};

fn config(sandbox: &Sandbox) -> Config {
    Config::new(BaseUrl::parse(sandbox.url()).expect("a base URL"))
}

fn client(sandbox: &Sandbox, http: impl HttpClient + 'static) -> UserClient {
    UserClient::with_http_client(config(sandbox), http)
}

fn plain() -> ReqwestClient {
    ReqwestClient::new().expect("an HTTP client")
}

fn token(sandbox: &Sandbox) -> UserToken {
    UserToken::new(sandbox.issue(Call::TransakUser).access_token).expect("a token")
}

#[tokio::test]
async fn a_user_session_goes_on_refreshing() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let key = ApiKey::new(&sandbox.credentials().transak.api_key).expect("an API key");
    let client = UserClient::new(config(&sandbox).with_api_key(key)).expect("a client");
    let mut current = token(&sandbox);
    for _ in 0..2 {
        let next = client.refresh_for(&current, [192, 0, 2, 1].into()).await.expect("granted");
        assert!(matches!((next.expiry(), current.expiry()), (Expiry::At(new), Expiry::At(old)) if new > old));
        current = next;
    }
}

#[tokio::test]
async fn a_replaced_token_is_refused_as_dead() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let (client, token) = (client(&sandbox, plain()), token(&sandbox));
    client.refresh(&token).await.expect("granted");
    let error = client.refresh(&token).await.expect_err("replaced");
    assert_eq!((error.kind(), error.outcome(), error.status()), (ErrorKind::LoginNeeded, Outcome::Refused, Some(401)));
    assert_eq!(error.provider_code(), Some("1002"));
    assert_eq!(last_refusal(&sandbox), "access token was already replaced by a newer one");
}

#[tokio::test]
async fn an_expired_token_is_not_sent_and_would_be_refused() {
    let sandbox = Sandbox::builder().access_lifetime(Duration::from_secs(60)).start().await.expect("a sandbox");
    let token = token(&sandbox);
    sandbox.advance(Duration::from_secs(61));
    // By this machine's clock it is still alive, so the sandbox has to say that it is not.
    let error = client(&sandbox, plain()).refresh(&token).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
    let reason = last_refusal(&sandbox);
    assert!(reason.starts_with("access token expired"), "{reason}");

    let events = sandbox.events().len();
    let now = sandbox.now().duration_since(UNIX_EPOCH).expect("after 1970");
    let client = client(&sandbox, plain()).with_clock(move || UNIX_EPOCH + now);
    let error = client.refresh(&token).await.expect_err("not sent");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    assert_eq!(sandbox.events().len(), events);
}

#[tokio::test]
async fn a_tampered_request_is_refused_for_the_right_reason() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let with_authorization = |change: fn(&str) -> String| {
        Tampering::new(move |request: &mut http::Request<bytes::Bytes>| {
            let value = request.headers()["authorization"].to_str().expect("a text header");
            let value = change(value).parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        })
    };
    let error = client(&sandbox, with_authorization(flip)).refresh(&token(&sandbox)).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
    let reason = last_refusal(&sandbox);
    assert!(reason.contains("was not issued by this sandbox"), "{reason}");

    let bearer = with_authorization(|token| format!("Bearer {token}"));
    client(&sandbox, bearer).refresh(&token(&sandbox)).await.expect_err("refused");
    assert_eq!(last_refusal(&sandbox), "authorization starts with \"Bearer \": the header is the bare token");

    let wrong_key = ApiKey::new("not-the-api-key").expect("an API key");
    let client = UserClient::new(config(&sandbox).with_api_key(wrong_key)).expect("a client");
    let error = client.refresh(&token(&sandbox)).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unauthorized, Outcome::Refused));
    assert_eq!(last_refusal(&sandbox), "x-api-key is not the sandbox's API key");
}
