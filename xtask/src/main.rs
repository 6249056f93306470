//! Drives every check of the workspace: `cargo xtask <command>`.
//!
//! A check says what it looked at, with counts, and fails when that is nothing. Each is a file here of its own name.

mod api;
mod bench;
mod check;
mod ci;
mod closure;
mod command;
mod demo;
mod dependency_tree;
mod model;
mod msrv;
mod openssl;
mod origin;
mod outcome;
mod package;
mod readme;
mod steps;
mod tidy;
mod vectors;
mod workspace;

use std::process::ExitCode;

use check::Check;
use workspace::Workspace;

const COMMANDS: [(&str, &str, Check); 9] = [
    ("ci", "every check in order; --from STEP, --only STEP", ci::run),
    ("tidy", "what the layout of the repository promises", tidy::run),
    ("closure", "what each published crate pulls in; --bless writes the lists anew", closure::run),
    ("vectors", "every test vector, checked with openssl", vectors::run),
    ("msrv", "the stated Rust version is the lowest possible", msrv::run),
    ("api", "no foreign type in the public API", api::run),
    ("package", "what would be published is complete and builds", package::run),
    ("model", "the full run of the protocol's model; words choose among its setups", model::run),
    ("bench", "the benchmarks; words choose those whose name holds one, as `read/ours` or `refresh`", bench::run),
];

fn main() -> ExitCode {
    if let Some(code) = api::rustdoc() {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = args.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let Some((_, _, check)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
        usage();
        return if name.is_empty() || name == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    match Workspace::load().and_then(|ws| check(&ws, rest)) {
        Ok(summary) => {
            println!("{name}: {summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.print(name);
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    println!("cargo xtask <command>\n");
    for (name, about, _) in COMMANDS {
        println!("  {name:<8} {about}");
    }
    println!("\nThe steps of ci that have no command of their own run with `cargo xtask ci --only STEP`.");
}
