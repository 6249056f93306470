//! What the demo did.

use serde::Serialize;

use super::calls::Row;
use super::crash::Crash;
use super::kept::Kept;

/// What happened, as it is printed with `--json`.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) kept: Kept,
    pub(super) crash: Crash,
}
