//! The READMEs as the registry shows them: how to install first, code that fits its page, and no line that rustdoc alone hides.

use super::tree::Tree;

/// The longest line of code, in characters: the registry's page cuts more than that in a window of 1280 pixels.
const LONGEST_CODE: usize = 90;

/// The language of what a program prints: it is as wide as the program makes it.
const OUTPUT: &str = "text";

/// One line of a fenced block.
struct Code<'a> {
    number: usize,
    language: &'a str,
    text: &'a str,
}

/// The README of the root, and that of each published crate.
pub(super) fn fit_their_page(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (path, content) in tree.files() {
        let Some(folder) = path.strip_suffix("README.md") else { continue };
        let of_a_crate = folder.strip_prefix("crates/").is_some_and(|rest| rest.matches('/').count() == 1);
        if !of_a_crate && !folder.is_empty() {
            continue;
        }
        looked_at += 1;
        let code = code(content);
        for Code { number, language, text } in &code {
            let length = text.chars().count();
            if *language != OUTPUT && length > LONGEST_CODE {
                problems.push(format!("{path}:{number}: {length} columns of code, more than {LONGEST_CODE}"));
            }
            if language.starts_with("rust") && (text.trim() == "#" || text.trim_start().starts_with("# ")) {
                problems.push(format!("{path}:{number}: the registry's page shows this hidden line; write it out"));
            }
        }
        let installs = |line: &Code<'_>| ["cargo add ", "cargo install "].iter().any(|it| line.text.starts_with(it));
        if of_a_crate && !code.first().is_some_and(installs) {
            problems.push(format!("{path}: begin its first block of code with `cargo add` or `cargo install`"));
        }
    }
    looked_at
}

fn code(content: &str) -> Vec<Code<'_>> {
    let (mut found, mut inside) = (Vec::new(), None);
    for (number, text) in content.lines().enumerate() {
        match (text.trim_start().strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(language), None) => inside = Some(language.trim()),
            (None, Some(language)) => found.push(Code { number: number + 1, language, text }),
            (None, None) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALL: &str = "# foo\n\n```sh\ncargo add foo\n```\n";

    fn problems_of(path: &str, content: &str) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(fit_their_page(&Tree::of(&[(path, content)]), &mut problems), 1);
        problems
    }

    #[test]
    fn code_is_as_wide_as_the_page_and_output_as_wide_as_it_is() {
        let block = |language: &str, width: usize| format!("{INSTALL}\n```{language}\n{}\n```\n", "é".repeat(width));
        for language in ["rust", "rust,no_run", "json", "toml", "sh", ""] {
            assert_eq!(problems_of("crates/foo/README.md", &block(language, LONGEST_CODE)), [""; 0]);
            let problems = problems_of("crates/foo/README.md", &block(language, LONGEST_CODE + 1));
            assert_eq!(problems, ["crates/foo/README.md:8: 91 columns of code, more than 90"], "{language}");
        }
        assert_eq!(problems_of("README.md", &block("text", 140)), [""; 0]);
        assert_eq!(problems_of("README.md", &"prose ".repeat(20)), [""; 0]);
    }

    #[test]
    fn a_hidden_line_is_named_and_an_attribute_or_a_comment_is_none() {
        for (language, line, found) in [
            ("rust", "# use foo::Bar;", 1),
            ("rust,no_run", "    # }", 1),
            ("rust", "#", 1),
            ("rust", "#[derive(Debug)]", 0),
            ("rust", "#![allow(unused)]", 0),
            ("sh", "# a comment", 0),
            ("toml", "# a comment", 0),
        ] {
            let content = format!("{INSTALL}\n```{language}\n{line}\n```\n");
            assert_eq!(problems_of("crates/foo/README.md", &content).len(), found, "{language}: {line}");
        }
    }

    #[test]
    fn a_crate_says_first_how_it_is_installed() {
        for (first, found) in [("cargo add foo", 0), ("cargo install foo", 0), ("cargo run", 1), ("let x = 1;", 1)] {
            let content = format!("# foo\n\n```sh\n{first}\n```\n");
            assert_eq!(problems_of("crates/foo/README.md", &content).len(), found, "{first}");
        }
        assert_eq!(problems_of("crates/foo/README.md", "# foo\n").len(), 1);
        assert_eq!(problems_of("README.md", "# foo\n"), [""; 0]);
    }

    #[test]
    fn other_readmes_are_not_shown_there() {
        for path in ["tests/bench-peers/README.md", "crates/foo/tests/README.md", "crates/README.md"] {
            assert_eq!(fit_their_page(&Tree::of(&[(path, "# foo\n")]), &mut Vec::new()), 0, "{path}");
        }
    }
}
