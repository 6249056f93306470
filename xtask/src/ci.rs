//! `ci`: every check in order, the quick ones first. It stops at the first that fails.

use std::time::{Duration, Instant};

use crate::check::Check;
use crate::outcome::{Failure, Outcome, count};
use crate::workspace::Workspace;
use crate::{api, closure, demo, msrv, package, steps, tidy, vectors};

const STEPS: [(&str, Check); 12] = [
    ("fmt", steps::fmt),
    ("clippy", steps::clippy),
    ("tidy", tidy::run),
    ("closure", closure::run),
    ("vectors", vectors::run),
    ("msrv", msrv::run),
    ("test", steps::test),
    ("docs", steps::docs),
    ("features", steps::features),
    ("api", api::run),
    ("package", package::run),
    ("demo", demo::run),
];

/// Nothing, `--from STEP` or `--only STEP`.
pub(crate) fn run(ws: &Workspace, args: &[String]) -> Outcome {
    let steps = chosen(args)?;
    let mut table = Vec::new();
    for (name, check) in steps {
        eprintln!("\n=== {name}");
        let started = now();
        let outcome = check(ws, &[]);
        let took = started.elapsed();
        let line = outcome.as_ref().map_or_else(|failure| count(failure.0.len(), "problem"), Clone::clone);
        table.push(row(name, took, &line));
        if let Err(failure) = outcome {
            summary(&table);
            failure.print(name);
            return Err(format!("stopped at `{name}`; mend it and go on with `cargo xtask ci --from {name}`").into());
        }
    }
    summary(&table);
    Ok(format!("{} passed", count(table.len(), "step")))
}

fn chosen(args: &[String]) -> Result<&'static [(&'static str, Check)], Failure> {
    let place = |step: &str| {
        let names = STEPS.map(|(name, _)| name);
        let known = names.iter().position(|name| *name == step);
        known.ok_or_else(|| Failure::from(format!("no step `{step}`; the steps are {}", names.join(", "))))
    };
    match args {
        [] => Ok(&STEPS),
        [flag, step] if flag == "--from" => place(step).map(|first| &STEPS[first..]),
        [flag, step] if flag == "--only" => place(step).map(|only| &STEPS[only..=only]),
        _ => Err("ci takes nothing, `--from STEP` or `--only STEP`".into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is for people; nothing depends on it")]
fn now() -> Instant {
    Instant::now()
}

fn row(name: &str, took: Duration, line: &str) -> String {
    format!("{name:<9} {:>7.1} s  {line}", took.as_secs_f64())
}

fn summary(table: &[String]) {
    println!("\n{}", table.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Option<Vec<&'static str>> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        chosen(&args).ok().map(|steps| steps.iter().map(|(name, _)| *name).collect())
    }

    #[test]
    fn steps_are_chosen_by_name() {
        assert_eq!(names(&[]).map(|it| it.len()), Some(STEPS.len()));
        assert_eq!(names(&["--from", "package"]), Some(vec!["package", "demo"]));
        assert_eq!(names(&["--only", "tidy"]), Some(vec!["tidy"]));
        assert_eq!((names(&["--only", "nothing"]), names(&["--only"]), names(&["tidy"])), (None, None, None));
    }
}
