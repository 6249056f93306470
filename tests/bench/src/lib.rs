//! What the benchmarks share: the clients under measurement, a server that answers at once, and CPU time as a measure.

pub mod clients;
#[cfg(unix)]
pub mod cpu;
pub mod server;
