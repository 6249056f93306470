//! `rampauth status --check`: the state of all sessions as one exit code.

use rampauth_core::{Error, ErrorKind, Outcome};

use super::Row;
use crate::config::printable;

const ACTION: &str = "find every session well";

/// Whether nobody has to do anything.
///
/// # Errors
///
/// [`ErrorKind::LoginNeeded`] where a session needs a login, or where there is none at all; else [`ErrorKind::Interrupted`] where
/// one is in doubt, failing or unreadable. The sessions are named.
pub(super) fn all_is_well(rows: &[Row]) -> Result<(), Error> {
    let named = |states: &[&str]| -> Vec<String> {
        let found = rows.iter().filter(|row| states.contains(&row.state));
        found.map(|row| format!("`{}` is {}", name(row), row.state.replace('_', " "))).collect()
    };
    const HELP: &str = "`rampauth status` says what to do about each";
    let dead: Vec<String> =
        named(&["login_needed"]).iter().map(|it| it.replace("is login needed", "needs a login")).collect();
    let ill = named(&["in_doubt", "failing", "unreadable"]);
    let ended = rows.iter().all(|row| row.state == "removed");
    let (kind, outcome, reason) = if !dead.is_empty() {
        (ErrorKind::LoginNeeded, Outcome::NotSent, [dead, ill].concat().join(", "))
    } else if ended {
        (ErrorKind::LoginNeeded, Outcome::NotSent, "there is no session yet".to_owned())
    } else if !ill.is_empty() {
        (ErrorKind::Interrupted, Outcome::Unknown, ill.join(", "))
    } else {
        return Ok(());
    };
    Err(Error::new(kind, outcome, ACTION, reason).with_help(HELP))
}

/// The profile's name, or the session's key where no profile has it.
fn name(row: &Row) -> String {
    row.profile.as_deref().map_or_else(|| row.key.clone(), printable)
}
