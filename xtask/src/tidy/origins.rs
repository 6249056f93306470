//! Every vector says where it comes from: `ORIGIN.md` beside the cases names each of them, and nothing else.

use std::collections::BTreeSet;

use super::tree::Tree;
use crate::origin;
use crate::workspace::is_provider;

pub(super) fn stated(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for crate_folder in tree.folders("crates") {
        let folder = format!("{crate_folder}/tests/vectors");
        if !tree.has_folder(&folder) {
            if is_provider(&crate_folder) {
                problems.push(format!("{folder}: missing; every provider is proven by vectors"));
            }
            continue;
        }
        let file = format!("{folder}/ORIGIN.md");
        let rows = match tree.get(&file).map(origin::table) {
            None => {
                problems.push(format!("{file}: missing; say where the vectors come from, with a row for each case"));
                continue;
            }
            Some(Err(problem)) => {
                problems.push(format!("{file}: {problem}"));
                continue;
            }
            Some(Ok(rows)) => rows,
        };
        let folders = tree.folders(&folder);
        let cases: BTreeSet<_> = folders.iter().filter_map(|case| case.rsplit('/').next()).collect();
        let named: BTreeSet<_> = rows.iter().map(|row| row.case.as_str()).collect();
        looked_at += cases.len();
        for case in cases.difference(&named) {
            problems.push(format!("{folder}/{case}: {file} does not say where it comes from; add a row"));
        }
        for case in named.difference(&cases) {
            problems.push(format!("{file}: names `{case}`, which has no files; add them or drop the row"));
        }
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| case | signed bytes | algorithm | key |\n|---|---|---|---|\n| `one` | `m` | HS256 | `k` |\n";

    fn problems_of(origin: Option<&str>, cases: &[&str]) -> Vec<String> {
        let mut files = Vec::new();
        files.extend(origin.map(|text| ("crates/alix/tests/vectors/ORIGIN.md".to_owned(), text)));
        files.extend(cases.iter().map(|case| (format!("crates/alix/tests/vectors/{case}/m"), "")));
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let mut problems = Vec::new();
        stated(&Tree::of(&files), &mut problems);
        problems
    }

    #[test]
    fn every_case_has_its_row_and_every_row_its_case() {
        assert_eq!(problems_of(Some(TABLE), &["one"]), [""; 0]);
        for (origin, cases, word) in [
            (None, &["one"][..], "ORIGIN.md: missing"),
            (Some("# Vectors\n"), &["one"], "no table"),
            (Some(TABLE), &["one", "two"], "vectors/two: "),
            (Some(TABLE), &[], "names `one`"),
        ] {
            let problems = problems_of(origin, cases);
            assert!(problems.len() == 1 && problems[0].contains(word), "{word}: {problems:#?}");
        }
    }

    #[test]
    fn a_provider_without_vectors_is_named() {
        let mut problems = Vec::new();
        assert_eq!(
            stated(&Tree::of(&[("crates/core/src/lib.rs", ""), ("crates/foo/src/lib.rs", "")]), &mut problems),
            0
        );
        assert!(problems.len() == 1 && problems[0].contains("crates/foo/tests/vectors: missing"), "{problems:#?}");
    }
}
