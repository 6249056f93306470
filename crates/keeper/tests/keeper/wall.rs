//! The wall clock of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// It goes with tokio's, which is paused, and can be set.
#[derive(Clone)]
pub(crate) struct Wall {
    start: Instant,
    seconds: Arc<AtomicI64>,
}

impl Wall {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), seconds: Arc::new(AtomicI64::new(1_800_000_000)) }
    }

    /// Sets it this many seconds forward, or back.
    pub(crate) fn step(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> SystemTime {
        let seconds = self.seconds.load(Ordering::SeqCst);
        UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()) + self.start.elapsed()
    }
}
