//! Every byte that is sent, and what is read from each documented answer.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Canned, NOW, Own, at, client, config, credential, describe, granted, lifetime, now, user};
use rampauth_core::ReqwestClient;
use rampauth_onboard::{
    Client, Environment, Error, ErrorKind, Expiry, OnboardCredential, OnboardTokens, Outcome, Presents, Refresh,
    RefreshTime, RefreshToken, Rotation, TokenSet, TransportFailure, WhenUnknown,
};
use rampauth_test_kit::logs::CaptureLogs;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

/// The documented answer with values of the documented types; the vendor gives no sample of its own.
const SUCCESS: &str = r#"{
  "userId": "8d4f1c1e-0000-4000-8000-6f1d2c3b4a59",
  "accessToken": {"token": "the-new-access-token", "expiry": "2026-11-20T10:30:00.000Z"},
  "refreshToken": {"token": "the-new-refresh-token", "expiry": "2026-12-20T09:30:00.000Z"}
}"#;
/// The examples of the vendor's error schema (docs.onboard.xyz, "Refresh token", read 2026-11).
const REFUSAL: &str = r#"{"code": "UNKNOWN_ERROR", "message": "Request could not be completed due to an error"}"#;

async fn refresh(http: Canned) -> Result<OnboardTokens, Error> {
    client(Environment::Staging.url(), http).refresh(&credential()).await
}

#[tokio::test]
async fn request() {
    let http = Canned::new(200, SUCCESS);
    refresh(http.clone()).await.expect("granted");
    insta::assert_snapshot!(http.request_text());
}

#[tokio::test]
async fn request_below_a_prefix() {
    let http = Canned::new(200, SUCCESS);
    let client = client("https://gateway.example.com:8443/onboard/", http.clone());
    client.refresh(&credential()).await.expect("granted");
    assert_eq!(http.request().uri(), "https://gateway.example.com:8443/onboard/auth/oauth/refresh-token");
}

/// What the HTTP client makes of it: some leave the length of an empty body out, or put a content type in.
#[tokio::test]
async fn request_as_it_travels() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], SUCCESS.as_bytes())));
    let client = client(&server.url(), ReqwestClient::new().expect("an HTTP client"));
    client.refresh(&credential()).await.expect("granted");
    let request = server.assert_exactly_one_request_async().await;
    let text = String::from_utf8(request.raw).expect("text");
    insta::assert_snapshot!(text.replace("\r\n", "\n").replace(&server.address().to_string(), "<server>"));
}

#[tokio::test]
async fn https_to_a_plain_port_sends_nothing() {
    let server = ScriptedServer::start(Script::Stalled);
    let http = ReqwestClient::builder().timeout(Duration::from_millis(1_500)).build().expect("an HTTP client");
    let client = client(&server.url().replace("http:", "https:"), http);
    let error = client.refresh(&credential()).await.expect_err("no TLS");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unreachable, Outcome::NotSent));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_documented_success() {
    let tokens = refresh(Canned::new(200, SUCCESS)).await.expect("granted");
    let renewed = tokens.refresh_credential();
    insta::assert_snapshot!(
        format!(
            "user {}\naccess {} for {}\nrefresh {} for {}\nrotated {}",
            tokens.user_id().as_str(),
            tokens.access_token().expose_secret(),
            lifetime(tokens.access_expiry()),
            renewed.token().expose_secret(),
            lifetime(renewed.expiry()),
            tokens.rotated(),
        ),
        @r"
    user 8d4f1c1e-0000-4000-8000-6f1d2c3b4a59
    access the-new-access-token for 3600 s
    refresh the-new-refresh-token for 2592000 s
    rotated true
    "
    );
}

#[tokio::test]
async fn the_documented_refusals() {
    let mut text = String::new();
    for status in [400, 401, 403, 500] {
        text += &(describe(refresh(Canned::new(status, REFUSAL)).await) + "\n");
    }
    insta::assert_snapshot!(text, @r#"
    refused refused says "Request could not be completed due to an error": the provider refused (status 400, code UNKNOWN_ERROR)
    login_needed refused says "Request could not be completed due to an error": the refresh token is invalid or has expired (status 401, code UNKNOWN_ERROR)
    forbidden refused says "Request could not be completed due to an error": the provider forbids the call (status 403, code UNKNOWN_ERROR)
    server unknown says "Request could not be completed due to an error": the provider failed (status 500, code UNKNOWN_ERROR)
    "#);
}

#[tokio::test]
async fn an_expiry_is_read_when_it_is_a_point_in_time() {
    for (expiry, expected) in [
        ("2026-11-20T10:30:00Z", "3600 s"),
        ("2026-11-20t10:30:00z", "3600 s"),
        ("2026-11-20T10:30:00.250Z", "3600.25 s"),
        ("2026-11-20T10:30:00.123456789Z", "3600.123456789 s"),
        ("2026-11-20T11:30:00+01:00", "3600 s"),
        ("2026-11-20T04:30:00-06:00", "3600 s"),
        ("2026-11-20T10:29:60Z", "3599 s"),
        // Sooner than what was presented, or past: it is what Onboard says.
        ("2026-11-20T09:29:59Z", "-1 s"),
    ] {
        let logs = CaptureLogs::start();
        let body = granted(&format!("{expiry:?}"), &format!("{expiry:?}"));
        let tokens = refresh(Canned::new(200, body)).await.expect("granted");
        assert_eq!(lifetime(tokens.access_expiry()), expected, "{expiry}");
        assert_eq!(lifetime(tokens.refresh_credential().expiry()), expected, "{expiry}");
        assert_eq!(logs.text(), "", "{expiry}");
    }
}

#[tokio::test]
async fn any_other_expiry_is_unknown_and_told_and_loses_no_token() {
    let text = "it is no RFC 3339 date-time with an offset, or not between 1970 and 9999";
    let number = "it is a number, and no unit is documented";
    let kind = "it is of another type than is documented";
    for (expiry, why) in [
        (r#""2026-11-20T10:30:00""#, text),
        (r#""2026-11-20""#, text),
        (r#""1795170600""#, text),
        (r#""Fri, 20 Nov 2026 10:30:00 GMT""#, text),
        (r#""0001-01-01T00:00:00Z""#, text),
        (r#""9999-12-31T23:59:59Z""#, text),
        (r#""3600s""#, text),
        (r#""""#, text),
        ("1795170600", number),
        ("1795170600000", number),
        ("3600.5", number),
        ("true", kind),
        (r#"["2026-11-20T10:30:00Z"]"#, kind),
        (r#"{"at":"2026-11-20T10:30:00Z"}"#, kind),
        ("null", "it is absent"),
        (r#""2026-11-20T10:30:00Z","expiry":"2026-11-20T10:30:00Z""#, "it stands there more than once"),
    ] {
        for (body, field) in [
            (granted(expiry, r#""2026-11-20T10:30:00Z""#), "accessToken.expiry"),
            (granted(r#""2026-11-20T10:30:00Z""#, expiry), "refreshToken.expiry"),
        ] {
            let logs = CaptureLogs::start();
            let tokens = refresh(Canned::new(200, body.clone())).await.expect("granted");
            assert_eq!((tokens.access_token().expose_secret(), tokens.rotated()), ("a", true), "{body}");
            let renewed = tokens.refresh_credential();
            assert_eq!(renewed.token().expose_secret(), "r", "{body}");
            let (unknown, known) = match field {
                "accessToken.expiry" => (tokens.access_expiry(), renewed.expiry()),
                _ => (renewed.expiry(), tokens.access_expiry()),
            };
            assert_eq!((unknown, known), (Expiry::Unknown, Expiry::At(at(NOW + 3_600))), "{body}");
            let event = logs.text();
            assert_eq!(event.lines().count(), 1, "{event}");
            assert!(event.starts_with("WARN event rampauth_onboard: message=the answer does not tell when"), "{event}");
            assert!(event.contains(&format!(" field={field} ")), "{event}");
            assert!(event.ends_with(&format!(" why={why}\n")), "{event}");
        }
    }
}

#[tokio::test]
async fn a_missing_expiry_is_told_for_each_token() {
    let logs = CaptureLogs::start();
    let body = r#"{"userId":"u-1","accessToken":{"token":"a"},"refreshToken":{"token":"r"}}"#;
    let tokens = refresh(Canned::new(200, body)).await.expect("granted");
    assert_eq!((tokens.access_expiry(), tokens.refresh_credential().expiry()), (Expiry::Unknown, Expiry::Unknown));
    let text = logs.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.ends_with("why=it is absent")), "{text}");
}

#[tokio::test]
async fn a_refresh_token_that_stays_keeps_what_is_known_of_it() {
    let until = Expiry::At(at(NOW + 60));
    let presented = OnboardCredential::new("r").expect("a token").with_expiry(until);
    let refresh = async |expiry| {
        let client = client(Environment::Staging.url(), Canned::new(200, granted("null", expiry)));
        let tokens = client.refresh(&presented).await.expect("granted");
        (tokens.rotated(), tokens.refresh_credential().expiry())
    };
    assert_eq!(refresh("null").await, (false, until));
    assert_eq!(refresh(r#""2026-11-20T09:30:05Z""#).await, (false, Expiry::At(at(NOW + 5))));
}

#[tokio::test]
async fn the_answer_for_the_expected_user_is_taken_and_for_another_nothing_is() {
    let refresh = async |body: &str| {
        let config = config(Environment::Staging.url()).with_user_id(user("u-1"));
        let client = Client::with_http_client(config, Canned::new(200, body)).with_clock(now);
        client.refresh(&credential()).await
    };
    let answer = |user: &str| granted("null", "null").replace(r#""userId":"u-1","#, user);
    assert_eq!(describe(refresh(&answer(r#""userId":"u-1","#)).await), "granted u-1 a r");

    // Another user, or one who cannot be told.
    let other = "protocol unknown: `userId` is not the expected user, so nothing of the answer was taken (status 200)";
    for user in ["\"u-2\"", "\"U-1\"", "\"u-1 \"", "1", "{\"id\":\"u-1\"}", "[]", "\"u-1\",\"userId\":\"u-1\""] {
        let logs = CaptureLogs::start();
        let error = refresh(&answer(&format!(r#""userId":{user},"#))).await.expect_err("not for u-1");
        assert_eq!(error.help(), "check that the refresh token is this user's; if it is, treat it as in doubt");
        assert_eq!(describe(Err(error)), other, "{user}");
        assert_eq!(logs.text(), "", "{user}");
    }

    // Nobody named: the contract is broken, and yet nothing says that the tokens are another's.
    for user in ["", r#""userId":null,"#, r#""userId":"","#] {
        let nobody = "protocol unknown salvage a r: the answer has no `userId` (status 200)";
        assert_eq!(describe(refresh(&answer(user)).await), nobody, "{user}");
    }
}

#[tokio::test]
async fn a_kept_session_is_safe_from_another_users_tokens_with_an_expected_user_alone() {
    let set = TokenSet::new().with_refresh_token(credential().token().clone(), Expiry::Unknown);
    let body = granted("null", "null").replace("u-1", "u-2");
    let keep = async |config| {
        let client: Arc<dyn Refresh> = Arc::new(Client::with_http_client(config, Canned::new(200, body.clone())));
        client.refresh(&set).await
    };
    let error = keep(config(Environment::Staging.url()).with_user_id(user("u-1"))).await.expect_err("not for u-1");
    assert_eq!((error.kind(), error.salvage().is_none()), (ErrorKind::Protocol, true));
    let set = keep(config(Environment::Staging.url())).await.expect("whoever's they are");
    assert_eq!(set.access_token.expect("a token").expose_secret(), "a");
}

#[tokio::test]
async fn without_an_expected_user_the_answers_own_is_told() {
    for id in ["u-2", "Jürgen", "a b"] {
        let body = granted("null", "null").replace("u-1", id);
        let tokens = refresh(Canned::new(200, body)).await.expect("granted");
        assert_eq!(tokens.user_id(), &user(id));
    }
}

#[tokio::test]
async fn a_stored_set_goes_in_and_a_whole_one_comes_out() {
    let http = Canned::new(200, SUCCESS);
    let client = client(Environment::Staging.url(), http.clone());
    let stored = TokenSet::new().with_refresh_token(RefreshToken::new("stored").expect("a token"), Expiry::Unknown);
    let set = Refresh::refresh(&client, &stored).await.expect("granted");
    assert_eq!(http.request().headers()["x-auth-token"], "stored");
    let access = set.access_token.expect("an access token");
    let refresh = set.refresh_token.expect("a refresh token");
    assert_eq!((access.expose_secret(), refresh.expose_secret()), ("the-new-access-token", "the-new-refresh-token"));
    assert_eq!((lifetime(set.access_expiry), lifetime(set.refresh_expiry)), ("3600 s".into(), "2592000 s".into()));

    let error = Refresh::refresh(&client, &TokenSet::new()).await.expect_err("nothing to present");
    insta::assert_snapshot!(error, @"failed to refresh the tokens: a session of kind Onboard needs a refresh token");
}

#[tokio::test]
async fn an_http_client_of_ones_own_needs_no_other_crate_of_ours() {
    for (failure, expected) in [
        (None, "the answer is longer than 64 KiB (status 200)"),
        (Some(TransportFailure::Interrupted), "the connection broke before the whole answer was there"),
    ] {
        let error =
            client(Environment::Staging.url(), Own(failure)).refresh(&credential()).await.expect_err("no tokens");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn the_rules_as_data() {
    let client = client(Environment::Staging.url(), Canned::new(200, SUCCESS));
    let policy = client.policy();
    assert_eq!((policy.presents, policy.time), (Presents::RefreshToken, RefreshTime::AnyTime));
    assert_eq!((policy.rotation, policy.names_dead_tokens), (Rotation::Unpublished, true));
    assert_eq!(policy.when_unknown, WhenUnknown::Promptly { within: Duration::from_secs(60) });
    assert_eq!((policy.with_unknown_expiry, policy.ahead), (true, 0.2));
}

/// A service shares one client among its tasks, and hands results from one to another.
#[test]
fn everything_crosses_threads() {
    fn crosses<T: Clone + Send + Sync + 'static>() {}
    fn is_send(_: impl Send) {}
    crosses::<Client>();
    crosses::<OnboardCredential>();
    crosses::<OnboardTokens>();
    crosses::<Error>();
    crosses::<ReqwestClient>();
    let client = client(Environment::Staging.url(), Canned::new(200, SUCCESS));
    is_send(client.refresh(&credential()));
}
