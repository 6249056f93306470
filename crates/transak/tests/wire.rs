//! Every byte that is sent, and what is read from each documented answer.

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::{Canned, DAY, NOW, Own, at, client, config, jwt, now, presented, user_token};
use rampauth_transak::{
    ApiKey, BaseUrl, Config, Environment, Error, Expiry, HttpClient, Presents, Refresh, RefreshTime, Rotation,
    TokenSet, TransportFailure, UserClient, UserToken, WhenUnknown,
};

const BASE: &str = "https://api-gateway-stg.transak.com";
/// The sample answer of the vendor's page (docs.transak.com "Refresh User Access Token", read 2026-11), as it stands there.
const SAMPLE: &str = include_str!("samples/refresh-200.json");

fn answer(token: &str) -> String {
    format!(r#"{{"data":{{"accessToken":"{token}"}}}}"#)
}

#[tokio::test]
async fn request() {
    let http = Canned::new(200, SAMPLE);
    client(BASE, http.clone()).refresh(&user_token("the-user-token")).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

#[tokio::test]
async fn request_with_everything() {
    let http = Canned::new(200, SAMPLE);
    let config = config(&format!("{BASE}/prefix/")).with_api_key(ApiKey::new("the-api-key").expect("a key"));
    let client = UserClient::with_http_client(config, http.clone()).with_clock(now);
    let ip = "203.0.113.7".parse().expect("an address");
    client.refresh_for(&user_token("the-user-token"), ip).await.expect("granted");
    insta::assert_snapshot!(http.request());
}

#[tokio::test]
async fn the_users_address_is_one_plain_address() {
    for (ip, sent) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::1", "::1"),
    ] {
        let http = Canned::new(200, SAMPLE);
        let ip: IpAddr = ip.parse().expect("an address");
        client(BASE, http.clone()).refresh_for(&user_token("t"), ip).await.expect("granted");
        assert_eq!(http.sent()[0].headers()["x-user-ip"], sent);
    }
}

#[test]
fn the_environments_are_the_vendors_gateways() {
    let url = |environment| Config::new(environment).base_url.as_str().to_owned();
    assert_eq!(url(Environment::Staging), "https://api-gateway-stg.transak.com");
    assert_eq!(url(Environment::Production), "https://api-gateway.transak.com");
}

#[tokio::test]
async fn the_vendors_sample() {
    let token = client(BASE, Canned::new(200, SAMPLE)).refresh(&user_token("t")).await.expect("granted");
    let Expiry::At(time) = token.expiry() else { panic!("the sample says when it expires") };
    let left = time.duration_since(at(1_750_329_735)).expect("a time after its `iat`").as_secs();
    insta::assert_snapshot!(format!("expires {left} s after its `iat`\n{}", token.access_token().expose_secret()));
}

#[tokio::test]
async fn an_expiry_that_cannot_be_read_is_30_days_from_the_request_and_assumed() {
    let clock = std::sync::atomic::AtomicU64::new(NOW);
    // Every look at the clock is an hour later: the one right before the request leaves counts, which is the second.
    let late = move || at(clock.fetch_add(3_600, std::sync::atomic::Ordering::SeqCst));
    let client = client(BASE, Canned::new(200, answer("opaque"))).with_clock(late);
    let token = client.refresh(&user_token("t")).await.expect("granted");
    assert_eq!(token.expiry(), Expiry::Assumed(at(NOW + 3_600 + 2_592_000)));
}

fn summary(error: &Error) -> String {
    format!(
        "{error}\n{:?} {:?}\nprovider: {:?}\nhelp: {}",
        error.kind(),
        error.outcome(),
        error.provider_message().unwrap_or_default(),
        error.help()
    )
}

async fn refused(status: u16, body: &str) -> String {
    let error = client(BASE, Canned::new(status, body)).refresh(&user_token("t")).await.expect_err("refused");
    summary(&error)
}

#[tokio::test]
async fn the_vendors_refusals() {
    // The one error that the page of this call documents, by its schema.
    insta::assert_snapshot!(refused(500, r#"{"error":{"statusCode":500,"message":"Internal Server Error"}}"#).await, @r#"
    failed to refresh the Transak user token: the provider failed (status 500)
    Server Unknown
    provider: "Internal Server Error"
    help: the refresh may have happened: keep the tokens you hold and treat the presented one as in doubt
    "#);
    // The shape of the pages beside it, and the older one.
    let dead = r#"{"error":{"statusCode":401,"message":"Access token is expired","errorCode":1002}}"#;
    insta::assert_snapshot!(refused(401, dead).await, @r#"
    failed to refresh the Transak user token: the provider says that the user token is missing, invalid or expired (status 401, code 1002)
    LoginNeeded Refused
    provider: "Access token is expired"
    help: have the person log in again (e-mail and one-time code) and store the new token; if it is new, check that the environment is the one that gave it
    "#);
    let validation =
        r#"{"error":{"statusCode":400,"message":"Invalid","errorCode":9001,"additionalMessage":"x-user-ip"}}"#;
    insta::assert_snapshot!(refused(400, validation).await, @r#"
    failed to refresh the Transak user token: the provider refused (status 400, code 9001)
    Refused Refused
    provider: "Invalid: x-user-ip"
    help: read status and code; nothing was granted
    "#);
    let older = r#"{"error":{"statusCode":401,"name":"Unauthorized","message":"Not allowed"}}"#;
    insta::assert_snapshot!(refused(401, older).await, @r#"
    failed to refresh the Transak user token: the provider does not accept the caller (status 401, code Unauthorized)
    Unauthorized Refused
    provider: "Not allowed"
    help: check the environment, the API key, and whether this machine's address is on Transak's allow-list; the user token may still be good
    "#);
}

#[tokio::test]
async fn an_expired_token_is_told_before_anything_is_sent() {
    let http = Canned::new(200, SAMPLE);
    let client = client(BASE, http.clone());
    let error = client.refresh(&user_token(&jwt("old", NOW))).await.expect_err("nothing sent");
    insta::assert_snapshot!(summary(&error), @r#"
    failed to refresh the Transak user token: the user token has expired and cannot be renewed any more, so nothing was sent
    LoginNeeded NotSent
    provider: ""
    help: have the person log in again and store the new tokens
    "#);
    // Only an expiry that was read stops it.
    client.refresh(&user_token("opaque").with_expiry(Expiry::Assumed(at(NOW - DAY)))).await.expect("granted");
    assert_eq!(http.sent().len(), 1);
}

#[tokio::test]
async fn an_http_client_of_ones_own_needs_no_other_crate_of_ours() {
    for (failure, expected) in [
        (None, "the answer is longer than 64 KiB (status 200)"),
        (Some(TransportFailure::Interrupted), "the connection broke before the whole answer was there"),
    ] {
        let error = client(BASE, Own(failure)).refresh(&user_token(&presented())).await.expect_err("no tokens");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn the_rules_as_data() {
    let client = client(BASE, Canned::new(200, ""));
    let policy = client.policy();
    assert_eq!((policy.presents, policy.time), (Presents::AccessToken, RefreshTime::BeforeExpiry));
    assert_eq!((policy.rotation, policy.names_dead_tokens), (Rotation::Unpublished, true));
    assert_eq!(policy.when_unknown, WhenUnknown::Promptly { within: Duration::from_secs(60) });
    assert_eq!((policy.with_unknown_expiry, policy.ahead), (true, 0.2));
}

#[tokio::test]
async fn a_stored_set_is_refreshed_to_a_set_without_a_refresh_token() {
    let new = jwt("new", NOW + 30 * DAY);
    let http = Canned::new(200, answer(&new));
    let refresh: std::sync::Arc<dyn Refresh> = std::sync::Arc::new(client(BASE, http.clone()));
    let stray = rampauth_core::RefreshToken::new("stray").expect("a token");
    let set = TokenSet::from(user_token(&presented())).with_refresh_token(stray, Expiry::At(at(NOW + DAY)));
    let set = refresh.refresh(&set).await.expect("granted");
    assert_eq!(http.sent()[0].headers()["authorization"], presented().as_str());
    assert_eq!(set.access_token.map(|token| token.expose_secret().to_owned()), Some(new));
    assert_eq!((set.access_expiry, set.refresh_expiry), (Expiry::At(at(NOW + 30 * DAY)), Expiry::Unknown));
    assert!(set.refresh_token.is_none());

    let error = refresh.refresh(&TokenSet::new()).await.expect_err("nothing to present");
    insta::assert_snapshot!(summary(&error), @r#"
    failed to read the user token: a Transak user session needs an access token
    Input NotSent
    provider: ""
    help: correct what the message names
    "#);
}

/// What callers move between threads and share.
#[test]
fn the_public_types_can_be_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sendable<T: Send>(_: T) {}
    shared::<UserClient>();
    shared::<UserToken>();
    shared::<Config>();
    shared::<ApiKey>();
    let client = client(BASE, Canned::new(200, SAMPLE));
    sendable(client.refresh_for(&user_token("t"), [127, 0, 0, 1].into()));
    fn object(_: &dyn Refresh, _: &dyn HttpClient) {}
    object(&client, &Canned::new(200, ""));
    assert_eq!(BaseUrl::from(Environment::Staging).as_str(), BASE);
}
