//! Each flaw of an earlier wording is put back, and the checker has to find it; without the flaw the same run finds nothing.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rampauth_core::WhenUnknown;
use rampauth_model::check::check;
use rampauth_model::flaw::Flaw;
use rampauth_model::property::{
    ANSWER_LOST, CONDEMNED, ENDS, ORPHANS, PAUSED, REFUSALS, REFUSED_AGAIN, SPENT_AS_FRESH, SUCCESSOR_KNOWN, TOLD,
    TRIED, TWO_AT_ONCE,
};
use rampauth_model::setup::{Fault, Kind, Setup};

/// A flaw, the property that it breaks, and the least that it takes.
fn cases() -> [(Flaw, &'static str, Setup); 26] {
    let with = |kind, faults, fault_budget| Setup { faults, fault_budget, ..Setup::new(kind) };
    let pause: &[Fault] = &[Fault::Pause];
    let stop =
        |faults, fault_budget| Setup { when_unknown: WhenUnknown::Stop, ..with(Kind::Rotates, faults, fault_budget) };
    let remembering = |faults, fault_budget| Setup { remembers: true, ..with(Kind::Rotates, faults, fault_budget) };
    let condemned = |faults, fault_budget| Setup { condemned: true, ..with(Kind::Rotates, faults, fault_budget) };
    [
        (Flaw::LateCommitParked, ANSWER_LOST, with(Kind::Rotates, pause, 1)),
        (Flaw::CondemnedInTwoSteps, CONDEMNED, with(Kind::GraceNew, &[Fault::Pause, Fault::Reject], 2)),
        (Flaw::NoSecondLook, SUCCESSOR_KNOWN, with(Kind::Rotates, pause, 1)),
        (Flaw::AgeOfClaimIgnored, TWO_AT_ONCE, with(Kind::Rotates, pause, 1)),
        (Flaw::DroppedWhenMoved, ANSWER_LOST, with(Kind::GraceNew, pause, 1)),
        // Three answers to one token: two of them orphans at once.
        (
            Flaw::OneOrphanSlot,
            ANSWER_LOST,
            Setup { processes: 3, refreshes: 1, horizon: 2, ..with(Kind::GraceNew, pause, 2) },
        ),
        (Flaw::NotSentWipesDoubt, SPENT_AS_FRESH, with(Kind::Rotates, &[Fault::LoseAnswer, Fault::NotSent], 2)),
        (Flaw::UnsavedForgotten, ANSWER_LOST, with(Kind::Rotates, &[Fault::StoreFails], 1)),
        (Flaw::SettledOnce, ENDS, with(Kind::Rotates, &[Fault::LoseRequest], 2)),
        (Flaw::NoGivingUp, ENDS, stop(&[Fault::LoseAnswer], 1)),
        (Flaw::GivenUpForGood, CONDEMNED, stop(pause, 1)),
        (Flaw::OrphanOfItself, ORPHANS, with(Kind::Rotates, &[Fault::StoreAnswerLost], 1)),
        (
            Flaw::RejectionInMemory,
            ENDS,
            Setup {
                when_unknown: WhenUnknown::AtLastMoment,
                unknown_expiry: true,
                ..with(Kind::Rotates, &[Fault::LoseRequest], 1)
            },
        ),
        (Flaw::SentUnasked, REFUSED_AGAIN, condemned(&[Fault::ByHand], 1)),
        (Flaw::RefusalChangesState, TRIED, condemned(&[Fault::ByHand, Fault::Forbidden], 2)),
        (Flaw::TriedAsIfFirst, TRIED, condemned(&[Fault::ByHand, Fault::NotSent], 2)),
        (Flaw::RefusalsKept, REFUSALS, with(Kind::Rotates, &[Fault::Forbidden], 1)),
        // An earlier answer heals the session between a person's claim and the send.
        (Flaw::NoSecondLook, SUCCESSOR_KNOWN, stop(&[Fault::Pause, Fault::ByHand], 2)),
        // Its claim reaches the store when it was taken back already.
        (Flaw::TakenBackUnwritten, CONDEMNED, stop(&[Fault::StoreLate], 1)),
        (Flaw::AgeFromTheAnswer, TWO_AT_ONCE, with(Kind::Rotates, pause, 1)),
        (Flaw::LeaseNotReadAgain, TWO_AT_ONCE, with(Kind::Rotates, pause, 1)),
        (Flaw::TimeOfTheRecord, TWO_AT_ONCE, remembering(&[Fault::NotSent], 1)),
        (
            Flaw::NumbersAlone,
            TWO_AT_ONCE,
            Setup {
                refreshes: 1,
                horizon: 1,
                ..with(Kind::Rotates, &[Fault::StoreLate, Fault::Restored, Fault::Reject], 3)
            },
        ),
        (Flaw::ConflictRunAgain, PAUSED, with(Kind::Rotates, &[Fault::TurnedAway], 1)),
        (Flaw::ToldFromMemory, TOLD, remembering(&[Fault::Ask, Fault::Reject], 2)),
        (Flaw::DroppedAtConflict, ANSWER_LOST, with(Kind::Rotates, pause, 1)),
    ]
}

fn main() -> ExitCode {
    let trials = cases().map(|(flaw, breaks, setup)| {
        Trial::test(format!("{flaw:?} breaks: {breaks}"), move || is_found(flaw, breaks, &setup))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn is_found(flaw: Flaw, breaks: &str, setup: &Setup) -> Result<(), Failed> {
    let sound = check(setup.clone(), 1);
    if let Some(name) = sound.broken.keys().next() {
        return Err(format!("{setup}: broken without the flaw: {name}").into());
    }
    let report = check(Setup { flaw: Some(flaw), ..setup.clone() }, 1);
    let Some(actions) = report.broken.get(breaks) else {
        return Err(format!("{setup}: not found; broken is {:?}", report.broken.keys()).into());
    };
    println!(
        "{flaw:?}: found among {} states in {} steps; {} states without it",
        report.states,
        actions.len(),
        sound.states
    );
    Ok(())
}
