//! Signals to commands that end by themselves: at once while nothing can be lost, and otherwise once it is done.
#![cfg(unix)]

use std::thread;
use std::time::Duration;

use rampauth_keeper::{Answer, AttemptId, Operation, OwnerId, SessionKey, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use serde_json::Value;

use crate::provider::Provider;
use crate::started::Started;
use crate::support::{Home, Run};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r"}"#;
/// With the exit code that a shell tells for each.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

fn status(home: &Home) -> Value {
    home.run(&["status", "--json"]).done().json()["sessions"][0].take()
}

/// The arguments of each command that sends something, what it reads, and how what it prints begins.
fn senders() -> [(&'static [&'static str], &'static str, &'static str); 4] {
    let tokens = r#"{"accessToken":"b","refreshToken":"s","#;
    [
        (&["refresh", "card"], TOKENS, tokens),
        (&["refresh", "card", "--stored"], "", tokens),
        (&["token", "card"], "", "b\n"),
        (&["settle", "card"], "", "settled: `card` has new tokens"),
    ]
}

#[test]
fn a_request_under_way_is_finished_and_the_exit_code_tells_the_signal() {
    for (arguments, stdin, said) in senders() {
        for (signal, code) in SIGNALS {
            let provider = Provider::start();
            let home = Home::stored_at(&provider.url());
            provider.log_in(&home, arguments[0]);
            let command = Started::with_input(home.run(arguments), stdin);
            provider.answer_next(|| command.signal(signal));
            let done = command.end();
            assert_eq!((done.code, done.stderr.as_str()), (code, ""), "{arguments:?} {signal}");
            assert!(done.stdout.starts_with(said), "{arguments:?} {signal}: {}", done.stdout);
            if stdin.is_empty() {
                assert_eq!(home.run(&["token", "card"]).done().output(), "b\n", "it is stored");
            }
        }
    }
}

#[test]
fn where_it_failed_the_error_is_told_and_its_exit_code_with_it() {
    for (arguments, stdin, _) in senders() {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, arguments[0]);
        let run = home.run(&[arguments, &["--json"]].concat());
        let command = Started::with_input(run, stdin);
        provider.refuse_next(|| command.signal("TERM"));
        let done = command.end();
        // What was in doubt and is refused is spent.
        let code = if arguments[0] == "settle" { 4 } else { 3 };
        assert_eq!(done.code, code, "{arguments:?}: {}", done.stderr);
        assert_eq!(done.error()["outcome"], "refused", "{arguments:?}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (arguments, stdin, _) in senders() {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, arguments[0]);
        let command = Started::with_input(home.run(arguments), stdin);
        provider.hold_next(|| {
            command.signal("INT");
            thread::sleep(Duration::from_millis(200));
            command.signal("TERM");
            // No answer comes while this lasts.
            let done = command.end();
            // Where both wait for a slow process, the system says which one it sees first.
            assert!(matches!(done.code, 130 | 143), "{arguments:?}: {}", done.code);
            assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{arguments:?}");
        });
        if stdin.is_empty() {
            // It was written down before it was sent, and the claim lapses by itself.
            assert!(status(&home)["attempt"]["presentations"].as_u64().expect("a number") >= 1);
        }
    }
}

#[test]
fn while_standard_input_is_waited_for_a_signal_ends_it_at_once() {
    for (arguments, words) in [
        (
            &["refresh", "card"][..],
            "waiting for tokens on standard input; to refresh the stored session instead, use --stored",
        ),
        (&["refresh", "card", "--stdin"], "waiting for tokens on standard input"),
        (&["import", "card"], "waiting for standard input to end"),
        (&["sign", "payby"], "waiting for standard input to end"),
        (&["decode"], "waiting for standard input to end"),
    ] {
        let end = |signal, code| {
            let home = Home::stored_at("http://127.0.0.1:9");
            let mut command = Started::new(home.run(arguments));
            // Said once it has waited for two seconds.
            command.wait_for(words);
            command.signal(signal);
            let done = command.end();
            assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{arguments:?} {signal}");
            assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        };
        thread::scope(|scope| SIGNALS.iter().for_each(|&(signal, code)| drop(scope.spawn(move || end(signal, code)))));
    }
}

#[test]
fn while_anothers_claim_is_waited_for_a_signal_ends_it_at_once_and_nothing_is_sent() {
    for (command, code) in [("token", 130), ("refresh", 143), ("settle", 129)] {
        let provider = Provider::start();
        let home = Home::stored_at(&provider.url());
        provider.log_in(&home, "refresh");
        claim(&home, &provider);
        let before = status(&home);
        let run = home.run(&[command, "card"]).env("RAMPAUTH_LOG", "debug");
        let mut command = Started::with_input(run, "");
        command.wait_for("opened the store");
        // It looks at the claim again and again.
        thread::sleep(Duration::from_millis(500));
        command.signal(SIGNALS.iter().find(|(_, told)| *told == code).expect("a signal").0);
        let done = command.end();
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{}", done.stderr);
        assert!(!done.stderr.contains("error"), "{}", done.stderr);
        assert_eq!(status(&home), before);
    }
}

/// As another process that goes on for long.
fn claim(home: &Home, provider: &Provider) {
    let store = SqliteStore::open(home.path().join("rampauth.db")).expect("the store");
    let address = provider.url().replace("http://", "");
    let key = SessionKey::parse(format!("alix-card/{address}/card")).expect("a key");
    let claim = async {
        let record = store.load(&key).await.expect("a store").expect("a record");
        let begin = Operation::Begin {
            generation: record.generation,
            presents: record.tokens.expect("tokens").presents,
            attempt: AttemptId::from_random(1),
            owner: OwnerId::from_random(0x00c0_ffee),
            lease: Duration::from_secs(600),
            settle: false,
        };
        assert!(matches!(store.apply(&key, begin).await, Ok(Answer::Begun(_))));
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(claim);
}

#[test]
fn a_step_in_the_store_is_finished() {
    let home = Home::stored_at("http://127.0.0.1:9");
    let stored = |run: Run| run.stdin(TOKENS).done();
    assert_eq!(stored(home.run(&["import", "card"])).code, 0);
    for (arguments, stdin, marker, said) in [
        (
            &["import", "card", "--replace", "--json"][..],
            TOKENS,
            "opened the store",
            "\"generation\":2,\"imported\":true}\n",
        ),
        (
            &["forget", "card"],
            "",
            "forgetting the session",
            "forgot the session of `card`; the provider was not told\n",
        ),
    ] {
        let other = home.database();
        other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        let run = home.run(arguments).env("RAMPAUTH_LOG", "debug");
        let mut command = Started::with_input(run, stdin);
        command.wait_for(marker);
        command.signal("TERM");
        thread::sleep(Duration::from_millis(200));
        other.execute_batch("ROLLBACK").expect("the lock is free");
        let done = command.end();
        assert_eq!(done.code, 143, "{}", done.stderr);
        assert!(done.stdout.ends_with(said), "{arguments:?}: {}", done.stdout);
    }
    assert_eq!(status(&home)["state"], "removed");
}

#[test]
fn sealing_anew_ends_at_once_and_can_be_run_again() {
    let home = Home::stored_at("http://127.0.0.1:9");
    assert_eq!(home.run(&["import", "card"]).stdin(TOKENS).done().code, 0);
    home.write("new.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n");
    let config = std::fs::read_to_string(home.path().join("rampauth.toml")).expect("the configuration");
    let keys = "sealing_key = { file = \"new.key\" }\nreadable_keys = [{ file = \"sealing.key\" }]\n";
    home.write("rampauth.toml", config.replace("sealing_key = { file = \"sealing.key\" }\n", keys));
    let other = home.database();
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let mut command = Started::with_input(home.run(&["reseal"]).env("RAMPAUTH_LOG", "debug"), "");
    command.wait_for("read the configuration");
    command.signal("INT");
    let done = command.end();
    assert_eq!((done.code, done.stdout.as_str()), (130, ""), "{}", done.stderr);
    other.execute_batch("ROLLBACK").expect("the lock is free");
    assert_eq!(home.run(&["reseal"]).done().code, 0);
    assert_eq!(home.run(&["token", "card"]).done().output(), "a\n");
}

#[test]
fn a_hang_up_that_was_ignored_stays_ignored() {
    let provider = Provider::start();
    let home = Home::at(&provider.url());
    let run = home.run(&["refresh", "card"]).through_shell("trap '' HUP; exec \"$@\"");
    let command = Started::with_input(run, TOKENS);
    provider.answer_next(|| command.signal("HUP"));
    let done = command.end();
    if cfg!(target_os = "linux") {
        assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    }
    assert!(done.stdout.starts_with(r#"{"accessToken":"b","#), "{}", done.stdout);
}
