//! From an answer to an exit code: every row of the table, through the whole command.

use std::time::Duration;

use rampauth_core::{RsaSigningKey, Signer as _};
use rampauth_test_kit::keys;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::{Done, Home};

const TOKENS: &str = r#"{"accessToken":"old-access","refreshToken":"old-refresh"}"#;

/// Kind, outcome, exit code.
type Verdict = (&'static str, &'static str, i32);

#[track_caller]
fn assert_verdict(done: &Done, (kind, outcome, code): Verdict) -> Value {
    let error = done.error();
    assert_eq!(
        (error["kind"].as_str(), error["outcome"].as_str(), done.code),
        (Some(kind), Some(outcome), code),
        "{error}"
    );
    error
}

/// One refresh of this profile, answered by this script.
#[track_caller]
fn assert_ends(profile: &str, script: Script, verdict: Verdict) -> Value {
    let name = format!("{script:?}");
    let patient = !matches!(script, Script::Stalled | Script::SlowBody { .. });
    let server = ScriptedServer::start(script);
    let home = if patient { Home::at(&server.url()) } else { Home::in_haste_at(&server.url()) };
    let done = home.run(&["refresh", profile, "--json"]).stdin(TOKENS).done();
    assert!(server.connections() <= 1, "{name}: sent more than once");
    assert_verdict(&done, verdict)
}

fn answer(status: u16, body: impl AsRef<[u8]>) -> Script {
    Script::Raw(response(status, &[("content-type", "application/json")], body.as_ref()))
}

/// An answer of PayBy with this code, signed or not.
pub(crate) fn payby(code: &str, signed: bool) -> Script {
    let status = if code == "0" { "SUCCESS" } else { "FAIL" };
    let body = json!({"head": {"applyStatus": status, "code": code, "msg": "x", "traceCode": "t"}}).to_string();
    let key = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("a key");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signature = runtime.block_on(key.sign(body.as_bytes())).expect("a signature").to_base64();
    let headers = [("content-type", "application/json"), ("sign", signature.expose_secret())];
    Script::Raw(response(200, if signed { &headers } else { &headers[..1] }, body.as_bytes()))
}

#[test]
fn refused_by_our_own_checks() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::at(&server.url());
    let run = |arguments: &[&str], stdin: &str| home.run(arguments).stdin(stdin).done();
    assert_verdict(&run(&["refresh", "nope", "--json"], TOKENS), ("config", "not_sent", 2));
    assert_verdict(&run(&["refresh", "card", "--json"], "{}"), ("input", "not_sent", 2));
    assert_verdict(&run(&["refresh", "--json"], TOKENS), ("input", "not_sent", 2));
    assert_eq!(server.connections(), 0);
}

#[test]
fn not_connected() {
    let unreachable = ("unreachable", "not_sent", 6);
    let error = assert_ends("card", Script::Refused, unreachable);
    let message = error["message"].as_str().expect("a text");
    assert!(message.contains("nothing was sent") && message.contains("refused"), "{message}");
    // TLS with a server that has none, and with one that never answers.
    for script in [answer(200, "{}"), Script::Stalled] {
        let server = ScriptedServer::start(script);
        let home = Home::in_haste_at(&server.url().replace("http:", "https:"));
        let done = home.run(&["refresh", "onboard", "--json"]).stdin(TOKENS).done();
        assert_verdict(&done, unreachable);
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn no_whole_answer() {
    assert_ends("card", Script::Stalled, ("timeout", "unknown", 5));
    assert_ends("user", answer(408, ""), ("timeout", "unknown", 5));
    let interrupted = ("interrupted", "unknown", 5);
    assert_ends("ramp", Script::ResetAfterRequest, interrupted);
    assert_ends("payby", Script::CloseAfterRequest, interrupted);
    assert_ends("onboard", Script::TruncatedHead, interrupted);
    assert_ends("card", Script::TruncatedBody { status: 200, promised: 500, sent: 20 }, interrupted);
    let slow = Script::SlowBody { status: 200, every: Duration::from_millis(100), length: 60 };
    assert_ends("card", slow, ("timeout", "unknown", 5));
}

#[test]
fn the_status_alone() {
    for (status, verdict) in [
        (301, ("protocol", "unknown", 5)),
        (307, ("protocol", "unknown", 5)),
        (403, ("forbidden", "refused", 3)),
        (404, ("wrong_endpoint", "refused", 3)),
        (405, ("wrong_endpoint", "refused", 3)),
        (422, ("refused", "refused", 3)),
        (500, ("server", "unknown", 5)),
        (503, ("server", "unknown", 5)),
    ] {
        for profile in ["card", "user", "payby", "onboard"] {
            let error = assert_ends(profile, answer(status, "<html>"), verdict);
            assert_eq!(error["status"], status);
        }
    }
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        assert_ends(profile, answer(401, ""), ("unauthorized", "refused", 3));
    }
}

#[test]
fn too_many_calls() {
    let limited = ("rate_limited", "refused", 6);
    let script = Script::Raw(response(429, &[("retry-after", "17")], b""));
    let error = assert_ends("card", script, limited);
    assert_eq!((&error["status"], &error["retryAfterSeconds"]), (&json!(429), &json!(17)));
    for signed in [true, false] {
        assert_eq!(assert_ends("payby", payby("402", signed), limited)["code"], "402");
    }
}

#[test]
fn dead_tokens() {
    let dead = ("login_needed", "refused", 4);
    assert_ends("onboard", answer(401, r#"{"code":"UNAUTHORIZED","message":"x"}"#), dead);
    let body = r#"{"error":{"statusCode":400,"message":"x","errorCode":1002}}"#;
    for status in [400, 401] {
        assert_eq!(assert_ends("user", answer(status, body), dead)["code"], "1002");
    }
    // The status decides first.
    assert_eq!(assert_ends("user", answer(500, body), ("server", "unknown", 5))["code"], "1002");
    let server = ScriptedServer::start(Script::Stalled);
    let stdin = r#"{"refreshToken":"old-refresh","refreshTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    let home = Home::at(&server.url());
    let done = home.run(&["refresh", "card", "--json"]).stdin(stdin).done();
    assert_verdict(&done, ("login_needed", "not_sent", 4));
    assert_eq!(server.connections(), 0);
}

#[test]
fn payby_in_its_own_words() {
    let untrusted = ("untrusted", "unknown", 7);
    assert_ends("payby", payby("0", false), untrusted);
    let wrong = Script::Raw(response(200, &[("sign", "AAAA")], br#"{"head":{"code":"400","applyStatus":"FAIL"}}"#));
    assert_ends("payby", wrong, untrusted);
    for signed in [true, false] {
        assert_ends("payby", payby("500", signed), ("server", "unknown", 5));
        assert_ends("payby", payby("504", signed), ("server", "unknown", 5));
        assert_ends("payby", payby("404", signed), ("wrong_endpoint", "refused", 3));
        assert_eq!(assert_ends("payby", payby("601", signed), ("refused", "refused", 3))["code"], "601");
    }
    assert_ends("payby", payby("0", true), ("protocol", "unknown", 5));
}

#[test]
fn alix_in_its_own_words() {
    let refused = ("refused", "refused", 3);
    let body = r#"{"success":false,"message":"x","data":null,"errorCode":32}"#;
    assert_eq!(assert_ends("card", answer(200, body), refused)["code"], "32");
    assert_ends("ramp", answer(400, r#"{"error":"Invalid request"}"#), refused);
    assert_ends("card", answer(200, r#"{"success":true,"errorCode":5}"#), refused);
    let untrusted = ("untrusted", "unknown", 7);
    for signature in ["", r#","signature":"AAAA""#] {
        let body = format!(r#"{{"accessToken":"a","refreshToken":"r"{signature}}}"#);
        assert_ends("ramp", answer(200, body), untrusted);
    }
}

#[test]
fn a_success_that_is_none() {
    let protocol = ("protocol", "unknown", 5);
    for profile in ["card", "ramp", "user", "onboard"] {
        assert_ends(profile, answer(200, ""), protocol);
        assert_ends(profile, answer(200, "<html>"), protocol);
        assert_ends(profile, answer(200, "{}"), protocol);
        assert_ends(profile, answer(200, " ".repeat(64 * 1024 + 1)), protocol);
    }
    // It says no and brings tokens.
    let body = r#"{"success":false,"errorCode":32,"data":{"accessToken":"a","refreshToken":"new"}}"#;
    let error = assert_ends("card", answer(200, body), protocol);
    assert_eq!(error["code"], "32");
    assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
    // Another person's tokens.
    let token = r#"{"token":"t","expiry":"2030-01-01T00:00:00Z"}"#;
    let body = format!(r#"{{"userId":"u-2","accessToken":{token},"refreshToken":{token}}}"#);
    assert_ends("onboard", answer(200, body), protocol);
}

#[cfg(target_os = "linux")]
#[test]
fn our_own_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("the full device");
    let home = Home::at("http://127.0.0.1:9");
    let done = home.run(&["sign", "card", "--json"]).stdout(full).done();
    let error = assert_verdict(&done, ("internal", "not_sent", 1));
    assert!(error["message"].as_str().expect("a text").starts_with("failed to write the output"), "{error}");
}

#[test]
fn people_read_the_same_without_json() {
    let server = ScriptedServer::start(answer(400, r#"{"success":false,"message":"x","data":null,"errorCode":32}"#));
    let done = Home::at(&server.url()).run(&["refresh", "card"]).stdin(TOKENS).done();
    insta::assert_snapshot!(done.stderr, @r"
    error: failed to refresh the Alix card tokens: the provider refused (status 400, code 32)
      provider: x
      help: nothing was granted, and the answer does not say why; usual causes: the secret key, the signing key, the partner code (each belongs to one environment), for the on/off-ramp the e-mail that is signed, or a refresh token that was used or has ended; `rampauth sign card` shows what is signed
    ");
    assert_eq!((done.code, done.stdout.as_str()), (3, ""));
}

#[test]
fn an_answer_that_payby_signed_and_that_cannot_be_read_is_kept_in_a_file() {
    let server = ScriptedServer::start(payby("0", true));
    let home = Home::at(&server.url());
    let done = home.run(&["refresh", "payby", "--json"]).stdin(TOKENS).done();
    let error = assert_verdict(&done, ("protocol", "unknown", 5));
    assert!(error["help"].as_str().expect("a text").contains("payby.answer-1.json"), "{error}");
    let kept = std::fs::read_to_string(home.path().join("payby.answer-1.json")).expect("the answer");
    assert!(kept.contains(r#""applyStatus":"SUCCESS""#), "{kept}");
}

#[test]
fn any_answer_that_cannot_be_read_is_kept_byte_for_byte() {
    for (profile, name) in [
        ("card", "card.answer-1.json"),
        ("ramp", "ramp.answer-1.json"),
        ("user", "user.answer-1.json"),
        ("onboard", "onboard.answer-1.json"),
        ("payby", "payby.answer-not-verified-1.json"),
    ] {
        let body = b"\xff<html>{\"token\":\"t\"}";
        let server = ScriptedServer::start(Script::Raw(response(200, &[], body)));
        let home = Home::at(&server.url());
        let done = home.run(&["refresh", profile, "--json"]).stdin(TOKENS).done();
        let error = assert_verdict(&done, ("protocol", "unknown", 5));
        assert!(error["help"].as_str().expect("a text").contains(name), "{error}");
        assert_eq!(std::fs::read(home.path().join(name)).expect("the answer"), body, "{profile}");
    }
}

#[test]
fn tokens_among_other_text_are_kept_as_tokens() {
    let body = r#"Warning: {x} <br/>{"accessToken":"new-a","refreshToken":"new-r"}"#;
    let server = ScriptedServer::start(Script::Raw(response(200, &[], body.as_bytes())));
    let home = Home::at(&server.url());
    let done = home.run(&["refresh", "card", "--json"]).stdin(TOKENS).done();
    let error = assert_verdict(&done, ("protocol", "unknown", 5));
    assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
    let kept = std::fs::read_to_string(home.path().join("card.rescued-1.json")).expect("the tokens");
    assert!(kept.contains("new-a") && kept.contains("new-r"), "{kept}");
    assert!(!home.path().join("card.answer-1.json").exists());
}
