//! The bounded run: every provider under every policy with one fault, some with two, to the last state. Each says how many
//! states that were.

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rampauth_model::check::{Report, check, no_circle, trace};
use rampauth_model::property::{MANUAL, REACHED};
use rampauth_model::runs;
use rampauth_model::setup::{Kind, Setup};

fn main() -> ExitCode {
    let two_faults = runs::two_faults().into_iter().chain(runs::remembered()).chain(runs::asked()).map(|setup| {
        Trial::test(setup.to_string(), move || {
            nothing_breaks(&setup)?;
            Ok(())
        })
    });
    let condemned = runs::condemned().into_iter().map(|setup| {
        Trial::test(setup.to_string(), move || {
            let reached = nothing_breaks(&setup)?.reached;
            let missing: Vec<_> = MANUAL.into_iter().filter(|name| !reached.contains(name)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("not {missing:?}").into()) }
        })
    });
    let others = [
        Trial::test("one fault: nothing breaks, and every dangerous place is reached", one_fault),
        Trial::test("one fault: no run goes round in circles", runs_end),
        Trial::test("the model keeps all of a record that takes part in a decision", records_are_kept),
    ];
    libtest_mimic::run(&Arguments::from_args(), two_faults.chain(condemned).chain(others).collect()).exit_code()
}

fn nothing_breaks(setup: &Setup) -> Result<Report, Failed> {
    let report = check(setup.clone(), 1);
    println!("{setup}: {} states, {} steps, {} deep", report.states, report.steps, report.depth);
    match report.broken.first_key_value() {
        Some((name, actions)) => Err(format!("{setup}: broken: {name}\n{}", trace(setup, actions)).into()),
        None => Ok(report),
    }
}

fn one_fault() -> Result<(), Failed> {
    let mut reached = BTreeSet::new();
    for setup in runs::one_fault() {
        reached.extend(nothing_breaks(&setup)?.reached);
    }
    reached.retain(|name| REACHED.contains(name));
    if reached == BTreeSet::from(REACHED) { Ok(()) } else { Err(format!("only {reached:?}").into()) }
}

fn runs_end() -> Result<(), Failed> {
    let (mut setups, mut states) = (0, 0);
    for setup in runs::one_fault() {
        let line = setup.to_string();
        states += no_circle(setup).map_err(|world| format!("{line}: a run comes back to {world:?}"))?;
        setups += 1;
    }
    println!("no circles: {setups} setups, {states} states");
    if states > 1_000_000 { Ok(()) } else { Err("too few states to mean anything".into()) }
}

fn records_are_kept() -> Result<(), Failed> {
    for kind in [Kind::GraceNew, Kind::BeforeExpiry] {
        let setup = Setup { compared: true, fault_budget: 1, ..Setup::new(kind) };
        nothing_breaks(&setup)?;
    }
    Ok(())
}
