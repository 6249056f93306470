//! A published crate carries its front page, its history and the licences, and packages what it names and nothing else.

use toml::Value;

use super::tree::Tree;
use crate::workspace::is_provider;

const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// What every `include` list names.
const INCLUDED: [&str; 4] = ["src/**", "README.md", "CHANGELOG.md", "LICENSE-*"];

pub(super) fn complete(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let members = tree.members(problems);
    let published: Vec<_> = members.iter().filter(|(folder, _)| folder.starts_with("crates/")).collect();
    for (folder, manifest) in &published {
        for page in ["README.md", "CHANGELOG.md"] {
            if tree.get(&format!("{folder}/{page}")).is_none_or(|content| content.trim().is_empty()) {
                problems.push(format!("{folder}/{page}: missing or empty; every published crate has one"));
            }
        }
        for licence in LICENCES {
            let text = tree.get(&format!("{folder}/{licence}"));
            if text.is_none() || text != tree.get(licence) {
                problems.push(format!(
                    "{folder}/{licence}: not the root's text; run `ln -s ../../{licence} {folder}/{licence}`"
                ));
            }
        }
        let field = |name: &str| manifest.get("package").and_then(|package| package.get(name));
        if field("description").and_then(Value::as_str).is_none_or(str::is_empty) {
            problems.push(format!("{folder}/Cargo.toml: no `description`; crates.io takes no crate without one"));
        }
        let include = field("include").and_then(Value::as_array);
        let included: Vec<_> = include.into_iter().flatten().filter_map(Value::as_str).collect();
        for needed in INCLUDED {
            if !included.contains(&needed) {
                problems.push(format!("{folder}/Cargo.toml: `include` does not name \"{needed}\""));
            }
        }
        if is_provider(folder) && !tree.files().any(|(path, _)| is_example(path, folder)) {
            problems.push(format!("{folder}/examples: missing; every provider shows how it is used"));
        }
    }
    published.len()
}

fn is_example(path: &str, folder: &str) -> bool {
    path.ends_with(".rs") && path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("/examples/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 9] = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("LICENSE-APACHE", "apache"),
        ("LICENSE-MIT", "mit"),
        (
            "crates/foo/Cargo.toml",
            "[package]\ndescription = \"d\"\ninclude = [\"src/**\", \"README.md\", \"CHANGELOG.md\", \"LICENSE-*\"]\n",
        ),
        ("crates/foo/README.md", "read"),
        ("crates/foo/CHANGELOG.md", "changes"),
        ("crates/foo/LICENSE-APACHE", "apache"),
        ("crates/foo/LICENSE-MIT", "mit"),
        ("crates/foo/examples/refresh.rs", "fn main() {}"),
    ];

    fn problems_of(files: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(complete(&Tree::of(files), &mut problems), 1);
        problems
    }

    #[test]
    fn a_complete_crate_is_fine_and_each_missing_file_is_named() {
        assert_eq!(problems_of(&FILES), [""; 0]);
        for missing in &FILES[4..] {
            let rest: Vec<_> = FILES.into_iter().filter(|file| file != missing).collect();
            let problems = problems_of(&rest);
            let folder = missing.0.trim_end_matches("/refresh.rs");
            assert!(problems.len() == 1 && problems[0].starts_with(folder), "{folder}: {problems:#?}");
        }
    }

    #[test]
    fn a_licence_that_drifted_and_an_include_list_with_a_gap_are_named() {
        let mut drifted = FILES;
        drifted[7].1 = "mit, but";
        assert!(problems_of(&drifted)[0].contains("not the root's text"));
        for needed in INCLUDED {
            let manifest = FILES[3].1.replace(&format!("\"{needed}\""), "\"x\"");
            let mut files = FILES;
            files[3].1 = &manifest;
            let problems = problems_of(&files);
            assert!(problems.len() == 1 && problems[0].contains(needed), "{needed}: {problems:#?}");
        }
        let mut none = FILES;
        none[3].1 = "[package]\n";
        assert_eq!(problems_of(&none).len(), INCLUDED.len() + 1, "the description too");
    }
}
