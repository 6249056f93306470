//! Where the time comes from: an argument of everything that computes, a clock only in what calls out.

use std::time::SystemTime;

/// Tells the wall-clock time. Any `Fn() -> SystemTime` is one, so a test can hold time still.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> SystemTime;
}

impl<F: Fn() -> SystemTime + Send + Sync> Clock for F {
    fn now(&self) -> SystemTime {
        self()
    }
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that the rest is given")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
