//! `tidy`: what the layout of the repository promises, read from its files alone.
//!
//! A rule looks at the files in memory and says what is wrong; it also says how many things it looked at, because a rule
//! that finds nothing to look at has lost its subject and must fail.

mod architecture;
mod circles;
mod links;
mod manifests;
mod origins;
mod providers;
mod published;
mod readmes;
mod registries;
mod text;
mod tree;

use std::collections::BTreeSet;

use tree::Tree;

use crate::outcome::{Outcome, count, settle};
use crate::workspace::Workspace;

struct Rule {
    /// What is counted, in the singular.
    subject: &'static str,
    check: fn(&Tree, &mut Vec<String>) -> usize,
}

const RULES: [Rule; 13] = [
    Rule { subject: "manifest", check: manifests::inherit },
    Rule { subject: "dependency", check: manifests::versions_stand_at_the_root },
    Rule { subject: "shared version", check: manifests::shared_versions },
    Rule { subject: "shared dependency", check: manifests::shared_are_used },
    Rule { subject: "published crate", check: published::complete },
    Rule { subject: "front page", check: readmes::fit_their_page },
    Rule { subject: "provider file", check: providers::same_files },
    Rule { subject: "vector case", check: origins::stated },
    Rule { subject: "source file", check: text::sources },
    Rule { subject: "tabled file", check: architecture::tables_name_each_file },
    Rule { subject: "import", check: circles::none },
    Rule { subject: "link", check: links::lead_somewhere },
    Rule { subject: "locked package", check: registries::only_one },
];

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    check(&Tree::load(&ws.root)?)
}

fn check(tree: &Tree) -> Outcome {
    let (mut problems, mut looked_at) = (Vec::new(), Vec::new());
    for rule in &RULES {
        let number = (rule.check)(tree, &mut problems);
        if number == 0 {
            problems.push(format!("no {} was found to look at: the rule or the layout has moved", rule.subject));
        }
        looked_at.push(count(number, rule.subject));
    }
    // Several rules read the same manifest and stumble over the same thing.
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert(problem.clone()));
    settle(problems, looked_at.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_fails_every_rule() {
        let failure = check(&Tree::of(&[])).expect_err("nothing to look at");
        let blind = failure.0.iter().filter(|problem| problem.contains("was found to look at"));
        assert_eq!(blind.count(), RULES.len(), "{:#?}", failure.0);
    }
}
