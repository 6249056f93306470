//! What all that is measured has in common.

/// Holds a token that is fresh and hands it out.
pub(crate) trait Holder: Send + Sync + 'static {
    /// Reads the token once, as a caller of this library does before each request, and shows its text.
    ///
    /// # Panics
    ///
    /// When there is none.
    fn read(&self, show: impl FnOnce(&str) + Send) -> impl Future<Output = ()> + Send;
}
