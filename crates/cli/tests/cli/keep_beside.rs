//! `keep` beside other commands on the same store: what they refresh, and what they leave when they are killed.
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use rampauth_sandbox::Sandbox;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::Value;

use crate::keep::Keeping;
use crate::support::{Home, Kit, SEALED, profiles, start};

#[test]
fn what_another_process_refreshes_is_taken_up_long_before_it_is_due() {
    let sandbox = start(Sandbox::builder().access_lifetime(Duration::from_secs(3_600)));
    let kit = Kit::of(&sandbox);
    let mut tokens: Value = serde_json::from_str(&kit.tokens("card")).expect("JSON");
    tokens["accessTokenExpiresAt"] = Value::Null;
    kit.home.run(&["import", "card"]).stdin(tokens.to_string()).done().output();
    let mut keeping = Keeping::start(&kit.home, &[], "");
    keeping.until("keeping the session");
    // Of an expiry that nobody knew, and now somebody does.
    kit.home.run(&["refresh", "card", "--stored"]).done().output();
    assert!(keeping.until("another process has brought newer tokens").contains("generation=2"));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("keeping the session").count()), (Some(0), 1), "{log}");
}

/// Alix's answer to a refresh.
fn granted() -> Script {
    let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
    Script::Raw(response(200, &[], body.as_bytes()))
}

/// The home of five profiles whose claims last for four seconds, but for these.
fn with_short_claims(server: &ScriptedServer, slow: &str) -> Home {
    let profiles = profiles(&server.url()).replace("timeout_seconds = 30", "timeout_seconds = 1");
    let section = format!("[profile.{slow}]");
    let (before, after) = profiles.split_once(&section).expect("the profile");
    let after = after.replacen("timeout_seconds = 1", "timeout_seconds = 300", 1);
    Home::new(&format!("{SEALED}store_timeout_seconds = 1\n{before}{section}{after}"))
}

const FRESH: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}"#;

#[test]
fn a_doubt_about_fresh_tokens_that_a_killed_command_left_is_settled() {
    let server = ScriptedServer::start(Script::Then(vec![Script::Stalled, granted()]));
    let home = with_short_claims(&server, "user");
    home.run(&["import", "card"]).stdin(FRESH).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("keeping the session");
    let mut killed = home.run(&["refresh", "card", "--stored"]).into_command();
    let mut killed = killed.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the binary starts");
    server.wait_for_requests(1);
    killed.kill().expect("a process of ours");
    killed.wait().expect("its end");
    keeping.until("the doubt is settled");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, server.connections()), (Some(0), 2), "{log}");
}

#[test]
fn a_slow_profile_makes_no_other_s_claim_longer() {
    let server = ScriptedServer::start(Script::Then(vec![Script::Stalled, granted()]));
    let home = with_short_claims(&server, "user");
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("no session yet: rampauth import user");
    let dead = FRESH.replace("2126", "2020");
    home.run(&["import", "card"]).stdin(dead).done().output();
    server.wait_for_requests(1);
    let (code, log) = keeping.stop("-KILL");
    assert_eq!(code, None, "{log}");
    assert_eq!(home.run(&["token", "card"]).done().output(), "b\n", "once four seconds are over");
}
