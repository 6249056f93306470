//! The files of the repository in memory, so that a rule is a function of text and its tests need no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Table;

use crate::command;
use crate::outcome::Failure;

/// Path from the root, with `/`, to content. What is not UTF-8 is kept with replacement characters.
pub(super) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Every file that git tracks or would track.
    pub(super) fn load(root: &Path) -> Result<Self, Failure> {
        let args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let listing = command::read_text(&mut command::program("git", root, args))?;
        let mut files = BTreeMap::new();
        for path in listing.split('\0').filter(|path| !path.is_empty()) {
            let file = root.join(path);
            // Tracked and deleted: git lists it until the deletion is committed. A link that leads nowhere is an error.
            if file.symlink_metadata().is_err() {
                continue;
            }
            let bytes = std::fs::read(&file).map_err(|error| format!("{path}: cannot be read: {error}"))?;
            files.insert(path.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(Self(files))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect())
    }

    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.as_str()))
    }

    /// The names of what stands directly in `folder`: files and folders alike.
    pub(super) fn entries(&self, folder: &str) -> BTreeSet<&str> {
        let prefix = format!("{folder}/");
        let inside = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
        inside.filter_map(|path| path.split('/').next()).collect()
    }

    /// Whether anything stands in `folder`.
    pub(super) fn has_folder(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.0.keys().any(|path| path.starts_with(&prefix))
    }

    /// The folders directly in `folder`, as paths from the root.
    pub(super) fn folders(&self, folder: &str) -> Vec<String> {
        let paths = self.entries(folder).into_iter().map(|name| format!("{folder}/{name}"));
        paths.filter(|path| self.has_folder(path)).collect()
    }

    /// A TOML file; one that is missing or broken is a problem, once per rule that needs it.
    pub(super) fn toml(&self, path: &str, problems: &mut Vec<String>) -> Table {
        let Some(content) = self.get(path) else {
            problems.push(format!("{path}: missing"));
            return Table::new();
        };
        content.parse().unwrap_or_else(|error: toml::de::Error| {
            problems.push(format!("{path}: not TOML: {}", error.message()));
            Table::new()
        })
    }

    /// The manifests of the members, as the root manifest lists them (`name`, or `folder/*`), with their folders.
    pub(super) fn members(&self, problems: &mut Vec<String>) -> Vec<(String, Table)> {
        let root = self.toml("Cargo.toml", problems);
        let patterns = root.get("workspace").and_then(|it| it.get("members")).and_then(toml::Value::as_array);
        let mut folders = Vec::new();
        for pattern in patterns.into_iter().flatten().filter_map(toml::Value::as_str) {
            match pattern.strip_suffix("/*") {
                Some(parent) => folders.extend(self.folders(parent)),
                None => folders.push(pattern.to_owned()),
            }
        }
        let manifests = folders.into_iter().map(|folder| {
            let manifest = self.toml(&format!("{folder}/Cargo.toml"), problems);
            (folder, manifest)
        });
        manifests.collect()
    }
}
