//! What to decide about a session: when to refresh it, whether a doubt may be settled, what an error means for the record. Pure,
//! so that the keeper, its tests and the model decide alike.

use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Expiry, Outcome, RefreshPolicy, RefreshTime, TokenSet, WhenUnknown};
use rampauth_store::{Conclusion, Record, SessionKey, State, StoredTokens, TokenDigest};

/// The most that a caller waits before an access token's expiry rather than being handed it.
const MANDATORY_MOST: Duration = Duration::from_secs(60);

/// A `date` header counts whole seconds, and an answer travels.
const DATE_STEPS: Duration = Duration::from_secs(2);

/// What a doubt allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Present the token once more now.
    Now,
    /// Not before this time, or a rejection of the access token.
    NotBefore(SystemTime),
    /// Not before a rejection of the access token: nobody knows when it expires.
    OnRejection,
    /// Never: give up, for nothing that may be presented is left.
    GiveUp,
}

/// Whether the presentation that `record` is in doubt about may be repeated.
///
/// `lease` is the length of a claim: a token that may be presented only before its expiry is settled two of them before, and
/// one that lives less than six of them in the last third of its life.
pub fn settle(record: &Record, policy: &RefreshPolicy, lease: Duration, now: SystemTime) -> Settle {
    let (Some(tokens), Some(attempt)) = (&record.tokens, &record.attempt) else { return Settle::GiveUp };
    if tokens.presented_expiry.is_known_past(now) {
        return Settle::GiveUp;
    }
    let last_moment = last_moment(record, tokens, policy, lease, now);
    match policy.when_unknown {
        WhenUnknown::Promptly { within } if attempt.first_sent.checked_add(within).is_none_or(|end| now <= end) => {
            Settle::Now
        }
        WhenUnknown::Stop if last_moment == Settle::Now => Settle::GiveUp,
        _ => last_moment,
    }
}

/// The time from which on waiting any longer costs more than presenting a doubtful token.
fn last_moment(
    record: &Record,
    tokens: &StoredTokens,
    policy: &RefreshPolicy,
    lease: Duration,
    now: SystemTime,
) -> Settle {
    if tokens.access.is_none() || record.rejected.is_some_and(|rejected| Some(rejected) == tokens.access) {
        return Settle::Now;
    }
    let two_leases = |expiry| margin(lease.saturating_mul(2), expiry, tokens.granted_at);
    let before = |expiry: SystemTime, margin| expiry.checked_sub(margin).unwrap_or(SystemTime::UNIX_EPOCH);
    let margin = match (policy.time, tokens.access_expiry.time()) {
        (RefreshTime::BeforeExpiry, Some(expiry)) => two_leases(expiry).max(mandatory(tokens)),
        _ => mandatory(tokens),
    };
    let of_access = tokens.access_expiry.time().map(|expiry| before(expiry, margin));
    // What is presented may die first.
    let of_presented = match tokens.presented_expiry {
        Expiry::At(expiry) => Some(before(expiry, two_leases(expiry))),
        _ => None,
    };
    match of_access.into_iter().chain(of_presented).min() {
        Some(time) if now < time => Settle::NotBefore(time),
        Some(_) => Settle::Now,
        None => Settle::OnRejection,
    }
}

/// How long before its expiry something is done about a token: this long, and a third of its life at most, so that one that lives
/// less than a claim is not given up before its time.
fn margin(wanted: Duration, expiry: SystemTime, granted_at: SystemTime) -> Duration {
    wanted.min(expiry.duration_since(granted_at).unwrap_or_default() / 3)
}

/// When a session is looked at again after an attempt that left it due: once whoever claims it must have come to an end, or while
/// its tokens can still be refreshed, whichever is sooner; and never sooner than the shortest pause, `least`.
///
/// `expiries` are those of the access token and of what is presented, where they are known.
pub fn next_look(
    granted_at: SystemTime,
    expiries: impl IntoIterator<Item = SystemTime>,
    lease: Duration,
    least: Duration,
    now: SystemTime,
) -> SystemTime {
    let two_leases = lease.saturating_mul(2);
    let in_time = |expiry: SystemTime| expiry.checked_sub(margin(two_leases, expiry, granted_at)).unwrap_or(now);
    // What has died already is in no hurry.
    let alive = expiries.into_iter().filter(|expiry| now < *expiry).map(in_time);
    let after = |wait| now.checked_add(wait).unwrap_or(now);
    alive.fold(after(lease), SystemTime::min).max(after(least))
}

/// How long before the access token's expiry callers wait for a refresh: a tenth of its lifetime, a minute at most.
pub fn mandatory(tokens: &StoredTokens) -> Duration {
    lifetime(tokens).map_or(Duration::ZERO, |lifetime| (lifetime / 10).min(MANDATORY_MOST))
}

fn lifetime(tokens: &StoredTokens) -> Option<Duration> {
    tokens.access_expiry.time()?.duration_since(tokens.granted_at).ok()
}

/// When a refresh of fresh tokens should start without anybody waiting for it; `None` when only a rejection causes one.
///
/// The policy's part of the lifetime ahead of its end, and up to a quarter of that part earlier: by how much follows from key
/// and generation, so that sessions which began together do not refresh together, and all processes agree about each. Where
/// the token may be presented only before its expiry, three leases before it; one that lives less than nine of them, when two
/// thirds of its life are over.
pub fn due(
    key: &SessionKey,
    generation: u64,
    access_expiry: Expiry,
    granted_at: SystemTime,
    policy: &RefreshPolicy,
    lease: Duration,
) -> Option<SystemTime> {
    let expiry = access_expiry.time()?;
    let lifetime = expiry.duration_since(granted_at).unwrap_or(Duration::ZERO);
    let part = if policy.ahead.is_nan() { 0.0 } else { policy.ahead.clamp(0.0, 1.0) };
    let mut ahead = lifetime.mul_f64(part);
    ahead += ahead.mul_f64(0.25 * spread(key, generation));
    if policy.time == RefreshTime::BeforeExpiry {
        ahead = ahead.max(margin(lease.saturating_mul(3), expiry, granted_at));
    }
    // Never before they were granted, however short they live.
    Some(expiry.checked_sub(ahead.min(lifetime)).unwrap_or(granted_at).max(granted_at))
}

/// The same for an access token of which nobody knows when it expires, where it is to be refreshed at least so often. Up to a
/// tenth of that time sooner, so that sessions which began together do not refresh together.
pub fn due_at_least_every(
    key: &SessionKey,
    generation: u64,
    granted_at: SystemTime,
    every: Duration,
) -> Option<SystemTime> {
    granted_at.checked_add(every - every.mul_f64(0.1 * spread(key, generation)))
}

/// The same for tokens without an access token, with which nothing can be called: at once, unless the refresh token has died or
/// the provider is not to be called unasked while an expiry is unknown.
pub(crate) fn due_without_access_token(
    refresh_expiry: Expiry,
    granted_at: SystemTime,
    policy: &RefreshPolicy,
) -> Option<SystemTime> {
    (policy.with_unknown_expiry && !refresh_expiry.is_known_past(granted_at)).then_some(granted_at)
}

/// A number from 0 to 1 that is the same in every process.
fn spread(key: &SessionKey, generation: u64) -> f64 {
    let digest = TokenDigest::of(&format!("{key}#{generation}"));
    let [a, b, c, d, ..] = *digest.as_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// Whether an access token with this expiry is no better than the record's own, which may be handed out at `now`: it dies with it
/// or before. Where an expiry is unknown nobody can say so.
///
/// Where the clocks differ, one and the same instant of the provider's may be read up to [`DATE_STEPS`] apart from two answers.
pub(crate) fn lives_no_longer(granted: &TokenSet, record: &Record, now: SystemTime) -> bool {
    let held = record.tokens.as_ref().and_then(|tokens| tokens.access_expiry.time());
    let differ = granted.clock_difference.is_some_and(|difference| difference.by() >= DATE_STEPS / 2);
    let no_longer = |(granted, held): (SystemTime, SystemTime)| {
        let steps = DATE_STEPS.min(granted.duration_since(now).unwrap_or_default() / 10);
        let held = if differ { held.checked_add(steps) } else { Some(held) };
        held.is_none_or(|held| granted <= held)
    };
    granted.access_expiry.time().zip(held).is_some_and(no_longer) && is_usable(record, now)
}

/// What an error of a refresh means for the record.
///
/// Where a provider publishes how it refuses a dead token, that alone condemns one. Where none is published, a refusal in the
/// provider's own words is left to the record: it condemns a token that is in doubt and no other. A bare status never does, for a
/// gateway could have sent it, nor does a refusal of the caller (401, 403, 404; its keys, its clock).
pub fn conclusion(error: &Error, policy: &RefreshPolicy) -> Conclusion {
    match (error.kind(), error.outcome()) {
        (ErrorKind::LoginNeeded, _) => Conclusion::Dead,
        (_, Outcome::NotSent) => Conclusion::NotSent,
        (ErrorKind::Refused, Outcome::Refused) if !policy.names_dead_tokens && is_in_own_words(error) => {
            Conclusion::Refused
        }
        (_, Outcome::Refused) => Conclusion::NotSent,
        _ => Conclusion::Unknown,
    }
}

/// Whether a refusal has a code or a message of the provider's, and not one about the caller.
fn is_in_own_words(error: &Error) -> bool {
    !error.is_about_the_caller() && (error.provider_code().is_some() || error.provider_message().is_some())
}

/// How many refusals in a row make a session without a usable access token *failing*, unless a keeper is told otherwise.
pub const FAILING_AFTER: u32 = 10;

/// Whether a session is *failing*: the provider has refused its token this often in a row without saying that it is dead, and no
/// access token is left that can be used, so that a login is probably needed. A view of the record, and no state.
pub fn is_failing(record: &Record, after: u32, now: SystemTime) -> bool {
    record.refusals >= after.max(1) && waits_for_tokens(record, now)
}

/// Whether a session that no verdict has ended has no access token that can be used.
pub(crate) fn waits_for_tokens(record: &Record, now: SystemTime) -> bool {
    matches!(record.state, State::Ready | State::Doubtful) && !is_usable(record, now)
}

/// Whether nothing is lost by a long pause: there is no doubt, or its time for being settled promptly is over.
pub(crate) fn may_pause(record: &Record, policy: &RefreshPolicy, now: SystemTime) -> bool {
    match (&record.attempt, policy.when_unknown) {
        (Some(attempt), WhenUnknown::Promptly { within }) => {
            attempt.first_sent.checked_add(within).is_some_and(|end| end < now)
        }
        _ => true,
    }
}

/// Whether the access token may be handed out at `now`: there is one, it is not past its expiry, and the provider has not
/// rejected it. A session in doubt, or in need of a login, hands its token out as long as it lives.
pub fn is_usable(record: &Record, now: SystemTime) -> bool {
    let Some(tokens) = &record.tokens else { return false };
    record.state != State::Tombstone
        && tokens.access.is_some()
        && tokens.access != record.rejected
        && tokens.access_expiry.time().is_none_or(|expiry| now < expiry)
}

/// Whether the access token may be handed out at `now` and nobody needs to wait for a better one.
pub fn is_fresh(record: &Record, now: SystemTime) -> bool {
    let mandatory = record.tokens.as_ref().map_or(Duration::ZERO, mandatory);
    now.checked_add(mandatory).is_some_and(|time| is_usable(record, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampauth_core::{AccessToken, ClockDifference};
    use rampauth_store::SessionId;

    const SECOND: Duration = Duration::from_secs(1);
    const NANO: Duration = Duration::from_nanos(1);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A record whose access token has this expiry.
    fn held(expiry: Expiry) -> Record {
        let mut record = Record::tombstone(SessionId::from_random(1), 1, at(0));
        let mut tokens = StoredTokens::new("tokens".into(), TokenDigest::of("refresh"), at(0));
        (tokens.access, tokens.access_expiry) = (Some(TokenDigest::of("access")), expiry);
        (record.tokens, record.state) = (Some(tokens), State::Ready);
        record
    }

    /// An answer with an access token of this expiry, whose `date` shows that the clocks differ by so many milliseconds.
    fn granted(expiry: Expiry, difference: Option<i64>) -> TokenSet {
        let token = AccessToken::new("access").expect("a token");
        let difference = difference.map(ClockDifference::from_milliseconds);
        TokenSet::new().with_access_token(token, expiry).with_clock_difference(difference)
    }

    #[test]
    fn a_granted_token_lives_no_longer_up_to_the_steps_of_a_date_header_and_a_tenth_of_its_life() {
        let now = at(1_000);
        let held_until = at(2_000);
        for (longer_by, difference, no_longer) in [
            (Duration::ZERO, None, true),
            (NANO, None, false),
            // Clocks that agree read one instant alike.
            (Duration::ZERO, Some(999), true),
            (NANO, Some(999), false),
            (2 * SECOND, Some(1_000), true),
            (2 * SECOND + NANO, Some(1_000), false),
            (2 * SECOND, Some(-1_000), true),
            (2 * SECOND + NANO, Some(-1_000), false),
            (2 * SECOND, Some(3_600_000), true),
        ] {
            let granted = granted(Expiry::At(held_until + longer_by), difference);
            let seen = lives_no_longer(&granted, &held(Expiry::At(held_until)), now);
            assert_eq!(seen, no_longer, "{longer_by:?} longer, {difference:?} ms apart");
        }
        // Of a life of ten seconds a tenth is less than the steps.
        let short = granted(Expiry::At(now + 10 * SECOND), Some(1_000));
        assert!(lives_no_longer(&short, &held(Expiry::At(now + 9 * SECOND)), now));
        assert!(!lives_no_longer(&short, &held(Expiry::At(now + 9 * SECOND - NANO)), now));
    }

    #[test]
    fn only_a_token_that_can_be_used_and_has_a_known_end_outlives_another() {
        let now = at(1_000);
        let (known, expired) = (Expiry::At(at(2_000)), Expiry::At(now));
        assert!(lives_no_longer(&granted(known, None), &held(known), now));
        assert!(!lives_no_longer(&granted(Expiry::Unknown, None), &held(known), now));
        assert!(!lives_no_longer(&granted(known, None), &held(Expiry::Unknown), now));
        assert!(!lives_no_longer(&granted(expired, None), &held(expired), now), "what has expired is no better");
        let mut rejected = held(known);
        rejected.rejected = Some(TokenDigest::of("access"));
        assert!(!lives_no_longer(&granted(known, None), &rejected, now), "what was rejected is no better");
    }
}
