//! A provider's wish to be left alone: until when it is heeded, by this process and by those that start anew.

use std::time::{Duration, SystemTime};

use rampauth_core::{Expiry, RefreshPolicy, RefreshTime, WhenUnknown};
use rampauth_store::{Record, StoredTokens};

/// A part of the time within which an attempt in doubt may be resolved: what is left of it for the resolving when a pause ends.
const LEFT_TO_RESOLVE: u32 = 6;

/// The ends that no pause outlasts, for a token that is sent under a claim of this length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PauseLimits {
    /// While the attempt is in doubt: it may be resolved until shortly after this.
    in_doubt: Option<SystemTime>,
    /// In any case: the token dies soon after.
    alive: Option<SystemTime>,
}

impl PauseLimits {
    /// Those of the token that `record` holds. `first_sent`: when it may have been sent first.
    pub(crate) fn of(record: &Record, first_sent: SystemTime, policy: &RefreshPolicy, lease: Duration) -> Self {
        let in_doubt = match policy.when_unknown {
            WhenUnknown::Promptly { within } => first_sent.checked_add(within - within / LEFT_TO_RESOLVE),
            _ => None,
        };
        // With the time for one more attempt, and of a short life no more than its last third.
        let before = |tokens: &StoredTokens| {
            let death = last_use(tokens, policy)?;
            let life = death.duration_since(tokens.granted_at).unwrap_or_default();
            death.checked_sub(lease.saturating_mul(2).min(life / 3))
        };
        Self { in_doubt, alive: record.tokens.as_ref().and_then(before) }
    }

    /// The end of a pause that was asked for until `asked` by an answer that came at `now`. A limit that has passed by then is
    /// none: its one attempt was that one.
    pub(crate) fn end(self, asked: SystemTime, doubtful: bool, now: SystemTime) -> SystemTime {
        let limits = self.in_doubt.filter(|_| doubtful).into_iter().chain(self.alive);
        limits.filter(|limit| *limit > now).fold(asked, SystemTime::min)
    }
}

/// When the token that is sent dies, by the provider's word, or may not be sent any more.
pub(crate) fn last_use(tokens: &StoredTokens, policy: &RefreshPolicy) -> Option<SystemTime> {
    let at = |expiry| if let Expiry::At(time) = expiry { Some(time) } else { None };
    let access = at(tokens.access_expiry).filter(|_| policy.time == RefreshTime::BeforeExpiry);
    at(tokens.presented_expiry).into_iter().chain(access).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampauth_core::Presents;
    use rampauth_store::{SessionId, TokenDigest};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn limits(policy: RefreshPolicy, access: Expiry, presented: Expiry) -> PauseLimits {
        let mut record = Record::tombstone(SessionId::from_random(1), 1, at(0));
        let mut tokens = StoredTokens::new("".into(), TokenDigest::of("r"), at(0));
        (tokens.access_expiry, tokens.presented_expiry) = (access, presented);
        record.tokens = Some(tokens);
        PauseLimits::of(&record, at(1_000), &policy, Duration::from_secs(40))
    }

    #[test]
    fn a_doubt_ends_a_pause_while_it_may_still_be_resolved() {
        let promptly = RefreshPolicy::new(Presents::RefreshToken)
            .with_when_unknown(WhenUnknown::Promptly { within: Duration::from_secs(60) });
        let limits = limits(promptly, Expiry::Unknown, Expiry::Unknown);
        assert_eq!(limits.end(at(1_600), true, at(1_001)), at(1_050));
        assert_eq!(limits.end(at(1_600), false, at(1_001)), at(1_600), "nothing is in doubt");
        assert_eq!(limits.end(at(1_020), true, at(1_001)), at(1_020), "a shorter pause stays as it is");
        assert_eq!(limits.end(at(1_600), true, at(1_050)), at(1_600), "that was the attempt");
    }

    #[test]
    fn the_death_of_what_is_sent_ends_a_pause_once() {
        let anytime = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(WhenUnknown::Stop);
        let before = anytime.with_time(RefreshTime::BeforeExpiry);
        let end = |policy: &RefreshPolicy, access, presented| {
            limits(*policy, access, presented).end(at(9_000), false, at(1_001))
        };
        let soon = Expiry::At(at(2_000));
        assert_eq!(end(&anytime, Expiry::Unknown, soon), at(1_920));
        assert_eq!(end(&anytime, soon, Expiry::Unknown), at(9_000), "its refresh token lives on");
        assert_eq!(end(&before, soon, Expiry::Unknown), at(1_920));
        assert_eq!(end(&before, Expiry::Assumed(at(2_000)), Expiry::Unknown), at(9_000), "nobody said so");
        let short = limits(anytime, Expiry::Unknown, Expiry::At(at(90)));
        assert_eq!(short.end(at(9_000), false, at(10)), at(60), "the last third of a short life");
        assert_eq!(limits(anytime, Expiry::Unknown, soon).end(at(9_000), false, at(1_920)), at(9_000), "once");
    }
}
