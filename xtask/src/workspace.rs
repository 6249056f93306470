//! The workspace as cargo sees it: its packages, their features and what they depend on.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command;
use crate::outcome::Failure;

/// The crates of `crates/` that stand for no provider, beside the engines of stores: every other one does, so that no rule passes over a new
/// one.
const NO_PROVIDERS: [&str; 5] = ["cli", "core", "keeper", "sandbox", "store"];

/// Whether the crate in this folder stands for a provider.
pub(crate) fn is_provider(folder: &str) -> bool {
    let name = folder.strip_prefix("crates/");
    name.is_some_and(|name| !NO_PROVIDERS.contains(&name) && !name.starts_with("store-") && !name.contains('/'))
}

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Relative to the root, with `/`.
    pub(crate) folder: String,
    pub(crate) published: bool,
    /// The library's name as code writes it, if there is a library.
    pub(crate) library: Option<String>,
    /// Every feature but `default`.
    pub(crate) features: Vec<String>,
    pub(crate) rust_version: Option<String>,
    /// The packages it needs to be built, optional ones and those of other platforms included; not those of its tests.
    pub(crate) dependencies: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace around the current folder.
    pub(crate) fn load() -> Result<Self, Failure> {
        let metadata = metadata(Path::new("."), &["--no-deps"])?;
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let packages = list(&metadata["packages"]).map(|package| Package::read(&root, package)).collect();
        Ok(Self { target: PathBuf::from(text(&metadata["target_directory"])), root, packages })
    }

    /// What goes to crates.io; that there is something is part of every check over it.
    pub(crate) fn published(&self) -> Result<Vec<&Package>, Failure> {
        let published: Vec<_> = self.packages.iter().filter(|package| package.published).collect();
        if published.is_empty() {
            return Err("no package of the workspace is published: a check over none proves nothing".into());
        }
        Ok(published)
    }

    /// Reads a file of the workspace; `path` is relative to the root.
    pub(crate) fn read(&self, path: &str) -> Result<String, Failure> {
        std::fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}").into())
    }
}

impl Package {
    fn read(root: &Path, package: &Value) -> Self {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(Path::new(""));
        let is_library = |target: &&Value| list(&target["kind"]).any(|kind| kind == "lib");
        let features = package["features"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let built_with = |dependency: &&Value| dependency["kind"] != "dev";
        Self {
            name: text(&package["name"]),
            version: text(&package["version"]),
            folder: folder.to_string_lossy().replace('\\', "/"),
            published: package["publish"].is_null(),
            library: list(&package["targets"]).find(is_library).map(|target| text(&target["name"]).replace('-', "_")),
            features: features.filter(|name| name != "default").collect(),
            rust_version: package["rust_version"].as_str().map(str::to_owned),
            dependencies: list(&package["dependencies"]).filter(built_with).map(|it| text(&it["name"])).collect(),
        }
    }

    pub(crate) fn is_named(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    pub(crate) fn is_provider(&self) -> bool {
        is_provider(&self.folder)
    }
}

/// `cargo metadata` as JSON.
pub(crate) fn metadata(root: &Path, args: &[&str]) -> Result<Value, Failure> {
    let bytes = command::read(command::cargo(root, ["metadata", "--format-version", "1"]).args(args))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("cargo metadata printed no JSON: {error}").into())
}

/// The members of a JSON array; none where it is something else.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A JSON string; empty where it is something else.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_provider;

    #[test]
    fn every_crate_is_a_provider_but_those_that_are_known_not_to_be() {
        for folder in ["crates/alix", "crates/transak", "crates/foo"] {
            assert!(is_provider(folder), "{folder}");
        }
        for folder in ["crates/core", "crates/cli", "crates/store-sqlite", "crates/store-foo", "tests/kit", "xtask", ""]
        {
            assert!(!is_provider(folder), "{folder}");
        }
    }
}
