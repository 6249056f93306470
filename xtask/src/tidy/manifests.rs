//! Manifests inherit from the workspace, versions stand at the root alone, and `crates/` is what is published.

use toml::{Table, Value};

use super::tree::Tree;

const INHERITED: [&str; 5] = ["edition", "rust-version", "license", "repository", "authors"];
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Every package takes the shared fields and the lints from the workspace, and is published exactly if it is in `crates/`.
pub(super) fn inherit(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let members = tree.members(problems);
    for (folder, manifest) in &members {
        let file = format!("{folder}/Cargo.toml");
        let package = manifest.get("package");
        for field in INHERITED {
            if !is_true(package.and_then(|it| it.get(field)), "workspace") {
                problems.push(format!("{file}: write `{field}.workspace = true`"));
            }
        }
        if !is_true(manifest.get("lints"), "workspace") {
            problems.push(format!("{file}: write `[lints]` with `workspace = true`"));
        }
        let kept_back = package.and_then(|it| it.get("publish")) == Some(&Value::Boolean(false));
        let released = package.and_then(|it| it.get("metadata")?.get("release")?.get("release"));
        match (folder.starts_with("crates/"), kept_back) {
            (true, true) => problems.push(format!("{file}: `crates/` is what is published; move it to `tests/`")),
            (false, false) => problems.push(format!("{file}: only `crates/` is published; write `publish = false`")),
            (false, true) if released != Some(&Value::Boolean(false)) => problems.push(format!(
                "{file}: write `[package.metadata.release]` with `release = false`, or `cargo release` takes it along"
            )),
            _ => {}
        }
        // Derive macros emit `::core::…` paths, which such a package would capture.
        let library = manifest.get("lib").and_then(|it| it.get("name"));
        let names = [package.and_then(|it| it.get("name")), library];
        if names.into_iter().flatten().any(|name| name.as_str() == Some("core")) {
            problems.push(format!("{file}: a package or library must not be named `core`; rename it"));
        }
    }
    members.len()
}

/// A member names what it depends on and says `workspace = true`; version, path and source stand at the root.
pub(super) fn versions_stand_at_the_root(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (folder, manifest) in tree.members(problems) {
        let file = format!("{folder}/Cargo.toml");
        for (name, dependency) in dependencies(&manifest) {
            looked_at += 1;
            if name == "core" {
                problems.push(format!("{file}: a dependency must not be named `core`; rename it"));
            }
            // A package that turns on its own features for its tests names itself by path, without a version.
            let itself =
                dependency.get("path").and_then(Value::as_str) == Some(".") && dependency.get("version").is_none();
            if !itself && !is_true(Some(dependency), "workspace") {
                problems.push(format!(
                    "{file}: `{name}` does not say `workspace = true`; declare it in the root's [workspace.dependencies]"
                ));
            }
        }
    }
    looked_at
}

/// At the root: what comes from outside has its default features off; what is only for tests has no version, because
/// packaging a crate keeps a dev-dependency that has one, and then looks for it on crates.io.
pub(super) fn shared_versions(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let root = tree.toml("Cargo.toml", problems);
    let Some(shared) = root.get("workspace").and_then(|it| it.get("dependencies")).and_then(Value::as_table) else {
        return 0;
    };
    for (name, dependency) in shared {
        let has_version = dependency.is_str() || dependency.get("version").is_some();
        let path = dependency.get("path").and_then(Value::as_str);
        if path.is_none_or(|path| path.starts_with("crates/")) {
            if !has_version {
                problems.push(format!("Cargo.toml: `{name}` has no version; its users could not be published"));
            }
            if dependency.get("default-features") != Some(&Value::Boolean(false)) {
                problems.push(format!(
                    "Cargo.toml: `{name}` lacks `default-features = false`; a crate turns on what it uses"
                ));
            }
        } else if has_version {
            problems.push(format!("Cargo.toml: `{name}` is for tests alone; drop its version"));
        }
    }
    shared.len()
}

/// At the root: every entry is some member's dependency.
pub(super) fn shared_are_used(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let root = tree.toml("Cargo.toml", problems);
    let shared = root.get("workspace").and_then(|it| it.get("dependencies")).and_then(Value::as_table);
    let members = tree.members(problems);
    let is_used = |name: &str| members.iter().any(|(_, it)| dependencies(it).iter().any(|(used, _)| *used == name));
    let unused = shared.into_iter().flatten().filter(|(name, _)| !is_used(name));
    problems.extend(unused.map(|(name, _)| format!("Cargo.toml: no member depends on `{name}`; drop it")));
    shared.map_or(0, Table::len)
}

/// Every entry of every dependency table, those under `[target.…]` included.
pub(super) fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = std::iter::once(manifest).chain(targets.filter_map(|(_, target)| target.as_table()));
    let sections = tables.flat_map(|table| DEPENDENCY_TABLES.map(|section| table.get(section)));
    let entries = sections.flatten().filter_map(Value::as_table).flatten();
    entries.map(|(name, dependency)| (name.as_str(), dependency)).collect()
}

fn is_true(value: Option<&Value>, key: &str) -> bool {
    value.and_then(|value| value.get(key)) == Some(&Value::Boolean(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace]\nmembers = [\"crates/*\", \"xtask\"]\n";
    const GOOD: &str = "[package]\nname = \"rampauth-a\"\nedition.workspace = true\nrust-version.workspace = true\n\
        license.workspace = true\nrepository.workspace = true\nauthors.workspace = true\n[lints]\nworkspace = true\n";

    fn problems_of(
        rule: fn(&Tree, &mut Vec<String>) -> usize,
        files: &[(&str, &str)],
        looked_at: usize,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(rule(&Tree::of(files), &mut problems), looked_at);
        problems
    }

    #[test]
    fn a_manifest_that_inherits_is_fine_and_each_missing_field_is_named() {
        let good = [("Cargo.toml", ROOT), ("crates/a/Cargo.toml", GOOD)];
        let missing = ["xtask/Cargo.toml: missing"];
        // `xtask` is listed as a member and has no manifest: every field of it is reported too.
        assert_eq!(problems_of(inherit, &good, 2)[..1], missing);
        for field in INHERITED {
            let broken = GOOD.replace(&format!("{field}.workspace = true"), &format!("{field} = \"x\""));
            let root = "[workspace]\nmembers = [\"crates/a\"]\n";
            let files = [("Cargo.toml", root), ("crates/a/Cargo.toml", broken.as_str())];
            let expected = format!("crates/a/Cargo.toml: write `{field}.workspace = true`");
            assert_eq!(problems_of(inherit, &files, 1), [expected]);
        }
    }

    #[test]
    fn the_house_decides_what_is_published() {
        let unpublished = GOOD.replace("[lints]", "publish = false\n[lints]");
        let root = "[workspace]\nmembers = [\"crates/a\", \"tests/b\"]\n";
        let files = [("Cargo.toml", root), ("crates/a/Cargo.toml", &*unpublished), ("tests/b/Cargo.toml", GOOD)];
        let problems = problems_of(inherit, &files, 2);
        assert_eq!(problems.len(), 2, "{problems:#?}");
        assert!(problems[0].contains("move it to `tests/`") && problems[1].contains("write `publish = false`"));
    }

    #[test]
    fn what_is_not_published_is_not_released() {
        let root = "[workspace]\nmembers = [\"tests/b\"]\n";
        let kept_back = GOOD.replace("[lints]", "publish = false\n[lints]");
        for (release, found) in [("", 1), ("release = true", 1), ("release = false", 0)] {
            let manifest = format!("{kept_back}[package.metadata.release]\n{release}\n");
            let problems = problems_of(inherit, &[("Cargo.toml", root), ("tests/b/Cargo.toml", &*manifest)], 1);
            assert_eq!(problems.len(), found, "{release}: {problems:#?}");
        }
        assert_eq!(problems_of(inherit, &[("Cargo.toml", root), ("tests/b/Cargo.toml", &*kept_back)], 1).len(), 1);
    }

    #[test]
    fn core_is_no_name() {
        let root = "[workspace]\nmembers = [\"crates/a\"]\n";
        let package = GOOD.replace("rampauth-a", "core");
        let library = format!("{GOOD}[lib]\nname = \"core\"\n");
        for manifest in [package, library] {
            let problems = problems_of(inherit, &[("Cargo.toml", root), ("crates/a/Cargo.toml", &manifest)], 1);
            assert!(problems.len() == 1 && problems[0].contains("must not be named `core`"), "{problems:#?}");
        }
        let renamed = format!("{GOOD}[dependencies]\ncore = {{ workspace = true }}\n");
        let files = [("Cargo.toml", root), ("crates/a/Cargo.toml", &*renamed)];
        assert_eq!(problems_of(versions_stand_at_the_root, &files, 1).len(), 1);
    }

    #[test]
    fn a_version_outside_the_root_is_found_in_every_table() {
        let root = "[workspace]\nmembers = [\"crates/a\"]\n";
        for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
            for entry in ["\"1.0\"", "{ version = \"1.0\" }", "{ path = \"../b\" }"] {
                let manifest = format!("{GOOD}[{table}]\nbytes = {entry}\nhttp.workspace = true\n");
                let files = [("Cargo.toml", root), ("crates/a/Cargo.toml", &*manifest)];
                let problems = problems_of(versions_stand_at_the_root, &files, 2);
                assert!(problems.len() == 1 && problems[0].contains("`bytes`"), "{table} {entry}: {problems:#?}");
            }
        }
    }

    #[test]
    fn a_shared_dependency_that_nobody_uses_is_named() {
        let root = "[workspace]\nmembers = [\"crates/a\"]\n[workspace.dependencies]\nbytes = \"1\"\nhttp = \"1\"\n";
        let with = |manifest: String| {
            let files = [("Cargo.toml", root), ("crates/a/Cargo.toml", &*manifest)];
            problems_of(shared_are_used, &files, 2)
        };
        let unused = |name: &str| format!("Cargo.toml: no member depends on `{name}`; drop it");
        assert_eq!(with(GOOD.to_owned()), [unused("bytes"), unused("http")]);
        for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
            assert_eq!(with(format!("{GOOD}[{table}]\nhttp.workspace = true\n")), [unused("bytes")], "{table}");
        }
    }

    #[test]
    fn shared_versions_have_default_features_off_and_test_packages_no_version() {
        let shared = |line: &str| format!("[workspace]\nmembers = []\n[workspace.dependencies]\n{line}\n");
        let good = "a = { version = \"1\", default-features = false }\nkit = { path = \"tests/kit\" }\n\
            b = { path = \"crates/b\", version = \"0.1.0\", default-features = false }";
        assert_eq!(problems_of(shared_versions, &[("Cargo.toml", &*shared(good))], 3), [""; 0]);
        for (line, word) in [
            ("a = \"1\"", "default-features"),
            ("a = { version = \"1\" }", "default-features"),
            ("b = { path = \"crates/b\", default-features = false }", "no version"),
            ("kit = { path = \"tests/kit\", version = \"0.1.0\" }", "drop its version"),
        ] {
            let problems = problems_of(shared_versions, &[("Cargo.toml", &*shared(line))], 1);
            assert!(problems.len() == 1 && problems[0].contains(word), "{line}: {problems:#?}");
        }
    }
}
