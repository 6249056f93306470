//! How `keep` ends: nothing that it holds alone is lost, and nothing is said that is not so.

use std::fs;
use std::path::Path;

use crate::keep::Keeping;
use crate::provider::{Provider, answer};
use crate::support::{Home, SEALED, profiles};

const DEAD: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;

fn fresh(token: &str) -> String {
    format!(r#"{{"accessToken":"{token}","refreshToken":"{token}","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}}"#)
}

fn remove_store(folder: &Path) {
    for file in ["rampauth.db", "rampauth.db-wal", "rampauth.db-shm"] {
        fs::remove_file(folder.join(file)).expect("the store");
    }
}

#[test]
fn a_wrong_sealing_key_ends_it_with_2() {
    let home = Home::stored_at("http://127.0.0.1:9");
    for profile in ["card", "user"] {
        home.run(&["import", profile]).stdin(fresh("a")).done().output();
    }
    home.write("sealing.key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    let done = home.run(&["keep"]).done();
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("no session can be read, of 2"), "{}", done.stderr);
    assert!(done.stderr.contains("sealed with key 7519570fd162df1d"), "{}", done.stderr);
    for profile in ["card", "user"] {
        assert!(!done.stderr.contains(&format!("no session yet: rampauth import {profile}")), "{}", done.stderr);
    }
}

#[test]
fn what_a_store_held_that_is_gone_at_the_end_is_in_files() {
    let home = Home::hastily_stored_at("http://127.0.0.1:9");
    for profile in ["card", "user", "onboard"] {
        home.run(&["import", profile]).stdin(fresh(profile)).done().output();
    }
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("started profiles=5 sessions=3");
    remove_store(home.path());
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(1), "{log}");
    for profile in ["card", "user", "onboard"] {
        let file = home.path().join(format!("{profile}.rescued-1.json"));
        assert!(log.contains(&file.display().to_string()), "{profile}: {log}");
        home.run(&["import", profile]).stdin(fs::read(&file).expect("the tokens")).done().output();
        assert_eq!(home.run(&["token", profile]).done().output(), format!("{profile}\n"));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let provider = Provider::start();
        let home = Home::hastily_stored_at(&provider.url());
        home.run(&["import", "card"]).stdin(DEAD).done().output();
        let mut keeping = Keeping::start(&home, &[], "");
        // Its answer never comes, and is waited for.
        let request = provider.next();
        keeping.signal("-TERM");
        keeping.until("stopping");
        let (ended, log) = keeping.stop(signal);
        drop(request);
        assert_eq!(ended, Some(code), "{log}");
        assert!(log.contains("a second signal"), "{log}");
    }
}

#[test]
fn a_second_signal_loses_no_token_that_is_held_already() {
    let provider = Provider::start();
    let home = Home::hastily_stored_at(&provider.url());
    for profile in ["card", "other"] {
        home.write("rampauth.toml", two_cards(&provider.url()));
        let dead = DEAD.replace(r#""r""#, &format!(r#""r-{profile}""#));
        home.run(&["import", profile]).stdin(dead).done().output();
    }
    let mut keeping = Keeping::start(&home, &[], "");
    let other = home.database();
    // Both have their claims. The other request is not answered, so that the end is waited for.
    let (answered, request) = (provider.next(), provider.next());
    answer(answered, || other.execute_batch("BEGIN IMMEDIATE").expect("a lock"));
    keeping.until("new tokens could not be saved");
    keeping.signal("-TERM");
    keeping.until("stopping");
    let (code, log) = keeping.stop("-TERM");
    drop(request);
    assert_eq!(code, Some(143), "{log}");
    let rescued = ["card", "other"].map(|profile| home.path().join(format!("{profile}.rescued-1.json")));
    let rescued: Vec<_> = rescued.iter().filter(|file| file.exists()).collect();
    assert_eq!(rescued.len(), 1, "{log}");
    let tokens = fs::read_to_string(rescued[0]).expect("the tokens");
    assert!(tokens.contains(r#""accessToken":"b","refreshToken":"s""#), "{tokens}");
}

fn two_cards(url: &str) -> String {
    let all = profiles(url);
    let card = all.split("[profile.").find(|section| section.starts_with("card")).expect("a profile");
    format!("{SEALED}store_timeout_seconds = 1\n[profile.{card}[profile.{}", card.replacen("card", "other", 1))
}

#[test]
fn tokens_that_come_after_a_logout_are_in_a_file() {
    let provider = Provider::start();
    let home = Home::hastily_stored_at(&provider.url());
    home.run(&["import", "card"]).stdin(DEAD).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    provider.answer_next(|| {
        home.run(&["forget", "card"]).done().output();
    });
    let line = keeping.until("granted tokens came after a logout");
    assert!(line.contains("card.rescued-1.json"), "{line}");
    let rescued = fs::read_to_string(home.path().join("card.rescued-1.json")).expect("the tokens");
    assert!(rescued.contains(r#""accessToken":"b","refreshToken":"s""#), "{rescued}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
}

#[test]
fn the_next_place_is_taken_where_the_configuration_s_folder_takes_no_file() {
    let home = Home::hastily_stored_at("http://127.0.0.1:9");
    let config = fs::read_to_string(home.path().join("rampauth.toml")).expect("the configuration");
    // Each folder in turn is no place: the configuration's, and the store's.
    for (round, gone) in [vec!["conf"], vec!["conf", "data"]].into_iter().enumerate() {
        for folder in ["conf", "data"] {
            fs::create_dir_all(home.path().join(folder)).expect("a folder");
        }
        let config =
            config.replace("sqlite:rampauth.db", "sqlite:../data/rampauth.db").replace("file = \"", "file = \"../");
        home.write("conf/rampauth.toml", config);
        let config = ["--config", "conf/rampauth.toml"];
        home.run(&[&config[..], &["import", "card"]].concat()).stdin(fresh("a")).done().output();
        let mut keeping = Keeping::start(&home, &config, "");
        let line = keeping.until("tokens that the store does not take are written to");
        assert!(line.ends_with("/conf"), "{line}");
        keeping.until("started");
        for folder in &gone {
            fs::remove_dir_all(home.path().join(folder)).expect("removed");
        }
        if !gone.contains(&"data") {
            remove_store(&home.path().join("data"));
        }
        let (code, log) = keeping.stop("-TERM");
        assert_eq!(code, Some(1), "{log}");
        let place = ["data/card.rescued-1.json", "state/rampauth/card.rescued-1.json"][round];
        assert!(home.path().join(place).exists(), "{place}: {log}");
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_folder_that_may_not_be_written_is_no_place_and_none_at_all_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;

    use crate::broken_store::with_fewer_rights;
    let home = Home::hastily_stored_at("http://127.0.0.1:9");
    let config = fs::read_to_string(home.path().join("rampauth.toml")).expect("the configuration");
    fs::create_dir(home.path().join("conf")).expect("a folder");
    let config = config.replace("sqlite:rampauth.db", "sqlite:../rampauth.db").replace("file = \"", "file = \"../");
    home.write("conf/rampauth.toml", config);
    let set_mode = |folder: &str, mode| {
        fs::set_permissions(home.path().join(folder), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let run = || home.run(&["--config", "conf/rampauth.toml", "keep"]);
    set_mode("conf", 0o500);
    let mut keeping = with_fewer_rights(|| Keeping::of(run()));
    let line = keeping.until("tokens that the store does not take are written to");
    assert!(line.ends_with(&home.path().display().to_string()), "{line}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
    // Only the folder is closed: the store is there, and so is its log as long as somebody has it open.
    let reader = home.database();
    reader.query_row("SELECT count(*) FROM session", [], |row| row.get::<_, i64>(0)).expect("a store");
    set_mode(".", 0o500);
    let mut keeping = with_fewer_rights(|| Keeping::of(run()));
    keeping.until("tokens that the store does not take would be lost");
    drop(keeping);
    set_mode(".", 0o700);
    set_mode("conf", 0o700);
}

#[test]
fn a_hundred_and_twenty_earlier_rescues_are_all_kept() {
    let home = Home::hastily_stored_at("http://127.0.0.1:9");
    home.run(&["import", "card"]).stdin(fresh("a")).done().output();
    for number in 1..=120 {
        home.write(&format!("card.rescued-{number}.json"), number.to_string());
    }
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("started");
    remove_store(home.path());
    assert_eq!(keeping.stop("-TERM").0, Some(1));
    let rescued =
        |number: u32| fs::read_to_string(home.path().join(format!("card.rescued-{number}.json"))).expect("it");
    assert!(rescued(121).contains(r#""refreshToken":"a""#));
    assert!((1..=120).all(|number| rescued(number) == number.to_string()));
}
