//! Which setups are run: a bounded list for every test run, and a full one for when nobody waits.

use rampauth_core::WhenUnknown;

use crate::setup::{ASKED, CONDEMNED, Kind, PROMPTLY, REMEMBERED, Setup};

const KINDS: [Kind; 7] = [
    Kind::Rotates,
    Kind::GraceSame,
    Kind::GraceNew,
    Kind::RevokesFamily,
    Kind::Keeps,
    Kind::KeepsBoth,
    Kind::BeforeExpiry,
];

const POLICIES: [WhenUnknown; 3] = [PROMPTLY, WhenUnknown::AtLastMoment, WhenUnknown::Stop];

/// How long a refresh token lives where that is known, in ticks: it can die while a doubt waits.
const PRESENTED_LIFE: u8 = 5;

/// Every provider under every policy.
fn plain() -> impl Iterator<Item = Setup> {
    let under = |kind| POLICIES.map(|when_unknown| Setup { when_unknown, ..Setup::new(kind) });
    KINDS.into_iter().flat_map(under)
}

/// The same with dead tokens that the provider does not name, with an access token of which nobody knows when it expires,
/// and with a refresh token that expires.
fn varied() -> impl Iterator<Item = Setup> {
    plain().flat_map(|plain| {
        let unnamed = Setup { names_dead: false, ..plain.clone() };
        if plain.kind == Kind::BeforeExpiry {
            return vec![unnamed];
        }
        let unknown = Setup { unknown_expiry: true, ..plain.clone() };
        let left_alone = Setup { left_alone: true, ..unknown.clone() };
        let expiring = Setup { presented_life: Some(PRESENTED_LIFE), ..plain };
        vec![unnamed, unknown, left_alone, expiring]
    })
}

/// Everything with one fault.
pub fn one_fault() -> Vec<Setup> {
    plain().chain(varied()).map(|setup| Setup { fault_budget: 1, ..setup }).collect()
}

/// The providers that differ most with two faults, under the policy that fits each; one under `Stop`, one whose refresh token
/// expires.
pub fn two_faults() -> Vec<Setup> {
    let fitting = [Kind::GraceNew, Kind::RevokesFamily, Kind::BeforeExpiry].map(fitting);
    let stop = Setup { when_unknown: WhenUnknown::Stop, ..Setup::new(Kind::Rotates) };
    let expiring = Setup { presented_life: Some(PRESENTED_LIFE), ..Setup::new(Kind::KeepsBoth) };
    fitting.into_iter().chain([stop, expiring]).map(|setup| Setup { fault_budget: 2, ..setup }).collect()
}

/// Processes that claim upon what they remember: two providers with two faults.
pub fn remembered() -> Vec<Setup> {
    [Kind::GraceNew, Kind::BeforeExpiry].map(|kind| remembering(&fitting(kind))).into()
}

fn remembering(setup: &Setup) -> Setup {
    Setup { remembers: true, faults: REMEMBERED, fault_budget: 2, ..setup.clone() }
}

/// People who ask beside the processes: each provider under the policy that fits it, and one under each of the others.
pub fn asked() -> Vec<Setup> {
    let fitting = KINDS.into_iter().map(fitting);
    let others = [WhenUnknown::AtLastMoment, WhenUnknown::Stop]
        .map(|when_unknown| Setup { when_unknown, ..Setup::new(Kind::Rotates) });
    asking(fitting.chain(others), 2).collect()
}

/// People who refresh by hand although a login is needed: each provider under the policy that fits it with a verdict that was
/// wrong, one that does not name dead tokens, and one under `Stop`, where a doubt is given up first.
pub fn condemned() -> Vec<Setup> {
    let wrongly = |setup| Setup { condemned: true, faults: CONDEMNED, fault_budget: 2, ..setup };
    let unnamed = Setup { names_dead: false, ..Setup::new(Kind::Rotates) };
    // One fault for the doubt, one for the person, and one for what becomes of the try.
    let given_up =
        Setup { when_unknown: WhenUnknown::Stop, faults: ASKED, fault_budget: 3, ..Setup::new(Kind::Rotates) };
    KINDS.into_iter().map(fitting).chain([unnamed]).map(wrongly).chain([given_up]).collect()
}

/// The same with three faults, under every policy.
fn condemned_in_full() -> impl Iterator<Item = Setup> {
    plain().map(|setup| Setup { condemned: true, faults: CONDEMNED, fault_budget: 3, ..setup })
}

fn asking(setups: impl Iterator<Item = Setup>, fault_budget: u8) -> impl Iterator<Item = Setup> {
    setups.map(move |setup| Setup { faults: ASKED, fault_budget, ..setup })
}

fn fitting(kind: Kind) -> Setup {
    let when_unknown = if kind == Kind::RevokesFamily { WhenUnknown::AtLastMoment } else { PROMPTLY };
    Setup { when_unknown, ..Setup::new(kind) }
}

/// Every provider under every policy: with two faults, with three processes and one, and with processes that remember; the
/// variations with two faults. Then, for a day when nobody waits at all, three faults, and three processes and two; people who
/// ask with three of theirs, and people who refresh by hand although a login is needed.
pub fn full() -> Vec<Setup> {
    let two_faults = plain();
    let one_fault = plain().map(|setup| Setup { processes: 3, fault_budget: 1, ..setup });
    let remembered = plain().map(|setup| remembering(&setup));
    let three_faults = plain().map(|setup| Setup { fault_budget: 3, ..setup });
    let varied = varied().map(|setup| Setup { fault_budget: 2, ..setup });
    let three_processes = plain().map(|setup| Setup { processes: 3, fault_budget: 2, ..setup });
    // Under `Stop` a person can have two sets of tokens granted for one, and a later doubt about the newer gives way to the older,
    // which only `GraceNew` has killed: nobody can tell the two apart, and the doubt may not be settled.
    let told_apart = |setup: &Setup| setup.kind != Kind::GraceNew || setup.when_unknown != WhenUnknown::Stop;
    let asked = asking(plain().filter(told_apart), 3);
    let soon = two_faults.chain(one_fault).chain(remembered).chain(varied);
    soon.chain(three_faults).chain(three_processes).chain(asked).chain(condemned_in_full()).collect()
}
