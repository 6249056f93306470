//! Tokens that could not be handed over: kept in a file of their own, for the presented ones are probably spent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rampauth_core::{Error, SecretString, TokenSet};
use rampauth_payby::VerifiedAnswer;
use zeroize::Zeroizing;

use crate::tokens::Tokens;

/// Writes the tokens beside the configuration file, readable by the user alone, and says so in the error's advice.
pub(crate) fn keep(error: Error, config: &Path, profile: &str, set: &TokenSet) -> Error {
    match write_tokens(config, profile, set) {
        Ok(path) => error.with_help(format!(
            "the presented token is probably spent; the new tokens are in {}: import them or refresh with them next, and delete the file",
            path.display()
        )),
        Err(_) => error.with_help(
            "the presented token is probably spent, and the new ones could be written neither to standard output nor beside \
             the configuration: present the old one once more, and if that is refused have the person log in again",
        ),
    }
}

/// The same for tokens that belong to no session any more.
pub(crate) fn keep_unclaimed(error: Error, config: &Path, profile: &str, set: &TokenSet) -> Error {
    match write_tokens(config, profile, set) {
        Ok(path) => error.with_help(format!(
            "the tokens that came are in {}: revoke them, or import them to take the session up again, and delete the file; \
             otherwise have the person log in",
            path.display()
        )),
        Err(_) => error.with_help(
            "the tokens that came could not be written beside the configuration and are lost: have the person log in",
        ),
    }
}

/// The same for a whole answer that the provider signed and that could not be read as tokens, where the error is about one: they
/// may be in it under names that were never published.
pub(crate) fn keep_signed_answer(error: Error, config: &Path, profile: &str) -> Error {
    match VerifiedAnswer::of(&error).map(|answer| answer.raw_body().clone()) {
        Some(answer) => keep_answer(error, config, profile, &answer),
        None => error,
    }
}

fn keep_answer(error: Error, config: &Path, profile: &str, answer: &SecretString) -> Error {
    let folder = config.parent().unwrap_or(Path::new(""));
    match write(folder, profile, "answer", answer.expose_secret()) {
        Ok(path) => error.with_help(format!(
            "the presented token is probably spent; the provider's signed answer is in {}: look there for the new tokens, and \
             delete the file",
            path.display()
        )),
        Err(_) => error.with_help(
            "the presented token is probably spent, and the answer could not be written beside the configuration: present the \
             old one once more, and if that is refused have the person log in again",
        ),
    }
}

fn write_tokens(config: &Path, profile: &str, set: &TokenSet) -> io::Result<PathBuf> {
    let json = serde_json::to_string(&Tokens::new(set)).expect("texts have a JSON form");
    let folder = config.parent().unwrap_or(Path::new(""));
    write(folder, profile, "rescued", &Zeroizing::new(json + "\n"))
}

/// Under a name that nothing has yet: an earlier rescue is worth as much.
fn write(folder: &Path, profile: &str, what: &str, text: &str) -> io::Result<PathBuf> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let profile: String = profile.chars().map(plain).collect();
    for number in 1..=99 {
        let path = folder.join(format!("{profile}.{what}-{number}.json"));
        match create_private(&path) {
            Ok(mut file) => {
                return match file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        drop(fs::remove_file(&path));
                        Err(error)
                    }
                };
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A new file that only the user may read, where the system knows such a thing.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampauth_core::{Expiry, RefreshToken};

    fn set() -> TokenSet {
        TokenSet::new().with_refresh_token(RefreshToken::new("fresh").expect("a token"), Expiry::Unknown)
    }

    #[test]
    fn each_rescue_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("rampauth.toml");
        for number in 1..=2 {
            let error = keep(Error::input("x", "y"), &config, "a/../b c", &set());
            let path = folder.path().join(format!("a____b_c.rescued-{number}.json"));
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
        let nowhere = Path::new("/nowhere/at/all/rampauth.toml");
        let error = keep(Error::input("x", "y"), nowhere, "card", &set());
        assert!(error.help().contains("could be written neither"), "{}", error.help());
        let error = keep_unclaimed(Error::input("x", "y"), nowhere, "card", &set());
        assert!(error.help().contains("and are lost"), "{}", error.help());
    }
}
