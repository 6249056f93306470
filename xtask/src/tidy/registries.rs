//! Everything comes from crates.io: no manifest, lock file or configuration of cargo's names another source.

use toml::Value;

use super::manifests::dependencies;
use super::tree::Tree;

/// How a lock file writes crates.io.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// How cargo's configuration says that it is to look elsewhere.
const OVERRIDES: [&str; 5] = ["registries", "registry", "source", "patch", "paths"];

pub(super) fn only_one(tree: &Tree, problems: &mut Vec<String>) -> usize {
    for (path, _) in tree.files().filter(|(path, _)| is_cargo_config(path)) {
        let config = tree.toml(path, problems);
        for table in OVERRIDES.into_iter().filter(|table| config.contains_key(*table)) {
            problems.push(format!("{path}: drop `{table}`; that belongs into a machine's own configuration"));
        }
    }
    let mut manifests = tree.members(problems);
    let root = tree.toml("Cargo.toml", problems);
    manifests.push((".".to_owned(), root.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default()));
    for (folder, manifest) in &manifests {
        for (name, dependency) in dependencies(manifest) {
            if let Some(key) =
                ["git", "registry", "registry-index"].into_iter().find(|key| dependency.get(key).is_some())
            {
                problems.push(format!(
                    "{folder}/Cargo.toml: `{name}` has `{key}`; only crates.io can be published against"
                ));
            }
        }
    }
    if root.contains_key("patch") || root.contains_key("replace") {
        problems
            .push("Cargo.toml: drop [patch] and [replace]; users of the published crates do not have them".to_owned());
    }
    locked(tree, problems)
}

/// In any folder, under either of the names that cargo reads.
fn is_cargo_config(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    matches!((parts.next(), parts.next()), (Some("config.toml" | "config"), Some(".cargo")))
}

/// Every lock file, those of folders that are a workspace of their own included.
fn locked(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (path, _) in tree.files().filter(|(path, _)| path.rsplit('/').next() == Some("Cargo.lock")) {
        let lock = tree.toml(path, problems);
        let packages = lock.get("package").and_then(Value::as_array).map_or(&[][..], |packages| packages);
        for package in packages {
            let source = package.get("source").and_then(Value::as_str);
            if source.is_some_and(|source| source != CRATES_IO) {
                let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
                problems.push(format!("{path}: `{name}` does not come from crates.io; depend on a published version"));
            }
        }
        looked_at += packages.len();
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(changed: (&str, &str)) -> Vec<String> {
        let lock = format!("[[package]]\nname = \"a\"\n[[package]]\nname = \"b\"\nsource = \"{CRATES_IO}\"\n");
        let mut files = vec![("Cargo.toml", "[workspace]\nmembers = []\n"), ("Cargo.lock", lock.as_str())];
        files.retain(|(path, _)| *path != changed.0);
        files.push(changed);
        let mut problems = Vec::new();
        only_one(&Tree::of(&files), &mut problems);
        problems
    }

    #[test]
    fn crates_io_is_fine_and_any_other_source_is_named() {
        assert_eq!(problems_of((".cargo/config.toml", "[alias]\nx = \"run\"\n")), [""; 0]);
        for (path, content) in [
            ("Cargo.lock", "[[package]]\nname = \"a\"\nsource = \"git+https://example.org/a\"\n"),
            ("tests/b/Cargo.lock", "[[package]]\nname = \"a\"\nsource = \"git+https://example.org/a\"\n"),
            (
                "Cargo.toml",
                "[workspace]\nmembers = []\n[workspace.dependencies]\na = { git = \"https://example.org/a\" }\n",
            ),
            ("Cargo.toml", "[workspace]\nmembers = []\n[patch.crates-io]\na = { path = \"a\" }\n"),
            (".cargo/config.toml", "[source.mirror]\nlocal-registry = \"m\"\n"),
            ("tests/b/.cargo/config", "[registries.other]\nindex = \"https://example.org/index\"\n"),
            (".cargo/config.toml", "paths = [\"../a\"]\n"),
            (".cargo/config.toml", "[patch.crates-io]\na = { path = \"a\" }\n"),
            (".cargo/config.toml", "[registry]\ndefault = \"other\"\n"),
        ] {
            let problems = problems_of((path, content));
            assert_eq!(problems.len(), 1, "{path} {content}: {problems:#?}");
        }
    }
}
