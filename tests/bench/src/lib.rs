//! What the benchmarks share: the clients under measurement, the same calls without them, a server, and CPU time in turns.

pub mod bare;
pub mod clients;
#[cfg(unix)]
pub mod measure;
pub mod server;
#[cfg(unix)]
pub mod table;
