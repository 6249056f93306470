//! What may not stand in a file, and how long a source file may be.

use super::tree::Tree;

/// The longest source file, in lines: past it a file has more than one job.
const LONGEST_SOURCE: usize = 400;

// Written in pieces so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!("), concat!("#[", "ignore")];

/// References that lead out of the repository: a reader of it cannot follow them.
const OUTSIDE: [&str; 6] = [
    concat!("../", "shared"),
    concat!("/work", "/"),
    concat!("seed ", "00"),
    concat!("the ", "issue"),
    concat!("sub", "agent"),
    concat!("sub", "agents"),
];

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

/// No file points at something outside the repository.
pub(super) fn words(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (path, content) in tree.files() {
        looked_at += 1;
        for (number, line) in content.lines().enumerate() {
            let line = line.to_lowercase();
            if let Some(word) = OUTSIDE.iter().find(|word| has_word(&line, word)) {
                problems.push(format!(
                    "{path}:{}: \"{word}\" leads out of the repository; name the public page or say it in full",
                    number + 1
                ));
            }
        }
    }
    looked_at
}

/// Whether `word` stands in `line` and is not merely the start of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let mut next = line[start + word.len()..].chars();
        !(word.ends_with(char::is_alphabetic) && next.next().is_some_and(char::is_alphabetic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(
        rule: fn(&Tree, &mut Vec<String>) -> usize,
        path: &str,
        content: &str,
        looked_at: usize,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(rule(&Tree::of(&[(path, content)]), &mut problems), looked_at);
        problems
    }

    #[test]
    fn the_longest_source_is_as_long_as_it_says() {
        let path = "crates/core/src/lib.rs";
        assert_eq!(problems_of(sources, path, &"\n".repeat(LONGEST_SOURCE), 1), [""; 0]);
        assert!(
            problems_of(sources, path, &"\n".repeat(LONGEST_SOURCE + 1), 1)[0].contains("401 lines, more than 400")
        );
        assert_eq!(problems_of(sources, "README.md", &"\n".repeat(LONGEST_SOURCE + 1), 0), [""; 0]);
    }

    #[test]
    fn unfinished_code_is_found_by_line_and_prose_about_it_is_not() {
        for word in UNFINISHED {
            let problems = problems_of(sources, "tests/kit/src/lib.rs", &format!("\n    {word}x)\n"), 1);
            assert!(problems.len() == 1 && problems[0].starts_with("tests/kit/src/lib.rs:2:"), "{problems:#?}");
            assert_eq!(problems_of(sources, "xtask/src/main.rs", &format!("    /// no {word}\n"), 1), [""; 0]);
        }
    }

    #[test]
    fn a_reference_out_of_the_repository_is_found_in_any_file_and_any_case() {
        for word in OUTSIDE {
            for text in [word.to_owned(), word.to_uppercase(), format!("see {word}, there")] {
                assert_eq!(problems_of(words, "CHANGELOG.md", &text, 1).len(), 1, "{text}");
            }
        }
        let issuer = concat!("the ", "issuer of the token");
        assert_eq!(problems_of(words, "README.md", issuer, 1), [""; 0]);
    }
}
