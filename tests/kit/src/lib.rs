//! What the test suites of the workspace share.
//!
//! | module | for |
//! |---|---|
//! | [`scripted`] | a TCP listener for the failures that an HTTP mock cannot make |
//! | [`needle`] | unique strings that must not turn up where secrets have no place |
//! | [`logs`] | everything a piece of code says in logs and errors, as text to search |
//! | [`vectors`] | test vectors: a folder per case, a file per stage |
//! | [`clocks`] | the `date` headers of a provider whose clock is another than this machine's |
//! | [`odd`] | answers that are odd, and yet bring what they bring |
//! | [`keys`] | the RSA keys those vectors were made with |
//!
//! The kit depends on no crate of the workspace, so that each of them can use it in `tests/`.

#![expect(clippy::panic, reason = "a panic is how a test kit reports")]

pub mod clocks;
pub mod keys;
pub mod logs;
pub mod needle;
pub mod odd;
pub mod scripted;
pub mod vectors;

mod wire;
