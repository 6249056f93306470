//! What the benchmarks share: the clients under measurement, a server that answers at once, a provider and stores for the keeper,
//! CPU time as a measure, and figures for `cargo xtask bench` to print.

pub mod clients;
#[cfg(unix)]
pub mod cpu;
pub mod figures;
pub mod keeping;
pub mod server;
