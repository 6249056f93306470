//! Output that nobody reads: what runs on ends, and what ends does so without a word, unless tokens would be lost.
#![cfg(unix)]

use std::io::BufRead as _;
use std::process::Stdio;
use std::time::Duration;

use rampauth_sandbox::Call;
use serde_json::json;

use crate::started::Started;
use crate::support::{Home, Kit, Run, as_input, sandbox};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}"#;
/// `{"alg":"none"}` and `{}`.
const JWT: &str = "eyJhbGciOiJub25lIn0.e30.c2ln";

/// The end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_command_that_runs_on_ends_when_nobody_reads_it_though_nothing_changes() {
    let home = Home::stored_at("http://127.0.0.1:9");
    assert_eq!(home.run(&["import", "card"]).stdin(TOKENS).done().code, 0);
    for arguments in
        [&["status", "--watch"][..], &["status", "--watch", "--json"], &["sandbox"], &["sandbox", "--json"]]
    {
        let mut command = Started::with_input(home.run(arguments).env("RAMPAUTH_LOG", "error"), "");
        let mut line = String::new();
        command.stdout.as_mut().expect("a pipe").read_line(&mut line).expect("a line");
        command.stdout = None;
        // Two seconds, and what a busy machine adds.
        let done = command.end_within(Duration::from_secs(15));
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_command_that_ends_by_itself_says_nothing_of_it() {
    let home = Home::stored_at("http://127.0.0.1:9");
    for (arguments, stdin) in [
        (&["--help"][..], ""),
        (&["--version"], ""),
        (&["help", "refresh"], ""),
        (&["import", "card", "--json"], TOKENS),
        (&["status"], ""),
        (&["status", "--json"], ""),
        (&["status", "--watch"], ""),
        (&["settle", "card"], ""),
        (&["reseal"], ""),
        (&["sign", "card"], ""),
        (&["decode"], JWT),
        (&["sandbox"], ""),
        (&["forget", "card"], ""),
        (&["init", "--config", "other.toml"], ""),
    ] {
        let done = home.run(arguments).env("RAMPAUTH_LOG", "error").stdin(stdin).stdout(unread()).done();
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{arguments:?}");
    }
    assert!(home.path().join("other.toml").exists());
    assert_eq!(home.run(&["status", "--json"]).done().json()["sessions"][0]["state"], "removed");
}

#[test]
fn tokens_that_nobody_reads_are_an_error_and_kept() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let stdin = as_input(&sandbox.issue(Call::AlixCard));
    let done = kit.home.run(&["refresh", "card", "--json"]).stdin(stdin).stdout(unread()).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (1, &json!("internal"), &json!("unknown")));
    assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
    assert!(kit.home.path().join("card.rescued-1.json").exists());
    kit.import("card");
    for arguments in [&["token", "card", "--json"][..], &["refresh", "card", "--stored", "--json"]] {
        let done = kit.home.run(arguments).stdout(unread()).done();
        assert_eq!((done.code, &done.error()["kind"]), (1, &json!("internal")), "{arguments:?}");
    }
}

/// Tokens are kept fresh whether or not somebody reads the log.
#[test]
fn keep_goes_on_without_its_log() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    let mut keep = Started::with_input(Run::env(kit.home.run(&["keep"]), "RAMPAUTH_LOG", "trace"), "");
    keep.wait_for("keeping the session");
    (keep.stdout, keep.stderr) = (None, None);
    // It has something to say for each.
    for profile in ["ramp", "payby"] {
        kit.import(profile).output();
    }
    std::thread::sleep(Duration::from_secs(3));
    keep.signal("TERM");
    assert_eq!(keep.end().code, 0);
}
