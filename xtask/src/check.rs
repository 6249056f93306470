//! What a check is: a function over the workspace.

use crate::outcome::Outcome;
use crate::workspace::Workspace;

/// A check, with what stands behind its name on the command line.
pub(crate) type Check = fn(&Workspace, &[String]) -> Outcome;
