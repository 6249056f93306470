//! `msrv`: the stated Rust version is the lowest that what we publish can be built with.

use std::collections::BTreeMap;

use toml::Table;

use crate::dependency_tree::{Closure, Features};
use crate::outcome::{Failure, Outcome, count, settle};
use crate::workspace::{Workspace, list, metadata, text};

/// Edition 2024 needs it, whatever the dependencies say.
const EDITION_2024: Version = Version(1, 85, 0);

/// Name and version of a package.
type Key = (String, String);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Version(u32, u32, u32);

impl Version {
    /// `1.85` or `1.85.0`.
    fn parse(text: &str) -> Result<Self, Failure> {
        let mut parts = text.split('.').map(str::parse);
        let mut part = || parts.next().unwrap_or(Ok(0));
        match (part(), part(), part()) {
            (Ok(major), Ok(minor), Ok(patch)) => Ok(Self(major, minor, patch)),
            _ => Err(format!("`{text}` is not a Rust version").into()),
        }
    }

    fn written(self) -> String {
        let Self(major, minor, patch) = self;
        if patch == 0 { format!("{major}.{minor}") } else { format!("{major}.{minor}.{patch}") }
    }
}

/// Normal and build dependencies of the published crates, every feature on, every platform: as the lock file has them.
pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let manifest: Table = ws.read("Cargo.toml")?.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let stated = manifest.get("workspace").and_then(|it| it.get("package")).and_then(|it| it.get("rust-version"));
    let Some(stated) = stated.and_then(toml::Value::as_str) else {
        return Err("Cargo.toml: [workspace.package] states no rust-version".into());
    };
    let mut problems = Vec::new();
    let mut compiled = BTreeMap::new();
    for package in ws.published()? {
        if package.rust_version.as_deref() != Some(stated) {
            problems.push(format!("{}/Cargo.toml: write `rust-version.workspace = true`", package.folder));
        }
        for (name, version) in Closure::compiled(ws, package, Features::All)?.0 {
            compiled.entry((name, version)).or_insert(&package.name);
        }
    }
    compiled.retain(|(name, _), _| ws.packages.iter().all(|package| package.name != *name));
    if compiled.is_empty() {
        return Err("the published crates have no dependencies: nothing can be said about their Rust versions".into());
    }
    let stated_by = stated_versions(ws)?;
    let needed: Vec<_> = compiled.keys().filter_map(|it| Some((*stated_by.get(it)?, it))).collect();
    let highest = needed.iter().map(|(version, _)| *version).max().unwrap_or(EDITION_2024);
    let deciding = deciding(&needed, highest, &compiled);
    let lowest = highest.max(EDITION_2024);
    if Version::parse(stated)? != lowest {
        let why = if highest < EDITION_2024 { "edition 2024" } else { &deciding };
        problems.push(format!("Cargo.toml: rust-version is {stated}, write {}: decided by {why}", lowest.written()));
    }
    let (number, silent) = (count(compiled.len(), "locked dependency"), compiled.len() - needed.len());
    let highest = highest.written();
    let scope = format!("all features and platforms, {silent} of them state none");
    settle(problems, format!("{stated} fits {number} ({scope}); the highest, {highest}, is stated by {deciding}"))
}

/// The first few dependencies that state the highest version, each with a crate of ours that has it.
fn deciding(needed: &[(Version, &Key)], highest: Version, users: &BTreeMap<Key, &String>) -> String {
    let all: Vec<_> = needed.iter().filter(|(version, _)| *version == highest).map(|(_, key)| *key).collect();
    let shown = all.iter().take(3).map(|key| format!("{} {} (of {})", key.0, key.1, users[*key])).collect::<Vec<_>>();
    let more = all.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// What every package in the lock file states, by name and version.
fn stated_versions(ws: &Workspace) -> Result<BTreeMap<Key, Version>, Failure> {
    let metadata = metadata(&ws.root, &["--all-features"])?;
    let mut versions = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        if let Some(version) = package["rust_version"].as_str() {
            versions.insert((text(&package["name"]), text(&package["version"])), Version::parse(version)?);
        }
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_compare_by_number() {
        let parse = |text| Version::parse(text).expect("a version");
        assert!(parse("1.9") < parse("1.85") && parse("1.85") == parse("1.85.0") && parse("1.85.1") > parse("1.85"));
        assert_eq!((parse("1.85.0").written(), parse("1.85.1").written()), ("1.85".to_owned(), "1.85.1".to_owned()));
        assert!(Version::parse("stable").is_err());
    }
}
