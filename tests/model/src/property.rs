//! What must hold in every state, and what must be reached somewhere for a run to mean anything.

use rampauth_core::WhenUnknown;
use rampauth_keeper::State;
use stateright::Property;

use crate::model::KeeperModel;
use crate::rule::Rule;
use crate::stored::Stored;
use crate::world::{Process, Step, World};

/// A request leaves only while the record names its attempt, and while no other request for the same token is on its way.
pub const TWO_AT_ONCE: &str = "no two presentations of one token at once";
/// A presentation that is not known to be doubtful is of a token that was never exchanged.
pub const SPENT_AS_FRESH: &str = "a spent token is presented only in doubt";
/// No token is presented whose successor the record holds.
pub const SUCCESSOR_KNOWN: &str = "no token is presented whose successor is stored";
/// Under `Stop` never, under `AtLastMoment` only when the access token is dying or rejected.
pub const POLICY: &str = "a doubtful token is presented only as the policy says";
/// A token that the store was told is dead is not presented again, unless an answer to that very generation arrives late or a
/// person asked.
pub const REFUSED_AGAIN: &str = "a token that was condemned is not presented again";
/// A record's tokens are never replaced by what they descend from.
pub const STALE_OVERWRITE: &str = "no stale overwrite";
/// Only a login or a logout changes the session, and only the one that it was meant to replace.
pub const UNDONE: &str = "no login and no logout is undone";
/// The generation that a process shows never falls.
pub const READERS: &str = "readers never go back";
/// Tokens that come are not counted as refused for what came before them.
pub const REFUSALS: &str = "a grant and a login forget refusals";
/// What a person tries in login-needed leaves the session in it, unless it is granted or an earlier answer stands in.
pub const TRIED: &str = "a try in login-needed changes the state by a grant alone";
/// What is not a person's try waits for as long as the provider asked, however the claim came about.
pub const PAUSED: &str = "no claim comes before the end of a pause that the provider asked for";
/// An answer for which nothing was written holds for a record that was read after the question.
pub const TOLD: &str = "nobody is told what was over when they asked";
/// If an answer that a living process received is live, the record, an orphan or a process holds a live token.
pub const ANSWER_LOST: &str = "no live answer is lost";
/// In login-needed neither the tokens nor an orphan are live; under `Stop`, and where the provider does not name dead tokens,
/// the tokens may be, if a presentation of them may have been carried out or a person tried them since. Where the first verdict
/// was wrong, the tokens that it was about may be.
pub const CONDEMNED: &str = "login-needed only when no stored token is live";
/// When no step is left, nothing is in doubt and nobody holds unsaved tokens.
pub const ENDS: &str = "every fair run ends settled";
/// No attempt has two orphans, and no orphan holds what the session holds.
pub const ORPHANS: &str = "an orphan is never the session's own";

/// Every property that must hold, in the order of the documentation.
pub const ALL: [&str; 16] = [
    TWO_AT_ONCE,
    SPENT_AS_FRESH,
    SUCCESSOR_KNOWN,
    POLICY,
    REFUSED_AGAIN,
    STALE_OVERWRITE,
    UNDONE,
    READERS,
    REFUSALS,
    TRIED,
    PAUSED,
    TOLD,
    ANSWER_LOST,
    CONDEMNED,
    ENDS,
    ORPHANS,
];

/// What shows that a run reached the places where things can go wrong.
pub const REACHED: [&str; 6] = [
    "reached: a refresh is saved",
    "reached: a doubt",
    "reached: two presentations without an answer",
    "reached: an orphan waits",
    "reached: login needed",
    "reached: unsaved tokens are shown",
];

/// What a run has to reach in which people refresh by hand although a login is needed.
pub const MANUAL: [&str; 2] =
    ["reached: a claim in login needed", "reached: a try in login needed that was not granted"];

/// The properties as the checker takes them.
pub fn all() -> Vec<Property<KeeperModel>> {
    let [claimed, tried] = MANUAL;
    let [saved, doubt, two, orphan, login_needed, unsaved] = REACHED;
    vec![
        Property::always(TWO_AT_ONCE, |_, world: &World| !world.broken.has(Rule::TwoAtOnce)),
        Property::always(SPENT_AS_FRESH, |_, world: &World| !world.broken.has(Rule::SpentAsFresh)),
        Property::always(SUCCESSOR_KNOWN, |_, world: &World| !world.broken.has(Rule::SuccessorKnown)),
        Property::always(POLICY, |_, world: &World| !world.broken.has(Rule::Policy)),
        Property::always(REFUSED_AGAIN, |_, world: &World| !world.broken.has(Rule::RefusedAgain)),
        Property::always(STALE_OVERWRITE, |_, world: &World| !world.broken.has(Rule::StaleOverwrite)),
        Property::always(UNDONE, |_, world: &World| !world.broken.has(Rule::Undone) && belongs(world)),
        Property::always(READERS, |_, world: &World| !world.broken.has(Rule::Readers)),
        Property::always(REFUSALS, |_, world: &World| !world.broken.has(Rule::Refusals)),
        Property::always(TRIED, |_, world: &World| !world.broken.has(Rule::Tried)),
        Property::always(PAUSED, |_, world: &World| !world.broken.has(Rule::Paused)),
        Property::always(TOLD, |_, world: &World| !world.broken.has(Rule::Told)),
        Property::always(ANSWER_LOST, no_live_answer_is_lost),
        Property::always(CONDEMNED, condemned_rightly),
        Property::always(ENDS, |_, world: &World| !world.ended || is_settled(world)),
        Property::always(ORPHANS, |_, world: &World| record(world, orphans_are_others)),
        Property::sometimes(claimed, |_, world: &World| record(world, |it| is_tried(it, true))),
        Property::sometimes(tried, |_, world: &World| record(world, |it| is_tried(it, false))),
        Property::sometimes(saved, |_, world: &World| record(world, |it| it.base > 0)),
        Property::sometimes(doubt, |_, world: &World| record(world, |it| it.state == State::Doubtful)),
        Property::sometimes(two, |_, world: &World| {
            record(world, |it| it.attempt.as_ref().is_some_and(|it| it.presented_by.len() > 1))
        }),
        Property::sometimes(orphan, |_, world: &World| record(world, |it| !it.orphans.is_empty())),
        Property::sometimes(login_needed, |_, world: &World| record(world, |it| it.state == State::LoginNeeded)),
        Property::sometimes(unsaved, |_, world: &World| {
            world
                .processes
                .iter()
                .any(|it| it.unsaved().is_some_and(|(_, grant)| it.shown.is_some_and(|seen| seen.grant == Some(grant))))
        }),
    ]
}

fn record(world: &World, condition: impl Fn(&Stored) -> bool) -> bool {
    world.record.as_ref().is_some_and(condition)
}

/// Whether a person's try in login-needed is under way, or has ended without a grant.
fn is_tried(record: &Stored, claimed: bool) -> bool {
    let tried = record.attempt.as_ref().filter(|attempt| attempt.more > 0);
    record.state == State::LoginNeeded && tried.is_some_and(|attempt| attempt.lease.is_some() == claimed)
}

/// What a record holds is of its own login, and a tombstone holds nothing.
fn belongs(world: &World) -> bool {
    world.record.as_ref().is_none_or(|record| {
        let own = |grant| world.provider.grant(grant).login == record.session;
        record.grants().all(own) && (record.state != State::Tombstone || record.grants().next().is_none())
    })
}

fn is_live(model: &KeeperModel, world: &World, grant: u8) -> bool {
    world.provider.is_live(model.setup.kind, grant, world.now, model.setup.presented_life)
}

fn no_live_answer_is_lost(model: &KeeperModel, world: &World) -> bool {
    let Some(record) = &world.record else { return true };
    let counts = |grant: u8| {
        record.state != State::Tombstone
            && world.provider.grant(grant).login == record.session
            && is_live(model, world, grant)
    };
    let held = record.grants().chain(world.processes.iter().filter_map(Process::unsaved).map(|(_, grant)| grant));
    let mut held = held.filter(|grant| counts(*grant));
    let lost = (0..world.provider.granted()).any(|grant| world.received & (1 << grant) != 0 && counts(grant));
    !lost || held.next().is_some()
}

fn condemned_rightly(model: &KeeperModel, world: &World) -> bool {
    let Some(record) = world.record.as_ref().filter(|it| it.state == State::LoginNeeded) else { return true };
    let uncertain = model.setup.when_unknown == WhenUnknown::Stop || !model.setup.names_dead;
    let tried = record.attempt.as_ref().is_some_and(|attempt| attempt.more > 0);
    let excused = |grant| {
        (uncertain && (tried || !world.perhaps_sent.is_empty())
            || model.setup.condemned && record.base == 0 && record.session == 1)
            && record.tokens.is_some_and(|tokens| tokens.grant == grant)
    };
    record.grants().all(|grant| !is_live(model, world, grant) || excused(grant))
}

fn is_settled(world: &World) -> bool {
    let quiet = |it: &Stored| {
        it.state == State::Tombstone
            || it.state == State::LoginNeeded
            || (it.state == State::Ready && it.attempt.is_none())
    };
    let idle = world.processes.iter().all(|it| it.step == Step::Idle);
    idle && world.people.is_empty() && world.late.is_empty() && world.record.as_ref().is_none_or(quiet)
}

fn orphans_are_others(record: &Stored) -> bool {
    let own = record.tokens.map(|tokens| tokens.grant);
    record.orphans.iter().enumerate().all(|(place, (attempt, _, tokens))| {
        Some(tokens.grant) != own && record.orphans[..place].iter().all(|earlier| earlier.0 != *attempt)
    })
}
