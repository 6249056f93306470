//! What each answer and each broken connection means: kind, outcome, waiting time, trust, advice, and that one request was
//! sent.

mod common;

use std::time::Duration;

use common::Sign::{self, Absent, Good};
use common::{client, credential, expand, now};
use httpmock::{Method::POST, MockServer};
use rampauth_core::ReqwestClient;
use rampauth_payby::{Client, Error, ErrorKind, Expiry, HttpClient, PayByCredential, SecretBytes};
use rampauth_test_kit::odd::longest;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

/// Short enough for a test, long enough for a loopback connection on a busy machine.
const TIMEOUT: Duration = Duration::from_millis(1_500);

fn http() -> impl HttpClient + 'static {
    ReqwestClient::builder().timeout(TIMEOUT).build().expect("an HTTP client")
}

async fn refresh(base_url: &str) -> Result<String, Error> {
    let tokens = client(base_url, http()).refresh(&credential()).await?;
    let expiry = match tokens.access_expiry() {
        Expiry::Unknown => "unknown expiry",
        _ => "known expiry",
    };
    let refresh = tokens.refresh_credential().token().expose_secret();
    Ok(format!("{} {refresh} {expiry}", tokens.access_token().expose_secret()))
}

/// `kind outcome [verified] [retry-after] [salvaged tokens]: message`
fn describe(result: Result<String, Error>) -> String {
    let error = match result {
        Ok(tokens) => return format!("granted {tokens}"),
        Err(error) => error,
    };
    // The advice that is PayBy's own: for a call that may be gone, and for what its codes can mean.
    let by_code = error.provider_code().is_some() || error.status() == Some(200);
    let own = error.kind() == ErrorKind::WrongEndpoint || (error.kind() == ErrorKind::Refused && by_code);
    let usual = Error::new(error.kind(), error.outcome(), "", "").with_clock_difference(error.clock_difference());
    assert_eq!(error.help() != usual.help(), own, "{error}: {}", error.help());
    let verified = if error.verified() == Some(true) { " verified" } else { "" };
    let wait = error.retry_after().map(|wait| format!(" wait {}", wait.as_secs())).unwrap_or_default();
    let salvage = error.salvage().map(|set| {
        let refresh = set.refresh_token.as_ref().expect("a salvaged refresh token").expose_secret();
        let access = set.access_token.as_ref().map_or("no access token", |token| token.expose_secret());
        format!(" salvage {refresh} and {access}")
    });
    let message = error.to_string();
    let reason = message.strip_prefix("failed to refresh the PayBy tokens: ").expect("the call is named");
    let salvage = salvage.unwrap_or_default();
    format!("{} {}{verified}{wait}{salvage}: {reason}", error.kind().as_str(), error.outcome().as_str())
}

const UNSIGNED: &str = "untrusted unknown: the answer is not signed, and is no error that may come unsigned, so nothing in it was believed";
const WRONG: &str = "untrusted unknown: the answer's signature is not the provider's, so nothing in it was believed";

/// Status, signature, headers, body (see `common::expand`); and what a refresh makes of them.
type Row = (u16, Sign, &'static [(&'static str, &'static str)], &'static str, &'static str);

#[rustfmt::skip]
const SIGNED: &[Row] = &[
    // A success, which is taken with PayBy's signature alone.
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r","expiresIn":3600}}"#, "granted a r known expiry"),
    (201, Good, &[("content-type", "text/html")], r#"{#0,"body":{"accessToken":"a"}}"#, "granted a the-refresh-token unknown expiry"),
    (200, Good, &[], r#"{"head":{"applyStatus":"success","code":"0","success":true},"body":{"accessToken":"a","other":{"deep":[1]},"other":2}}"#, "granted a the-refresh-token unknown expiry"),
    // The published codes, signed, on 200 and on the statuses that a gateway might give them.
    (200, Good, &[], "{#400}", "refused refused verified: the provider refused (status 200, code 400)"),
    (200, Good, &[], "{#401}", "refused refused verified: the provider refused (status 200, code 401)"),
    (200, Good, &[("retry-after", "7")], "{#402}", "rate_limited refused verified wait 7: the provider turned the call away as one too many (status 200, code 402)"),
    (200, Good, &[], "{#403}", "refused refused verified: the provider refused (status 200, code 403)"),
    (200, Good, &[], "{#404}", "wrong_endpoint refused verified: the provider has no such call at this address (status 200, code 404)"),
    (200, Good, &[], "{#500}", "server unknown verified: the provider failed (status 200, code 500)"),
    (200, Good, &[], "{#504}", "server unknown verified: the provider failed (status 200, code 504)"),
    (200, Good, &[], "{#601}", "refused refused verified: the provider refused (status 200, code 601)"),
    (200, Good, &[], "{#62001}", "refused refused verified: the provider refused (status 200, code 62001)"),
    (200, Good, &[], "{#123456789012}", "refused refused verified: the provider refused (status 200, code 123456789012)"),
    (200, Good, &[], "{#1234567890123}", "refused refused verified: the provider refused (status 200)"),
    (200, Good, &[], r#"{"head":{"code":7}}"#, "refused refused verified: the provider refused (status 200, code 7)"),
    (400, Good, &[], "{#62001}", "refused refused verified: the provider refused (status 400, code 62001)"),
    (401, Good, &[], "{#403}", "refused refused verified: the provider refused (status 401, code 403)"),
    (403, Good, &[], "{#402}", "rate_limited refused verified: the provider turned the call away as one too many (status 403, code 402)"),
    (400, Good, &[], "{#404}", "wrong_endpoint refused verified: the provider has no such call at this address (status 400, code 404)"),
    (404, Good, &[], "{#500}", "server unknown verified: the provider failed (status 404, code 500)"),
    // Contradictions; a new refresh token is kept.
    (200, Good, &[], r#"{"head":{"applyStatus":"FAIL","code":"0"},"body":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown verified salvage r and a: `code` says success, and `applyStatus` does not (status 200, code 0)"),
    (200, Good, &[], r#"{"head":{"code":"0"},"body":{"access_token":"a","refresh_token":"r"}}"#, "protocol unknown verified salvage r and a: `code` says success, and `applyStatus` does not (status 200, code 0)"),
    (200, Good, &[], r#"{"head":{"applyStatus":"SUCCESS","code":"400"},"body":{}}"#, "refused refused verified: the provider refused (status 200, code 400)"),
    (200, Good, &[], r#"{"head":{"applyStatus":"SUCCESS","code":"62001"},"body":{"refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: the answer says that it refuses, and yet brings tokens (status 200, code 62001)"),
    (200, Good, &[], r#"{#400,"body":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown verified salvage r and a: the answer says that it refuses, and yet brings tokens (status 200, code 400)"),
    (400, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown verified salvage r and a: the status refuses, and yet the signed answer grants (status 400, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","access_token":"b","refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: `accessToken` and `access_token` contradict each other (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r","refresh_token":"s"}}"#, "protocol unknown verified: `refreshToken` and `refresh_token` contradict each other (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"the-refresh-token","refresh_token":"s"}}"#, "protocol unknown verified salvage s and a: `refreshToken` and `refresh_token` contradict each other (status 200, code 0)"),
    // An expiry that contradicts itself is no reason to lose a token, with a refresh token beside it or without.
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r","expiresIn":1,"expires_in":2}}"#, "granted a r known expiry"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r","expiresAt":1,"expiresAt":2}}"#, "granted a r unknown expiry"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","expiresIn":900,"expiresIn":900}}"#, "granted a the-refresh-token unknown expiry"),
    // Broken contracts.
    (200, Good, &[], "{#0}", "protocol unknown verified: the answer has no `accessToken` (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":null}"#, "protocol unknown verified: the answer has no `accessToken` (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":"a"}"#, "protocol unknown verified: `body` is of another type than is documented (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: the answer has no `accessToken` (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"refreshToken":"r","refresh_token":"r"}}"#, "protocol unknown verified salvage r and no access token: the answer has no `accessToken` (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":7,"refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: `accessToken` is of another type than is documented (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","accessToken":"b","refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: `accessToken` stands there more than once (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a\nb","refreshToken":"r"}}"#, "protocol unknown verified salvage r and no access token: `accessToken` is no token that a header can carry (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"é"}}"#, "protocol unknown verified: `refreshToken` is no token that a header can carry (status 200, code 0)"),
    (200, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":["r"]}}"#, "protocol unknown verified: `refreshToken` is of another type than is documented (status 200, code 0)"),
    (200, Good, &[], r#"{"body":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown verified salvage r and a: the answer has no `head` (status 200)"),
    (200, Good, &[], r#"{#0,#0,"body":{"accessToken":"a","refreshToken":"r"}}"#, "protocol unknown verified salvage r and a: `head` stands there more than once (status 200)"),
    (200, Good, &[], r#"{"head":"0"}"#, "protocol unknown verified: `head` is of another type than is documented (status 200)"),
    (200, Good, &[], r#"{"head":{"applyStatus":"SUCCESS"}}"#, "protocol unknown verified: `head` has no `code` (status 200)"),
    (200, Good, &[], r#"{"head":{"applyStatus":"SUCCESS","code":""}}"#, "protocol unknown verified: `head` has no `code` (status 200)"),
    (200, Good, &[], r#"{"head":{"applyStatus":"SUCCESS","code":"0","code":"400"}}"#, "protocol unknown verified: `code` stands there more than once (status 200)"),
    (200, Good, &[], r#"{"head":{"applyStatus":1,"code":"0"}}"#, "protocol unknown verified: `applyStatus` is of another type than is documented (status 200)"),
    (200, Good, &[], "[]", "protocol unknown verified: the answer is not a JSON object (status 200)"),
    (200, Good, &[], "test echo", "protocol unknown verified: the answer is not JSON (line 1, column 6) (status 200)"),
    (200, Good, &[], "", "protocol unknown verified: the answer is empty (status 200)"),
];

#[rustfmt::skip]
const OTHERS: &[Row] = &[
    // Codes that may come unsigned: as an error, and nothing is taken from the body.
    (200, Absent, &[], "{#400}", "refused refused: the provider refused (status 200, code 400)"),
    (200, Absent, &[], "{#402}", "rate_limited refused: the provider turned the call away as one too many (status 200, code 402)"),
    (200, Absent, &[], "{#403}", "refused refused: the provider refused (status 200, code 403)"),
    (200, Absent, &[], "{#404}", "wrong_endpoint refused: the provider has no such call at this address (status 200, code 404)"),
    (200, Absent, &[], "{#500}", "server unknown: the provider failed (status 200, code 500)"),
    (200, Absent, &[], "{#504}", "server unknown: the provider failed (status 200, code 504)"),
    (200, Absent, &[], "{#601}", "refused refused: the provider refused (status 200, code 601)"),
    (200, Absent, &[], "{#58}", "refused refused: the provider refused (status 200, code 58)"),
    (200, Absent, &[], "{#58001}", "refused refused: the provider refused (status 200, code 58001)"),
    (200, Absent, &[], r#"{#400,"body":{"accessToken":"a","refreshToken":"r"}}"#, "refused refused: the provider refused (status 200, code 400)"),
    (200, Absent, &[], r#"{"head":{"applyStatus":"SUCCESS","code":"400"}}"#, "refused refused: the provider refused (status 200, code 400)"),
    (200, Absent, &[], r#"{"head":{"applyStatus":"SUCCESS","code":"402"}}"#, "rate_limited refused: the provider turned the call away as one too many (status 200, code 402)"),
    (401, Absent, &[], "{#403}", "refused refused: the provider refused (status 401, code 403)"),
    (404, Absent, &[], "{#400}", "refused refused: the provider refused (status 404, code 400)"),
    (422, Absent, &[], "{#504}", "server unknown: the provider failed (status 422, code 504)"),
    // Anything else must be signed.
    (200, Absent, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#, "untrusted (status 200, code 0)"),
    (200, Absent, &[], "{#401}", "untrusted (status 200, code 401)"),
    (200, Absent, &[], "{#62001}", "untrusted (status 200, code 62001)"),
    (200, Absent, &[], "{#5}", "untrusted (status 200, code 5)"),
    (400, Absent, &[], "{#401}", "untrusted (status 400, code 401)"),
    (404, Absent, &[], "{#0}", "untrusted (status 404, code 0)"),
    (200, Absent, &[], r#"{"body":{"accessToken":"a","refreshToken":"r"}}"#, "untrusted (status 200)"),
    (200, Absent, &[], r#"{"accessToken":"a","refreshToken":"r"}"#, "untrusted (status 200)"),
    (200, Absent, &[], "[]", "untrusted (status 200)"),
    // What is no answer of PayBy's at all.
    (200, Absent, &[], "<html>OK</html>", "protocol unknown: the answer is not JSON (line 1, column 1) (status 200)"),
    (200, Absent, &[], "", "protocol unknown: the answer is empty (status 200)"),
    (204, Absent, &[], "", "protocol unknown: the answer is empty (status 204)"),
    (400, Absent, &[], "<html>", "refused refused: the provider refused (status 400)"),
    (401, Absent, &[], "", "unauthorized refused: the provider does not accept the caller (status 401)"),
    (403, Absent, &[], r#"{"message":"Forbidden"}"#, "forbidden refused: the provider forbids the call (status 403)"),
    (404, Absent, &[], r#"{"status":404,"error":"Not Found"}"#, "wrong_endpoint refused: the provider has no such call at this address (status 404)"),
    (405, Absent, &[], "", "wrong_endpoint refused: the provider has no such call at this address (status 405)"),
    (415, Good, &[], "unsupported", "refused refused verified: the provider refused (status 415)"),
    // Statuses that say it all, whatever the body says; a signed new token is kept even so.
    (302, Absent, &[("location", "/elsewhere")], "", "protocol unknown: the provider redirected, which is never followed (status 302)"),
    (307, Good, &[("location", "/elsewhere")], r#"{#0,"body":{"accessToken":"a"}}"#, "protocol unknown verified: the provider redirected, which is never followed (status 307, code 0)"),
    (408, Absent, &[], "{#400}", "timeout unknown: the provider stopped waiting for the request (status 408, code 400)"),
    (429, Absent, &[("retry-after", "7")], "", "rate_limited refused wait 7: the provider turned the call away as one too many (status 429)"),
    (429, Absent, &[], "{#0}", "rate_limited refused: the provider turned the call away as one too many (status 429, code 0)"),
    (500, Absent, &[], "{#62001}", "server unknown: the provider failed (status 500, code 62001)"),
    (500, Good, &[], r#"{#400,"body":{"refreshToken":"r"}}"#, "server unknown verified salvage r and no access token: the provider failed (status 500, code 400)"),
    (502, Good, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#, "server unknown verified salvage r and a: the provider failed (status 502, code 0)"),
    (503, Absent, &[("retry-after", "9")], "<html>", "server unknown wait 9: the provider failed (status 503)"),
    // A blank signature is as good as none.
    (200, Sign::Blank, &[], r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#, "untrusted (status 200, code 0)"),
    (200, Sign::Blank, &[], "{#400}", "refused refused: the provider refused (status 200, code 400)"),
    (200, Sign::Blank, &[], "{#402}", "rate_limited refused: the provider turned the call away as one too many (status 200, code 402)"),
    (200, Sign::Blank, &[("sign", " \t")], "{#504}", "server unknown: the provider failed (status 200, code 504)"),
    (401, Sign::Blank, &[], "", "unauthorized refused: the provider does not accept the caller (status 401)"),
    (200, Sign::Garbage, &[("sign", "")], "{#400}", "wrong (status 200)"),
    // Two signatures are none that can be checked.
    (200, Good, &[("sign", "other")], r#"{#0,"body":{"accessToken":"a"}}"#, "wrong (status 200)"),
];

#[tokio::test]
async fn every_signed_answer_has_its_meaning() {
    let server = MockServer::start_async().await;
    for row in SIGNED {
        check(&server, *row).await;
    }
}

#[tokio::test]
async fn every_other_answer_has_its_meaning() {
    let server = MockServer::start_async().await;
    for row in OTHERS {
        check(&server, *row).await;
    }
}

/// A status that says it all is not asked for its signature; nothing else is believed, and nothing is taken from it.
#[tokio::test]
async fn an_answer_under_a_wrong_signature_is_not_even_parsed() {
    let server = MockServer::start_async().await;
    let granting = r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#;
    for sign in Sign::WRONG {
        for (status, body) in [(200, granting), (200, "{#400}"), (200, "{#402}"), (200, "<html>"), (200, "")] {
            check(&server, (status, sign, &[], body, "wrong (status 200)")).await;
        }
        check(&server, (401, sign, &[], "{#403}", "wrong (status 401)")).await;
        check(&server, (404, sign, &[], "", "wrong (status 404)")).await;
        let limited = "rate_limited refused: the provider turned the call away as one too many (status 429)";
        check(&server, (429, sign, &[], "{#402}", limited)).await;
        check(&server, (500, sign, &[], granting, "server unknown: the provider failed (status 500)")).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_to_verify_is_not_read() {
    let server = MockServer::start_async().await;
    let granting = expand(r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#);
    let whole: &'static str = Box::leak(longest(&granting).into_boxed_str());
    check(&server, (200, Good, &[], whole, "granted a r unknown expiry")).await;
    let longer: &'static str = Box::leak(format!("{whole} ").into_boxed_str());
    let expected = "protocol unknown: the answer is longer than 64 KiB (status 200)";
    check(&server, (200, Good, &[], longer, expected)).await;
    let long = expand(&format!(r#"{{#0,"body":{{"accessToken":"a","x":"{}"}}}}"#, "x".repeat(64 * 1024)));
    let long: &'static str = Box::leak(long.into_boxed_str());
    for sign in [Good, Sign::Stale, Absent] {
        let expected = "protocol unknown: the answer is longer than 64 KiB (status 200)";
        check(&server, (200, sign, &[], long, expected)).await;
        check(&server, (422, sign, &[], long, "refused refused: the provider refused (status 422)")).await;
    }
}

async fn check(server: &MockServer, (status, sign, headers, body, expected): Row) {
    let body = expand(&expand(body));
    let expected = expected.replacen("untrusted (", &format!("{UNSIGNED} ("), 1);
    let expected = expected.replacen("wrong (", &format!("{WRONG} ("), 1);
    let sign_header = sign.over(body.as_bytes());
    let mock = server
        .mock_async(|when, then| {
            when.method(POST).path("/sgs/api/oauth2/authz/refresh-token");
            let then = then.status(status).body(&body);
            let then = headers.iter().fold(then, |then, (name, value)| then.header(*name, *value));
            if let Some(sign) = &sign_header {
                then.header("sign", sign);
            }
        })
        .await;
    let row = format!("{status} {sign:?} {}", body.chars().take(160).collect::<String>());
    let result = refresh(&server.base_url()).await;
    if let Err(error) = &result {
        assert!(error.verified().is_some(), "{row}");
        // What could not be read or not be believed is kept as it came, as far as anything came, and nothing else is.
        let kept = matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Untrusted) && !body.is_empty();
        let length = body.len().min(64 * 1024 + 1);
        assert_eq!(error.body().map(SecretBytes::expose_secret), kept.then_some(&body.as_bytes()[..length]), "{row}");
        let message = body.contains("the message") && !Sign::WRONG.contains(&sign);
        let told = body.len() <= 64 * 1024 && error.provider_message() == Some("the message");
        assert_eq!(told, message, "{row}");
    }
    assert_eq!(describe(result), expected, "{row}");
    assert_eq!(mock.calls_async().await, 1, "{row}");
    mock.delete_async().await;
}

#[tokio::test]
async fn every_broken_connection_has_its_meaning() {
    let interrupted = "interrupted unknown: the connection broke before the whole answer was there";
    let timeout = "timeout unknown: no whole answer came in time";
    let with_status = |status: u16| format!("{interrupted} (status {status})");
    let unsigned = format!("{interrupted} (status 200, code 0)");
    let recovered = "interrupted unknown verified salvage the-refresh-token and a: the connection broke before the whole answer was there (status 200)";
    let body = expand(r#"{#0,"body":{"accessToken":"a"}}"#);
    let sign = Good.over(body.as_bytes()).expect("a signature");
    let ok = response(200, &[("sign", &sign)], body.as_bytes());
    let cut = [("sign", sign.as_str()), ("content-length", "9999")];
    let two_lengths =
        format!("HTTP/1.1 200 OK\r\nsign: {sign}\r\ncontent-length: 2\r\ncontent-length: 19\r\n\r\n{body}");
    for (script, requests, expected) in [
        (Script::Refused, 0, "unreachable not_sent: no connection could be made, nothing was sent"),
        (Script::CloseOnAccept, 0, interrupted),
        (Script::ResetAfterRequest, 1, interrupted),
        (Script::CloseAfterRequest, 1, interrupted),
        (Script::TruncatedHead, 1, interrupted),
        (Script::TruncatedBody { status: 200, promised: 99, sent: 40 }, 1, &with_status(200)),
        // The end that is missing could have said that it was granted after all.
        (Script::TruncatedBody { status: 401, promised: 99, sent: 1 }, 1, &with_status(401)),
        (Script::Raw(response(200, &cut, body.as_bytes())), 1, recovered),
        (Script::Raw(two_lengths.replace("sign:", "sing:").into_bytes()), 1, &unsigned),
        (Script::Raw(two_lengths.into_bytes()), 1, recovered),
        // The signature is over more than arrived, or there is none: nothing is believed.
        (Script::Raw(response(200, &cut, &body[..body.len() - 1])), 1, &with_status(200)),
        (Script::Raw(response(200, &cut[1..], body.as_bytes())), 1, &unsigned),
        (Script::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), 1, interrupted),
        (Script::Stalled, 1, timeout),
        (
            Script::SlowBody { status: 200, every: Duration::from_millis(100), length: 60 },
            1,
            &format!("{timeout} (status 200)"),
        ),
        (Script::Raw(ok), 1, "granted a the-refresh-token unknown expiry"),
    ] {
        let row = format!("{script:?}");
        let server = ScriptedServer::start(script);
        let result = refresh(&server.url()).await;
        if let Err(error) = &result {
            // Of nothing there is nothing to verify.
            let verified = error.status().map(|_| error.salvage().is_some());
            assert_eq!(error.verified(), verified, "{row}");
        }
        assert_eq!(describe(result), expected, "{row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.requests().len(), requests, "{row}");
        assert!(server.connections() <= 1, "{row}: {} connections", server.connections());
    }
}

#[tokio::test]
async fn https_to_a_plain_port_sends_nothing() {
    let server = ScriptedServer::start(Script::Stalled);
    let result = refresh(&server.url().replace("http:", "https:")).await;
    assert_eq!(describe(result), "unreachable not_sent: no connection could be made, nothing was sent");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_refresh_token_past_its_expiry_is_not_sent() {
    let server = ScriptedServer::start(Script::Stalled);
    let credential = PayByCredential::new("t").expect("a token").with_expiry(Expiry::At(now()));
    let error = client(&server.url(), http()).refresh(&credential).await.expect_err("nothing sent");
    assert_eq!(error.help(), "have the person log in again and store the new tokens");
    assert_eq!(describe(Err(error)), "login_needed not_sent: the refresh token has expired, so nothing was sent");
    assert_eq!(server.connections(), 0);
}

async fn refused_with(status: u16, headers: &[(&'static str, String)], body: &str) -> Error {
    let body = expand(body);
    let http = common::Canned::with_headers(status, headers, body.into_bytes());
    Client::with_http_client(common::config(common::BASE), http)
        .with_clock(now)
        .refresh(&credential())
        .await
        .expect_err("refused")
}

#[tokio::test]
async fn a_refused_request_time_is_told_with_the_clocks_difference() {
    let refusal = |message: &str| format!(r#"{{"head":{{"applyStatus":"FAIL","code":"400","msg":"{message}"}}}}"#);
    let no_date = "the answer has no `date` to compare this machine's clock with";
    // The clock of these tests shows Wed, 12 Feb 2020 07:51:38 GMT.
    for (message, date, expected) in [
        (
            "REQUESTTIME_TOO_EARLY",
            "Wed, 12 Feb 2020 08:11:38 GMT",
            "this machine's clock is 20 min behind the provider's",
        ),
        (
            "REQUESTTIME_TOO_LATER",
            "Wed, 12 Feb 2020 07:30:38 GMT",
            "this machine's clock is 21 min ahead of the provider's",
        ),
        (
            "REQUESTTIME_TOO_LATER: 1581493898000",
            "Wed, 12 Feb 2020 07:51:38 GMT",
            "this machine's clock agrees with the provider's",
        ),
        ("REQUESTTIME_TOO_EARLY", "yesterday", no_date),
        ("REQUESTTIME_TOO_EARLY", "", no_date),
    ] {
        let headers: Vec<_> = (!date.is_empty()).then(|| ("date", date.to_owned())).into_iter().collect();
        let error = refused_with(200, &headers, &refusal(message)).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"failed to refresh the PayBy tokens: the provider does not accept requestTime (status 200, code 400)");
        }
        assert_eq!((error.kind().as_str(), error.outcome().as_str()), ("refused", "refused"));
        assert_eq!(error.provider_message(), Some(message));
        let help = "set this machine's clock; requestTime may be 15 minutes off at most; nothing was granted";
        assert_eq!(error.help(), format!("{help}; {expected}"));
    }
    let other = refused_with(200, &[], &refusal("INVALID_PARAMETER")).await;
    insta::assert_snapshot!(other, @"failed to refresh the PayBy tokens: the provider refused (status 200, code 400)");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    for (status, body) in [(200, "{#404}"), (404, ""), (405, "<html>")] {
        let error = refused_with(status, &[], body).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.help(), @"check the base URL and the environment; the endpoint may be gone, for PayBy withdrew its page in September 2022: ask PayBy");
        }
    }
    for body in ["{#403}", r#"{"head":{"applyStatus":"error","code":"400"}}"#] {
        let error = refused_with(200, &[], body).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.help(), @"check partner id, signing key and environment (a check of the keys tells which one is wrong); nothing was granted");
        }
    }
    insta::assert_snapshot!(refused_with(200, &[], "{#601}").await.help(), @"nothing was granted; the code and the provider's message say most; usual causes: a refresh token that was used or has ended, the name of its field, which PayBy does not publish, or a merchant order number that was used before");
    insta::assert_snapshot!(refused_with(200, &[], "{#0}").await.help(), @"check the provider's public key and the environment; treat the presented token as in doubt");
}
