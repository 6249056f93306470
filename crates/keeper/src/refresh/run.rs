//! One refresh, step by step: look, claim, journal, present once, save, tell. Whatever happens on the way, no granted token is
//! let go of and no token is presented twice without need.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome, Presents, Refresh as _, TokenSet};
use rampauth_store::{AttemptId, AttemptRef, Operation, Record, State, TokenDigest};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout};

use crate::clock::steady::Mark;
use crate::event::EventKind;
use crate::generic::permits::Permit;
use crate::keeper::random;
use crate::metrics;
use crate::plan::next_step::{self, Need, Opened, Plan};
use crate::plan::pause::PauseLimits;
use crate::plan::policy;
use crate::refresh::claim_wait::Wait;
use crate::refresh::fail::due_after;
use crate::refresh::look::Look;
use crate::refresh::save::Presented;
use crate::session::{Inner, out_of_protocol};
use crate::tokens::encoding;
use crate::tokens::sealing::Unreadable;

pub(crate) const ACTION: &str = "refresh the tokens";
/// What to do about an answer that was not as it should be, once what it brought is saved.
const STORED: &str = "nothing is in doubt: the tokens that came are stored, and the next refresh presents them";
/// How long a call may take to end whose time is up, or that was stopped: as long as reading an answer takes.
const STOPPING: Duration = Duration::from_millis(250);
/// How often a call whose time is up is looked at, where the process stands still each time.
const LAST_LOOKS: u32 = 5;
/// How often a record that moves under one's feet is looked at anew before the caller is told.
const LOOKS: u32 = 200;

/// A presentation that is this process's to make.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) attempt: AttemptRef,
    /// Whether the token may have been presented before.
    pub(crate) doubtful: bool,
    /// Whether a login is needed, and a person asked all the same.
    pub(crate) condemned: bool,
    /// When the refresh was due; a doubt is due whenever it is presented.
    pub(crate) due: Option<SystemTime>,
    /// When the token may have been presented first.
    pub(crate) since: SystemTime,
    /// What no pause outlasts.
    pub(crate) limits: PauseLimits,
}

/// A claim that was just made.
#[derive(Clone, Copy)]
struct Claimed<'a> {
    record: &'a Record,
    /// The record as the claim left it, for the steps that follow.
    after: &'a Look,
    attempt: AttemptId,
    /// From before the question, for the claim's age.
    asked: Mark,
    /// Whether the token may have been sent before.
    doubtful: bool,
}

impl Inner {
    /// `barred`: the failure that stands in the way of a presentation, where there is one. Then the record is looked at, and
    /// what others brought is adopted.
    pub(crate) async fn refresh(self: &Arc<Self>, need: Need, barred: Option<Error>) -> Result<(), Error> {
        // Tokens that are not saved yet come before anything else.
        self.save_what_is_held().await?;
        let mut wait = Wait::default();
        let mut permit = None;
        let mut moved = 0;
        let remembered = self.flight().take_look();
        // Worth a claim and nothing else: whatever is answered without one needs a look that began after the question.
        let mut remembered = remembered.filter(|look| barred.is_none() && self.may_claim_upon(look, need));
        // What a step has just found instead of what it expected.
        let mut found = None;
        while moved < LOOKS {
            let look = match remembered.take() {
                Some(look) => look,
                None => match self.look_and_adopt(found.take(), barred.is_none()).await? {
                    Some(look) => look,
                    None => {
                        moved += 1;
                        continue;
                    }
                },
            };
            let Some(record) = look.record().map(|record| self.by_options(record.clone())) else { continue };
            if let Some(error) = self.held_back(&record, need) {
                return Err(error);
            }
            let until = match (self.next_step(&record, need), &barred) {
                (Plan::Rest, _) => return Ok(()),
                (Plan::Wait(time), _) => return self.wait_until(&record, time, need, barred),
                (Plan::LogIn, _) => return Err(login_needed(&record, self.keeper.clock.wall())),
                (Plan::Present { .. } | Plan::SendManually, Some(error)) => return Err(error.clone()),
                (Plan::GiveUp, _) => {
                    let Record { session, generation, .. } = record;
                    let give_up = Operation::GiveUp { session, generation };
                    let (answer, _) = self.apply_on(&look, give_up).await?;
                    let held = next_step::held_until(&answer, session, generation);
                    self.after_condemning(answer)?;
                    held
                }
                (plan @ (Plan::Present { .. } | Plan::SendManually), None) => {
                    // From before the claim until the tokens are stored. Another process's claim is waited for without it.
                    let urgency = self.urgency(&record, need);
                    let taken = permit.take().or_else(|| self.keeper.permits.of(&self.key).try_take(urgency));
                    let Some(mut held) = taken else {
                        // The record is looked at anew, for it may have to wait for long.
                        drop((record, look));
                        permit = Some(self.wait_for_permit(urgency).await?);
                        continue;
                    };
                    // The claim's age counts from before the question.
                    let asked = self.keeper.clock.mark();
                    let attempt = AttemptId::from_random(random()?);
                    let claimed = self.apply_on(&look, self.claim(&record, attempt, plan)).await;
                    match next_step::opened(claimed.as_ref().ok().map(|(answer, _)| answer)) {
                        // The doubt ended between the look and the claim, and settling presents nothing else.
                        Opened::Claimed { record, doubtful: false } if need == Need::Certainty => {
                            let Record { session, generation, next_due, .. } = *record;
                            self.take_back(AttemptRef { id: attempt, session, generation }, next_due).await;
                            None
                        }
                        Opened::Claimed { record, doubtful } => {
                            let after = claimed.as_ref().map_err(Error::clone).map(|(_, after)| after)?;
                            let claimed = Claimed { record, after, attempt, asked, doubtful };
                            let presented = self.present(claimed, &mut held, need).await;
                            drop(held);
                            return presented;
                        }
                        Opened::Wait { until } => Some(until),
                        Opened::LookAgain => {
                            found = claimed.ok().map(|(_, after)| after);
                            None
                        }
                        Opened::TakeBack => {
                            let Record { session, generation, .. } = record;
                            let in_doubt = plan == Plan::Present { settle: true };
                            let due = due_after(&record, in_doubt, self.keeper.clock.wall());
                            self.take_back(AttemptRef { id: attempt, session, generation }, due).await;
                            return claimed.map(drop);
                        }
                        Opened::Foreign => return Err(out_of_protocol(Outcome::NotSent, ACTION)),
                    }
                }
            };
            match until {
                Some(until) => {
                    let for_now = self.wait_for_claim(&mut wait, until, need == Need::Ahead).await;
                    if let Some(result) = for_now {
                        return result;
                    }
                }
                None => moved += 1,
            }
        }
        let reason = "the record changed each time that it was looked at";
        Err(Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason))
    }

    /// How far the keeper's clock was ahead of the wall clock when this process saw the tokens first.
    fn ahead(&self) -> Duration {
        self.slot.load().map_or(Duration::ZERO, |shown| shown.ahead())
    }

    /// Now, by the clock that a record's times are read by.
    pub(crate) fn read_now(&self) -> SystemTime {
        self.keeper.clock.now().checked_sub(self.ahead()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The plan for a record, whose times are read as they were when this process saw it first.
    pub(crate) fn next_step(&self, record: &Record, need: Need) -> Plan {
        let ahead = self.ahead();
        let read = |time: SystemTime| time.checked_sub(ahead).unwrap_or(SystemTime::UNIX_EPOCH);
        let need = if let Need::UsableAt(time) = need { Need::UsableAt(read(time)) } else { need };
        let (policy, lease) = (self.provider.policy(), self.keeper.options.lease);
        match next_step::plan(record, need, policy, lease, read(self.keeper.clock.now())) {
            Plan::Wait(time) => Plan::Wait(time.checked_add(ahead).unwrap_or(time)),
            plan => plan,
        }
    }

    /// The step that claims the session for what is planned.
    fn claim(&self, record: &Record, attempt: AttemptId, plan: Plan) -> Operation {
        let presents = record.tokens.as_ref().map(|tokens| tokens.presents);
        let presents = presents.expect("only a record with tokens is presented");
        let (generation, owner, lease) = (record.generation, self.keeper.owner, self.keeper.options.lease);
        match plan {
            Plan::SendManually => Operation::ClaimManually { generation, presents, attempt, owner, lease },
            _ => {
                let settle = plan == Plan::Present { settle: true };
                Operation::Begin { generation, presents, attempt, owner, lease, settle }
            }
        }
    }

    /// Presents the claimed token once and sees to what comes of it.
    async fn present(self: &Arc<Self>, claimed: Claimed<'_>, permit: &mut Permit, need: Need) -> Result<(), Error> {
        let Claimed { record, after: claimed, attempt, asked, doubtful } = claimed;
        let options = self.keeper.options;
        let attempt = AttemptRef { id: attempt, session: record.session, generation: record.generation };
        let since = record.attempt.as_ref().map_or_else(|| self.keeper.clock.wall(), |attempt| attempt.first_sent);
        let due = due_after(record, doubtful, self.keeper.clock.wall());
        let condemned = record.state == State::LoginNeeded;
        let limits = PauseLimits::of(record, since, self.provider.policy(), options.lease);
        let claim = Claim { attempt, doubtful, condemned, due, since, limits };
        let span = tracing::Span::current();
        span.record("attempt", tracing::field::debug(attempt.id)).record("generation", attempt.generation);
        let keys = self.keeper.sealing_keys();
        let opened = record.tokens.as_ref().map(|tokens| encoding::open(tokens, self.seal(keys.as_deref())));
        let tokens = match opened.unwrap_or(Err(Unreadable::Damaged)) {
            Ok(tokens) => tokens,
            Err(unreadable) => {
                return self.fail(&claim, record, claimed, unreadable.into_error(ACTION, &self.key)).await;
            }
        };
        if doubtful {
            // A paused process may have come this far with a claim that is not its own any more.
            let current = match self.load().await {
                Ok(current) => current,
                Err(error) => {
                    self.take_back(attempt, claim.due).await;
                    return Err(error);
                }
            };
            if !next_step::still_claimed(current.as_ref(), &attempt) {
                metrics::claim_lost(&self.key);
                self.take_back(attempt, claim.due).await;
                return current.map_or(Ok(()), |current| self.adopt_newer(&current));
            }
        }
        let age = self.keeper.clock.mark().since(&asked);
        let in_time = next_step::may_send(age, options.request + options.save, options.lease);
        if !in_time {
            metrics::claim_lost(&self.key);
        }
        let hindrance = match self.keeper.closing.is_cancelled() {
            true => Some((ErrorKind::Internal, "the keeper is shutting down, so nothing was sent")),
            false if in_time => None,
            false => Some((ErrorKind::Unreachable, "the claim is too old for a request, so nothing was sent")),
        };
        if let Some((kind, reason)) = hindrance {
            return self.fail(&claim, record, claimed, Error::new(kind, Outcome::NotSent, ACTION, reason)).await;
        }
        let sent_at = self.keeper.clock.wall();
        let presented = Presented { record, tokens: &tokens, sent_at, claimed };
        let answer = self.call(tokens.clone()).await;
        permit.note(answer.as_ref().map(drop));
        let seen = answer.as_ref().map_or_else(Error::clock_difference, |tokens| tokens.clock_difference);
        self.note_clocks(record, seen);
        metrics::refreshed(&self.key, answer.as_ref().map_or_else(|it| it.outcome().as_str(), |_| metrics::GRANTED));
        match answer {
            Ok(granted) => self.grant(&claim, &granted, &presented, need).await,
            Err(error) => {
                let renews_itself = self.provider.policy().presents == Presents::AccessToken;
                let salvage = error.salvage().filter(|tokens| renews_itself || tokens.refresh_token.is_some());
                if let Some(unsaved) = salvage.and_then(|tokens| self.held(attempt, tokens, &presented)) {
                    // What the provider said is told to callers, and a failed save to whoever listens.
                    let saved = self.save(unsaved, doubtful && !condemned, Some(claimed)).await.is_ok();
                    let error = if saved { error.with_help(STORED) } else { error };
                    self.keeper.tell(&self.key, attempt.generation + 1, EventKind::RefreshFailed(error.clone()));
                    return Err(error);
                }
                self.fail(&claim, record, claimed, error).await
            }
        }
    }

    /// The provider's call on a task of its own, so that a panic in it is an answer like any other: unknown.
    async fn call(&self, tokens: TokenSet) -> Result<TokenSet, Error> {
        let provider = Arc::clone(&self.provider);
        let mut call = self.keeper.runtime.spawn(async move { provider.refresh(&tokens).await });
        let ended = match timeout(self.keeper.options.request, &mut call).await {
            Ok(ended) => Some(ended),
            Err(_) => {
                // What has arrived by the deadline is still read.
                let late = last_look(&mut call).await;
                call.abort();
                match late {
                    Some(ended) => Some(ended),
                    // A call that is at it ends before it is stopped.
                    None => timeout(STOPPING, call).await.ok(),
                }
            }
        };
        let (kind, reason) = match ended {
            Some(Ok(answer)) => return answer,
            Some(Err(end)) if end.is_panic() => (ErrorKind::Internal, "the provider's client panicked"),
            _ => (ErrorKind::Timeout, "no answer came before the request's deadline"),
        };
        Err(Error::new(kind, Outcome::Unknown, ACTION, reason))
    }

    async fn grant(
        self: &Arc<Self>,
        claim: &Claim,
        granted: &TokenSet,
        presented: &Presented<'_>,
        need: Need,
    ) -> Result<(), Error> {
        let Some(unsaved) = self.held(claim.attempt, granted, presented) else {
            let reason = "the answer lacks the token that the next refresh presents";
            let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, ACTION, reason);
            return self.fail(claim, presented.record, presented.claimed, error).await;
        };
        let saved = self.save(unsaved, claim.doubtful && !claim.condemned, Some(presented.claimed)).await?;
        // What came is saved, and asking again at once would bring nothing better.
        let now = self.keeper.clock.wall();
        // While nothing is due, who asked has a wish of their own.
        let due = match need {
            Need::Ahead => true,
            Need::UsableAt(_) => !policy::is_fresh(presented.record, now),
            Need::ByHand | Need::Certainty => false,
        };
        let reason = match &granted.access_token {
            None => "the provider granted no access token",
            Some(_) if granted.access_expiry.is_known_past(now) => {
                "the provider granted a token that has expired already"
            }
            Some(access) if self.shows_rejected(TokenDigest::of(access.expose_secret())) => {
                "the provider granted the very access token that it had rejected"
            }
            Some(_) if due && policy::lives_no_longer(granted, presented.record, now) => {
                // Some providers grant another one only when it has died.
                self.flight().pause_until_at_most(granted.access_expiry.time());
                "the provider granted no access token that lives longer than the one in use"
            }
            Some(_) => {
                let settles = claim.doubtful && !claim.condemned;
                if saved && !settles && presented.record.last_error.is_some() {
                    self.keeper.tell(&self.key, claim.attempt.generation + 1, EventKind::Recovered);
                }
                return Ok(());
            }
        };
        let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, ACTION, reason).with_help(STORED);
        let error = error.with_clock_difference(granted.clock_difference);
        self.keeper.tell(&self.key, claim.attempt.generation + 1, EventKind::RefreshFailed(error.clone()));
        Err(error)
    }

    /// As [`adopt`](Self::adopt), and tells of what somebody else did: newer tokens, or a logout.
    pub(crate) fn adopt_newer(self: &Arc<Self>, record: &Record) -> Result<(), Error> {
        let shown = self.slot.load();
        let newer = shown.is_none_or(|it| it.session != record.session || it.generation < record.generation);
        self.adopt(record)?;
        if newer {
            let ended = record.state == State::Tombstone;
            self.keeper.tell(&self.key, record.generation, if ended { EventKind::Removed } else { EventKind::Adopted });
        }
        Ok(())
    }
}

/// Waits a moment longer for a call that had its time, and anew where the process stood still meanwhile: the answer of one
/// that was stopped lies in its socket when it goes on.
async fn last_look<T>(call: &mut JoinHandle<T>) -> Option<Result<T, JoinError>> {
    for _ in 0..LAST_LOOKS {
        let started = Instant::now();
        if let Ok(ended) = timeout(STOPPING, &mut *call).await {
            return Some(ended);
        }
        if started.elapsed() < 2 * STOPPING {
            break;
        }
    }
    None
}

fn login_needed(record: &Record, now: SystemTime) -> Error {
    let reason = match record.state {
        State::Tombstone => "the session was removed",
        _ if next_step::has_expired(record, now) => "the session's token has expired",
        _ => "the session's token is dead",
    };
    let difference = record.clock_difference().map(|(difference, _)| difference);
    Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, ACTION, reason).with_clock_difference(difference)
}
