//! `model`: the full run of the protocol's model, with words that choose among its setups handed through.

use crate::command;
use crate::outcome::Outcome;
use crate::workspace::Workspace;

const PACKAGE: &str = "rampauth-model";

pub(crate) fn run(ws: &Workspace, args: &[String]) -> Outcome {
    let model = ["run", "--package", PACKAGE, "--release", "--", "full"];
    command::run(command::cargo(&ws.root, model).args(args))?;
    Ok(format!("{PACKAGE} ran to the end; its counts are above"))
}
