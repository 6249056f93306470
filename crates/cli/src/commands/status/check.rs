//! `rampauth status --check`: the state of all sessions as one exit code.

use std::time::SystemTime;

use rampauth_core::{Error, ErrorKind, Outcome};

use super::Row;
use crate::config::printable;

const ACTION: &str = "find all sessions well";
const HELP: &str = "`rampauth status` says what to do about each";

/// What one session asks of somebody.
enum Need {
    Login(&'static str),
    Attention(String),
}

/// Whether nobody has to do anything.
///
/// # Errors
///
/// [`ErrorKind::LoginNeeded`] where a session needs a login, or where there is none at all; else [`ErrorKind::Interrupted`] where
/// one is in doubt, failing, unreadable, or without a usable token after a refresh that failed. The sessions are named.
pub(super) fn all_is_well(rows: &[Row], now: SystemTime) -> Result<(), Error> {
    let (mut logins, mut others) = (Vec::new(), Vec::new());
    for row in rows {
        match need(row, now) {
            Some(Need::Login(why)) => logins.push(format!("`{}` needs a login{why}", name(row))),
            Some(Need::Attention(what)) => others.push(format!("`{}` {what}", name(row))),
            None => {}
        }
    }
    let (kind, outcome, reason) = if !logins.is_empty() {
        (ErrorKind::LoginNeeded, Outcome::NotSent, [logins, others].concat().join(", "))
    } else if rows.iter().all(|row| row.state == "removed") {
        (ErrorKind::LoginNeeded, Outcome::NotSent, "there is no session yet".to_owned())
    } else if !others.is_empty() {
        (ErrorKind::Interrupted, Outcome::Unknown, others.join(", "))
    } else {
        return Ok(());
    };
    Err(Error::new(kind, outcome, ACTION, reason).with_help(HELP))
}

fn need(row: &Row, now: SystemTime) -> Option<Need> {
    match row.state {
        "login_needed" => Some(Need::Login("")),
        "in_doubt" | "failing" | "unreadable" => Some(Need::Attention(format!("is {}", row.state.replace('_', " ")))),
        "ready" if row.times.presented.is_some_and(|expiry| expiry.is_known_past(now)) => {
            Some(Need::Login(", for the token of a refresh has expired"))
        }
        "ready" if !row.has_usable_token && row.last_error.is_some() => {
            Some(Need::Attention("has no usable token, and its last refresh failed".to_owned()))
        }
        _ => None,
    }
}

/// The profile's name, or the session's key where no profile has it.
fn name(row: &Row) -> String {
    row.profile.as_deref().map_or_else(|| row.key.clone(), printable)
}
