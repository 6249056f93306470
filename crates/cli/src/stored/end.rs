//! How a command with a stored session ends: nothing is under way any more, nothing granted is lost with the process, and what
//! is said is true of what the store holds by then.

use rampauth_core::{ClockDifference, Error, ErrorKind, Outcome, Presents, TokenSet};
use rampauth_keeper::{EventKind, Events, Record, State, StoreExt as _};

use super::{Stored, dead, is_saved, removed, said_by_the_store, warn_of_clock};
use crate::config::{Profile, printable};
use crate::output;
use crate::rescue::{self, Places};
use crate::tokens::{Tokens, rotated};

/// What a command came to that did not fail.
pub(crate) struct End {
    /// Tokens that are newer than those that it began with.
    pub(crate) newer: Option<TokenSet>,
    /// What the store holds now; `None` where it cannot be looked at.
    pub(crate) record: Option<Record>,
    removed: bool,
}

/// What it came to otherwise.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Whether tokens or an answer are in a file that the error's help names. Nothing may hide that.
    pub(crate) rescued: bool,
    /// What the store holds now; `None` where it cannot be looked at.
    pub(crate) record: Option<Record>,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// What the keeper told of the session while the command ran.
struct Told {
    /// Why the newest tokens are not saved.
    unsaved: Option<Error>,
    /// Whether the store has taken in the end what it did not take at first.
    saved_late: bool,
    /// Granted tokens that belong to no session any more.
    unclaimed: Option<TokenSet>,
    /// Why the session is in doubt. Who has a usable token is not told.
    doubt: Option<Error>,
    /// How far this machine's clock is off the provider's, where that is news. An error's help has it already.
    clock: Option<ClockDifference>,
    /// The newest tokens' generation.
    generation: u64,
}

impl Stored {
    /// Ends what is under way, and sees that nothing granted is lost with the process: tokens that the store did not take, or that
    /// came after a logout, go into a file of their own, and so does an answer that only a person can read. `before`
    /// is what the store held when the command began.
    pub(crate) async fn finish(
        mut self,
        result: Result<(), Error>,
        before: &Record,
        profile: &Profile,
    ) -> Result<End, Failed> {
        let (generation, places) = (before.generation, self.places.clone());
        let mut told = Told { unsaved: None, saved_late: false, unclaimed: None, doubt: None, clock: None, generation };
        // What came before the last tries to save, and what came of those.
        told.listen(&mut self.events);
        self.keeper.shutdown().await;
        told.listen(&mut self.events);
        // What was found out so far is worth more than that this look fails.
        let record = self.store.load(&profile.key).await.ok().flatten();
        let tokens = self.session.tokens();
        let is = |state| record.as_ref().is_some_and(|record| record.state == state);
        let removed = tokens.is_none() || is(State::Tombstone);
        let dead = is(State::LoginNeeded);
        let rescued = |error| Failed { error, rescued: true, record: record.clone() };
        let result = result.map_err(said_by_the_store);

        if let Some(error) = told.unsaved {
            return Err(rescued(self.unsaved(error, &places, profile)));
        }
        if let Some(set) = told.unclaimed {
            if let Some(error) = unclaimed(result.as_ref().err(), removed, dead, profile) {
                return Err(rescued(rescue::keep_unclaimed(error, &places, &profile.name, &set)));
            }
            tracing::warn!(
                profile = %printable(&profile.name),
                "granted tokens came after newer ones or another login, and are dropped"
            );
        }
        match result {
            // It failed to save, and then it did not.
            Err(_) if told.saved_late => {}
            Err(error) if rescue::holds_answer(&error) => {
                return Err(rescued(rescue::keep_answer(error, &places, &profile.name)));
            }
            Err(error) => {
                let error = match error.outcome() {
                    _ if removed => after_removal(error, profile),
                    Outcome::Unknown if is(State::Doubtful) => in_doubt(error, profile),
                    _ => error,
                };
                return Err(Failed { error, rescued: false, record });
            }
            Ok(()) => {
                warn_of_clock(told.clock);
                if let Some(error) = told.doubt.filter(rescue::holds_answer) {
                    let error = rescue::keep_answer(error, &places, &profile.name);
                    tracing::warn!(profile = %printable(&profile.name), %error, help = error.help(), "in doubt");
                }
            }
        }
        if self.store.reopened() > 0 {
            return Err(Failed { error: files_removed(), rescued: false, record });
        }
        let generation = record.as_ref().map_or(0, |record| record.generation).max(told.generation);
        let newer = tokens.filter(|_| !removed && generation > before.generation);
        Ok(End { newer, record, removed })
    }
}

impl Stored {
    /// Tokens that the store did not take: printed where the command prints tokens, and in a file in any case, for nobody knows
    /// whether what a failing command prints is kept.
    fn unsaved(&self, error: Error, places: &Places, profile: &Profile) -> Error {
        let error = said_by_the_store(error);
        let Some(tokens) = self.session.tokens() else { return error };
        let printed = self.prints.as_ref().is_some_and(|before| {
            output::deliver_json(&Tokens::refreshed(&tokens, is_rotated(before, &tokens)), Outcome::Unknown).is_ok()
        });
        if printed {
            return rescue::keep_printed(error, places, &profile.name, &tokens);
        }
        rescue::keep(error, places, &profile.name, &tokens)
    }
}

/// Whether what was presented was replaced by a different one. A provider that takes an access token back hands out no refresh
/// token.
pub(crate) fn is_rotated(before: &TokenSet, after: &TokenSet) -> bool {
    let presents = if before.refresh_token.is_some() { Presents::RefreshToken } else { Presents::AccessToken };
    rotated(presents, before, after)
}

impl End {
    /// Why there is nothing newer though nothing failed: somebody else came between.
    pub(crate) fn nothing_newer(&self, action: &'static str, profile: &Profile) -> Error {
        if self.removed {
            return removed(profile, Outcome::Unknown);
        }
        if self.record.as_ref().is_some_and(|record| record.state == State::LoginNeeded) {
            return dead(action, profile);
        }
        let reason = "another process took the session over, and nothing was sent";
        Error::new(ErrorKind::Internal, Outcome::NotSent, action, reason)
            .with_help("see `rampauth status`, then try again")
    }
}

impl Told {
    fn listen(&mut self, events: &mut Events) {
        while let Some(event) = events.try_next() {
            tracing::debug!(key = %event.key, generation = event.generation, event = ?event.kind, "the keeper says");
            match event.kind {
                EventKind::SaveFailed(error) => self.unsaved = Some(error),
                EventKind::Unclaimed(tokens) => {
                    self.unsaved = None;
                    self.unclaimed = Some(tokens.tokens().clone());
                }
                EventKind::Doubtful { error, .. } => self.doubt = Some(error),
                EventKind::ClocksDiffer(difference) => self.clock = Some(difference),
                kind if is_saved(&kind) => {
                    self.saved_late |= self.unsaved.take().is_some();
                    self.generation = self.generation.max(event.generation);
                }
                _ => {}
            }
        }
    }
}

/// What to say of granted tokens that belong to nothing any more; `None` where nobody needs them, for newer ones are there.
fn unclaimed(failure: Option<&Error>, removed: bool, dead: bool, profile: &Profile) -> Option<Error> {
    let why = match (removed, dead) {
        (true, _) => "was removed",
        (false, true) => "was given up",
        (false, false) => return failure.cloned(),
    };
    let name = printable(&profile.name);
    let reason = format!("the session of `{name}` {why} meanwhile, and the tokens that were granted are not stored");
    Some(Error::new(ErrorKind::LoginNeeded, Outcome::Unknown, "refresh the tokens", reason))
}

/// That somebody removes files that are in use, though this time all went well.
fn files_removed() -> Error {
    let reason = "its log (`-wal`) or its shared memory (`-shm`) was removed under this command";
    Error::new(ErrorKind::Internal, Outcome::Unknown, "keep the store together", reason)
        .with_help("what was granted is in the store, see `rampauth status`; find out who removes files there")
}

/// A failure that leaves the stored session in doubt: the tokens are in the store, and the store knows what is open.
fn in_doubt(error: Error, profile: &Profile) -> Error {
    let name = printable(&profile.name);
    error.with_help(format!(
        "`{name}` is in doubt: `rampauth keep` resolves it as the provider's rules allow, or present its token once more now: \
         rampauth settle {name}"
    ))
}

/// A failure that is about a session which is not there any more.
fn after_removal(error: Error, profile: &Profile) -> Error {
    match error.kind() {
        // To be put in order all the same.
        ErrorKind::Config | ErrorKind::Input => error,
        // It says the same.
        ErrorKind::LoginNeeded => removed(profile, error.outcome()),
        _ => removed(profile, error.outcome()).with_source(error),
    }
}
