//! The steps of `ci` that are a cargo command each.

use crate::command::{cargo, program, run};
use crate::dependency_tree::Features;
use crate::outcome::{Outcome, count};
use crate::readme;
use crate::workspace::Workspace;

pub(crate) fn fmt(ws: &Workspace, _args: &[String]) -> Outcome {
    run(&mut cargo(&ws.root, ["fmt", "--all", "--check"]))?;
    Ok(count(ws.packages.len(), "package"))
}

pub(crate) fn clippy(ws: &Workspace, _args: &[String]) -> Outcome {
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run(&mut cargo(&ws.root, args))?;
    Ok(format!("{}, all targets and features", count(ws.packages.len(), "package")))
}

/// The command that the README gives.
pub(crate) fn test(ws: &Workspace, _args: &[String]) -> Outcome {
    let commands = readme::commands(ws)?;
    let (name, args) = commands.test.split_first().ok_or("README.md: the test command is empty")?;
    run(&mut program(name, &ws.root, args))?;
    Ok(format!("`{}`", commands.test.join(" ")))
}

pub(crate) fn docs(ws: &Workspace, _args: &[String]) -> Outcome {
    let args = ["doc", "--workspace", "--no-deps", "--all-features"];
    run(cargo(&ws.root, args).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(format!("{}, no warning", count(ws.packages.len(), "package")))
}

/// Each published crate alone, with no feature, the default, each one, and all.
///
/// A build of the workspace turns on for one crate what another one asks for, so a missing feature would not show. With
/// resolver 3 a crate selected by `--package` gets what itself and its dependencies ask for and nothing more. clippy
/// instead of `cargo check`, because it can deny warnings without rebuilding the dependencies.
pub(crate) fn features(ws: &Workspace, _args: &[String]) -> Outcome {
    let (mut builds, published) = (0, ws.published()?);
    for package in &published {
        let mut sets = vec![Features::None, Features::Default];
        sets.extend(package.features.iter().map(|feature| Features::One(feature)));
        sets.push(Features::All);
        // A crate without features has one build.
        let sets = if package.features.is_empty() { &sets[..1] } else { &sets[..] };
        for set in sets {
            let mut clippy = cargo(&ws.root, ["clippy", "--quiet", "--package", &package.name]);
            // With examples and tests once: they must not take for granted what a feature brings.
            if matches!(set, Features::None) {
                clippy.arg("--all-targets");
            }
            run(clippy.args(set.args()).args(["--", "-D", "warnings"]))?;
            builds += 1;
        }
    }
    Ok(format!("{} in {}", count(published.len(), "crate"), count(builds, "build")))
}
