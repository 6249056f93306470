//! ARCHITECTURE.md's tables of a crate's files name each of them, and nothing else.

use std::collections::BTreeSet;

use super::tree::Tree;
use crate::origin::cells;

const FILE: &str = "ARCHITECTURE.md";

/// How the first column of such a table begins; the crate's folder follows.
const HEAD: &str = "file of `";

/// A folder counts as the file beside it; what lies deeper may be named and need not be.
pub(super) fn tables_name_each_file(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    let mut lines = tree.get(FILE).unwrap_or_default().lines();
    while let Some(line) = lines.next() {
        // The first cell keeps the mark within it and loses the one at its end.
        let Some(folder) = cells(line).first().and_then(|cell| cell.strip_prefix(HEAD).map(str::to_owned)) else {
            continue;
        };
        let sources = format!("{folder}/src");
        let first_cells = lines.by_ref().skip(1).map_while(first_cell);
        let named: BTreeSet<_> = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        looked_at += named.len();
        for name in &named {
            let path = format!("{sources}/{}", name.trim_end_matches('/'));
            if tree.get(&path).is_none() && !tree.has_folder(&path) {
                problems.push(format!("{FILE}: names `{name}`, which is not in {sources}; drop it"));
            }
        }
        let jobs: BTreeSet<_> = named.iter().map(|name| job(name)).collect();
        for entry in tree.entries(&sources).into_iter().filter(|entry| *entry != "lib.rs" && !jobs.contains(job(entry)))
        {
            problems.push(format!("{FILE}: the table of {folder} does not name `{entry}`; say what its job is"));
        }
    }
    looked_at
}

/// What stands before the second bar; none where the line is no row.
fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix('|')?.split('|').next()
}

/// A file and the folder beside it have one job.
fn job(name: &str) -> &str {
    name.trim_end_matches('/').trim_end_matches(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(rows: &str) -> Vec<String> {
        let text = format!(
            "# Title\n\n| file | job |\n|---|---|\n| `x.rs` | x |\n\n| file of `crates/foo` | job |\n|---|---|\n{rows}\n\n| `y.rs` | y |\n"
        );
        let paths = ["lib.rs", "a.rs", "b.rs", "b/tests.rs", "c/d.rs"].map(|file| format!("crates/foo/src/{file}"));
        let mut files: Vec<_> = paths.iter().map(|path| (path.as_str(), "")).collect();
        files.push((FILE, text.as_str()));
        let mut problems = Vec::new();
        tables_name_each_file(&Tree::of(&files), &mut problems);
        problems
    }

    #[test]
    fn a_table_names_each_file_and_folder_and_nothing_else() {
        assert_eq!(problems_of("| `a.rs`, `b.rs` | both |\n| `c/` | the rest |"), [""; 0]);
        assert_eq!(problems_of("| `a.rs`, `b.rs`, `b/tests.rs` | three |\n| `c/`, `c/d.rs` | `z.rs` |"), [""; 0]);
        for (rows, word) in [
            ("| `a.rs` | a |\n| `c/` | c |", "does not name `b"),
            ("| `a.rs`, `b.rs` | both |", "does not name `c`"),
            ("| `a.rs`, `b.rs`, `e.rs` | three |\n| `c/` | c |", "names `e.rs`"),
            ("| `a.rs`, `b.rs` | both |\n| `c/`, `c/e.rs` | c |", "names `c/e.rs`"),
        ] {
            let problems = problems_of(rows);
            assert!(!problems.is_empty() && problems.iter().all(|it| it.contains(word)), "{rows}: {problems:#?}");
        }
    }
}
