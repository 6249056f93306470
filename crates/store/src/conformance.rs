//! The suite that every store passes: what a store does by itself, and the protocol on it, as scenarios, each with what is given,
//! what is done and what is expected.
//!
//! ```
//! use rampauth_store::{MemoryStore, conformance};
//!
//! # #[tokio::main]
//! # async fn main() {
//! conformance::check(MemoryStore::new()).await;
//! assert!(conformance::scenarios().len() > 80);
//! # }
//! ```
//!
//! Each scenario runs on keys of its own, named after the run, and checks every answer and the record left behind. It is
//! played twice, the second time with every operation repeated at once, as after a lost answer. Give the suite a store of its
//! own, to be thrown away: it leaves its records there. The store's clock has to run, within a minute of this machine's.
//! Call it on a multi-threaded tokio runtime with its timer, or concurrent operations are not concurrent.

mod begin;
mod commit;
mod conclude;
mod concurrent;
mod content;
mod difference;
mod doubt;
mod kind;
mod listing;
mod manual;
mod names;
mod pauses;
mod put;
mod refusals;
mod replace;
mod reseal;
mod restart;
mod script;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use restart::check_restarts;
use script::{Play, Scenario, Stage};

use crate::protocol::{self, Step};
use crate::store::Store;

/// How long one scenario may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    passed: Vec<&'static str>,
    failures: Vec<Failure>,
}

/// A scenario in which the store did something else.
#[derive(Clone, Debug)]
pub struct Failure {
    scenario: &'static str,
    difference: String,
}

impl Report {
    /// The scenarios that went as expected, by name.
    pub fn passed(&self) -> &[&'static str] {
        &self.passed
    }

    /// The others.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

impl Failure {
    /// The scenario's name: the rule that was broken.
    pub fn scenario(&self) -> &'static str {
        self.scenario
    }

    /// At which step, and what differed. It holds no token.
    pub fn difference(&self) -> &str {
        &self.difference
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}", self.scenario, self.difference.replace('\n', "\n    "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.passed.len() + self.failures.len();
        write!(f, "{} of {all} scenarios passed", self.passed.len())?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))
    }
}

/// The scenarios' names, each the rule that it checks.
pub fn scenarios() -> Vec<&'static str> {
    all().iter().map(|scenario| scenario.name).collect()
}

/// Plays every scenario against this store.
pub async fn run(store: impl Store + 'static) -> Report {
    run_with(store, protocol::apply).await
}

/// [`run`] with other steps than those of the protocol: how the suite is tested.
#[doc(hidden)]
pub async fn run_with(store: impl Store + 'static, steps: Step) -> Report {
    let stage = Stage::new(Arc::new(store), steps);
    let mut report = Report { passed: Vec::new(), failures: Vec::new() };
    for Scenario { name, play } in all() {
        match perform(stage.clone(), play).await {
            Ok(()) => report.passed.push(name),
            Err(difference) => report.failures.push(Failure { scenario: name, difference }),
        }
    }
    report
}

/// [`run`], for a test.
///
/// # Panics
///
/// When a scenario fails, naming all that do, or when not every scenario was played.
pub async fn check(store: impl Store + 'static) {
    let report = run(store).await;
    let names = scenarios();
    assert!(report.failures.is_empty() && report.passed == names && !names.is_empty(), "{report}");
}

fn all() -> Vec<Scenario> {
    let groups = [
        put::scenarios(),
        begin::scenarios(),
        commit::scenarios(),
        conclude::scenarios(),
        doubt::scenarios(),
        manual::scenarios(),
        refusals::scenarios(),
        pauses::scenarios(),
        reseal::scenarios(),
        content::scenarios(),
        listing::scenarios(),
        concurrent::scenarios(),
        replace::scenarios(),
    ];
    groups.into_iter().flatten().collect()
}

/// A store that panics or never answers fails its scenario, and the others go on.
async fn perform(stage: Stage, play: Play) -> Result<(), String> {
    let mut task = tokio::spawn(async move {
        match play {
            Play::Steps(script) => {
                script.play(&stage, false).await?;
                script.play(&stage, true).await.map_err(|it| format!("with every operation done twice: {it}"))
            }
            Play::Code(code) => code(stage).await,
        }
    });
    match tokio::time::timeout(PATIENCE, &mut task).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err("the store panicked".to_owned()),
        Err(_) => {
            task.abort();
            Err(format!("it did not end within {PATIENCE:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_answer_of_every_operation_is_somewhere_expected() {
        let mut expected = BTreeMap::<_, Vec<_>>::new();
        for scenario in all() {
            let Play::Steps(script) = scenario.play else { continue };
            for (operation, answer) in script.expectations() {
                expected.entry(operation).or_default().push(format!("{answer:?}"));
            }
        }
        for answers in expected.values_mut() {
            answers.sort();
            answers.dedup();
        }
        let table: Vec<_> = expected.iter().map(|(name, answers)| format!("{name}: {}", answers.join(" "))).collect();
        assert_eq!(
            table,
            [
                "begin: Begun Busy Doubtful Moved",
                "begin to settle: Begun Busy Moved",
                "claim manually: Begun Busy Moved",
                "commit: Gone Saved Stale Superseded",
                "conclude dead: Adopted Done Moved",
                "conclude not sent: Done Moved",
                "conclude refused: Adopted Done Moved",
                "conclude unknown: Done Moved",
                "give up: Adopted Done Moved",
                "put: Moved Saved",
                "reject: Done Moved",
                "remove: Done Moved",
                "reseal: Done Moved",
            ]
        );
    }
}
