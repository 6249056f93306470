//! A provider that refuses the stored token again and again without a word about it.

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::Home;

const EXPIRED: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;

fn row(home: &Home) -> Value {
    home.run(&["status", "--json"]).done().json()["sessions"][0].take()
}

#[test]
fn after_ten_refusals_the_session_is_failing_and_a_program_that_starts_anew_sends_nothing() {
    // What a gateway answers in front of the provider, and so might the provider to a dead token.
    let refusal = Script::Raw(response(401, &[("content-type", "text/html")], b"<html>401</html>"));
    let server = ScriptedServer::start(refusal);
    let home = Home::stored_at(&server.url());
    for profile in ["card", "ramp", "onboard"] {
        let before = server.connections();
        home.run(&["import", profile]).stdin(EXPIRED).done().output();
        for times in 1..=10 {
            let state = if times == 1 { json!("ready") } else { row(&home)["state"].take() };
            assert_eq!(state, "ready", "{profile}, {times}");
            let done = home.run(&["refresh", profile, "--stored", "--json"]).done();
            assert_eq!((done.code, &done.error()["outcome"]), (3, &json!("refused")), "{}", done.stderr);
        }
        let row = row(&home);
        assert_eq!((&row["state"], &row["refusals"]), (&json!("failing"), &json!(10)), "{row}");
        let advice = row["advice"].as_str().expect("a text");
        assert!(advice.contains("a login is probably needed") && advice.contains("rampauth import"), "{advice}");
        let table = home.run(&["status"]).done().output();
        assert!(table.contains("failing") && table.contains("refused 10 times in a row"), "{table}");

        let sent = server.connections();
        assert_eq!(sent - before, 10);
        let done = home.run(&["token", profile, "--json"]).done();
        let error = done.error();
        assert_eq!(
            (done.code, &error["kind"], &error["outcome"]),
            (3, &json!("refused"), &json!("not_sent")),
            "{error}"
        );
        assert!(error["message"].as_str().expect("a text").contains("10 times in a row"), "{error}");
        let wait = error["retryAfterSeconds"].as_u64().expect("a number");
        assert!((3_500..=3_600).contains(&wait), "{wait}");
        assert_eq!(server.connections(), sent, "nothing was sent");
        // A person's word goes through.
        assert_eq!(home.run(&["refresh", profile, "--stored"]).done().code, 3);
        assert_eq!(server.connections(), sent + 1);
        home.run(&["forget", profile]).done().output();
        // Another profile's session is the only row from here on.
        std::fs::remove_file(home.path().join("rampauth.db")).expect("the store");
    }
}
