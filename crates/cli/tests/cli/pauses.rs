//! A provider's `retry-after` binds programs that start anew.

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::Home;

const EXPIRED: &str = r#"{"accessToken":"old","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;

fn busy(status: u16) -> Script {
    Script::Raw(response(status, &[("retry-after", "600")], b"{}"))
}

fn granted() -> Script {
    let body = json!({"userId": "u-1", "accessToken": {"token": "new", "expiry": "2126-11-20T09:30:00Z"},
        "refreshToken": {"token": "s", "expiry": "2127-11-20T09:30:00Z"}});
    Script::Raw(response(200, &[], body.to_string().as_bytes()))
}

fn seconds_left(error: &Value) -> u64 {
    error["retryAfterSeconds"].as_u64().expect("a number")
}

#[test]
fn a_program_that_starts_anew_sends_nothing_while_the_provider_wants_to_be_left_alone() {
    let server = ScriptedServer::start(Script::Then(vec![busy(429), granted()]));
    let home = Home::stored_at(&server.url());
    home.run(&["import", "onboard"]).stdin(EXPIRED).done().output();
    let first = home.run(&["token", "onboard", "--json"]).done();
    let error = first.error();
    assert_eq!((first.code, &error["outcome"], seconds_left(&error)), (6, &json!("refused"), 600));
    for _ in 0..3 {
        let next = home.run(&["token", "onboard", "--json"]).done();
        let error = next.error();
        assert_eq!((next.code, &error["kind"], &error["outcome"]), (6, &json!("rate_limited"), &json!("not_sent")));
        assert!((500..=600).contains(&seconds_left(&error)), "{error}");
        assert_eq!(server.connections(), 1);
    }
    let status: Value = home.run(&["status", "--json"]).done().json();
    assert!(status["sessions"][0]["lastError"]["pausedUntil"].is_string(), "{status}");
    // A person's word stands above it, and a grant ends it.
    assert_eq!(home.run(&["refresh", "onboard", "--stored"]).done().json()["accessToken"], "new");
    assert_eq!(home.run(&["token", "onboard"]).done().output(), "new\n");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_token_that_is_fresh_is_handed_out_all_the_same() {
    let server = ScriptedServer::start(busy(429));
    let home = Home::stored_at(&server.url());
    home.run(&["import", "onboard"]).stdin(EXPIRED.replace("2020", "2126")).done().output();
    assert_eq!(home.run(&["refresh", "onboard", "--stored"]).done().code, 6);
    assert_eq!(home.run(&["token", "onboard"]).done().output(), "old\n");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_persons_failed_attempt_leaves_the_pause_as_it_is() {
    let server =
        ScriptedServer::start(Script::Then(vec![busy(429), Script::Raw(response(400, &[], b"{}")), granted()]));
    let home = Home::stored_at(&server.url());
    home.run(&["import", "onboard"]).stdin(EXPIRED).done().output();
    assert_eq!(home.run(&["token", "onboard"]).done().code, 6);
    assert_eq!(home.run(&["refresh", "onboard", "--stored"]).done().code, 3);
    let next = home.run(&["token", "onboard", "--json"]).done();
    assert_eq!((next.code, server.connections()), (6, 2), "{}", next.stderr);
}
