//! What `keep` says of its sessions: the keeper's events as one line each, and at the end what the store never took. No line
//! holds a token.

use std::collections::{BTreeMap, BTreeSet};

use rampauth_core::{Clock as _, Error, ErrorKind, Outcome, Refresh, SystemClock, WhenUnknown};
use rampauth_keeper::{Event, EventKind};

use super::Kept;
use super::keepers::AllEvents;
use crate::config::{Profile, printable};
use crate::failure::message;
use crate::rescue::{self, Places};
use crate::stored;
use crate::time::rfc3339;

pub(super) struct Log<'a> {
    pub(super) events: AllEvents,
    /// Where what is rescued is written.
    places: Places,
    /// By key.
    accounts: BTreeMap<String, Account<'a>>,
    /// The keys whose newest tokens the store has not taken.
    unsaved: BTreeSet<String>,
}

/// What the lines say of a profile.
struct Account<'a> {
    profile: &'a Profile,
    /// Whether its rules leave a doubt to a person.
    left_to_a_person: bool,
}

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

impl<'a> Log<'a> {
    pub(super) fn new(events: AllEvents, places: Places, kept: &[Kept<'a>]) -> Self {
        let account = |kept: &Kept<'a>| {
            let left_to_a_person = kept.client.policy().when_unknown == WhenUnknown::Stop;
            (kept.profile.key.to_string(), Account { profile: kept.profile, left_to_a_person })
        };
        Self { events, places, accounts: kept.iter().map(account).collect(), unsaved: BTreeSet::new() }
    }

    pub(super) fn tell(&mut self, event: Event, kept: &[Kept<'_>]) {
        let Event { key, generation, kind, .. } = event;
        let Some(Account { profile, left_to_a_person }) = self.accounts.get(key.as_str()) else { return };
        let name = &*printable(&profile.name);
        let at = (name, &key, generation);
        match &kind {
            EventKind::Refreshed => say!(info, at, "refreshed"),
            EventKind::Adopted => say!(info, at, "another process has brought newer tokens"),
            EventKind::RefreshFailed(error) if is_in_use(kept, profile) => {
                say!(warn, at, error = error, "a refresh failed; the token in use is as good as before");
            }
            EventKind::RefreshFailed(error) => {
                say!(warn, at, error = error, "a refresh failed, and there is no access token that has not expired");
            }
            EventKind::Doubtful { since, error, .. } => {
                let error = rescue::keep_signed_answer(error.clone(), &self.places, &profile.name);
                let next = if *left_to_a_person {
                    format!("nothing presents the token again before `rampauth settle {name}`")
                } else {
                    "the token is presented once more as its provider's rules say".to_owned()
                };
                let since = rfc3339(*since);
                say!(warn, at, error = &error, since, "in doubt: a refresh was sent and its answer is lost; {next}");
            }
            EventKind::Settled => say!(info, at, "the doubt is settled with new tokens"),
            EventKind::LoginNeeded => say!(error, at, "the token is dead: log in, then rampauth import {name}"),
            EventKind::SaveFailed(error) => {
                let error = stored::said_by_the_store(error.clone());
                self.unsaved.insert(key.to_string());
                say!(
                    error,
                    at,
                    error = &error,
                    "new tokens could not be saved; they are held and saved as soon as the store lets them"
                );
                return;
            }
            EventKind::Orphaned => say!(warn, at, "granted tokens came after newer ones, and wait in the store"),
            EventKind::Unclaimed(_) => {
                say!(warn, at, "granted tokens came after a logout or another login, and are dropped");
            }
            EventKind::Removed => say!(info, at, "removed"),
            other => say!(info, at, "{other:?}"),
        }
        if stored::is_saved(&kind) {
            self.unsaved.remove(key.as_str());
        }
    }

    /// Tokens that the store never took must not end with the process. Each file is named in a line of its own.
    pub(super) fn rescue(&self, kept: &[Kept<'_>]) -> Result<(), Error> {
        let mut result = Ok(());
        for kept in kept.iter().filter(|kept| self.unsaved.contains(kept.profile.key.as_str())) {
            let Some((session, _)) = &kept.open else { continue };
            let name = printable(&kept.profile.name);
            let reason = format!("the store did not take the newest tokens of `{name}`");
            let error = Error::new(ErrorKind::Internal, Outcome::Unknown, "save the tokens", reason);
            let error = stored::unsaved(error, session, &self.places, kept.profile);
            tracing::error!(profile = %name, error = message(&error), help = error.help(), "the newest tokens are not saved");
            result = Err(error);
        }
        result
    }
}

/// Whether this profile's session has an access token that has not expired.
fn is_in_use(kept: &[Kept<'_>], profile: &Profile) -> bool {
    let open = kept.iter().find(|kept| kept.profile.key == profile.key).and_then(|kept| kept.open.as_ref());
    let tokens = open.and_then(|(session, _)| session.tokens());
    tokens.is_some_and(|it| it.access_token.is_some() && !it.access_expiry.is_known_past(SystemClock.now()))
}
