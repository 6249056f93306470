//! Every provider crate has the same files: who knows one knows all.

use super::tree::Tree;
use crate::workspace::is_provider;

const ALWAYS: [&str; 6] = ["client", "config", "error", "lib", "token", "wire"];

/// Where the provider has them.
const SOMETIMES: [&str; 2] = ["sign", "webhook"];

/// What else may be wrong.
const OR_NONE: &str = " (a crate that is no provider is named in xtask/src/workspace.rs)";

/// A larger job may be a folder of the same name, with or without a file beside it.
pub(super) fn same_files(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for provider in tree.folders("crates").into_iter().filter(|folder| is_provider(folder)) {
        let folder = format!("{provider}/src");
        let entries = tree.entries(&folder);
        looked_at += entries.len();
        let jobs: Vec<_> = entries.iter().map(|entry| entry.strip_suffix(".rs").unwrap_or(entry)).collect();
        for job in ALWAYS {
            if !jobs.contains(&job) {
                problems.push(format!("{folder}/{job}.rs: missing; every provider has it{OR_NONE}"));
            }
        }
        for (entry, job) in entries.iter().zip(&jobs) {
            if !ALWAYS.contains(job) && !SOMETIMES.contains(job) {
                problems.push(format!(
                    "{folder}/{entry}: no provider has such a file; move it into a folder named after the job it is part \
                     of ({}, {})",
                    ALWAYS.join(", "),
                    SOMETIMES.join(", ")
                ));
            }
        }
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(change: impl Fn(&str) -> Option<String>) -> Tree {
        let paths = ["alix", "onboard", "payby", "transak"]
            .iter()
            .flat_map(|it| ALWAYS.map(|job| format!("crates/{it}/src/{job}.rs")));
        let paths: Vec<_> = paths.filter_map(|path| change(&path)).collect();
        Tree::of(&paths.iter().map(|path| (path.as_str(), "")).collect::<Vec<_>>())
    }

    fn problems_of(tree: &Tree) -> Vec<String> {
        let mut problems = Vec::new();
        same_files(tree, &mut problems);
        problems
    }

    #[test]
    fn the_common_files_are_fine_and_a_folder_counts_as_its_file() {
        assert_eq!(problems_of(&tree(|path| Some(path.to_owned()))), [""; 0]);
        let folder = |path: &str| Some(path.replace("payby/src/wire.rs", "payby/src/wire/answer.rs"));
        assert_eq!(problems_of(&tree(folder)), [""; 0]);
    }

    #[test]
    fn a_missing_and_a_foreign_file_are_named() {
        let missing = |path: &str| (path != "crates/onboard/src/token.rs").then(|| path.to_owned());
        assert!(problems_of(&tree(missing))[0].starts_with("crates/onboard/src/token.rs: missing"));
        let renamed = |path: &str| Some(path.replace("transak/src/wire.rs", "transak/src/util.rs"));
        let problems = problems_of(&tree(renamed));
        assert!(
            problems.len() == 2 && problems[1].starts_with("crates/transak/src/util.rs: no provider"),
            "{problems:#?}"
        );
    }

    #[test]
    fn a_new_crate_is_a_provider_whose_every_file_is_missing() {
        let problems = problems_of(&Tree::of(&[("crates/foo/src/lib.rs", ""), ("crates/store-foo/src/lib.rs", "")]));
        assert_eq!(problems.len(), ALWAYS.len() - 1, "{problems:#?}");
        assert!(problems.iter().all(|problem| problem.starts_with("crates/foo/src/")), "{problems:#?}");
    }
}
