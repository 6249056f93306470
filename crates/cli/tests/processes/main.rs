//! Many processes of the binary on one SQLite file, some of them killed, against providers whose refresh tokens work once. What
//! was presented and granted is told by the sandbox's ledger, not by those who presented it.
#![cfg(unix)]

#[allow(dead_code, reason = "shared with the tests of single runs")]
#[path = "../cli/support.rs"]
mod support;

mod killed;
mod session;
mod stopped;
mod together;
