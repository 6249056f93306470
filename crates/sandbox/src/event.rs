//! The sandbox's log: one event per request, saying what was decided and precisely why.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::Call;
use crate::clock::timestamp;

/// How many events are kept; a sandbox that runs for weeks must not grow with its log.
const KEPT: usize = 10_000;

/// One request and what became of it. No token, signature or secret stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When it was answered, by the sandbox's clock.
    pub at: SystemTime,
    /// The refresh call that the path belongs to; none for any other path.
    pub call: Option<Call>,
    /// The request's method; `***` in place of one that HTTP does not define.
    pub method: String,
    /// The request's path without its query; an over-long segment is `***`, for it may be a misplaced token.
    pub path: String,
    /// The HTTP status of the answer. PayBy refuses with 200: look at `verdict`.
    pub status: u16,
    /// Whether the request got what it asked for.
    pub verdict: Verdict,
    /// Why, in words for the person who integrates the provider.
    pub reason: String,
}

/// What the sandbox decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The request got what it asked for.
    Granted,
    /// It did not, and nothing was spent.
    Refused,
    /// The provider failed, as [`Sandbox::fail_next`](crate::Sandbox::fail_next) asked; the reason says whether the tokens were
    /// exchanged before.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        })
    }
}

/// One line: time, call, method, path, status, verdict, reason.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call.map_or("-", Call::name);
        write!(f, "{} {call} {} {} {} {}: ", timestamp(self.at), self.method, self.path, self.status, self.verdict)?;
        // What the sandbox writes has no control characters; this keeps it so for a caller's own events too.
        self.reason
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

/// Who is told of each event as it happens.
pub(crate) type Listener = Box<dyn Fn(&Event) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Log {
    events: Mutex<VecDeque<Event>>,
    listener: Option<Listener>,
}

impl Log {
    pub(crate) fn new(listener: Option<Listener>) -> Self {
        Self { events: Mutex::default(), listener }
    }

    pub(crate) fn push(&self, event: Event) {
        if let Some(listener) = &self.listener {
            listener(&event);
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
