//! `package`: what would be uploaded is complete, builds by itself, and holds nothing that is not meant for it.
//!
//! `cargo publish --dry-run` packs every crate, in order and for each other, and checks its metadata against the
//! registry. Its own verification is switched off and done here instead: it unpacks a crate that another one needs into
//! cargo's home under a name that does not change with its content, so a second run would build against the first
//! one's code; and it compiles every dependency anew for each crate. Here the packed files are unpacked into one
//! workspace, patched to find each other, and checked in the common target folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command;
use crate::outcome::{Failure, Outcome, count, settle};
use crate::workspace::{Package, Workspace};

/// What every package holds.
const NEEDED: [&str; 5] = ["Cargo.toml", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let published = ws.published()?;
    // What an earlier run left must not pass for this one's.
    for file in published.iter().flat_map(|package| places(ws, package)).filter(|file| file.exists()) {
        fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let mut publish = command::cargo(&ws.root, ["publish", "--dry-run", "--no-verify", "--allow-dirty"]);
    for package in &published {
        publish.args(["--package", &package.name]);
    }
    command::run(&mut publish)?;

    let unpacked = ws.target.join("xtask").join("package");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).map_err(|error| format!("{}: {error}", unpacked.display()))?;
    }
    fs::create_dir_all(&unpacked).map_err(|error| format!("{}: {error}", unpacked.display()))?;
    let (mut problems, mut packed) = (Vec::new(), 0);
    for package in &published {
        unpack(ws, package, &unpacked)?;
        let folder = unpacked.join(folder_name(package));
        let files = files(&folder)?;
        packed += files.len();
        problems.extend(wrong(package, &files));
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            // A link that was packed as a link, or checked out as its own target's name, is no licence.
            if fs::read(folder.join(licence)).ok() != fs::read(ws.root.join(licence)).ok() {
                problems.push(format!("{}: the packed {licence} is not the root's text", package.folder));
            }
        }
    }
    if problems.is_empty() {
        check_alone(ws, &published, &unpacked)?;
    }
    settle(
        problems,
        format!("{} with {}, packed, unpacked and built", count(published.len(), "crate"), count(packed, "file")),
    )
}

fn folder_name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// Where `cargo publish --dry-run` leaves its work, by version of cargo.
fn places(ws: &Workspace, package: &Package) -> [PathBuf; 3] {
    let name = format!("{}.crate", folder_name(package));
    ["package", "package/tmp-crate", "package/tmp-registry"].map(|place| ws.target.join(place).join(&name))
}

fn packed_file(ws: &Workspace, package: &Package) -> Result<PathBuf, Failure> {
    let found = places(ws, package).into_iter().find(|file| file.is_file());
    let nowhere =
        || format!("cargo publish left no .crate file of {} under {}", package.name, ws.target.display()).into();
    found.ok_or_else(nowhere)
}

fn unpack(ws: &Workspace, package: &Package, into: &Path) -> Result<(), Failure> {
    // -m: the files carry one fixed time, by which cargo could not tell a change.
    let file = packed_file(ws, package)?;
    command::read(command::program("tar", into, ["-x", "-z", "-m", "-f"]).arg(file))?;
    Ok(())
}

/// Every file below `folder`, relative to it, with `/`.
pub(crate) fn files(folder: &Path) -> Result<Vec<String>, Failure> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        let listing = fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        for path in listing.flatten().map(|entry| entry.path()) {
            match (path.is_dir(), path.strip_prefix(folder)) {
                (true, _) => waiting.push(path),
                (false, Ok(relative)) => found.push(relative.to_string_lossy().replace('\\', "/")),
                (false, Err(_)) => {}
            }
        }
    }
    Ok(found)
}

/// What is missing from a package, and what must not be in it.
fn wrong(package: &Package, files: &[String]) -> Vec<String> {
    let manifest = format!("{}/Cargo.toml", package.folder);
    let has = |needed: &str| files.iter().any(|file| file == needed);
    let mut problems: Vec<_> = NEEDED
        .iter()
        .filter(|needed| !has(needed))
        .map(|needed| format!("{manifest}: the package lacks {needed}; name it in `include`"))
        .collect();
    if !has("src/lib.rs") && !has("src/main.rs") {
        problems.push(format!("{manifest}: the package has no source; name \"src/**\" in `include`"));
    }
    let secret = |file: &&String| {
        file.starts_with("tests/") || [".pem", ".key", ".der", ".p8", ".env"].iter().any(|end| file.ends_with(end))
    };
    problems.extend(files.iter().filter(secret).map(|file| {
        format!("{manifest}: the package holds {file}; keys and tests stay in the repository: narrow `include`")
    }));
    problems
}

/// Builds the packages against each other, and against nothing else of the repository.
fn check_alone(ws: &Workspace, published: &[&Package], unpacked: &Path) -> Result<(), Failure> {
    let folders: Vec<_> = published.iter().map(|package| (&package.name, folder_name(package))).collect();
    let members: String = folders.iter().map(|(_, folder)| format!("\"{folder}\", ")).collect();
    let patches: String =
        folders.iter().map(|(name, folder)| format!("{name} = {{ path = \"{folder}\" }}\n")).collect();
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[patch.crates-io]\n{patches}");
    fs::write(unpacked.join("Cargo.toml"), manifest).map_err(|error| format!("{}: {error}", unpacked.display()))?;
    // The same versions as everywhere else.
    fs::copy(ws.root.join("Cargo.lock"), unpacked.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let mut check = command::cargo(unpacked, ["check", "--workspace", "--lib", "--bins", "--examples", "--target-dir"]);
    command::run(check.arg(&ws.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_lacks_nothing_and_holds_no_test_or_key() {
        let package = Package {
            name: "rampauth-a".to_owned(),
            version: "0.1.0".to_owned(),
            folder: "crates/a".to_owned(),
            published: true,
            library: None,
            features: Vec::new(),
            rust_version: None,
            dependencies: Vec::new(),
        };
        let complete: Vec<_> = NEEDED.iter().chain(&["src/lib.rs"]).map(|file| (*file).to_owned()).collect();
        assert_eq!(wrong(&package, &complete), [""; 0]);
        for left_out in 0..complete.len() {
            let mut files = complete.clone();
            let name = files.remove(left_out);
            assert_eq!(wrong(&package, &files).len(), 1, "without {name}");
        }
        for extra in ["tests/vectors/keys/a.txt", "src/partner.pem", "examples/a.key", ".env"] {
            let mut files = complete.clone();
            files.push(extra.to_owned());
            assert!(wrong(&package, &files).join("").contains(extra), "{extra}");
        }
    }
}
