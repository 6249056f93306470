//! `api`: no type of another crate in the public API of what we publish, but for the few that are named here.
//!
//! rustdoc describes the API as JSON. That output is unstable, so the stable rustdoc needs `RUSTC_BOOTSTRAP=1`; set for
//! cargo it would rebuild every dependency whose build script looks at it. Instead this program stands in for rustdoc
//! ([`rustdoc`]) and sets it there alone.

mod walk;

use std::env;
use std::process::{Command, ExitCode};

use serde_json::Value;
use walk::Api;

use crate::command;
use crate::dependency_tree::Features;
use crate::outcome::{Failure, Outcome, count, settle};
use crate::workspace::{Package, Workspace};

/// Whose types any of our APIs may name, beside our own crates.
const SHARED: [&str; 5] = ["std", "core", "alloc", "bytes", "http"];

/// The single door: where, and which type.
const EXCEPTION: (&str, &str) = ("rampauth_core::ReqwestClient::from_builder", "reqwest::ClientBuilder");

/// Tells this program that cargo calls it in rustdoc's place.
const IN_RUSTDOCS_PLACE: &str = "XTASK_IN_RUSTDOCS_PLACE";

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let published = ws.published()?;
    let ours: Vec<_> = published.iter().filter_map(|package| package.library.as_deref()).collect();
    if ours.is_empty() {
        return Err("no published crate has a library: there is no API to look at".into());
    }
    let allowed: Vec<_> = ours.iter().copied().chain(SHARED).collect();
    let (mut problems, mut items, mut references) = (Vec::new(), 0, 0);
    for package in &published {
        let Some(library) = &package.library else { continue };
        let description = describe(ws, package, library)?;
        let api = Api::walk(&description, &allowed, EXCEPTION);
        if api.items == 0 || api.references == 0 {
            problems.push(format!(
                "{}: rustdoc describes {} and {}: there is no API, or the format has changed (xtask/src/api/walk.rs)",
                package.folder,
                count(api.items, "public item"),
                count(api.references, "type reference")
            ));
        }
        items += api.items;
        references += api.references;
        problems.extend(
            api.leaks.into_iter().map(|leak| format!("{leak}; wrap it in a type of ours ({})", package.folder)),
        );
    }
    settle(
        problems,
        format!(
            "{} of {} name {}, none of another crate's but `{}`",
            count(items, "public item"),
            count(ours.len(), "library"),
            count(references, "type"),
            EXCEPTION.1
        ),
    )
}

/// rustdoc's description of the library with every feature on.
fn describe(ws: &Workspace, package: &Package, library: &str) -> Result<Value, Failure> {
    let file = ws.target.join("doc").join(format!("{library}.json"));
    // An old description would be read as this one's, should cargo leave the file alone.
    if file.exists() {
        std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let this = env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let mut cargo = command::cargo(&ws.root, ["rustdoc", "--quiet", "--lib", "--package", &package.name]);
    cargo.args(Features::All.args()).args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    command::run(cargo.env("RUSTDOC", this).env(IN_RUSTDOCS_PLACE, "1"))?;
    let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Whether cargo called this program in rustdoc's place; then rustdoc's own exit code.
#[expect(clippy::disallowed_methods, reason = "the only word that cargo carries to a rustdoc of another name")]
pub(crate) fn rustdoc() -> Option<ExitCode> {
    env::var_os(IN_RUSTDOCS_PLACE)?;
    let status = Command::new("rustdoc").args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
