//! What `keep` says of its sessions: the keeper's events as one line each. No line holds a token.

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::{Event, EventKind};

use super::kept::Kept;
use crate::config::{Profile, printable};
use crate::failure::message;
use crate::rescue::{self, Places};
use crate::stored;
use crate::time::rfc3339;

/// One line about an event; one about an error names its parts, in the words of the command line.
macro_rules! say {
    ($level:ident, $at:expr, error = $error:expr, $($what:tt)+) => {{
        let error: &Error = $error;
        say!(
            $level, $at, kind = error.kind().as_str(), outcome = error.outcome().as_str(), status = error.status(),
            code = error.provider_code(), error = message(error), help = error.help(), $($what)+
        );
    }};
    ($level:ident, $at:expr, $($what:tt)+) => {{
        let (profile, key, generation) = $at;
        tracing::$level!(%profile, %key, generation, $($what)+);
    }};
}

/// Tells an event of this profile's session; `kept` is missing where the profile was removed and the session is let go.
pub(super) fn tell(event: Event, profile: &Profile, kept: Option<&Kept>, places: &Places) {
    let Event { key, generation, kind, .. } = event;
    let name = &*printable(&profile.name);
    let at = (name, &key, generation);
    match &kind {
        EventKind::Refreshed => say!(info, at, "refreshed"),
        EventKind::Adopted => say!(info, at, "another process has brought newer tokens"),
        EventKind::RefreshFailed(error) if kept.is_some_and(Kept::is_in_use) => {
            say!(warn, at, error = error, "a refresh failed; the token in use is as good as before");
        }
        EventKind::RefreshFailed(error) => {
            say!(warn, at, error = error, "a refresh failed, and there is no access token that has not expired");
        }
        EventKind::Doubtful { since, error, .. } => {
            let error = rescue::keep_answer(error.clone(), places, &profile.name);
            let next = if kept.is_some_and(Kept::is_left_to_a_person) {
                format!("nothing presents the token again before `rampauth settle {name}`")
            } else {
                "the token is presented once more as its provider's rules say".to_owned()
            };
            let since = rfc3339(*since);
            say!(warn, at, error = &error, since, "in doubt: a refresh was sent and its answer is lost; {next}");
        }
        EventKind::Settled => say!(info, at, "the doubt is settled with new tokens"),
        EventKind::Failing { refusals } => say!(
            error,
            at,
            refusals,
            "refused again and again, and there is no access token that can be used: log in, then rampauth import {name}"
        ),
        EventKind::Recovered => say!(info, at, "recovered: the refresh succeeded after failures"),
        EventKind::LoginNeeded => say!(error, at, "the token is dead: log in, then rampauth import {name}"),
        EventKind::SaveFailed(error) => {
            let error = stored::said_by_the_store(error.clone());
            say!(
                error,
                at,
                error = &error,
                "new tokens could not be saved; they are held and saved as soon as the store lets them"
            );
        }
        EventKind::Orphaned => say!(warn, at, "granted tokens came after newer ones, and wait in the store"),
        EventKind::Unclaimed(tokens) => {
            let reason = "the session was removed or begun anew before they came";
            let error = Error::new(ErrorKind::LoginNeeded, Outcome::Unknown, "save the tokens", reason);
            let error = rescue::keep_unclaimed(error, places, &profile.name, tokens.tokens());
            say!(warn, at, error = &error, "granted tokens came after a logout or another login");
        }
        EventKind::Removed => say!(info, at, "removed"),
        EventKind::CredentialExpiresSoon { expiry } => {
            let expires_at = rfc3339(*expiry);
            let next = format!("unless a refresh brings one that lives longer, log in, then rampauth import {name}");
            say!(warn, at, expires_at, "the credential expires soon: {next}");
        }
        EventKind::ClocksDiffer(difference) => {
            let clock_ahead_seconds = difference.milliseconds() / 1_000;
            say!(
                warn,
                at,
                clock_ahead_seconds,
                "{difference}: set the clock; lives are counted by the provider's meanwhile"
            );
        }
        other => say!(info, at, "{other:?}"),
    }
}
