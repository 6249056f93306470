//! `closure`: what each published crate pulls in, against checked-in lists and against the rules of the architecture.
//!
//! `closure --bless` writes the lists anew; the rules hold all the same.

mod readme;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::dependency_tree::{Closure, Closures, Features};
use crate::outcome::{Failure, Outcome, count, settle};
use crate::workspace::{Package, Workspace};

const FOLDER: &str = "xtask/closure";

pub(crate) fn run(ws: &Workspace, args: &[String]) -> Outcome {
    let bless = match args {
        [] => false,
        [flag] if flag == "--bless" => true,
        _ => return Err("closure takes nothing or --bless".into()),
    };
    fs::create_dir_all(ws.root.join(FOLDER)).map_err(|error| format!("{FOLDER}: {error}"))?;
    let published = ws.published()?;
    let (mut problems, mut lists, mut counted) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
    let mut checks = rules::directions(&published, &mut problems);
    for package in &published {
        let closures = Closures {
            none: Closure::linked(ws, package, Features::None)?,
            default: Closure::linked(ws, package, Features::Default)?,
            all: Closure::linked(ws, package, Features::All)?,
        };
        for (set, closure) in [("no-default-features", &closures.none), ("default", &closures.default)] {
            let list = format!("{FOLDER}/{}.{set}.txt", package.name);
            let names = closure.names();
            if bless {
                let lines: String = names.iter().flat_map(|name| [*name, "\n"]).collect();
                fs::write(ws.root.join(&list), lines).map_err(|error| format!("{list}: {error}"))?;
            } else {
                problems.extend(compare(ws, &list, &names));
            }
            lists.insert(list);
        }
        checks += rules::hold(package, &closures, &mut problems);
        checks += readme::count_is_right(ws, package, &closures, &mut problems);
        counted.insert(package.name.as_str(), closures.none.0.len());
    }
    let is_needed = |package: &&&Package| package.is_provider() || package.is_named(&["rampauth-core"]);
    let needed: Vec<_> = published.iter().filter(is_needed).map(|package| package.name.as_str()).collect();
    checks += readme::root_is_right(ws, &counted, &needed, &mut problems);
    problems.extend(strays(ws, &lists)?);
    let verb = if bless { "written" } else { "compared" };
    settle(problems, format!("{} {verb}, {} held", count(lists.len(), "list"), count(checks, "rule")))
}

/// Both directions: a crate that came, and one that went and may go from the list.
fn compare(ws: &Workspace, list: &str, now: &BTreeSet<&str>) -> Vec<String> {
    let Ok(text) = ws.read(list) else {
        return vec![format!("{list}: missing; run `cargo xtask closure --bless` and commit it")];
    };
    let before: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let signed =
        |sign: &str, names: Vec<&&str>| names.into_iter().map(|name| format!("{sign}{name}")).collect::<Vec<_>>();
    let mut changes = signed("+", now.difference(&before).collect());
    changes.extend(signed("-", before.difference(now).collect()));
    if changes.is_empty() {
        return Vec::new();
    }
    let changes = changes.join(" ");
    vec![format!("{list}: {changes}; if that is wanted, run `cargo xtask closure --bless` and say why in the commit")]
}

/// Lists that belong to no published crate.
fn strays(ws: &Workspace, lists: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    let listing = fs::read_dir(ws.root.join(FOLDER)).map_err(|error| format!("{FOLDER}: {error}"))?;
    let files = listing.flatten().map(|entry| format!("{FOLDER}/{}", entry.file_name().to_string_lossy()));
    let strays = files.filter(|file| !lists.contains(file));
    Ok(strays.map(|file| format!("{file}: belongs to no published crate; remove it")).collect())
}
