//! `reject`: a token that the provider answered 401 is not handed out again, and one refresh follows.

use std::thread;
use std::time::Duration;

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::json;

use crate::support::{Done, Home, Kit, sandbox};

const TOKENS: &str = r#"{"accessToken":"old","refreshToken":"r","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;

fn reject(home: &Home, profile: &str, token: &str) -> Done {
    home.run(&["reject", profile, "--json"]).stdin(token).done()
}

fn token(home: &Home, profile: &str) -> String {
    home.run(&["token", profile]).done().output().trim_end().to_owned()
}

#[test]
fn a_rejected_token_is_replaced() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    for (number, profile) in ["card", "ramp", "user", "payby", "onboard"].into_iter().enumerate() {
        kit.import(profile).output();
        let old = token(&kit.home, profile);
        sandbox.advance(Duration::from_secs(1));
        let document = reject(&kit.home, profile, &format!("{old}\n")).json();
        assert_eq!(document["rejected"], true, "{profile}");
        assert_eq!(sandbox.events().len(), number + 1);
        assert_ne!(token(&kit.home, profile), old);
        // A late word about the old one changes nothing.
        let done = kit.home.run(&["reject", profile]).stdin(&old).done().output();
        assert_eq!(done, format!("that is not the access token of `{profile}` any more, and nothing was changed\n"));
        assert_eq!(reject(&kit.home, profile, &old).json()["rejected"], false);
        assert_eq!(sandbox.events().len(), number + 1, "{profile}");
    }
}

#[test]
fn eight_who_met_the_same_401_cause_one_refresh() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("onboard").output();
    for round in 1..=5 {
        let old = token(&kit.home, "onboard");
        let ends = thread::scope(|scope| {
            let runs = [0; 8].map(|_| scope.spawn(|| reject(&kit.home, "onboard", &old)));
            runs.map(|run| run.join().expect("no panic"))
        });
        assert!(ends.iter().all(|done| done.code == 0), "{ends:?}");
        assert_eq!(sandbox.presentations().len(), round, "each token is sent once");
        assert_ne!(token(&kit.home, "onboard"), old);
    }
}

#[test]
fn a_rejection_is_stored_even_where_the_refresh_fails() {
    let answers = vec![
        Script::Raw(response(400, &[], b"{}")),
        Script::CloseAfterRequest,
        Script::Raw(response(429, &[("retry-after", "600")], b"{}")),
    ];
    for (answer, code) in answers.into_iter().zip([3, 5, 6]) {
        let server = ScriptedServer::start(answer);
        let home = Home::stored_at(&server.url());
        home.run(&["import", "onboard"]).stdin(TOKENS).done().output();
        let done = reject(&home, "onboard", "old");
        assert_eq!((done.code, server.connections()), (code, 1), "{}", done.stderr);
        let next = home.run(&["token", "onboard", "--json"]).done();
        assert_ne!(next.code, 0, "it is not handed out again: {}", next.stdout);
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let home = Home::stored_at("http://127.0.0.1:9");
    home.run(&["import", "card"]).stdin(TOKENS).done().output();
    let refusal = |stdin: &str| reject(&home, "card", stdin).refusal();
    assert_eq!(refusal(""), "failed to read the rejected token: there is none on standard input");
    assert_eq!(refusal("{}"), "failed to read the rejected token: it is JSON, where a token alone belongs");
    assert_eq!(refusal("\n"), "failed to read the rejected token: it is empty");
    let bearer = "it starts with `Bearer `, which is no part of the token; leave it off";
    assert_eq!(refusal("Bearer old"), format!("failed to read the rejected token: {bearer}"));
    let header = "it starts with the name of a header; leave that off";
    assert_eq!(refusal("access-token: old"), format!("failed to read the rejected token: {header}"));
    let done = reject(&home, "onboard", "old");
    assert_eq!((done.code, &done.error()["kind"]), (4, &json!("login_needed")));
    assert_eq!(token(&home, "card"), "old");
}
