//! The Onboard refresh against the sandbox: granted for a live refresh token, refused for the right reason otherwise.

use rampauth_e2e::{Tampering, flip, last_refusal};
use rampauth_onboard::{
    BaseUrl, Client, Config, ErrorKind, Expiry, HttpClient, OnboardCredential, Outcome, ReqwestClient, UserId,
};
use rampauth_sandbox::{Call, Sandbox};

fn config(sandbox: &Sandbox) -> Config {
    Config::new(BaseUrl::parse(sandbox.url()).expect("a base URL"))
}

fn client(sandbox: &Sandbox, http: impl HttpClient + 'static) -> Client {
    Client::with_http_client(config(sandbox), http)
}

fn plain() -> ReqwestClient {
    ReqwestClient::new().expect("an HTTP client")
}

fn credential(sandbox: &Sandbox) -> OnboardCredential {
    OnboardCredential::new(sandbox.issue(Call::Onboard).refresh_token.expect("a refresh token")).expect("a token")
}

#[tokio::test]
async fn a_session_goes_on_refreshing() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let user_id = UserId::new(&sandbox.credentials().onboard.user_id).expect("a user id");
    let client = Client::new(config(&sandbox).with_user_id(user_id.clone())).expect("a client");
    let mut current = credential(&sandbox);
    for _ in 0..3 {
        let tokens = client.refresh(&current).await.expect("granted");
        assert!(tokens.rotated() && *tokens.user_id() == user_id);
        assert!(matches!(tokens.access_expiry(), Expiry::At(_)));
        current = tokens.refresh_credential().clone();
    }
}

#[tokio::test]
async fn a_spent_refresh_token_needs_a_login() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let (client, credential) = (client(&sandbox, plain()), credential(&sandbox));
    client.refresh(&credential).await.expect("granted");
    let error = client.refresh(&credential).await.expect_err("spent");
    assert_eq!((error.kind(), error.outcome(), error.status()), (ErrorKind::LoginNeeded, Outcome::Refused, Some(401)));
    assert_eq!(error.provider_code(), Some("RE_AUTHENTICATE"));
    assert_eq!(last_refusal(&sandbox), "refresh token was already used");
}

#[tokio::test]
async fn a_tampered_request_is_refused_for_the_right_reason() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let flipped = Tampering::new(|request: &mut http::Request<bytes::Bytes>| {
        let token = request.headers()["x-auth-token"].to_str().expect("a text header");
        let token = flip(token).parse().expect("a header");
        request.headers_mut().insert("x-auth-token", token);
    });
    let error = client(&sandbox, flipped).refresh(&credential(&sandbox)).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
    let reason = last_refusal(&sandbox);
    assert!(reason.contains("was not issued by this sandbox"), "{reason}");

    // The access token in the refresh token's place: the types forbid it, so it is put there by hand.
    let access = OnboardCredential::new(sandbox.issue(Call::Onboard).access_token).expect("a token");
    client(&sandbox, plain()).refresh(&access).await.expect_err("refused");
    let reason = last_refusal(&sandbox);
    assert!(reason.contains("access token"), "{reason}");

    let with_body = Tampering::new(|request: &mut http::Request<bytes::Bytes>| {
        request.headers_mut().insert("content-length", http::HeaderValue::from_static("2"));
        *request.body_mut() = bytes::Bytes::from_static(b"{}");
    });
    let error = client(&sandbox, with_body).refresh(&credential(&sandbox)).await.expect_err("refused");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(400)));
    assert_eq!(last_refusal(&sandbox), "the call has no body, yet one came");
}

#[tokio::test]
async fn tokens_of_another_user_are_not_taken() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    let other = UserId::new("somebody-else").expect("a user id");
    let client = Client::new(config(&sandbox).with_user_id(other)).expect("a client");
    let error = client.refresh(&credential(&sandbox)).await.expect_err("another's");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
    assert!(error.salvage().is_none());
}
