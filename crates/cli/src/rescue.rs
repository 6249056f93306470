//! Tokens that could not be handed over: kept in a file of their own, for the presented ones are probably spent.

mod places;
mod room;

use std::io;
use std::path::PathBuf;

use rampauth_core::{Error, TokenSet};
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

/// Whether an error is about an answer that only a person can read: it may hold tokens, and none could be read from it.
pub(crate) fn holds_answer(error: &Error) -> bool {
    error.body().is_some() && error.salvage().is_none()
}

/// The same for the bytes of an answer that could not be read, where the error [holds](holds_answer) one.
pub(crate) fn keep_answer(error: Error, places: &Places, profile: &str) -> Error {
    let Some(body) = error.body().filter(|_| holds_answer(&error)).cloned() else { return error };
    // The file's name goes with it wherever it is moved to.
    let (what, whose) = match error.verified() {
        Some(true) => ("answer", "the provider's signed answer"),
        Some(false) => ("answer-not-verified", "an answer that is not verified, so that anybody may have written it,"),
        None => ("answer", "what was answered"),
    };
    match places.write(profile, what, body.expose_secret()) {
        Ok(path) => error.with_help(format!(
            "the presented token may be spent; {whose} is in {}: look there for the new tokens, and delete the file",
            path.display()
        )),
        Err(_) => error.with_help(
            "the presented token may be spent, and the answer could be written to no file: present the old one once more, and if \
             that is refused have the person log in again",
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
    use rampauth_core::{ErrorKind, Expiry, Outcome, RefreshToken, SecretBytes};

    fn set() -> TokenSet {
        TokenSet::new().with_refresh_token(RefreshToken::new("fresh").expect("a token"), Expiry::Unknown)
    }

    /// The error about an answer that is not even text.
    fn unread(verified: Option<bool>) -> Error {
        let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, "refresh", "the answer is not JSON");
        let error = error.with_body(SecretBytes::from(&b"\xff tokens"[..]));
        verified.map_or(error.clone(), |verified| error.with_verified(verified))
    }

    #[test]
    fn an_answer_that_could_not_be_read_is_kept_under_a_name_that_says_whether_to_trust_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::only(folder.path());
        for (verified, name, whose) in [
            (None, "card.answer-1.json", "what was answered is in"),
            (Some(true), "card.answer-2.json", "the provider's signed answer is in"),
            (Some(false), "card.answer-not-verified-1.json", "not verified"),
        ] {
            let error = keep_answer(unread(verified), &places, "card");
            let path = folder.path().join(name);
            assert!(error.help().contains(&path.display().to_string()), "{}", error.help());
            assert!(error.help().contains(whose), "{}", error.help());
            assert_eq!(fs::read(&path).expect("the file"), b"\xff tokens");
        }
    }

    #[test]
    fn where_tokens_could_be_read_or_nothing_came_no_answer_is_kept() {
        let nowhere = &Places::only(Path::new("/nowhere/at/all"));
        for error in [unread(None).with_salvage(Some(set())), Error::input("x", "y")] {
            let before = error.help().to_owned();
            assert_eq!(keep_answer(error, nowhere, "card").help(), before);
        }
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
        let unread = keep_answer(unread(None), nowhere, "card");
        assert!(unread.help().contains("could be written to no file"), "{}", unread.help());
        let error = keep_unclaimed(Error::input("x", "y"), nowhere, "card", &set());
        assert!(error.help().contains("and are lost"), "{}", error.help());
    }
}
