//! Links from one Markdown file of the repository to another file of it.

use super::tree::Tree;

/// Every relative link leads to a file or folder that there is.
pub(super) fn lead_somewhere(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (path, content) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(content).into_iter().filter(|(_, target)| is_relative(target)) {
            looked_at += 1;
            let file = target.split(['#', '?']).next().unwrap_or_default();
            let there = resolve(path, file).is_some_and(|file| tree.get(&file).is_some() || tree.has_folder(&file));
            if !there {
                problems.push(format!("{path}:{line}: the link to `{target}` leads nowhere"));
            }
        }
    }
    looked_at
}

/// The targets of `[text](target)` and `[text]: target` outside of code, with their lines.
fn links(content: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let definition = prose.split_once("]: ").filter(|(name, _)| name.starts_with('[')).map(|(_, target)| target);
        let targets = inline.chain(definition.and_then(|target| target.split_whitespace().next()));
        found.extend(targets.map(|target| (number + 1, target.to_owned())));
    }
    found
}

/// Not on the web, not in the same file, and not a path of Rust's, which rustdoc checks.
fn is_relative(target: &str) -> bool {
    !target.is_empty() && !target.contains("::") && !target.contains(':') && !target.starts_with('#')
}

/// The target as a path from the root; `None` when it leads out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str, looked_at: usize) -> Vec<String> {
        let files = [("crates/a/README.md", text), ("crates/a/src/lib.rs", ""), ("SECURITY.md", "")];
        let mut problems = Vec::new();
        assert_eq!(lead_somewhere(&Tree::of(&files), &mut problems), looked_at, "{text}");
        problems
    }

    #[test]
    fn files_and_folders_of_the_repository_are_found() {
        for text in [
            "[a](src/lib.rs)",
            "[a](./src)",
            "see [a](../../SECURITY.md#keys), [`b`](/crates/../src/) and\n\n[c]: ../a/README.md \"title\"",
        ] {
            assert_eq!(problems_of(text, text.matches("](").count() + text.matches("]:").count()), [""; 0]);
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named_by_line() {
        let nowhere = |target: &str| format!("crates/a/README.md:2: the link to `{target}` leads nowhere");
        for target in ["lib.rs", "../SECURITY.md", "../../../SECURITY.md", "src/lib", "README.md/x"] {
            assert_eq!(problems_of(&format!("\n[a]({target})"), 1), [nowhere(target)]);
            assert_eq!(problems_of(&format!("\n[a]: {target}"), 1), [nowhere(target)]);
        }
        assert_eq!(problems_of("\n[a](src) [b](nowhere)", 2), [nowhere("nowhere")]);
    }

    #[test]
    fn what_is_not_a_file_of_ours_is_left_alone() {
        let text = "[a](https://example.com/x) [b](#there) [c](crate::Thing) `[d](nowhere)`\n```md\n[e](nowhere)\n```\n[f]: mailto:x@y";
        assert_eq!(problems_of(text, 0), [""; 0]);
    }
}
