//! Tokens that could not be handed over: kept in a file of their own, for the presented ones are probably spent.

mod places;

use std::io;
use std::path::PathBuf;

use rampauth_core::{Error, SecretString, TokenSet};
use rampauth_payby::VerifiedAnswer;
use zeroize::Zeroizing;

use crate::tokens::Tokens;
pub(crate) use places::{Places, create_private};

/// Writes the tokens to a file that the user alone may read, and says so in the error's advice.
pub(crate) fn keep(error: Error, places: &Places, profile: &str, set: &TokenSet) -> Error {
    match write_tokens(places, profile, set) {
        Ok(path) => error.with_help(format!(
            "the presented token is probably spent; the new tokens are in {}: import them or refresh with them next, and delete the file",
            path.display()
        )),
        Err(_) => error.with_help(
            "the presented token is probably spent, and the new ones could be written neither to standard output nor to any \
             file: present the old one once more, and if that is refused have the person log in again",
        ),
    }
}

/// The same for tokens that are printed as well.
pub(crate) fn keep_printed(error: Error, places: &Places, profile: &str, set: &TokenSet) -> Error {
    let said = "the presented token is probably spent; the new tokens are on standard output";
    match write_tokens(places, profile, set) {
        Ok(path) => error.with_help(format!("{said} and in {}: import them, and delete the file", path.display())),
        Err(_) => error.with_help(format!("{said} and nowhere else, for no file could be written: import them")),
    }
}

/// The same for tokens that belong to no session any more.
pub(crate) fn keep_unclaimed(error: Error, places: &Places, profile: &str, set: &TokenSet) -> Error {
    match write_tokens(places, profile, set) {
        Ok(path) => error.with_help(format!(
            "the tokens that came are in {}: revoke them, or import them to take the session up again, and delete the file; \
             otherwise have the person log in",
            path.display()
        )),
        Err(_) => error.with_help(
            "the tokens that came could not be written to any file and are lost: have the person log in",
        ),
    }
}

/// The same for a whole answer that the provider signed and that could not be read as tokens, where the error is about one: they
/// may be in it under names that were never published.
pub(crate) fn keep_signed_answer(error: Error, places: &Places, profile: &str) -> Error {
    match VerifiedAnswer::of(&error).map(|answer| answer.raw_body().clone()) {
        Some(answer) => keep_answer(error, places, profile, &answer),
        None => error,
    }
}

fn keep_answer(error: Error, places: &Places, profile: &str, answer: &SecretString) -> Error {
    match places.write(profile, "answer", answer.expose_secret().as_bytes()) {
        Ok(path) => error.with_help(format!(
            "the presented token is probably spent; the provider's signed answer is in {}: look there for the new tokens, and \
             delete the file",
            path.display()
        )),
        Err(_) => error.with_help(
            "the presented token is probably spent, and the answer could be written to no file: present the \
             old one once more, and if that is refused have the person log in again",
        ),
    }
}

fn write_tokens(places: &Places, profile: &str, set: &TokenSet) -> io::Result<PathBuf> {
    let json = serde_json::to_string(&Tokens::new(set)).expect("texts have a JSON form");
    places.write(profile, "rescued", Zeroizing::new(json + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use rampauth_core::{Expiry, RefreshToken};

    fn set() -> TokenSet {
        TokenSet::new().with_refresh_token(RefreshToken::new("fresh").expect("a token"), Expiry::Unknown)
    }

    #[test]
    fn the_advice_names_the_file_and_the_file_holds_the_tokens() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::only(folder.path());
        for number in 1..=2 {
            let error = keep(Error::input("x", "y"), &places, "card", &set());
            let path = folder.path().join(format!("card.rescued-{number}.json"));
            assert!(error.help().contains(&path.display().to_string()), "{}", error.help());
            assert!(fs::read_to_string(&path).expect("the file").contains(r#""refreshToken":"fresh""#));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_advice_says_so() {
        let nowhere = &Places::only(Path::new("/nowhere/at/all"));
        let error = keep(Error::input("x", "y"), nowhere, "card", &set());
        assert!(error.help().contains("could be written neither"), "{}", error.help());
        let error = keep_unclaimed(Error::input("x", "y"), nowhere, "card", &set());
        assert!(error.help().contains("and are lost"), "{}", error.help());
    }
}
