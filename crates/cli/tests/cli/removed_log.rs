//! The store's log is removed under a command: it is said, the exit code is not 0, and what was granted is in the store.
#![cfg(unix)]

use std::path::Path;

use serde_json::json;

use crate::keep::Keeping;
use crate::provider::Provider;
use crate::support::Home;

const FILES: [&[&str]; 3] = [&["rampauth.db-wal"], &["rampauth.db-shm"], &["rampauth.db-wal", "rampauth.db-shm"]];

fn remove(folder: &Path, files: &[&str]) {
    for file in files {
        std::fs::remove_file(folder.join(file)).expect("it is there");
    }
}

#[test]
fn a_command_whose_log_is_removed_says_so_and_its_tokens_are_in_the_store() {
    for files in FILES {
        for command in ["refresh", "token", "settle"] {
            let provider = Provider::start();
            let home = Home::hastily_stored_at(&provider.url());
            provider.log_in(&home, command);
            let run = home.run(&[command, "card", "--json"]);
            // The token is spent by then.
            let done = provider.answer(run, || remove(home.path(), files));
            let error = done.error();
            let expected = (1, &json!("internal"), &json!("unknown"));
            assert_eq!((done.code, &error["kind"], &error["outcome"]), expected, "{command}: {error}");
            assert!(error["message"].as_str().expect("a text").contains("was removed"), "{command}: {error}");
            assert!(error["help"].as_str().expect("a text").contains("in the store"), "{command}: {error}");
            assert_eq!(home.run(&["token", "card"]).done().output(), "b\n", "{command}");
            assert!(!home.path().join("card.rescued-1.json").exists(), "{command}");
        }
    }
}

#[test]
fn tokens_whose_store_was_deleted_or_replaced_are_in_a_file() {
    for replaced in [false, true] {
        for command in ["refresh", "token", "settle"] {
            let provider = Provider::start();
            let home = Home::hastily_stored_at(&provider.url());
            provider.log_in(&home, command);
            let done = provider.answer(home.run(&[command, "card", "--json"]), || {
                remove(home.path(), &["rampauth.db"]);
                if replaced {
                    home.write("rampauth.db", "");
                }
            });
            assert_eq!(done.code, 1, "{command}: {done:?}");
            assert!(done.stderr.contains("was moved, deleted or replaced"), "{command}: {done:?}");
            let rescued = std::fs::read_to_string(home.path().join("card.rescued-1.json")).expect("the tokens");
            assert!(rescued.contains(r#""accessToken":"b","refreshToken":"s""#), "{command}: {rescued}");
        }
    }
}

#[test]
fn keep_goes_on_when_its_log_is_removed_and_loses_nothing() {
    for files in FILES {
        let provider = Provider::start();
        let home = Home::hastily_stored_at(&provider.url());
        provider.log_in(&home, "refresh");
        let mut keeping = Keeping::start(&home, &[], "");
        provider.answer_next(|| remove(home.path(), files));
        let line = keeping.until("removed or replaced while it was open");
        assert!(line.contains(files[0].trim_start_matches("rampauth.db")), "{line}");
        // Whoever comes now finds what it was granted, at the latest when it has saved that again.
        let token = || home.run(&["token", "card"]).done();
        let given = (0..100).map(|_| token()).find(|done| done.code == 0).expect("a token in the end");
        assert_eq!(given.stdout, "b\n");
        let (code, log) = keeping.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(token().output(), "b\n");
    }
}
