//! What the benchmarks share: the clients under measurement, the same calls without them, a server, a provider and stores for the
//! keeper, CPU time in turns, and figures for `cargo xtask bench` to print.

pub mod bare;
pub mod clients;
pub mod figures;
pub mod keeping;
#[cfg(unix)]
pub mod measure;
pub mod server;
#[cfg(unix)]
pub mod table;
