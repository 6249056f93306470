//! What each answer and each broken connection means: kind, outcome, waiting time, advice, and that one request was sent.

mod common;

use std::time::Duration;

use common::{Canned, NOW, at, client, credential, describe, granted, now};
use httpmock::{Method::POST, MockServer};
use rampauth_core::ReqwestClient;
use rampauth_onboard::{Error, Expiry, HttpClient, OnboardTokens};
use rampauth_test_kit::odd::longest;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

const BASE: &str = "https://external.dev.onboardpay.co";
const PATH: &str = "/auth/oauth/refresh-token";
/// Short enough for a test, long enough for a loopback connection on a busy machine.
const TIMEOUT: Duration = Duration::from_millis(1_500);
const GRANTED: &str = r#"{"userId":"u","accessToken":{"token":"a","expiry":"2026-11-20T10:30:00Z"},"refreshToken":{"token":"r","expiry":"2026-12-20T10:30:00Z"}}"#;

fn http() -> impl HttpClient + 'static {
    ReqwestClient::builder().timeout(TIMEOUT).build().expect("an HTTP client")
}

async fn refresh(base_url: &str) -> Result<OnboardTokens, Error> {
    client(base_url, http()).refresh(&credential()).await
}

/// One row: what is answered, and what [`describe`] says then.
struct Row {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    expected: &'static str,
}

fn row(status: u16, body: impl Into<String>, expected: &'static str) -> Row {
    Row { status, headers: Vec::new(), body: body.into(), expected }
}

impl Row {
    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

async fn check(rows: Vec<Row>) {
    let server = MockServer::start_async().await;
    for Row { status, headers, body, expected } in rows {
        let mock = server
            .mock_async(|when, then| {
                when.method(POST).path(PATH);
                headers.iter().fold(then.status(status).body(&body), |then, (name, value)| then.header(*name, *value));
            })
            .await;
        let row = format!("{status} {}", &body[..body.len().min(200)]);
        assert_eq!(describe(refresh(&server.base_url()).await), expected, "{row}");
        assert_eq!(mock.calls_async().await, 1, "{row}");
        mock.delete_async().await;
    }
}

#[tokio::test]
async fn every_success_status_with_a_body_has_its_meaning() {
    let with = |user: &str, access: &str, refresh: &str| {
        let members = [("userId", user), ("accessToken", access), ("refreshToken", refresh)];
        let members: Vec<_> = members.iter().filter(|(_, value)| !value.is_empty()).collect();
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let (u, a, r) = (r#""u""#, r#"{"token":"a","expiry":"2026-11-20T10:30:00Z"}"#, r#"{"token":"r","expiry":null}"#);
    let long = GRANTED.replace("\"u\"", &format!("{:?}", "u".repeat(64 * 1024)));
    check(vec![
        // Labels do not matter, and neither do members that nobody knows.
        row(200, GRANTED, "granted u a r"),
        row(201, GRANTED, "granted u a r").header("content-type", "text/html"),
        row(200, GRANTED.replacen('{', r#"{"x":{"deep":[1]},"x":2,"code":"OK","#, 1), "granted u a r"),
        row(200, with(u, &a.replacen('{', r#"{"type":"bearer","#, 1), r), "granted u a r"),
        row(200, granted("7", "7"), "granted u-1 a r"),
        // Not replaced.
        row(200, GRANTED.replace("\"r\"", "\"the-refresh-token\""), "granted u a the-refresh-token"),
        // All three members are needed; a new refresh token is kept, with the access token if that can be read.
        row(200, with("", a, r), "protocol unknown salvage a r: the answer has no `userId` (status 200)"),
        row(200, with("null", a, r), "protocol unknown salvage a r: the answer has no `userId` (status 200)"),
        row(200, with(r#""""#, a, r), "protocol unknown salvage a r: the answer has no `userId` (status 200)"),
        row(
            200,
            with("7", a, r),
            "protocol unknown salvage a r: `userId` is of another type than is documented (status 200)",
        ),
        row(
            200,
            with(r#""u","userId":"v""#, a, r),
            "protocol unknown salvage a r: `userId` stands there more than once (status 200)",
        ),
        row(200, with(u, "", r), "protocol unknown salvage - r: the answer has no `accessToken` (status 200)"),
        row(200, with(u, "null", r), "protocol unknown salvage - r: the answer has no `accessToken` (status 200)"),
        row(200, with(u, "{}", r), "protocol unknown salvage - r: the answer has no `accessToken.token` (status 200)"),
        row(
            200,
            with(u, r#"{"token":""}"#, r),
            "protocol unknown salvage - r: the answer has no `accessToken.token` (status 200)",
        ),
        row(
            200,
            with(u, r#""a""#, r),
            "protocol unknown salvage - r: `accessToken` is of another type than is documented (status 200)",
        ),
        row(
            200,
            with(u, &format!(r#"{a},"accessToken":{a}"#), r),
            "protocol unknown salvage - r: `accessToken` stands there more than once (status 200)",
        ),
        row(
            200,
            with(u, r#"{"token":["a"]}"#, r),
            "protocol unknown salvage - r: `accessToken.token` is of another type than is documented (status 200)",
        ),
        row(
            200,
            with(u, r#"{"token":"a","token":"a"}"#, r),
            "protocol unknown salvage - r: `accessToken.token` stands there more than once (status 200)",
        ),
        row(
            200,
            with(u, r#"{"token":"a\r\nb"}"#, r),
            "protocol unknown salvage - r: `accessToken.token` is no token that a header can carry (status 200)",
        ),
        row(
            200,
            with("", "", &r.replace("\"r\"", "\"the-refresh-token\"")),
            "protocol unknown: the answer has no `userId` (status 200)",
        ),
        // Without a refresh token that can be read, nothing can be kept.
        row(200, with(u, a, ""), "protocol unknown: the answer has no `refreshToken` (status 200)"),
        row(200, with(u, a, "null"), "protocol unknown: the answer has no `refreshToken` (status 200)"),
        row(
            200,
            with(u, a, r#""r""#),
            "protocol unknown: `refreshToken` is of another type than is documented (status 200)",
        ),
        row(
            200,
            with(u, a, &format!(r#"{r},"refreshToken":{r}"#)),
            "protocol unknown: `refreshToken` stands there more than once (status 200)",
        ),
        row(
            200,
            with(u, a, r#"{"expiry":"2026-11-20T10:30:00Z"}"#),
            "protocol unknown: the answer has no `refreshToken.token` (status 200)",
        ),
        row(
            200,
            with(u, a, r#"{"token":7}"#),
            "protocol unknown: `refreshToken.token` is of another type than is documented (status 200)",
        ),
        row(
            200,
            with(u, a, r#"{"token":"é"}"#),
            "protocol unknown: `refreshToken.token` is no token that a header can carry (status 200)",
        ),
        // An error where a success should be.
        row(
            200,
            r#"{"code":"RE_AUTHENTICATE","message":"m","data":{}}"#,
            "protocol unknown says \"m\": the answer has no `userId` (status 200, code RE_AUTHENTICATE)",
        ),
        row(200, "[]", "protocol unknown: the answer is not a JSON object (status 200)"),
        row(200, "null", "protocol unknown: the answer is not a JSON object (status 200)"),
        row(200, "<html>", "protocol unknown: the answer is not JSON (line 1, column 1) (status 200)"),
        row(200, &GRANTED[..40], "protocol unknown: the answer is not JSON (line 1, column 40) (status 200)"),
        row(
            200,
            format!("{GRANTED}{GRANTED}"),
            "protocol unknown salvage a r: the answer is not JSON (line 1, column 136) (status 200)",
        ),
        row(200, "", "protocol unknown: the answer is empty (status 200)"),
        row(204, "", "protocol unknown: the answer is empty (status 204)"),
        row(200, longest(GRANTED), "granted u a r"),
        row(200, longest(GRANTED) + " ", "protocol unknown salvage a r: the answer is longer than 64 KiB (status 200)"),
        row(200, long, "protocol unknown: the answer is longer than 64 KiB (status 200)"),
    ])
    .await;
}

#[tokio::test]
async fn every_other_status_has_its_meaning_whatever_the_body() {
    let dead = r#"{"code":"RE_AUTHENTICATE","message":"The session is not valid"}"#;
    let long = format!(r#"{{"code":"X","message":"{}"}}"#, "m".repeat(64 * 1024));
    check(vec![
        // Which 401 says so is a file of its own.
        row(
            401,
            dead,
            "login_needed refused says \"The session is not valid\": the refresh token is invalid or has expired \
             (status 401, code RE_AUTHENTICATE)",
        ),
        row(401, &long, "unauthorized refused: the provider does not accept the caller (status 401)"),
        // The code is an open set: it is told and decides nothing.
        row(
            400,
            dead,
            "refused refused says \"The session is not valid\": the provider refused (status 400, code RE_AUTHENTICATE)",
        ),
        row(400, "", "refused refused: the provider refused (status 400)"),
        row(400, r#"{"code":"123456789012"}"#, "refused refused: the provider refused (status 400, code 123456789012)"),
        row(400, r#"{"code":"1234567890123"}"#, "refused refused: the provider refused (status 400)"),
        row(400, r#"{"code":1234567890123}"#, "refused refused: the provider refused (status 400)"),
        row(400, r#"{"code":7,"message":7}"#, "refused refused: the provider refused (status 400, code 7)"),
        row(400, r#"{"code":"A","code":"B","message":"m","message":"n"}"#, "refused refused: the provider refused (status 400)"),
        row(400, r#"{"code":"no code at all","message":""}"#, "refused refused: the provider refused (status 400)"),
        row(400, r#"{"code":{"a":1}}"#, "refused refused: the provider refused (status 400)"),
        row(400, r#"["UNKNOWN_ERROR"]"#, "refused refused: the provider refused (status 400)"),
        row(411, "<html>Length Required", "refused refused: the provider refused (status 411)"),
        row(422, "", "refused refused: the provider refused (status 422)"),
        row(
            403,
            r#"{"code":"ACCESS_DENIED","message":"m"}"#,
            "forbidden refused says \"m\": the provider forbids the call (status 403, code ACCESS_DENIED)",
        ),
        row(403, "<html>", "forbidden refused: the provider forbids the call (status 403)"),
        row(404, dead, "wrong_endpoint refused says \"The session is not valid\": the provider has no such call at this \
             address (status 404, code RE_AUTHENTICATE)"),
        row(405, "", "wrong_endpoint refused: the provider has no such call at this address (status 405)"),
        row(429, "", "rate_limited refused: the provider turned the call away as one too many (status 429)"),
        row(429, GRANTED, "rate_limited refused wait 7: the provider turned the call away as one too many (status 429)")
            .header("retry-after", "7"),
        row(429, "", "rate_limited refused wait 60: the provider turned the call away as one too many (status 429)")
            .header("date", "Fri, 20 Nov 2026 09:30:00 GMT")
            .header("retry-after", "Fri, 20 Nov 2026 09:31:00 GMT"),
        row(408, "", "timeout unknown: the provider stopped waiting for the request (status 408)"),
        row(
            500,
            r#"{"code":"UNKNOWN_ERROR","message":"m"}"#,
            "server unknown says \"m\": the provider failed (status 500, code UNKNOWN_ERROR)",
        ),
        row(500, dead, "server unknown says \"The session is not valid\": the provider failed (status 500, code RE_AUTHENTICATE)"),
        row(502, "<html>", "server unknown: the provider failed (status 502)"),
        row(503, "", "server unknown wait 9: the provider failed (status 503)").header("retry-after", "9"),
        row(504, "", "server unknown: the provider failed (status 504)"),
        row(302, "", "protocol unknown: the provider redirected, which is never followed (status 302)")
            .header("location", PATH),
        row(307, GRANTED, "protocol unknown: the provider redirected, which is never followed (status 307)")
            .header("location", PATH),
        row(308, "", "protocol unknown: the provider redirected, which is never followed (status 308)")
            .header("location", PATH),
    ])
    .await;
}

#[tokio::test]
async fn every_broken_connection_has_its_meaning() {
    let ok = response(200, &[], GRANTED.as_bytes());
    let two_lengths =
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 19\r\n\r\n", GRANTED.as_bytes()].concat();
    let short = [b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n", GRANTED.as_bytes()].concat();
    let broken = "interrupted unknown: the connection broke before the whole answer was there";
    let late = "timeout unknown: no whole answer came in time";
    let cut = "interrupted unknown: the connection broke before the whole answer was there (status 200)";
    let recovered = &cut.replace("unknown:", "unknown salvage a r:");
    let late_cut = "timeout unknown: no whole answer came in time (status 200)";
    let refused = b"HTTP/1.1 400 \r\ncontent-length: 9\r\n\r\n{".to_vec();
    let slow = Script::SlowBody { status: 200, every: Duration::from_millis(100), length: 60 };
    for (script, requests, expected) in [
        (Script::Refused, 0, "unreachable not_sent: no connection could be made, nothing was sent"),
        (Script::CloseOnAccept, 0, broken),
        (Script::ResetAfterRequest, 1, broken),
        (Script::CloseAfterRequest, 1, broken),
        (Script::TruncatedHead, 1, broken),
        (Script::TruncatedBody { status: 200, promised: 99, sent: 40 }, 1, cut),
        (Script::Raw(refused), 1, "refused refused: the provider refused (status 400)"),
        (Script::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), 1, broken),
        // Whole JSON, and yet nobody can say that it is the whole answer.
        (Script::Raw(two_lengths), 1, recovered),
        (Script::Raw(short), 1, recovered),
        (Script::Stalled, 1, late),
        (slow, 1, late_cut),
        (Script::Raw(ok), 1, "granted u a r"),
    ] {
        let row = format!("{script:?}");
        let server = ScriptedServer::start(script);
        assert_eq!(describe(refresh(&server.url()).await), expected, "{row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.requests().len(), requests, "{row}");
        assert!(server.connections() <= 1, "{row}: {} connections", server.connections());
    }
}

#[tokio::test]
async fn a_refresh_token_past_its_expiry_is_not_sent() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], GRANTED.as_bytes())));
    let until = |expiry| credential().with_expiry(expiry);
    let client = client(&server.url(), http());
    for expiry in [Expiry::At(now()), Expiry::At(at(0))] {
        let error = client.refresh(&until(expiry)).await.expect_err("nothing sent");
        assert_eq!(error.help(), "have the person log in again and store the new tokens");
        assert_eq!(describe(Err(error)), "login_needed not_sent: the refresh token has expired, so nothing was sent");
    }
    assert_eq!(server.connections(), 0);
    // Only the provider's own word counts, and only once it has come true.
    for expiry in [Expiry::At(at(NOW + 1)), Expiry::Assumed(at(0)), Expiry::Unknown] {
        assert_eq!(describe(client.refresh(&until(expiry)).await), "granted u a r");
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_advice_fits_the_answer() {
    let help =
        async |http: Canned| client(BASE, http).refresh(&credential()).await.expect_err("refused").help().to_owned();
    insta::assert_snapshot!(help(Canned::new(400, "")).await, @"read status and code; this does not prove that the session is dead, so keep the tokens");
    let dead = r#"{"code":"RE_AUTHENTICATE","message":"m"}"#;
    insta::assert_snapshot!(help(Canned::new(401, dead)).await, @"look whether newer tokens have been stored meanwhile; if not, have the person log in again");
    insta::assert_snapshot!(help(Canned::new(401, "")).await, @"check the base URL and what stands before Onboard: this 401 is not in the form of Onboard's own, so it does not prove that the session is dead, and the tokens may still be good");
    insta::assert_snapshot!(help(Canned::new(404, "")).await, @"check the base URL and the environment");
    insta::assert_snapshot!(help(Canned::new(500, "")).await, @"the refresh may have happened: keep the tokens you hold and treat the presented one as in doubt");
    insta::assert_snapshot!(help(Canned::new(200, "")).await, @"the refresh may have happened: keep the tokens you hold, treat the presented one as in doubt, and check the base URL");
}

#[tokio::test]
async fn a_403_is_explained_by_the_clock_when_the_clocks_disagree() {
    let unknown = "check the account's rights and this machine's clock; the tokens may still be good";
    let agrees = "ask Onboard whether the account is blocked; the tokens may still be good";
    let behind = |by: &str| {
        format!("set the clock: this machine's clock is {by} behind the provider's; the tokens may still be good")
    };
    let ahead = |by: &str| {
        format!("set the clock: this machine's clock is {by} ahead of the provider's; the tokens may still be good")
    };
    for (date, expected) in [
        ("Fri, 20 Nov 2026 09:30:00 GMT", agrees.to_owned()),
        ("Fri, 20 Nov 2026 09:30:30 GMT", agrees.to_owned()),
        ("Fri, 20 Nov 2026 09:29:30 GMT", agrees.to_owned()),
        ("Fri, 20 Nov 2026 09:30:31 GMT", behind("31 s")),
        ("Fri, 20 Nov 2026 09:29:29 GMT", ahead("31 s")),
        ("Sat, 20 Nov 2027 09:30:00 GMT", behind("365 days")),
        ("yesterday", unknown.to_owned()),
        ("", unknown.to_owned()),
    ] {
        let http = Canned::new(403, "").with_header("date", date);
        let error = client(BASE, http).refresh(&credential()).await.expect_err("forbidden");
        assert_eq!(error.help(), expected, "{date}");
    }
    // A token that this machine takes for a live one may have died by Onboard's clock.
    let http = Canned::new(401, "").with_header("date", "Sat, 20 Nov 2027 09:30:00 GMT");
    let error = client(BASE, http).refresh(&credential()).await.expect_err("refused");
    assert!(error.help().ends_with("; this machine's clock is 365 days behind the provider's"), "{}", error.help());
    // A server that failed did not look at the time.
    let http = Canned::new(500, "").with_header("date", "Sat, 20 Nov 2027 09:30:00 GMT");
    let error = client(BASE, http).refresh(&credential()).await.expect_err("failed");
    assert!(!error.help().contains("clock"), "{}", error.help());
}
