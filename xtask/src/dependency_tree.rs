//! `cargo tree` for one crate built alone: what a user of the crate downloads and compiles.

use std::collections::BTreeSet;

use crate::command;
use crate::outcome::Failure;
use crate::workspace::{Package, Workspace};

/// One platform for every machine that runs the checks, so that the checked-in lists fit them all.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Which features of a crate are on.
#[derive(Clone, Copy)]
pub(crate) enum Features<'a> {
    None,
    Default,
    One(&'a str),
    All,
}

impl Features<'_> {
    /// The same choice in cargo's words.
    pub(crate) fn args(self) -> Vec<String> {
        match self {
            Self::None => vec!["--no-default-features".to_owned()],
            Self::Default => Vec::new(),
            Self::One(feature) => {
                vec!["--no-default-features".to_owned(), "--features".to_owned(), feature.to_owned()]
            }
            Self::All => vec!["--all-features".to_owned()],
        }
    }
}

/// What a published crate pulls in.
pub(crate) struct Closures {
    /// With default features off.
    pub(crate) none: Closure,
    pub(crate) default: Closure,
    pub(crate) all: Closure,
}

/// What is needed to build the crate: name and version, the crate itself included, each once.
pub(crate) struct Closure(pub(crate) BTreeSet<(String, String)>);

impl Closure {
    /// What is linked in, on one platform. Build scripts' own dependencies are left out.
    pub(crate) fn linked(ws: &Workspace, package: &Package, features: Features<'_>) -> Result<Self, Failure> {
        Self::read(ws, package, features, &["--edges", "normal", "--target", PLATFORM])
    }

    /// Everything that is compiled on any platform, build scripts' dependencies included.
    pub(crate) fn compiled(ws: &Workspace, package: &Package, features: Features<'_>) -> Result<Self, Failure> {
        Self::read(ws, package, features, &["--edges", "normal,build", "--target", "all"])
    }

    fn read(ws: &Workspace, package: &Package, features: Features<'_>, more: &[&str]) -> Result<Self, Failure> {
        let mut tree = command::cargo(&ws.root, ["tree", "--prefix", "none", "--package", &package.name]);
        let printed = command::read_text(tree.args(features.args()).args(more))?;
        let closure: BTreeSet<_> = printed.lines().filter_map(name_and_version).collect();
        if !closure.iter().any(|(name, _)| *name == package.name) {
            return Err(format!("cargo tree printed no line for {}: its format has changed", package.name).into());
        }
        Ok(Self(closure))
    }

    /// The names alone.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// From `serde v1.0.229 (*)` or `rampauth-core v0.1.0 (/a/path)`.
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    Some((name.to_owned(), version.strip_prefix('v')?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::name_and_version;

    #[test]
    fn a_line_of_cargo_tree_is_a_name_and_a_version() {
        let serde = Some(("serde".to_owned(), "1.0.229".to_owned()));
        assert_eq!(name_and_version("serde v1.0.229 (*)"), serde);
        assert_eq!(name_and_version("serde v1.0.229"), serde);
        assert_eq!(name_and_version("toml v1.2.1+spec-1.1.0").map(|it| it.1), Some("1.2.1+spec-1.1.0".to_owned()));
        assert_eq!(name_and_version("core v0.1.0 (/a path)").map(|it| it.1), Some("0.1.0".to_owned()));
        assert_eq!(name_and_version(""), None);
        assert_eq!(name_and_version("[build-dependencies]"), None);
    }
}
