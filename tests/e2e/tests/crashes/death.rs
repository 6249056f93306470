//! Where a process dies: before or after one of its steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

/// When the world begins.
pub(crate) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// What a process does that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Load,
    Put,
    Begin,
    Request,
    Commit,
    Conclude,
    GiveUp,
    Reject,
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// Where a process dies, if it does.
#[derive(Clone)]
pub(crate) struct Death {
    at: Option<(Step, Side)>,
    came: Arc<(AtomicBool, Notify)>,
}

impl Death {
    pub(crate) fn never() -> Self {
        Self { at: None, came: Arc::default() }
    }

    pub(crate) fn at(step: Step, side: Side) -> Self {
        Self { at: Some((step, side)), ..Self::never() }
    }

    /// Waits until it has come.
    pub(crate) async fn comes(&self) {
        self.came.1.notified().await;
    }

    /// A dead process does nothing any more.
    pub(crate) async fn meet(&self, step: Step, side: Side) {
        let (dead, came) = &*self.came;
        if self.at == Some((step, side)) {
            dead.store(true, Ordering::SeqCst);
            came.notify_one();
        }
        if dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}
