//! `bench`: the benchmarks, with arguments handed through. They print their own table.

use crate::command;
use crate::outcome::Outcome;
use crate::workspace::Workspace;

const PACKAGE: &str = "rampauth-bench";

pub(crate) fn run(ws: &Workspace, args: &[String]) -> Outcome {
    command::run(command::cargo(&ws.root, ["bench", "--package", PACKAGE, "--benches", "--"]).args(args))?;
    Ok(format!("{PACKAGE} ran"))
}
