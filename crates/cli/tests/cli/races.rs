//! What a command says when somebody else does something to the session while its request is under way.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, Conclusion, Operation, OwnerId, Record, SessionKey, State, StoreExt as _,
};
use rampauth_store_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::support::Home;

fn state(home: &Home) -> Value {
    home.run(&["status", "--json"]).done().json()["sessions"][0]["state"].take()
}

#[test]
fn after_a_logout_there_is_no_session_and_what_was_granted_is_in_a_file() {
    for command in ["refresh", "token", "settle"] {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, command);
        let done = provider.answer(home.run(&[command, "card", "--json"]), || {
            home.run(&["forget", "card"]).done().output();
        });
        let error = done.error();
        assert_eq!(
            (done.code, &error["kind"], &error["outcome"]),
            (4, &json!("login_needed"), &json!("unknown")),
            "{command}: {error}"
        );
        let message = "failed to refresh the tokens: the session of `card` was removed meanwhile, and the tokens that were granted \
                       are not stored";
        assert_eq!(error["message"], message);
        assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
        let rescued = std::fs::read_to_string(home.path().join("card.rescued-1.json")).expect("the tokens");
        assert!(rescued.contains(r#""accessToken":"b","refreshToken":"s""#), "{rescued}");
        assert_eq!(state(&home), "removed");
    }
}

#[test]
fn after_another_login_its_tokens_are_the_sessions_and_the_dropped_ones_are_told() {
    for command in ["refresh", "token"] {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, command);
        let done = provider.answer(home.run(&[command, "card"]), || {
            let tokens = r#"{"accessToken":"c","refreshToken":"t","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}"#;
            home.run(&["import", "card"]).stdin(tokens).done().output();
        });
        assert_eq!(done.code, 0, "{}", done.stderr);
        let said = if command == "token" { "c\n" } else { r#"{"accessToken":"c","refreshToken":"t","# };
        assert!(done.stdout.starts_with(said), "{}", done.stdout);
        assert!(done.stderr.contains("another login, and are dropped"), "{}", done.stderr);
        assert!(!home.path().join("card.rescued-1.json").exists());
    }
}

#[test]
fn what_the_store_takes_in_the_end_is_a_success() {
    for command in ["refresh", "token", "settle"] {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        let config = home.path().join("rampauth.toml");
        let text = std::fs::read_to_string(&config).expect("the configuration");
        std::fs::write(config, format!("store_timeout_seconds = 2\n{text}")).expect("the configuration");
        provider.log_in(&home, command);
        let other = home.database();
        let mut child = home.run(&[command, "card"]).env("RAMPAUTH_LOG", "debug").into_command();
        let mut child =
            child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        provider.answer_next(|| other.execute_batch("BEGIN IMMEDIATE").expect("a lock"));
        let mut log = String::new();
        for line in BufReader::new(child.stderr.take().expect("a pipe")).lines() {
            log.push_str(&line.expect("UTF-8"));
            log.push('\n');
            // Its first try has failed, and its last ones begin.
            if log.contains("SaveFailed") && !other.is_autocommit() {
                other.execute_batch("ROLLBACK").expect("the lock is free");
            }
        }
        let output = child.wait_with_output().expect("an end");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{log}");
        let said = match command {
            "refresh" => r#"{"accessToken":"b","refreshToken":"s","#,
            "token" => "b\n",
            _ => "settled: `card` has new tokens",
        };
        assert!(stdout.starts_with(said), "{stdout}");
        assert!(log.contains("SaveFailed"), "it failed at first: {log}");
        assert!(!home.path().join("card.rescued-1.json").exists());
        assert_eq!((home.run(&["token", "card"]).done().output().as_str(), state(&home)), ("b\n", json!("ready")));
    }
}

/// The store's only session, as another process works on it.
struct Other {
    store: SqliteStore,
    key: SessionKey,
}

impl Other {
    fn of(home: &Home, provider: &Provider) -> Self {
        let store = SqliteStore::open(home.path().join("rampauth.db")).expect("the store");
        let address = provider.url().replace("http://", "");
        Self { store, key: SessionKey::parse(format!("alix-card/{address}/card")).expect("a key") }
    }

    fn record(&self) -> Record {
        wait(self.store.load(&self.key)).expect("a store").expect("a record")
    }

    fn claim(&self) -> AttemptRef {
        let Record { session, generation, tokens, .. } = self.record();
        let attempt = AttemptRef { id: AttemptId::from_random(1), session, generation };
        let begin = Operation::Begin {
            generation,
            presents: tokens.expect("tokens").presents,
            attempt: attempt.id,
            owner: OwnerId::from_random(0x00c0_ffee),
            lease: Duration::from_secs(600),
            settle: false,
        };
        assert!(matches!(wait(self.store.apply(&self.key, begin)), Ok(Answer::Begun(_))));
        attempt
    }

    fn take_back(&self, attempt: AttemptRef) {
        let conclude = Operation::Conclude { attempt, conclusion: Conclusion::NotSent, next_due: None, error: None };
        assert!(matches!(wait(self.store.apply(&self.key, conclude)), Ok(Answer::Done(_))));
    }
}

fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(call)
}

#[test]
fn a_doubt_that_another_process_takes_back_is_no_doubt_and_was_not_settled() {
    for json in [false, true] {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, "refresh");
        let other = Other::of(&home, &provider);
        let attempt = other.claim();
        let arguments: &[&str] = if json { &["settle", "card", "--json"] } else { &["settle", "card"] };
        let mut child = home.run(arguments).env("RAMPAUTH_LOG", "debug").into_command();
        let mut child =
            child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        for line in BufReader::new(child.stderr.take().expect("a pipe")).lines() {
            // It has seen the doubt.
            if line.expect("UTF-8").contains("in doubt") {
                other.take_back(attempt);
            }
        }
        let output = child.wait_with_output().expect("an end");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{said}");
        if json {
            assert!(said.ends_with("\"settled\":false}\n"), "{said}");
        } else {
            let why = "another process's refresh came to nothing, and nothing was sent";
            assert_eq!(said, format!("`card` is not in doubt any more: {why}\n"));
        }
        let record = other.record();
        assert_eq!((record.state, record.generation, record.attempt.is_none()), (State::Ready, 1, true));
    }
}
