//! Tokens that cannot be used: refused before anything is sent.

use rampauth_test_kit::scripted::{Script, ScriptedServer};

use crate::support::Home;

#[test]
fn each_is_named_and_nothing_is_sent() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::at(&server.url());
    let charset = "it holds a character other than printable ASCII (a line break, perhaps)";
    let long = format!(r#"{{"refreshToken":"{}"}}"#, "x".repeat(65_537));
    let endless = " ".repeat(1024 * 1024 + 1);
    for (profile, stdin, message) in [
        ("card", "hunter2", "read the tokens: they are not JSON (line 1, column 1)"),
        ("card", "[]", "read the tokens: they are not a JSON object"),
        ("card", "{}", "read the tokens: `refreshToken` is missing"),
        ("card", r#"{"accessToken":"a"}"#, "read the tokens: `refreshToken` is missing"),
        ("card", r#"{"refreshToken":null}"#, "read the tokens: `refreshToken` is missing"),
        ("card", r#"{"refreshToken":""}"#, "read `refreshToken`: it is empty"),
        ("card", r#"{"refreshToken":42}"#, "read the tokens: `refreshToken` is not a text"),
        ("card", r#"{"refreshToken":["r"]}"#, "read the tokens: `refreshToken` is not a text"),
        (
            "card",
            r#"{"refreshToken":"r","refreshToken":"r"}"#,
            "read the tokens: `refreshToken` stands there more than once",
        ),
        ("card", r#"{"refreshToken":"r\r\nx: y"}"#, &format!("read `refreshToken`: {charset}")),
        ("card", r#"{"refreshToken":"é"}"#, &format!("read `refreshToken`: {charset}")),
        ("card", r#"{"refreshToken":" r"}"#, "read `refreshToken`: it starts or ends with a space"),
        ("card", r#"{"refreshToken":"r","accessToken":7}"#, "read the tokens: `accessToken` is not a text"),
        ("card", &long, "read `refreshToken`: it is longer than 65,536 bytes"),
        ("card", &endless, "read standard input: it is longer than 1 MiB"),
        (
            "onboard",
            r#"{"refreshToken":"r","refreshTokenExpiresAt":"soon"}"#,
            "read the tokens: `refreshTokenExpiresAt` is not a time such as 2026-11-20T09:30:00Z",
        ),
        (
            "onboard",
            r#"{"refreshToken":"r","refreshTokenExpiresAt":"2026-11-20T09:30:00"}"#,
            "read the tokens: `refreshTokenExpiresAt` is not a time such as 2026-11-20T09:30:00Z",
        ),
        (
            "onboard",
            r#"{"refreshToken":"r","accessTokenExpiresAt":1}"#,
            "read the tokens: `accessTokenExpiresAt` is not a time such as 2026-11-20T09:30:00Z",
        ),
        ("user", r#"{"refreshToken":"r"}"#, "read the tokens: `accessToken` is missing"),
        ("user", r#"{"accessToken":null}"#, "read the tokens: `accessToken` is missing"),
        ("user", r#"{"accessToken":""}"#, "read `accessToken`: it is empty"),
        (
            "user",
            r#"{"accessToken":"Bearer x"}"#,
            "read `accessToken`: it starts with `Bearer `, which is no part of the token; leave it off",
        ),
    ] {
        let refusal = home.run(&["refresh", profile, "--json"]).stdin(stdin).done().refusal();
        assert_eq!(refusal, format!("failed to {message}"), "{}", &stdin[..stdin.len().min(60)]);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn without_tokens_the_stored_session_is_meant() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::stored_at(&server.url());
    let none = "failed to find the session: there is no session of `card` in the store yet";
    let tokens = r#"{"refreshToken":"r"}"#;
    // The null device, an empty file, and tokens that --stored passes over.
    let run = |more: &[&str]| home.run(&[&["refresh", "card", "--json"], more].concat());
    for done in [run(&[]).done(), run(&[]).stdin("").done(), run(&["--stored"]).stdin(tokens).done()] {
        assert_eq!((done.code, done.error()["message"].as_str()), (4, Some(none)));
    }
    assert_eq!(run(&["--stdin"]).done().refusal(), "failed to read standard input: it is empty");
    let done = home.run(&["refresh", "card"]).done();
    insta::assert_snapshot!(done.stderr, @r"
    error: failed to find the session: there is no session of `card` in the store yet
      help: log in, then store the tokens: rampauth import card < tokens.json
    ");
    assert_eq!(server.connections(), 0);
}
