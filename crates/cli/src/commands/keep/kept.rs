//! A profile that is kept, and its session.

use std::sync::Arc;
use std::time::SystemTime;

use rampauth_core::{Clock as _, Error, Refresh, SystemClock, WhenUnknown};
use rampauth_keeper::{AttemptId, Lease, Record, Session, SessionId, State};
use rampauth_store_sqlite::SqliteStore;

use super::client::Client;
use super::keepers::Keepers;
use crate::config::{Profile, printable};
use crate::stored;

pub(super) struct Kept {
    pub(super) profile: Arc<Profile>,
    client: Arc<Client>,
    /// Its session, and the record as it was when that was opened or looked at last.
    open: Option<(Session, Seen)>,
    /// Why it could not be read the last time: what lasts is said once.
    unreadable: Option<Error>,
    /// Whether it is known that there is no session yet, or that there was one.
    known: bool,
}

/// What of a record tells that somebody changed it.
#[derive(PartialEq)]
struct Seen {
    session: SessionId,
    generation: u64,
    state: State,
    next_due: Option<SystemTime>,
    attempt: Option<(AttemptId, Option<Lease>)>,
}

impl Kept {
    pub(super) fn new(profile: Arc<Profile>, client: Box<dyn Refresh>) -> Self {
        let client = Arc::new(Client::new(Arc::from(client)));
        Self { profile, client, open: None, unreadable: None, known: false }
    }

    /// Goes on with other settings. Where those are the keeper's, the session is opened anew with them, once what is under way
    /// with the old ones is finished.
    pub(super) fn change(&mut self, profile: Arc<Profile>, client: Box<dyn Refresh>) {
        let client: Arc<dyn Refresh> = Arc::from(client);
        let settings = |profile: &Profile| (profile.timeout, profile.options);
        let alike = settings(&self.profile) == settings(&profile) && self.client.replace(Arc::clone(&client));
        self.profile = profile;
        if !alike {
            self.client = Arc::new(Client::new(client));
            self.open = None;
        }
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.open.as_ref().map(|(session, _)| session)
    }

    pub(super) fn unreadable(&self) -> Option<&Error> {
        self.unreadable.as_ref()
    }

    /// Whether the provider's rules leave a doubt to a person.
    pub(super) fn is_left_to_a_person(&self) -> bool {
        self.client.policy().when_unknown == WhenUnknown::Stop
    }

    /// Whether the session has an access token that has not expired.
    pub(super) fn is_in_use(&self) -> bool {
        let tokens = self.session().and_then(Session::tokens);
        tokens.is_some_and(|it| it.access_token.is_some() && !it.access_expiry.is_known_past(SystemClock.now()))
    }

    /// Says once that there is no session yet.
    pub(super) fn say_missing(&mut self) {
        if !std::mem::replace(&mut self.known, true) {
            let name = printable(&self.profile.name);
            tracing::warn!(profile = %name, "no session yet: rampauth import {name} < tokens.json");
        }
    }

    /// Opens the session where there is one, lets go of one that was removed, and has the keeper read one again that changed:
    /// of what another process did it hears in its own time only. Says whether it has to be looked at again soon.
    pub(super) async fn look(&mut self, keepers: &Keepers, store: &SqliteStore) -> bool {
        let name = printable(&self.profile.name);
        let record = match stored::record(store, &self.profile).await {
            Ok(record) => record.filter(|record| record.state != State::Tombstone),
            Err(error) => return self.cannot_be_read(error),
        };
        let Some(record) = record else {
            self.unreadable = None;
            match self.open.take() {
                Some(_) => tracing::warn!(profile = %name, "the session was removed: it is not kept any more"),
                None => self.say_missing(),
            }
            return false;
        };
        let seen = Seen::of(&record);
        let before = self.open.as_ref().map(|(_, before)| before);
        if before == Some(&seen) {
            self.unreadable = None;
            return false;
        }
        let key = &self.profile.key;
        // With the settings that it was opened with before: what it has under way is finished first.
        if before.is_none() && keepers.hold(key) {
            return true;
        }
        let another = before.is_none_or(|before| before.session != seen.session);
        let (keeper, options) = (keepers.with(self.profile.timeout), self.profile.options);
        match keeper.session_with(key.clone(), Arc::clone(&self.client), options).await {
            Ok(session) => {
                (self.unreadable, self.known) = (None, true);
                self.open = Some((session, seen));
                let generation = record.generation;
                match record.state {
                    _ if !another => {}
                    State::LoginNeeded => {
                        tracing::warn!(profile = %name, %key, generation, "the session needs a login: rampauth import {name}");
                    }
                    _ => tracing::info!(profile = %name, %key, generation, "keeping the session"),
                }
                false
            }
            Err(error) => self.cannot_be_read(stored::said_by_the_store(error)),
        }
    }

    fn cannot_be_read(&mut self, error: Error) -> bool {
        let error = stored::in_words_of_the_command(error, &self.profile.name);
        if self.unreadable.is_none() {
            let (profile, message, help) =
                (printable(&self.profile.name), crate::failure::message(&error), error.help());
            tracing::error!(%profile, error = message, help, "the session cannot be read");
        }
        self.unreadable = Some(error);
        true
    }
}

impl Seen {
    fn of(record: &Record) -> Self {
        let Record { session, generation, state, next_due, ref attempt, .. } = *record;
        let attempt = attempt.as_ref().map(|attempt| (attempt.id, attempt.lease));
        Self { session, generation, state, next_due, attempt }
    }
}
