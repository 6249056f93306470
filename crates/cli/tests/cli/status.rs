//! `status`, `settle` and `forget`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::{Home, Kit, sandbox};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;

fn session(home: &Home) -> Value {
    let mut document = home.run(&["status", "--json"]).done().json();
    assert_eq!(document["sessions"].as_array().map(Vec::len), Some(1), "{document}");
    document["sessions"][0].take()
}

/// A session whose refresh was sent and never answered.
fn in_doubt(server: &ScriptedServer, profile: &str) -> Home {
    let home = Home::stored_at(&server.url());
    home.run(&["import", profile]).stdin(TOKENS).done().output();
    let done = home.run(&["refresh", profile, "--json"]).done();
    assert_eq!((done.code, &done.error()["kind"]), (5, &json!("interrupted")));
    home
}

#[test]
fn no_session_is_said_and_makes_no_file() {
    let home = Home::stored_at("http://127.0.0.1:9");
    let said = home.run(&["status"]).done().output();
    assert_eq!(said, "no session yet: log in, then `rampauth import PROFILE < tokens.json`\n");
    assert_eq!(home.run(&["status", "--json"]).done().json(), json!({"sessions": []}));
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn every_session_is_a_row_with_all_members() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    for profile in ["card", "user"] {
        kit.import(profile).output();
    }
    // Neither secrets nor the provider are needed.
    for secret in ["secret.txt", "api-key.txt", "sealing.key"] {
        std::fs::remove_file(kit.home.path().join(secret)).expect("the secret");
    }
    let document = kit.home.run(&["status", "--json"]).done().json();
    for (row, (profile, provider)) in
        document["sessions"].as_array().expect("rows").iter().zip([("card", "alix-card"), ("user", "transak-user")])
    {
        let given: Value = serde_json::from_str(&kit.tokens(profile)).expect("JSON");
        let mut row = row.clone();
        assert!(row["nextRefreshAt"].take().is_string());
        let expected = json!({
            "key": format!("{provider}/{}/{profile}", sandbox.addr()),
            "profile": profile,
            "state": "ready",
            "generation": 1,
            "accessTokenExpiresAt": given["accessTokenExpiresAt"],
            "refreshTokenExpiresAt": given["refreshTokenExpiresAt"],
            "nextRefreshAt": null,
            "lastError": null,
            "refusals": 0,
            "clockDifference": null,
            "attempt": null,
            "claimedBy": null,
            "claimedUntil": null,
            "advice": "nothing",
        });
        assert_eq!(row, expected);
    }
    let table = kit.home.run(&["status"]).done().output();
    for text in
        ["alix-card/127.0.0.1:", "ready", "access: in 14 min", "refresh: in ", "no failure", "due for a refresh in"]
    {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert_eq!(sandbox.events().len(), 0);
}

#[test]
fn a_clock_that_is_off_is_said_by_each_command_that_calls_and_by_status() {
    let sandbox = sandbox();
    sandbox.advance(Duration::from_secs(20 * 60));
    let kit = Kit::of(&sandbox);
    const OFF: &str = "this machine's clock is 20 min behind the provider's";
    // Without a store.
    let done = kit.home.run(&["refresh", "onboard"]).stdin(kit.tokens("onboard")).done();
    assert!(done.code == 0 && done.stderr.contains(OFF), "{}", done.stderr);
    // With one: said once, for it is known then.
    kit.import("card").output();
    for (time, said) in [("first", true), ("second", false)] {
        let done = kit.home.run(&["refresh", "card", "--stored"]).done();
        assert_eq!((done.code, done.stderr.contains(OFF)), (0, said), "{time}: {}", done.stderr);
    }
    let row = session(&kit.home);
    let clock = &row["clockDifference"];
    assert!((1_190..1_260).contains(&clock["seconds"].as_u64().expect("a number")), "{clock}");
    assert_eq!((&clock["direction"], clock["seenAt"].is_string()), (&json!("behind"), true), "{clock}");
    assert!(kit.home.run(&["status"]).done().output().contains("behind the provider's"));
    // An error of which it may be the cause names it.
    kit.import("payby").output();
    let done = kit.home.run(&["refresh", "payby", "--stored", "--json"]).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"]), (3, &json!("refused")));
    assert!(error["help"].as_str().is_some_and(|help| help.contains(OFF)), "{error}");
}

#[test]
fn a_claim_lasts_as_long_as_the_configuration_has_it() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::hastily_stored_at(&server.url());
    home.run(&["import", "card"]).stdin(TOKENS).done().output();
    let mut refresh = home.run(&["refresh", "card"]).into_command();
    let mut refresh = refresh.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let row = loop {
        let row = session(&home);
        if row["state"] == "refreshing" {
            break row;
        }
        assert!(refresh.try_wait().expect("a state").is_none(), "it ended: {row}");
    };
    refresh.kill().and_then(|()| refresh.wait()).expect("it ends");
    let time = |value: &Value| value.as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()).expect("a time");
    let lasts = time(&row["claimedUntil"]).as_second() - time(&row["attempt"]["since"]).as_second();
    assert_eq!(lasts, 30 + 5 + 2, "the profile's timeout and some slack, and twice the store's");
    let by = row["claimedBy"].as_str().expect("an id");
    assert!(by.len() == 32 && by.bytes().all(|byte| byte.is_ascii_hexdigit()), "{by}");
    let table = home.run(&["status"]).done().output();
    assert!(table.contains(&format!("claimed by process {}", &by[..8])), "{table}");
}

#[test]
fn a_doubt_is_shown_and_settling_in_vain_leaves_it() {
    let server = ScriptedServer::start(Script::CloseAfterRequest);
    let home = in_doubt(&server, "card");
    for presentations in 1..=2 {
        let row = session(&home);
        assert_eq!((&row["state"], &row["generation"]), (&json!("in_doubt"), &json!(1)));
        assert_eq!(row["attempt"]["presentations"], presentations);
        assert!(row["attempt"]["since"].is_string() && row["claimedBy"].is_null() && row["claimedUntil"].is_null());
        let error = &row["lastError"];
        assert_eq!(
            (&error["kind"], &error["outcome"], &error["status"]),
            (&json!("interrupted"), &json!("unknown"), &Value::Null)
        );
        assert_eq!(
            row["advice"],
            "settled by itself while `rampauth keep` runs, within a minute of the first sending or before its access token \
             expires; now: `rampauth settle card`"
        );
        let table = home.run(&["status"]).done().output();
        assert!(
            table.contains("in doubt") && table.contains(" ago") && table.contains("rampauth settle card"),
            "{table}"
        );

        let done = home.run(&["settle", "card", "--json"]).done();
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (5, &json!("interrupted"), &json!("unknown")));
        assert!(error["help"].as_str().expect("a text").contains("still in doubt"), "{error}");
    }
    // The access token lives, and is given out without a call.
    assert_eq!(home.run(&["token", "card"]).done().output(), "a\n");
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_doubt_that_the_provider_answers_is_settled() {
    let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
    let answer = Script::Raw(response(200, &[("content-type", "application/json")], body.as_bytes()));
    for json in [false, true] {
        let server = ScriptedServer::start(Script::Then(vec![Script::CloseAfterRequest, answer.clone()]));
        let home = in_doubt(&server, "card");
        let settled = if json {
            home.run(&["settle", "card", "--json"]).done().json()["settled"].take()
        } else {
            let said = home.run(&["settle", "card"]).done().output();
            Value::Bool(said.starts_with("settled: `card` has new tokens"))
        };
        assert_eq!(settled, true);
        assert_eq!(session(&home)["state"], "ready");
        // Once more: nothing is in doubt, and nothing is sent.
        assert_eq!(home.run(&["settle", "card"]).done().output(), "`card` is not in doubt, and nothing was sent\n");
        assert_eq!(home.run(&["settle", "card", "--json"]).done().json()["settled"], false);
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn a_person_refreshes_by_hand_where_a_login_is_needed_and_nothing_but_a_grant_changes_that() {
    let answer =
        |status, body: &str| Script::Raw(response(status, &[("content-type", "application/json")], body.as_bytes()));
    let server = ScriptedServer::start(Script::Then(vec![
        Script::CloseAfterRequest,
        answer(200, r#"{"success":false,"message":"x","data":null,"errorCode":32}"#),
        answer(503, "{}"),
        answer(401, "<html>"),
        answer(429, "{}"),
        answer(200, r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#),
    ]));
    let home = in_doubt(&server, "card");
    assert_eq!(home.run(&["settle", "card"]).done().code, 4);
    for (sent, code, kind, outcome) in
        [(3, 5, "server", "unknown"), (4, 3, "unauthorized", "refused"), (5, 6, "rate_limited", "refused")]
    {
        let done = home.run(&["refresh", "card", "--stored", "--json"]).done();
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (code, &json!(kind), &json!(outcome)), "{error}");
        assert_eq!((&session(&home)["state"], server.connections()), (&json!("login_needed"), sent));
        // Nobody but a person sends it: the access token is handed out while it lives, and settling sends nothing.
        assert_eq!(home.run(&["token", "card"]).done().output(), "a\n");
        assert_eq!((home.run(&["settle", "card"]).done().code, server.connections()), (4, sent));
    }
    let tokens = home.run(&["refresh", "card", "--stored"]).done().json();
    assert_eq!((&tokens["accessToken"], &tokens["rotated"]), (&json!("b"), &json!(true)));
    assert_eq!(session(&home)["state"], "ready");
}

#[test]
fn a_doubt_that_the_provider_refuses_needs_a_login() {
    let body = br#"{"success":false,"message":"x","data":null,"errorCode":32}"#;
    let answer = Script::Raw(response(200, &[("content-type", "application/json")], body));
    let server = ScriptedServer::start(Script::Then(vec![Script::CloseAfterRequest, answer]));
    let home = in_doubt(&server, "card");
    let done = home.run(&["settle", "card", "--json"]).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("refused")));
    let row = session(&home);
    assert_eq!((&row["state"], &row["lastError"]["code"]), (&json!("login_needed"), &json!("32")));
    assert_eq!(
        row["advice"],
        "have the person log in, then `rampauth import card`; `rampauth refresh card --stored` sends the stored token once more"
    );
    // Its journal stays, and there is nothing more to settle.
    assert!(row["attempt"].is_object(), "{row}");
    for _ in 0..2 {
        let done = home.run(&["settle", "card", "--json"]).done();
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
        assert_eq!(error["help"], "have the person log in again, then: rampauth import card < tokens.json");
    }
    assert_eq!(server.connections(), 2);
    // A login heals it.
    home.run(&["import", "card", "--replace"]).stdin(TOKENS).done().output();
    assert_eq!(session(&home)["state"], "ready");
}

#[test]
fn a_token_that_is_known_to_be_dead_has_no_doubt_to_settle() {
    let dead = br#"{"code":"RE_AUTHENTICATE","message":"x"}"#;
    let server = ScriptedServer::start(Script::Raw(response(401, &[], dead)));
    let home = Home::stored_at(&server.url());
    home.run(&["import", "onboard"]).stdin(TOKENS).done().output();
    assert_eq!(home.run(&["refresh", "onboard"]).done().code, 4);
    let row = session(&home);
    assert_eq!((&row["state"], &row["attempt"]), (&json!("login_needed"), &Value::Null));
    let done = home.run(&["settle", "onboard", "--json"]).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
    assert_eq!(error["help"], "have the person log in again, then: rampauth import onboard < tokens.json");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_session_that_is_not_in_doubt_may_need_a_hand_all_the_same() {
    let body = br#"{"success":false,"message":"x","data":null,"errorCode":32}"#;
    let answer = Script::Raw(response(200, &[("content-type", "application/json")], body));
    let server = ScriptedServer::start(answer);
    let home = Home::stored_at(&server.url());
    let import = |times: &str| {
        let tokens = format!(r#"{{"accessToken":"a","refreshToken":"r",{times}}}"#);
        home.run(&["import", "card", "--replace"]).stdin(tokens).done().output();
        let row = session(&home);
        assert_eq!(row["state"], "ready");
        row["advice"].as_str().expect("a text").to_owned()
    };
    assert_eq!(
        import(r#""refreshTokenExpiresAt":"2020-01-01T00:00:00Z""#),
        "its refresh token has expired: have the person log in, then `rampauth import card`"
    );
    assert_eq!(
        import(r#""accessTokenExpiresAt":null"#),
        "nobody knows when its access token expires, so that nothing refreshes it ahead of time: `rampauth refresh card`"
    );
    assert_eq!(
        import(r#""accessTokenExpiresAt":"2020-01-01T00:00:00Z""#),
        "its access token has expired: `rampauth keep` refreshes it, or the next `rampauth token card`"
    );
    assert_eq!(import(r#""accessTokenExpiresAt":"2126-01-01T00:00:00Z""#), "nothing");
    let done = home.run(&["refresh", "card", "--json"]).done();
    assert_eq!((done.code, &done.error()["kind"]), (3, &json!("refused")));
    let row = session(&home);
    assert_eq!((&row["state"], &row["lastError"]["code"]), (&json!("ready"), &json!("32")));
    assert_eq!(
        row["advice"],
        "the provider refused the last refresh: look at the code and at the profile, or the token is dead: if it stays, have the \
         person log in, then `rampauth import card`"
    );
}

#[test]
fn paybys_doubt_is_a_persons_to_settle() {
    let server = ScriptedServer::start(Script::CloseAfterRequest);
    let row = session(&in_doubt(&server, "payby"));
    // A claim lasts 45 s here, and `keep` gives up two of them before the access token expires.
    assert_eq!(
        row["advice"],
        "its provider publishes nothing on presenting a token again, so that is yours to decide until 2126-11-20T09:28:30Z, then a \
         login is needed: `rampauth settle payby`, or log in and `rampauth import payby`"
    );
}

#[test]
fn what_is_forgotten_is_gone_and_can_begin_anew() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let forget = |more: &[&str]| kit.home.run(&[&["forget", "card"], more].concat()).done();
    let key = format!("alix-card/{}/card", sandbox.addr());
    assert_eq!(forget(&["--json"]).json(), json!({"key": key, "forgotten": false, "setAside": false}));
    kit.import("card").output();
    assert_eq!(forget(&["--json"]).json(), json!({"key": key, "forgotten": true, "setAside": false}));
    assert_eq!(forget(&[]).output(), "there is no session of `card`\n");
    assert_eq!(session(&kit.home)["state"], "removed");
    for command in ["token", "refresh", "settle"] {
        let done = kit.home.run(&[command, "card", "--json"]).done();
        let message = "failed to find the session: the session of `card` was removed";
        assert_eq!((done.code, done.error()["message"].as_str()), (4, Some(message)), "{command}");
    }
    kit.import("card").output();
    assert_eq!(session(&kit.home)["state"], "ready");
    assert_eq!(forget(&[]).output(), "forgot the session of `card`; the provider was not told\n");
    assert_eq!(sandbox.events().len(), 0);
}

#[test]
fn a_session_without_a_profile_is_shown_all_the_same() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("onboard").output();
    let text = std::fs::read_to_string(kit.home.path().join("rampauth.toml")).expect("the configuration");
    kit.home.write("rampauth.toml", text.replace("[profile.onboard]", "[profile.other]"));
    let row = session(&kit.home);
    assert!(row["profile"].is_null());
    assert_eq!(row["advice"], "no profile of this configuration has this session: find the configuration that has");
}

#[cfg(unix)]
#[test]
fn watching_tells_each_change_until_it_is_stopped() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let mut command = kit.home.run(&["status", "--watch", "--json"]).into_command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("UTF-8")).expect("JSON") };
    assert_eq!(next(), json!({"sessions": []}));
    kit.import("card").output();
    assert_eq!(next()["sessions"][0]["generation"], 1);
    sandbox.advance(Duration::from_secs(1));
    kit.home.run(&["refresh", "card"]).done().json();
    assert_eq!(next()["sessions"][0]["generation"], 2);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert_eq!(sandbox.events().len(), 1);
}

#[test]
fn no_token_is_shown_or_logged() {
    let [old, new, secret] = ["old", "new", "secret"].map(Needle::new);
    let body = format!(r#"{{"success":true,"data":{{"accessToken":"{new}","refreshToken":"{new}"}},"errorCode":0}}"#);
    let answer = Script::Raw(response(200, &[], body.as_bytes()));
    let server = ScriptedServer::start(Script::Then(vec![Script::CloseAfterRequest, answer]));
    let home = Home::stored_at(&server.url());
    home.write("secret.txt", secret.as_str());
    let tokens = json!({"accessToken": old.as_str(), "refreshToken": old.as_str()}).to_string();
    let run = |arguments: &[&str], stdin: &str| home.run(arguments).env("RAMPAUTH_LOG", "trace").stdin(stdin).done();
    let import = run(&["import", "card", "--json"], &tokens);
    let doubt = run(&["refresh", "card", "--stored"], "");
    let status = run(&["status"], "");
    let document = run(&["status", "--json"], "");
    let settle = run(&["settle", "card"], "");
    let after = run(&["status"], "");
    let forget = run(&["forget", "card"], "");
    for (done, code) in [(import, 0), (doubt, 5), (status, 0), (document, 0), (settle, 0), (after, 0), (forget, 0)] {
        assert_eq!(done.code, code, "{}", done.stderr);
        for needle in [&old, &new, &secret] {
            needle.assert_absent_from("standard output", &done.stdout);
            needle.assert_absent_from_nonempty("standard error", &done.stderr);
        }
    }
}
