//! One flight at a time, whose result reaches all who joined it. It knows neither what flies nor whose lock it stands under, so
//! that `tests/interleavings` runs this very code through other schedules than a machine's.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

/// The result that any number of callers wait for; an error when the flight ended without one.
pub(crate) type Awaited<R> = Shared<oneshot::Receiver<R>>;

/// The flight under way, if its result is not there yet.
pub(crate) struct UnderWay<R>(Option<Awaited<R>>);

/// Who has flights, one after the other.
pub(crate) trait Host {
    /// What a flight results in.
    type Landing: Clone;

    /// Has the end of its flight noted, under its lock.
    fn note(&self, end: impl FnOnce(&mut UnderWay<Self::Landing>));
}

/// A flight. However it ends, the next one can start and those who wait are woken. It is not to be let go under the host's
/// lock.
pub(crate) struct Flying<H: Host> {
    pub(crate) host: Arc<H>,
    result: Option<oneshot::Sender<H::Landing>>,
}

impl<R: Clone> UnderWay<R> {
    /// Joins the flight under way. Where there is none it starts one, if that may be.
    pub(crate) fn join_or_start<H: Host<Landing = R>, E>(
        &mut self,
        host: &Arc<H>,
        may_start: impl FnOnce() -> Result<(), E>,
    ) -> Result<(Awaited<R>, Option<Flying<H>>), E> {
        if let Some(landing) = &self.0 {
            return Ok((landing.clone(), None));
        }
        may_start()?;
        let (result, landing) = oneshot::channel();
        let landing = landing.shared();
        self.0 = Some(landing.clone());
        Ok((landing, Some(Flying { host: Arc::clone(host), result: Some(result) })))
    }
}

impl<H: Host> Flying<H> {
    pub(crate) fn end(mut self, landed: H::Landing) {
        let result = self.result.take();
        // First the next one can start, then those who wait may ask for it. Nobody has to.
        drop(self);
        result.map(|result| result.send(landed).ok());
    }
}

impl<H: Host> Drop for Flying<H> {
    fn drop(&mut self) {
        self.host.note(|under_way| under_way.0 = None);
    }
}

impl<R> Default for UnderWay<R> {
    fn default() -> Self {
        Self(None)
    }
}
