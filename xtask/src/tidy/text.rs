//! How long a source file may be, and what may not stand in it.

use super::tree::Tree;

/// The longest source file, in lines: past it a file has more than one job.
const LONGEST_SOURCE: usize = 400;

// Written in pieces so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), concat!("#[", "ignore")];

/// Rust files are short, finished, and no test in them is skipped.
pub(super) fn sources(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let houses = ["crates/", "tests/", "xtask/"];
    let sources =
        tree.files().filter(|(path, _)| path.ends_with(".rs") && houses.iter().any(|it| path.starts_with(it)));
    let mut looked_at = 0;
    for (path, content) in sources {
        looked_at += 1;
        let lines = content.lines().count();
        if lines > LONGEST_SOURCE {
            problems.push(format!("{path}: {lines} lines, more than {LONGEST_SOURCE}; give its jobs a file each"));
        }
        for (number, line) in content.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
                problems.push(format!("{path}:{}: `{word}`; finish it", number + 1));
            }
        }
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(path: &str, content: &str, looked_at: usize) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(sources(&Tree::of(&[(path, content)]), &mut problems), looked_at);
        problems
    }

    #[test]
    fn the_longest_source_is_as_long_as_it_says() {
        let path = "crates/core/src/lib.rs";
        assert_eq!(problems_of(path, &"\n".repeat(LONGEST_SOURCE), 1), [""; 0]);
        assert!(problems_of(path, &"\n".repeat(LONGEST_SOURCE + 1), 1)[0].contains("401 lines, more than 400"));
        assert_eq!(problems_of("README.md", &"\n".repeat(LONGEST_SOURCE + 1), 0), [""; 0]);
    }

    #[test]
    fn unfinished_code_is_found_by_line_and_prose_about_it_is_not() {
        for word in UNFINISHED {
            let problems = problems_of("tests/kit/src/lib.rs", &format!("\n    {word}x)\n"), 1);
            assert!(problems.len() == 1 && problems[0].starts_with("tests/kit/src/lib.rs:2:"), "{problems:#?}");
            assert_eq!(problems_of("xtask/src/main.rs", &format!("    /// no {word}\n"), 1), [""; 0]);
        }
    }
}
