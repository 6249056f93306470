//! What a whole refresh costs the caller's thread, beside its parts: the same call with bare reqwest, and one bare
//! signature or verification where the refresh makes one.

#[cfg(unix)]
mod refreshs;

#[cfg(unix)]
criterion::criterion_main!(refreshs::benches);

#[cfg(not(unix))]
fn main() {}
