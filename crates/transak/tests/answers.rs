//! What each answer and each broken connection means: kind, outcome, waiting time, salvaged token, and that one request
//! was sent.

mod common;

use std::time::Duration;

use common::{DAY, NOW, at, client, jwt, presented, user_token};
use httpmock::{Method::GET, MockServer};
use rampauth_core::ReqwestClient;
use rampauth_test_kit::odd::longest;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use rampauth_transak::{AccessToken, Error, ErrorKind, Expiry, HttpClient, UserToken};

/// Short enough for a test, long enough for a loopback connection on a busy machine.
const TIMEOUT: Duration = Duration::from_millis(1_500);

fn http() -> impl HttpClient + 'static {
    ReqwestClient::builder().timeout(TIMEOUT).build().expect("an HTTP client")
}

async fn refresh(base_url: &str) -> Result<UserToken, Error> {
    client(base_url, http()).refresh(&user_token(&presented())).await
}

/// The tokens that the tables below name: JWTs that expire when their names say.
fn tokens() -> [(&'static str, String); 8] {
    [
        ("$NEW", jwt("new", NOW + 30 * DAY)),
        ("$PRESENTED", presented()),
        ("$SAME_END", jwt("same-end", NOW + 5 * DAY)),
        ("$SOONER", jwt("sooner", NOW + DAY)),
        ("$NOW", jwt("now", NOW)),
        ("$NEXT", jwt("next", NOW + 1)),
        ("$LATER", jwt("later", NOW + 5 * DAY + 1)),
        ("$PAST", jwt("past", NOW - DAY)),
    ]
}

fn name(token: &AccessToken, expiry: Expiry) -> String {
    let token = tokens().iter().fold(token.expose_secret().to_owned(), |text, (name, token)| text.replace(token, name));
    let days = |time: std::time::SystemTime| time.duration_since(at(NOW)).expect("a time to come").as_secs() / DAY;
    match expiry {
        Expiry::At(time) => format!("{token} for {} days", days(time)),
        Expiry::Assumed(time) => format!("{token} for {} days, assumed", days(time)),
        _ => format!("{token} for an unknown time"),
    }
}

/// `kind outcome [retry-after] [provider's message] [salvaged token]: reason`
fn describe(result: Result<UserToken, Error>) -> String {
    let error = match result {
        Ok(token) => return format!("granted {}", name(token.access_token(), token.expiry())),
        Err(error) => error,
    };
    let wait = error.retry_after().map(|wait| format!(" wait {}", wait.as_secs())).unwrap_or_default();
    let told = error.provider_message().map(|message| format!(" told {message:?}")).unwrap_or_default();
    let salvage = error.salvage().map(|set| {
        let token = set.access_token.as_ref().expect("an access token is all that can be salvaged");
        format!(" salvage {}", name(token, set.access_expiry))
    });
    // The advice that is Transak's own: for a dead token, and for a 401 that may be none.
    assert_eq!(
        error.help().contains("one-time code"),
        error.kind() == ErrorKind::LoginNeeded && error.status().is_some()
    );
    assert_eq!(error.help().contains("Transak's allow-list"), error.kind() == ErrorKind::Unauthorized);
    let own = ["one-time code", "Transak's allow-list"].iter().any(|own| error.help().contains(own));
    let usual = Error::new(error.kind(), error.outcome(), "", "").with_clock_difference(error.clock_difference());
    assert!(own || error.help() == usual.help(), "{}", error.help());
    let message = error.to_string();
    let reason = message.strip_prefix("failed to refresh the Transak user token: ").expect("the call is named");
    let salvage = salvage.unwrap_or_default();
    format!("{} {}{wait}{told}{salvage}: {reason}", error.kind().as_str(), error.outcome().as_str())
}

/// Status, headers, body; and what a refresh makes of them.
type Row = (u16, &'static [(&'static str, &'static str)], &'static str, &'static str);

#[rustfmt::skip]
const ANSWERS: &[Row] = &[
    // What the vendor documents, and what does not matter: labels, 2xx statuses, members that nobody knows.
    (200, &[], r#"{"data":{"accessToken":"$NEW"}}"#, "granted $NEW for 30 days"),
    (200, &[("content-type", "text/html")], r#"{"data":{"x":1,"x":2,"accessToken":"$NEW"},"more":[{}]}"#, "granted $NEW for 30 days"),
    (201, &[], r#"{"data":{"accessToken":"$NEW"},"error":null}"#, "granted $NEW for 30 days"),
    // A token that does not tell when it expires lives for the documented 30 days.
    (200, &[], r#"{"data":{"accessToken":"opaque"}}"#, "granted opaque for 30 days, assumed"),
    (200, &[], r#"{"data":{"accessToken":"eyJh.e30.x"}}"#, "granted eyJh.e30.x for 30 days, assumed"),
    // A token that is no better than the one presented. One that is alive and another is kept beside it.
    (200, &[], r#"{"data":{"accessToken":"$PRESENTED"}}"#, "protocol unknown: the answer brings the token that was presented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$PAST"}}"#, "protocol unknown: the new token has expired already (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$NOW"}}"#, "protocol unknown: the new token has expired already (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$NEXT"}}"#, "protocol unknown salvage $NEXT for 0 days: the new token expires no later than the one presented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$LATER"}}"#, "granted $LATER for 5 days"),
    (200, &[], r#"{"data":{"accessToken":"$SOONER"}}"#, "protocol unknown salvage $SOONER for 1 days: the new token expires no later than the one presented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$SAME_END"}}"#, "protocol unknown salvage $SAME_END for 5 days: the new token expires no later than the one presented (status 200)"),
    // Contradictions and broken contracts.
    (200, &[], r#"{"data":{"accessToken":"$NEW"},"error":{"statusCode":401,"message":"m","errorCode":1002}}"#, "protocol unknown told \"m\" salvage $NEW for 30 days: the answer tells an error, and yet brings a token (status 200, code 1002)"),
    (200, &[], r#"{"data":{"accessToken":"opaque"},"error":false}"#, "protocol unknown salvage opaque for 30 days, assumed: the answer tells an error, and yet brings a token (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$NEW"},"error":null,"error":null}"#, "protocol unknown salvage $NEW for 30 days: the answer tells an error, and yet brings a token (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$PRESENTED"},"error":{}}"#, "protocol unknown: the answer brings the token that was presented (status 200)"),
    (200, &[], r#"{"error":{"statusCode":401,"message":"m","errorCode":1002}}"#, "protocol unknown told \"m\": the answer has no `data` (status 200, code 1002)"),
    (200, &[], r#"{"accessToken":"$NEW"}"#, "protocol unknown: the answer has no `data` (status 200)"),
    (200, &[], r#"{"data":null}"#, "protocol unknown: the answer has no `data` (status 200)"),
    (200, &[], r#"{"data":"$NEW"}"#, "protocol unknown: `data` is of another type than is documented (status 200)"),
    (200, &[], r#"{"data":[{"accessToken":"$NEW"}]}"#, "protocol unknown: `data` is of another type than is documented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$NEW"},"data":{"accessToken":"$NEW"}}"#, "protocol unknown: `data` stands there more than once (status 200)"),
    (200, &[], r#"{"data":{}}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"data":{"accessToken":null}}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"data":{"accessToken":""}}"#, "protocol unknown: the answer has no `accessToken` (status 200)"),
    (200, &[], r#"{"data":{"accessToken":7}}"#, "protocol unknown: `accessToken` is of another type than is documented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":["$NEW"]}}"#, "protocol unknown: `accessToken` is of another type than is documented (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"$NEW","accessToken":"$NEW"}}"#, "protocol unknown: `accessToken` stands there more than once (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"a\nb"}}"#, "protocol unknown: `accessToken` is no bare token that a header can carry (status 200)"),
    (200, &[], r#"{"data":{"accessToken":"Bearer $NEW"}}"#, "protocol unknown: `accessToken` is no bare token that a header can carry (status 200)"),
    (200, &[], "[]", "protocol unknown: the answer is not a JSON object (status 200)"),
    (200, &[], "<html>OK</html>", "protocol unknown: the answer is not JSON (line 1, column 1) (status 200)"),
    (200, &[], "", "protocol unknown: the answer is empty (status 200)"),
    (204, &[], "", "protocol unknown: the answer is empty (status 204)"),
    // Code 1002, a number or a text, with 400 or 401: the token is dead.
    (401, &[], r#"{"error":{"statusCode":401,"message":"m","errorCode":1002}}"#, "login_needed refused told \"m\": the provider says that the user token is missing, invalid or expired (status 401, code 1002)"),
    (400, &[], r#"{"error":{"errorCode":"1002"}}"#, "login_needed refused: the provider says that the user token is missing, invalid or expired (status 400, code 1002)"),
    // Nothing else says so: no other code, no other place, no other status.
    (401, &[], "", "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], "<html>Access token is expired</html>", "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"error":{"statusCode":401,"message":"Access token is expired"}}"#, "unauthorized refused told \"Access token is expired\": the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"error":{"statusCode":401,"name":"UnauthorizedError","message":"m"}}"#, "unauthorized refused told \"m\": the provider does not accept the caller (status 401, code UnauthorizedError)"),
    (401, &[], r#"{"error":{"errorCode":1010,"additionalMessage":"a"}}"#, "unauthorized refused told \"a\": the provider does not accept the caller (status 401, code 1010)"),
    (401, &[], r#"{"error":{"errorCode":1002,"errorCode":1002}}"#, "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"error":{"errorCode":[1002]}}"#, "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"error":{"errorCode":1002.5}}"#, "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"error":{"name":1002}}"#, "unauthorized refused: the provider does not accept the caller (status 401, code 1002)"),
    (401, &[], r#"{"error":"1002"}"#, "unauthorized refused: the provider does not accept the caller (status 401)"),
    (401, &[], r#"{"errorCode":1002}"#, "unauthorized refused: the provider does not accept the caller (status 401)"),
    (400, &[], r#"{"error":{"statusCode":400,"message":"m","errorCode":9001,"additionalMessage":{"x":1}}}"#, "refused refused told \"m\": the provider refused (status 400, code 9001)"),
    (400, &[], r#"{"error":{"errorCode":123456789012}}"#, "refused refused: the provider refused (status 400, code 123456789012)"),
    (400, &[], r#"{"error":{"errorCode":1234567890123}}"#, "refused refused: the provider refused (status 400)"),
    (400, &[], r#"{"error":{"statusCode":1002,"message":7}}"#, "refused refused: the provider refused (status 400)"),
    (403, &[], r#"{"error":{"errorCode":1002}}"#, "forbidden refused: the provider forbids the call (status 403, code 1002)"),
    (422, &[], r#"{"error":{"errorCode":1002}}"#, "refused refused: the provider refused (status 422, code 1002)"),
    (429, &[("retry-after", "7")], r#"{"error":{"errorCode":1002}}"#, "rate_limited refused wait 7: the provider turned the call away as one too many (status 429, code 1002)"),
    (500, &[], r#"{"error":{"statusCode":500,"message":"Internal Server Error"}}"#, "server unknown told \"Internal Server Error\": the provider failed (status 500)"),
    (500, &[], r#"{"error":{"statusCode":401,"message":"m","errorCode":1002}}"#, "server unknown told \"m\": the provider failed (status 500, code 1002)"),
    (302, &[("location", "/elsewhere")], r#"{"error":{"errorCode":1002}}"#, "protocol unknown: the provider redirected, which is never followed (status 302, code 1002)"),
    // The other statuses.
    (304, &[], "", "protocol unknown: the provider redirected, which is never followed (status 304)"),
    (307, &[("location", "/elsewhere")], "", "protocol unknown: the provider redirected, which is never followed (status 307)"),
    (403, &[], "<html>", "forbidden refused: the provider forbids the call (status 403)"),
    (404, &[], "", "wrong_endpoint refused: the provider has no such call at this address (status 404)"),
    (405, &[], "", "wrong_endpoint refused: the provider has no such call at this address (status 405)"),
    (408, &[], "", "timeout unknown: the provider stopped waiting for the request (status 408)"),
    (429, &[], r#"{"data":{"accessToken":"$NEW"}}"#, "rate_limited refused: the provider turned the call away as one too many (status 429)"),
    (503, &[("retry-after", "9")], "<html>", "server unknown wait 9: the provider failed (status 503)"),
];

#[tokio::test]
async fn every_status_and_body_has_its_meaning() {
    let server = MockServer::start_async().await;
    for (status, headers, body, expected) in ANSWERS {
        check(&server, *status, headers, body, expected).await;
    }
    let whole = longest(&format!(r#"{{"data":{{"accessToken":"{}"}}}}"#, jwt("new", NOW + 30 * DAY)));
    check(&server, 200, &[], &whole, "granted $NEW for 30 days").await;
    let expected = "protocol unknown salvage $NEW for 30 days: the answer is longer than 64 KiB (status 200)";
    check(&server, 200, &[], &format!("{whole} "), expected).await;
    let long = format!(r#"{{"data":{{"accessToken":"$NEW"}},"x":"{}"}}"#, "x".repeat(64 * 1024));
    check(&server, 200, &[], &long, "protocol unknown: the answer is longer than 64 KiB (status 200)").await;
    let long = format!(r#"{{"error":{{"errorCode":1002,"message":"{}"}}}}"#, "x".repeat(64 * 1024));
    let expected = "unauthorized refused: the provider does not accept the caller (status 401)";
    check(&server, 401, &[], &long, expected).await;
}

async fn check(server: &MockServer, status: u16, headers: &[(&str, &str)], body: &str, expected: &str) {
    let row = format!("{status} {}", &body[..body.len().min(100)]);
    let body = tokens().iter().fold(body.to_owned(), |body, (name, token)| body.replace(name, token));
    let mock = server
        .mock_async(|when, then| {
            when.method(GET).path("/api/v2/auth/refresh").header("authorization", presented());
            headers.iter().fold(then.status(status).body(body), |then, (name, value)| then.header(*name, *value));
        })
        .await;
    assert_eq!(describe(refresh(&server.base_url()).await), expected, "{row}");
    assert_eq!(mock.calls_async().await, 1, "{row}");
    mock.delete_async().await;
}

#[tokio::test]
async fn without_a_read_expiry_of_the_old_token_any_living_one_is_newer() {
    let server = MockServer::start_async().await;
    let body = format!(r#"{{"data":{{"accessToken":"{}"}}}}"#, jwt("sooner", NOW + DAY));
    let mock = server.mock_async(|when, then| drop((when.method(GET), then.status(200).body(body)))).await;
    let client = client(&server.base_url(), http());
    for (row, expiry) in [Expiry::Unknown, Expiry::Assumed(at(NOW + 5 * DAY))].into_iter().enumerate() {
        let token = client.refresh(&user_token(&presented()).with_expiry(expiry)).await;
        assert_eq!(describe(token), "granted $SOONER for 1 days");
        assert_eq!(mock.calls_async().await, row + 1);
    }
}

#[tokio::test]
async fn every_broken_connection_has_its_meaning() {
    const BROKE: &str = "interrupted unknown: the connection broke before the whole answer was there";
    const CUT: &str = "interrupted unknown: the connection broke before the whole answer was there (status 200)";
    const RECOVERED: &str = "interrupted unknown salvage opaque for 30 days, assumed: the connection broke before the whole answer was there (status 200)";
    let body = br#"{"data":{"accessToken":"opaque"}}"#;
    let (ok, short) = (response(200, &[], body), response(200, &[("content-length", "99")], body));
    let duplicate_length = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 19\r\n\r\n", &body[..]].concat();
    for (script, requests, expected) in [
        (Script::Refused, 0, "unreachable not_sent: no connection could be made, nothing was sent"),
        (Script::CloseOnAccept, 0, BROKE),
        (Script::ResetAfterRequest, 1, BROKE),
        (Script::CloseAfterRequest, 1, BROKE),
        (Script::TruncatedHead, 1, BROKE),
        (Script::TruncatedBody { status: 200, promised: 99, sent: 40 }, 1, CUT),
        (
            Script::TruncatedBody { status: 401, promised: 99, sent: 1 },
            1,
            "unauthorized refused: the provider does not accept the caller (status 401)",
        ),
        (Script::Raw(short), 1, RECOVERED),
        (Script::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), 1, BROKE),
        (Script::Raw(duplicate_length), 1, RECOVERED),
        (Script::Stalled, 1, "timeout unknown: no whole answer came in time"),
        (
            Script::SlowBody { status: 200, every: Duration::from_millis(100), length: 60 },
            1,
            "timeout unknown: no whole answer came in time (status 200)",
        ),
        (Script::Raw(ok), 1, "granted opaque for 30 days, assumed"),
    ] {
        let row = format!("{script:?}");
        let server = ScriptedServer::start(script);
        assert_eq!(describe(refresh(&server.url()).await), expected, "{row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.requests().len(), requests, "{row}");
        assert!(server.connections() <= 1, "{row}: {} connections", server.connections());
    }
}

/// The request as it stands on the wire: nothing in it that is not meant.
#[tokio::test]
async fn nothing_is_added_on_the_way_out() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], br#"{"data":{"accessToken":"opaque"}}"#)));
    client(&server.url(), http()).refresh(&user_token("the-user-token")).await.expect("granted");
    let request = server.assert_exactly_one_request_async().await;
    let mut headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.sort_unstable();
    let user_agent = concat!("rampauth-transak/", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("authorization", "the-user-token"),
        ("cache-control", "no-store"),
        ("host", server.url().strip_prefix("http://").expect("plain http")),
        ("user-agent", user_agent),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
    assert_eq!(headers, expected);
    assert!(request.body.is_empty());
}

#[tokio::test]
async fn https_to_a_plain_port_sends_nothing() {
    let server = ScriptedServer::start(Script::Stalled);
    let result = refresh(&server.url().replace("http:", "https:")).await;
    assert_eq!(describe(result), "unreachable not_sent: no connection could be made, nothing was sent");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_expired_token_is_not_sent() {
    let server = ScriptedServer::start(Script::Stalled);
    let client = client(&server.url(), http());
    for token in [user_token(&jwt("past", NOW)), user_token("opaque").with_expiry(Expiry::At(at(NOW)))] {
        let expected =
            "login_needed not_sent: the user token has expired and cannot be renewed any more, so nothing was sent";
        assert_eq!(describe(client.refresh(&token).await), expected);
        assert_eq!(describe(client.refresh_for(&token, [203, 0, 113, 7].into()).await), expected);
    }
    assert_eq!(server.connections(), 0);
}
