//! `status --check`: one exit code for all sessions.

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::json;

use crate::support::{Done, Home};

const EXPIRED: &str = r#"{"accessToken":"old","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
const FRESH: &str = r#"{"accessToken":"new","refreshToken":"s","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;

fn check(home: &Home) -> Done {
    home.run(&["status", "--check", "--json"]).done()
}

/// A session of `onboard` whose refresh was answered like this, and a good one of `card`.
fn after(answer: Script) -> Home {
    let server = ScriptedServer::start(answer);
    let home = Home::stored_at(&server.url());
    home.run(&["import", "card"]).stdin(FRESH).done().output();
    home.run(&["import", "onboard"]).stdin(EXPIRED).done().output();
    assert_ne!(home.run(&["token", "onboard"]).done().code, 0);
    home
}

#[test]
fn all_is_well() {
    let home = Home::stored_at("http://127.0.0.1:9");
    home.run(&["import", "card"]).stdin(FRESH).done().output();
    let document = check(&home).json();
    assert_eq!(document["sessions"][0]["state"], "ready");
    // What was removed on purpose needs nobody.
    home.run(&["import", "onboard"]).stdin(EXPIRED).done().output();
    home.run(&["forget", "onboard"]).done().output();
    assert_eq!(check(&home).code, 0);
}

#[test]
fn a_login_is_needed() {
    let home = Home::stored_at("http://127.0.0.1:9");
    let none = check(&home);
    assert_eq!((none.code, &none.error()["kind"]), (4, &json!("login_needed")));
    assert_eq!(none.error()["message"], "failed to find all sessions well: there is no session yet");

    let dead = br#"{"code":"UNAUTHORIZED","message":"no"}"#;
    let home = after(Script::Raw(response(401, &[("content-type", "application/json")], dead)));
    let done = check(&home);
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert_eq!(done.error()["message"], "failed to find all sessions well: `onboard` needs a login");
}

/// The state of such a session is still `ready`: nobody has sent its token since.
#[test]
fn a_login_is_needed_where_the_token_of_a_refresh_has_expired() {
    for profile in ["card", "payby", "onboard", "user"] {
        let home = Home::stored_at("http://127.0.0.1:9");
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
        let expiry = if profile == "user" { "accessTokenExpiresAt" } else { "refreshTokenExpiresAt" };
        let tokens = json!({"accessToken": "a", "refreshToken": "r", expiry: soon.to_string()}).to_string();
        home.run(&["import", profile]).stdin(tokens).done().output();
        while jiff::Timestamp::now() <= soon {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let done = check(&home);
        assert_eq!((done.code, &done.error()["kind"]), (4, &json!("login_needed")), "{}", done.stderr);
        let message = format!("`{profile}` needs a login, for the token of a refresh has expired");
        assert_eq!(done.error()["message"], format!("failed to find all sessions well: {message}"));
    }
}

#[test]
fn a_token_is_wanting_after_a_refresh_that_failed() {
    let limited = || Script::Raw(response(429, &[("retry-after", "60")], b"{}"));
    let home = after(limited());
    let done = check(&home);
    assert_eq!((done.code, &done.error()["kind"]), (5, &json!("interrupted")));
    let message = "`onboard` has no usable token, and its last refresh failed";
    assert_eq!(done.error()["message"], format!("failed to find all sessions well: {message}"));
    // One that was rejected is no usable one either, and one that lives is.
    let server = ScriptedServer::start(limited());
    let home = Home::stored_at(&server.url());
    home.run(&["import", "onboard"]).stdin(FRESH).done().output();
    assert_eq!(home.run(&["refresh", "onboard", "--stored"]).done().code, 6);
    assert_eq!(check(&home).code, 0);
    assert_eq!(home.run(&["reject", "onboard"]).stdin("new").done().code, 6);
    assert_eq!(check(&home).code, 5);
}

#[test]
fn something_is_in_doubt_or_cannot_be_read() {
    let home = after(Script::CloseAfterRequest);
    let done = check(&home);
    assert_eq!((done.code, &done.error()["outcome"]), (5, &json!("unknown")));
    assert_eq!(done.error()["message"], "failed to find all sessions well: `onboard` is in doubt");
    home.database().execute("UPDATE session SET sum = zeroblob(32)", []).expect("damaged");
    let done = check(&home);
    assert_eq!(done.code, 5);
    let message = done.error()["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("`card` is unreadable") && message.contains("`onboard` is unreadable"), "{message}");
}

#[test]
fn it_is_asked_once() {
    let refusal =
        Home::stored_at("http://127.0.0.1:9").run(&["status", "--check", "--watch", "--json"]).done().refusal();
    assert_eq!(refusal, "failed to read the command line: `--check` and `--watch` exclude each other");
}
