//! What is published takes the place of what it replaces and of nothing else, whoever publishes beside it. It knows neither what
//! that is nor how it is swapped, so that `tests/interleavings` runs this very code through other schedules than a machine's.

use std::sync::Arc;

/// Where one value hangs for all who read it.
pub(crate) trait Place<T> {
    fn load(&self) -> Option<Arc<T>>;

    /// Hangs up the new value where the current one still is, or says what is there instead.
    fn swap(&self, current: &Option<Arc<T>>, new: &Arc<T>) -> Result<(), Option<Arc<T>>>;
}

/// Hangs up a newer value; an older one is let go.
pub(crate) fn publish<T>(place: &impl Place<T>, new: &Arc<T>, replaces: impl Fn(&T, &T) -> bool) {
    let mut current = place.load();
    while current.as_deref().is_none_or(|current| replaces(new, current)) {
        match place.swap(&current, new) {
            Ok(()) => return,
            Err(found) => current = found,
        }
    }
}
