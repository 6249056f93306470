//! What each answer and each broken connection means: kind, outcome, waiting time, advice, and that one request was sent.

mod common;

use std::time::Duration;

use common::{card, on_off_ramp};
use httpmock::{Method::POST, MockServer};
use rampauth_alix::{CardCredential, Error, ErrorKind, Expiry, OnOffRampCredential};
use rampauth_core::ReqwestClient;
use rampauth_test_kit::odd::longest;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

/// Long enough for a loopback connection on a busy machine.
const AMPLE: Duration = Duration::from_secs(20);
/// For those that are to run out of time.
const SHORT: Duration = Duration::from_millis(1_500);

fn http(timeout: Duration) -> ReqwestClient {
    ReqwestClient::builder().timeout(timeout).build().expect("an HTTP client")
}

async fn refresh(base_url: &str, http: &ReqwestClient) -> Result<String, Error> {
    let credential = CardCredential::new("the-refresh-token").expect("a token");
    let tokens = card(base_url, http.clone()).refresh(&credential).await?;
    let expiry = match tokens.access_expiry() {
        Expiry::Unknown => "unknown expiry",
        _ => "known expiry",
    };
    let refresh = tokens.refresh_credential().token().expose_secret();
    Ok(format!("{} {refresh} {expiry}", tokens.access_token().expose_secret()))
}

/// `kind outcome [retry-after] [salvaged refresh token]: message`
fn describe(result: Result<String, Error>) -> String {
    let error = match result {
        Ok(tokens) => return format!("granted {tokens}"),
        Err(error) => error,
    };
    // Alix says the same whatever was wrong, so the advice on a refusal lists the causes; all else has its kind's own.
    let mut usual = Error::new(error.kind(), error.outcome(), "", "");
    if error.kind() == ErrorKind::Refused {
        usual = usual.with_help(
            "nothing was granted, and the answer does not say why; usual causes: the secret key, the signing key, the partner code \
             (each belongs to one environment), for the on/off-ramp the e-mail that is signed, or a refresh token that was used or \
             has ended",
        );
    }
    let usual = usual.with_clock_difference(error.clock_difference());
    assert_eq!(error.help(), usual.help(), "{error}");
    let wait = error.retry_after().map(|wait| format!(" wait {}", wait.as_secs())).unwrap_or_default();
    let salvage = error.salvage().and_then(|set| set.refresh_token.clone());
    let salvage = salvage.map(|token| format!(" salvage {}", token.expose_secret())).unwrap_or_default();
    let message = error.to_string();
    let reason = message.strip_prefix("failed to refresh the Alix card tokens: ").expect("the call is named");
    format!("{} {}{wait}{salvage}: {reason}", error.kind().as_str(), error.outcome().as_str())
}

type Row = (u16, &'static [(&'static str, &'static str)], &'static str, &'static str);

/// Status, headers, body; and what a refresh makes of them.
#[rustfmt::skip]
const ANSWERS: &[Row] = &[
    // What the vendor documents, bare and in an envelope.
    (200, &[], r#"{"accessToken":"a","refreshToken":"r"}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"success":true,"data":{"accessToken":"a","refreshToken":"r"},"errorCode":0}"#, "granted a r unknown expiry"),
    (201, &[], r#"{"accessToken":"a","refreshToken":"r","errorCode":"0"}"#, "granted a r unknown expiry"),
    // An empty code names no error.
    (200, &[], r#"{"success":true,"message":"","data":{"accessToken":"a","refreshToken":"r"},"errorCode":""}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"success":true,"data":null,"errorCode":" "}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"success":false,"data":null,"errorCode":""}"#, "refused refused: the provider refused (status 200)"),
    (400, &[], r#"{"error":"Invalid request"}"#, "refused refused: the provider refused (status 400)"),
    (400, &[], r#"{"success":false,"message":"m","data":null,"errorCode":32}"#, "refused refused: the provider refused (status 400, code 32)"),
    // A number of up to 12 digits is a code; a longer one could be something else.
    (400, &[], r#"{"success":false,"errorCode":123456789012}"#, "refused refused: the provider refused (status 400, code 123456789012)"),
    (400, &[], r#"{"success":false,"errorCode":"1234567890123"}"#, "refused refused: the provider refused (status 400)"),
    (200, &[], r#"{"success":false,"errorCode":1234567890123}"#, "refused refused: the provider refused (status 200)"),
    // No refresh token in the answer: the one presented stays.
    (200, &[], r#"{"accessToken":"a"}"#, "granted a the-refresh-token unknown expiry"),
    (200, &[], r#"{"accessToken":"a","refreshToken":""}"#, "granted a the-refresh-token unknown expiry"),
    (200, &[], r#"{"accessToken":"a","refreshToken":null}"#, "granted a the-refresh-token unknown expiry"),
    // Expiries in every spelling; an odd one loses nothing.
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":"1731314878"}"#, "granted a the-refresh-token known expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiredAt":1731314878000}"#, "granted a the-refresh-token known expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":"2024-11-11T08:47:58Z"}"#, "granted a the-refresh-token known expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":"soon","accessTokenExpiredAt":1731314878}"#, "granted a the-refresh-token known expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":{"at":1}}"#, "granted a the-refresh-token unknown expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":1,"accessTokenExpiresAt":2}"#, "granted a the-refresh-token unknown expiry"),
    // What has passed already is no expiry: a lifetime in seconds, as a text or a number, reads as a day in 1970.
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":"900"}"#, "granted a the-refresh-token unknown expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":1731314000}"#, "granted a the-refresh-token unknown expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":1731314001}"#, "granted a the-refresh-token known expiry"),
    (200, &[], r#"{"accessToken":"a","accessTokenExpiresAt":900,"accessTokenExpiredAt":1731314878}"#, "granted a the-refresh-token known expiry"),
    // Told by nothing but the token itself, a JWT with `{"exp":1731314878}`.
    (200, &[], r#"{"accessToken":"e30.eyJleHAiOjE3MzEzMTQ4Nzh9.c2ln"}"#, "granted e30.eyJleHAiOjE3MzEzMTQ4Nzh9.c2ln the-refresh-token known expiry"),
    // Labels do not matter, and neither do members that nobody knows.
    (200, &[("content-type", "text/html")], r#"{"accessToken":"a","unknown":{"deep":[1,2]},"unknown":2}"#, "granted a the-refresh-token unknown expiry"),
    // A refusal that comes with 200.
    (200, &[], r#"{"success":false,"message":"m"}"#, "refused refused: the provider refused (status 200)"),
    (200, &[], r#"{"success":true,"data":null,"errorCode":"E7"}"#, "refused refused: the provider refused (status 200, code E7)"),
    (200, &[], r#"{"success":false,"data":{},"errorCode":32}"#, "refused refused: the provider refused (status 200, code 32)"),
    (200, &[], r#"{"success":false,"message":"m","data":[],"errorCode":32}"#, "refused refused: the provider refused (status 200, code 32)"),
    (200, &[], r#"{"success":false,"message":"m","data":"","errorCode":32}"#, "refused refused: the provider refused (status 200, code 32)"),
    // A `data` that holds no tokens hides none.
    (200, &[], r#"{"accessToken":"a","refreshToken":"r","data":[]}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"accessToken":"a","refreshToken":"r","data":{}}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"accessToken":"a","refreshToken":"r","data":"","data":7}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"refreshToken":"r","data":{"accessToken":"a"}}"#, "granted a r unknown expiry"),
    (200, &[], r#"{"accessToken":"b","refreshToken":"s","data":{"accessToken":"a","refreshToken":"r"}}"#, "granted a r unknown expiry"),
    // Contradictions and broken contracts; a new refresh token is kept.
    (200, &[], r#"{"success":false,"errorCode":5,"data":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown salvage r: the answer says that it refuses, and yet brings tokens (status 200, code 5)"),
    (200, &[], r#"{"success":"yes","data":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown salvage r: `success` is neither true nor false (status 200)"),
    (200, &[], r#"{"errorCode":[],"accessToken":"a","refreshToken":"r"}"#, "protocol unknown salvage r: `errorCode` is neither a number nor a text (status 200)"),
    (200, &[], r#"{"refreshToken":"r"}"#, "protocol unknown salvage r: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"accessToken":"","refreshToken":"r"}"#, "protocol unknown salvage r: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"accessToken":7,"refreshToken":"r"}"#, "protocol unknown salvage r: `accessToken` is of another type than is documented (status 200)"),
    (200, &[], r#"{"accessToken":"a","accessToken":"b","refreshToken":"r"}"#, "protocol unknown salvage r: `accessToken` stands there more than once (status 200)"),
    (200, &[], r#"{"accessToken":"a\nb","refreshToken":"r"}"#, "protocol unknown salvage r: `accessToken` is no token that a header can carry (status 200)"),
    (200, &[], r#"{"refreshToken":"the-refresh-token"}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"accessToken":"a","refreshToken":"r","refreshToken":"s"}"#, "protocol unknown: `refreshToken` stands there more than once (status 200)"),
    (200, &[], r#"{"accessToken":"a","refreshToken":["r"]}"#, "protocol unknown: `refreshToken` is of another type than is documented (status 200)"),
    (200, &[], r#"{"refreshToken":"r","data":"none"}"#, "protocol unknown salvage r: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"data":"none"}"#, "protocol unknown: `data` is of another type than is documented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"a"},"data":{"accessToken":"a"}}"#, "protocol unknown: `data` stands there more than once (status 200)"),
    (200, &[], r#"{"error":"Invalid request"}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], "[]", "protocol unknown: the answer is not a JSON object (status 200)"),
    (200, &[], "<html>OK</html>", "protocol unknown: the answer is not JSON (line 1, column 1) (status 200)"),
    (200, &[], "", "protocol unknown: the answer is empty (status 200)"),
    (204, &[], "", "protocol unknown: the answer is empty (status 204)"),
    // Statuses; the body's code refines the text and never the class.
    (302, &[("location", "/elsewhere")], "", "protocol unknown: the provider redirected, which is never followed (status 302)"),
    (307, &[("location", "/elsewhere")], "", "protocol unknown: the provider redirected, which is never followed (status 307)"),
    (401, &[], "", "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"success":false,"errorCode":32}"#, "unauthorized refused: the provider does not accept the caller (status 401, code 32)"),
    (403, &[], "<html>", "forbidden refused: the provider forbids the call (status 403)"),
    (404, &[], "", "wrong_endpoint refused: the provider has no such call at this address (status 404)"),
    (405, &[], "", "wrong_endpoint refused: the provider has no such call at this address (status 405)"),
    (408, &[], "", "timeout unknown: the provider stopped waiting for the request (status 408)"),
    (429, &[("retry-after", "7")], "", "rate_limited refused wait 7: the provider turned the call away as one too many (status 429)"),
    (429, &[], r#"{"accessToken":"a"}"#, "rate_limited refused: the provider turned the call away as one too many (status 429)"),
    (500, &[], r#"{"success":false,"errorCode":"X-1","message":"m"}"#, "server unknown: the provider failed (status 500, code X-1)"),
    (503, &[("retry-after", "9")], "<html>", "server unknown wait 9: the provider failed (status 503)"),
];

#[tokio::test]
async fn every_status_and_body_has_its_meaning() {
    let (server, http) = (MockServer::start_async().await, http(AMPLE));
    for (status, headers, body, expected) in ANSWERS {
        check(&server, &http, *status, headers, body, expected).await;
    }
    let whole = longest(r#"{"accessToken":"a","refreshToken":"r"}"#);
    check(&server, &http, 200, &[], &whole, "granted a r unknown expiry").await;
    let expected = "protocol unknown salvage r: the answer is longer than 64 KiB (status 200)";
    check(&server, &http, 200, &[], &format!("{whole} "), expected).await;
    let long = format!(r#"{{"accessToken":"a","refreshToken":"r","x":"{}"}}"#, "x".repeat(64 * 1024));
    let expected = "protocol unknown: the answer is longer than 64 KiB (status 200)";
    check(&server, &http, 200, &[], &long, expected).await;
    check(&server, &http, 422, &[], &long, "refused refused: the provider refused (status 422)").await;
}

async fn check(
    server: &MockServer,
    http: &ReqwestClient,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
    expected: &str,
) {
    let mock = server
        .mock_async(|when, then| {
            when.method(POST).path("/api/v2/auth/refresh-token");
            headers.iter().fold(then.status(status).body(body), |then, (name, value)| then.header(*name, *value));
        })
        .await;
    let row = format!("{status} {}", &body[..body.len().min(100)]);
    assert_eq!(describe(refresh(&server.base_url(), http).await), expected, "{row}");
    assert_eq!(mock.calls_async().await, 1, "{row}");
    mock.delete_async().await;
}

#[tokio::test]
async fn every_broken_connection_has_its_meaning() {
    let (ample, short) = (http(AMPLE), http(SHORT));
    let ok = response(200, &[], br#"{"accessToken":"a"}"#);
    // Whole JSON, and yet not the whole answer.
    let cut = |body: &str| response(200, &[("content-length", "99")], body);
    let whole_json = cut(r#"{"accessToken":"a","refreshToken":"r"}"#);
    let refusing = cut(r#"{"success":false,"errorCode":32}"#);
    let duplicate_length = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 19\r\n\r\n{\"accessToken\":\"a\",\"refreshToken\":\"r\"}".to_vec();
    for (script, requests, expected) in [
        (Script::Refused, 0, "unreachable not_sent: no connection could be made, nothing was sent"),
        (Script::CloseOnAccept, 0, "interrupted unknown: the connection broke before the whole answer was there"),
        (Script::ResetAfterRequest, 1, "interrupted unknown: the connection broke before the whole answer was there"),
        (Script::CloseAfterRequest, 1, "interrupted unknown: the connection broke before the whole answer was there"),
        (Script::TruncatedHead, 1, "interrupted unknown: the connection broke before the whole answer was there"),
        (
            Script::TruncatedBody { status: 200, promised: 99, sent: 40 },
            1,
            "interrupted unknown: the connection broke before the whole answer was there (status 200)",
        ),
        (
            Script::TruncatedBody { status: 401, promised: 99, sent: 1 },
            1,
            "unauthorized refused: the provider does not accept the caller (status 401)",
        ),
        (
            Script::Raw(whole_json),
            1,
            "interrupted unknown salvage r: the connection broke before the whole answer was there (status 200)",
        ),
        (
            Script::Raw(refusing),
            1,
            "interrupted unknown: the connection broke before the whole answer was there (status 200, code 32)",
        ),
        (
            Script::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
            1,
            "interrupted unknown: the connection broke before the whole answer was there",
        ),
        (
            Script::Raw(duplicate_length),
            1,
            "interrupted unknown salvage r: the connection broke before the whole answer was there (status 200)",
        ),
        (Script::Stalled, 1, "timeout unknown: no whole answer came in time"),
        (
            Script::SlowBody { status: 200, every: Duration::from_millis(100), length: 60 },
            1,
            "timeout unknown: no whole answer came in time (status 200)",
        ),
        (Script::Raw(ok), 1, "granted a the-refresh-token unknown expiry"),
    ] {
        let row = format!("{script:?}");
        let http = if expected.starts_with("timeout") { &short } else { &ample };
        let server = ScriptedServer::start(script);
        assert_eq!(describe(refresh(&server.url(), http).await), expected, "{row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.requests().len(), requests, "{row}");
        assert!(server.connections() <= 1, "{row}: {} connections", server.connections());
    }
}

#[tokio::test]
async fn https_to_a_plain_port_sends_nothing() {
    let server = ScriptedServer::start(Script::Stalled);
    let result = refresh(&server.url().replace("http:", "https:"), &http(SHORT)).await;
    assert_eq!(describe(result), "unreachable not_sent: no connection could be made, nothing was sent");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_refresh_token_past_its_expiry_is_not_sent() {
    let server = ScriptedServer::start(Script::Stalled);
    let past = Expiry::At(common::now());
    let credential = CardCredential::new("t").expect("a token").with_expiry(past);
    let error = card(&server.url(), http(AMPLE)).refresh(&credential).await.expect_err("nothing sent");
    assert_eq!(describe(Err(error)), "login_needed not_sent: the refresh token has expired, so nothing was sent");

    let credential = OnOffRampCredential::new("t").expect("a token").with_expiry(past);
    let error = on_off_ramp(&server.url(), http(AMPLE)).refresh(&credential).await.expect_err("nothing sent");
    assert_eq!(
        error.to_string(),
        "failed to refresh the Alix on/off-ramp tokens: the refresh token has expired, so nothing was sent"
    );
    assert_eq!(error.help(), "have the person log in again and store the new tokens");
    assert_eq!(server.connections(), 0);
}
