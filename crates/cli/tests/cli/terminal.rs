//! Tables for people: with which characters they are drawn.

use crate::support::Home;

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;

#[test]
fn borders_are_those_that_the_locale_has() {
    let home = Home::stored_at("http://127.0.0.1:9");
    home.run(&["import", "card"]).stdin(TOKENS).done().output();
    let table = |locale: &str| home.run(&["status"]).env("LC_ALL", locale).done().output();
    let ascii = if cfg!(windows) { String::new() } else { table("C") };
    assert!(ascii.is_ascii() && ascii.lines().all(|line| line.starts_with(['+', '|'])), "{ascii}");
    assert!(table("en_GB.UTF-8").starts_with('╭'));
}
