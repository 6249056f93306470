//! What it costs to build a request, PayBy's beside the bare signature that is in it.

#[cfg(unix)]
mod builds;

#[cfg(unix)]
criterion::criterion_main!(builds::benches);

#[cfg(not(unix))]
fn main() {}
