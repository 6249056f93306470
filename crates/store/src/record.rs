//! What a store holds of one session.

use std::fmt;
use std::time::{Duration, SystemTime};

use rampauth_core::{ClockDifference, Error, ErrorKind, Expiry, Outcome, SecretString};

use crate::digest::TokenDigest;
use crate::history::CredentialHistory;

macro_rules! drawn_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes a number that nobody draws twice: 128 random bits.
            pub const fn from_random(bits: u128) -> Self {
                // Bytes, so that what holds it needs no room between its parts.
                Self(bits.to_be_bytes())
            }

            /// The number.
            pub const fn get(self) -> u128 {
                u128::from_be_bytes(self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:x})"), self.get())
            }
        }
    };
}

drawn_id!(
    /// One login: drawn anew by every put and every remove, so that what belongs to an earlier login is known as such.
    SessionId
);
drawn_id!(
    /// One presentation of a token, drawn by whoever presents it.
    AttemptId
);
drawn_id!(
    /// One process start: whose attempt it is.
    OwnerId
);

/// The tokens of one generation as a store holds them: the tokens themselves in a form that only the keeper reads, and beside
/// it what is needed to decide about them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredTokens {
    /// The tokens, encoded and, where a sealing key is given, sealed.
    pub payload: SecretString,
    /// Which sealing key it is sealed with; `None` when it is not sealed.
    pub sealed_with: Option<String>,
    /// The digest of what a refresh presents: the refresh token, or the access token where that renews itself.
    pub presents: TokenDigest,
    /// The digest of the access token; `None` when only a refresh token is known yet.
    pub access: Option<TokenDigest>,
    /// When the access token expires.
    pub access_expiry: Expiry,
    /// When the credential that is presented expires.
    pub presented_expiry: Expiry,
    /// When they were asked for: lifetimes count from before the request left.
    pub granted_at: SystemTime,
    /// When a refresh should start; `None` when nothing but a rejection causes one.
    pub next_due: Option<SystemTime>,
    /// Since when what is presented is known to expire then, if that was before they were asked for: a provider may give
    /// new refresh tokens and keep the end of the first.
    pub presented_since: Option<SystemTime>,
    /// How far the clock of the process that asked for them was from the provider's; `None` where the answer did not tell.
    pub clock_difference: Option<ClockDifference>,
}

impl StoredTokens {
    /// Unsealed tokens of which nothing is known but what they present and when they were asked for: no access token, no
    /// expiry, nothing due. The fields say the rest.
    pub fn new(payload: SecretString, presents: TokenDigest, granted_at: SystemTime) -> Self {
        Self {
            payload,
            sealed_with: None,
            presents,
            access: None,
            access_expiry: Expiry::Unknown,
            presented_expiry: Expiry::Unknown,
            granted_at,
            next_due: None,
            presented_since: None,
            clock_difference: None,
        }
    }
}

/// In which state a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The tokens are good as far as anybody knows.
    Ready,
    /// A presentation was sent and its answer is lost: the token may be spent.
    Doubtful,
    /// The token is dead: only a login helps, or an answer that arrives late.
    LoginNeeded,
    /// Logged out. Kept for good, so that nothing late brings the session back and the next login counts on.
    Tombstone,
}

/// Until when a claim holds. The wall clock counts unless both times were read on the same boot of the same machine: then the
/// boot-time clock does, which nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The end by the wall clock.
    pub until: SystemTime,
    /// The end by the boot-time clock, where there is one.
    pub boot: Option<BootTime>,
}

/// A reading of a machine's boot-time clock, which counts time asleep and is never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootTime {
    /// Which boot of which machine.
    pub boot: u128,
    /// The time since then.
    pub since: Duration,
}

impl BootTime {
    fn after(self, passed: Duration) -> Self {
        Self { since: self.since.saturating_add(passed), ..self }
    }
}

/// The store's clock, read once per operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTime {
    /// The wall clock.
    pub wall: SystemTime,
    /// The boot-time clock, where leases never cross machines.
    pub boot: Option<BootTime>,
}

impl StoreTime {
    /// A store that has a wall clock alone.
    pub const fn wall(wall: SystemTime) -> Self {
        Self { wall, boot: None }
    }

    /// This time, so much later.
    #[must_use]
    pub fn after(&self, passed: Duration) -> Self {
        let wall = self.wall.checked_add(passed).unwrap_or(self.wall);
        Self { wall, boot: self.boot.map(|boot| boot.after(passed)) }
    }

    /// The lease that starts now.
    pub fn lease(&self, length: Duration) -> Lease {
        let Self { wall, boot } = self.after(length);
        Lease { until: wall, boot }
    }
}

impl Lease {
    /// Whether the claim still holds.
    pub fn holds_at(&self, now: &StoreTime) -> bool {
        match (self.boot, now.boot) {
            (Some(end), Some(now)) if end.boot == now.boot => now.since < end.since,
            _ => now.wall < self.until,
        }
    }
}

/// A presentation of the stored credential that has no answer yet: the spend journal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Who presents it now, or presented it last.
    pub id: AttemptId,
    /// Whose process that is.
    pub owner: OwnerId,
    /// The digest of what is presented.
    pub presents: TokenDigest,
    /// Every attempt of this generation that may have presented it, this one included, the latest last. Empty once all of
    /// them have said that they did not.
    pub presented_by: Vec<AttemptId>,
    /// Presentations beyond those that are listed: how many, for nobody can take them back.
    pub more: u32,
    /// When it may have been presented first.
    pub first_sent: SystemTime,
    /// Until when nobody else may present it; `None` when the claim is free.
    pub lease: Option<Lease>,
}

/// Tokens that were granted and came too late to be the session's own: they stand in if the session's are refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Orphan {
    /// The attempt that brought them.
    pub attempt: AttemptId,
    /// The generation that was presented for them.
    pub presented: u64,
    /// The tokens.
    pub tokens: StoredTokens,
}

/// Why the last refresh failed, without anything that the provider wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// The error's kind, as [`ErrorKind::as_str`](rampauth_core::ErrorKind::as_str) names it.
    pub kind: String,
    /// The error's outcome, as [`Outcome::as_str`](rampauth_core::Outcome::as_str) names it.
    pub outcome: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's code, if the answer had one.
    pub code: Option<String>,
    /// When.
    pub at: SystemTime,
    /// How far the clock of the process that asked was from the provider's; `None` where no answer told.
    pub clock_difference: Option<ClockDifference>,
    /// Until when the provider asked to be left alone (`retry-after`), bounded; `None` where it did not ask. What is due sooner
    /// waits for it, and a person's word stands above it.
    pub paused_until: Option<SystemTime>,
}

impl LastError {
    /// What is kept of an error.
    pub fn of(error: &Error, at: SystemTime, paused_until: Option<SystemTime>) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            outcome: error.outcome().as_str().to_owned(),
            status: error.status(),
            code: error.provider_code().map(str::to_owned),
            at,
            clock_difference: error.clock_difference().filter(|_| error.outcome() != Outcome::NotSent),
            paused_until,
        }
    }
}

impl LastError {
    /// Whether the provider answered and refused, and not merely for the time being.
    pub fn is_refusal(&self) -> bool {
        self.outcome == Outcome::Refused.as_str() && self.kind != ErrorKind::RateLimited.as_str()
    }
}

/// One session, as a store holds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Which login it is.
    pub session: SessionId,
    /// Counts the tokens that this key has had, across logins; it never starts again.
    pub generation: u64,
    /// The generation that was presented for these tokens; 0 after a login.
    pub base: u64,
    /// The tokens; `None` in a tombstone.
    pub tokens: Option<StoredTokens>,
    /// In which state the session is.
    pub state: State,
    /// The presentation that has no answer yet.
    pub attempt: Option<Attempt>,
    /// Granted tokens that came too late, at most one per attempt, the latest last.
    pub orphans: Vec<Orphan>,
    /// The attempt whose answer the tokens are, so that its repetition is known as such.
    pub last_commit: Option<AttemptId>,
    /// The digest of an access token that the provider rejected, if it is the current one.
    pub rejected: Option<TokenDigest>,
    /// When a refresh should start; [`due`](Self::due) looks at the claim too.
    pub next_due: Option<SystemTime>,
    /// Why the last refresh failed; `None` after one that did not.
    pub last_error: Option<LastError>,
    /// How often in a row the provider answered and refused the stored token, whatever failed in between; 0 after a grant and a
    /// login. A keeper makes something of it (`policy::is_failing`), and no step does.
    pub refusals: u32,
    /// The credentials that this key has had, across logins.
    pub history: CredentialHistory,
    /// When the record changed last.
    pub updated_at: SystemTime,
}

impl Record {
    /// When somebody should look after it, as far as the record tells: when a refresh should start, or when the claim of a
    /// presentation lapses that was made ahead of that time, by hand for instance, and whose process may be gone. `None` where
    /// nothing is to be done but a login.
    ///
    /// A claim that is made when a refresh is due already leaves this as it is. A store lists by it, in [`Store::due`].
    ///
    /// [`Store::due`]: crate::Store::due
    pub fn due(&self) -> Option<SystemTime> {
        let lapses = self.lease().map(|lease| lease.until);
        let open = matches!(self.state, State::Ready | State::Doubtful);
        self.next_due.into_iter().chain(lapses).min().filter(|_| open)
    }

    /// When it is due, unless a claim holds.
    pub fn due_unclaimed(&self, now: &StoreTime) -> Option<SystemTime> {
        let claimed = self.lease().is_some_and(|lease| lease.holds_at(now));
        self.due().filter(|_| !claimed)
    }

    /// The claim, held or lapsed, whose attempt has not ended.
    pub fn lease(&self) -> Option<&Lease> {
        self.attempt.as_ref().and_then(|attempt| attempt.lease.as_ref())
    }

    /// How far a process's clock was from the provider's at the last answer that told, and when that was.
    pub fn clock_difference(&self) -> Option<(ClockDifference, SystemTime)> {
        let failed = self.last_error.as_ref().and_then(|error| Some((error.clock_difference?, error.at)));
        let granted = || self.tokens.as_ref().and_then(|tokens| Some((tokens.clock_difference?, tokens.granted_at)));
        failed.or_else(granted)
    }

    /// Until when the provider asked to be left alone, if that is still to come at `now`. A wish that was noted later than that is of
    /// a clock that was set back since: nobody can say how long ago it was, and it is not heeded.
    pub fn paused_until(&self, now: SystemTime) -> Option<SystemTime> {
        let noted = self.last_error.as_ref().filter(|error| error.at <= now);
        noted.and_then(|error| error.paused_until).filter(|until| now < *until)
    }

    /// What is left of a session that was ended at this generation, by [`Operation::Remove`](crate::Operation::Remove) or
    /// because its record could not be read any more: nothing but that the next login counts on from here.
    pub const fn tombstone(session: SessionId, generation: u64, updated_at: SystemTime) -> Self {
        Self {
            session,
            generation,
            base: 0,
            tokens: None,
            state: State::Tombstone,
            attempt: None,
            orphans: Vec::new(),
            last_commit: None,
            rejected: None,
            next_due: None,
            last_error: None,
            refusals: 0,
            history: CredentialHistory::new(),
            updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_judged_by_the_boot_time_clock_of_its_own_boot_and_else_by_the_wall_clock() {
        let time = |wall, boot: Option<(u128, u64)>| StoreTime {
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(wall),
            boot: boot.map(|(boot, since)| BootTime { boot, since: Duration::from_secs(since) }),
        };
        // Until 135 s by the wall clock, and 45 s by that of boot 7.
        let lease = time(100, Some((7, 10))).lease(Duration::from_secs(35));
        for (now, holds) in [
            (time(100, Some((7, 44))), true),
            (time(100, Some((7, 45))), false),
            (time(999, Some((7, 44))), true),
            (time(134, Some((8, 999))), true),
            (time(135, Some((8, 1))), false),
            (time(134, None), true),
            (time(135, None), false),
        ] {
            assert_eq!(lease.holds_at(&now), holds, "{now:?}");
        }
    }

    #[test]
    fn the_clock_of_an_answer_is_kept_and_that_of_what_was_not_sent_is_not() {
        let difference = Some(ClockDifference::from_milliseconds(-1_200_000));
        for (outcome, expected) in
            [(Outcome::NotSent, None), (Outcome::Refused, difference), (Outcome::Unknown, difference)]
        {
            let error = Error::new(ErrorKind::Refused, outcome, "test", "odd");
            let kept = LastError::of(&error.with_clock_difference(difference), SystemTime::UNIX_EPOCH, None);
            assert_eq!((kept.clock_difference, kept.outcome.as_str()), (expected, outcome.as_str()));
        }
    }
}
