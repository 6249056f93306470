//! The contract between a provider and whoever keeps its tokens fresh.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, TokenSet};

/// One way of refreshing: a provider's call together with its rules. Object-safe.
#[async_trait]
pub trait Refresh: Send + Sync {
    /// The provider's rules, as data.
    fn policy(&self) -> &RefreshPolicy;

    /// Exchanges the current tokens for new ones: exactly one request, or none when [`Error::outcome`] says
    /// [`NotSent`](crate::Outcome::NotSent). Never retries.
    ///
    /// The returned set is complete: a refresh token that the provider did not replace is in it again. The keeper takes one that
    /// lacks a token for one in which that token is as before, as far as it can still be used.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; its outcome says whether the presented token may be spent.
    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error>;
}

#[async_trait]
impl<T: Refresh + ?Sized> Refresh for Arc<T> {
    fn policy(&self) -> &RefreshPolicy {
        (**self).policy()
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        (**self).refresh(current).await
    }
}

/// What a refresh presents to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presents {
    /// The refresh token.
    RefreshToken,
    /// The current access token, while it lives.
    AccessToken,
}

/// When the provider accepts a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshTime {
    /// Before and after the access token's expiry.
    AnyTime,
    /// Only before the access token's expiry.
    BeforeExpiry,
    /// Only once the access token has expired.
    AfterExpiry,
}

/// Whether the presented credential is replaced by a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// Replaced every time.
    Always,
    /// Never replaced.
    Never,
    /// Not published: whatever comes is taken, and the presented one is kept when nothing comes.
    Unpublished,
}

/// What may be done when a refresh was sent and its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenUnknown {
    /// Present the same credential again soon, if no more than `within` has passed since it was first sent; later than
    /// that, only when the access token is about to die or was rejected.
    Promptly {
        /// How long after the first sending.
        within: Duration,
    },
    /// Present it again only when the access token is about to die or was rejected.
    AtLastMoment,
    /// Never present it again.
    Stop,
}

/// A provider's rules for refreshing, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// What is presented.
    pub presents: Presents,
    /// When it may be refreshed.
    pub time: RefreshTime,
    /// Whether a refresh may be made on the keeper's own initiative while the access token's expiry is unknown. Where
    /// not, only a rejection of the access token or a person causes one.
    pub with_unknown_expiry: bool,
    /// Whether the presented credential is replaced.
    pub rotation: Rotation,
    /// What to do when the outcome is unknown.
    pub when_unknown: WhenUnknown,
    /// Whether the provider publishes how a dead token is refused, so that [`LoginNeeded`](crate::ErrorKind::LoginNeeded)
    /// can come from its answer.
    pub names_dead_tokens: bool,
    /// The part of the access token's lifetime, counted from its end, in which it is refreshed ahead of need: 0.2 is the
    /// last fifth.
    pub ahead: f64,
}

impl RefreshPolicy {
    /// Rules that take nothing for granted: any time, rotation unpublished, presented again promptly within 60 s of an
    /// unknown outcome, no code for dead tokens, the last fifth of the lifetime. See the `with_…` methods.
    pub const fn new(presents: Presents) -> Self {
        Self {
            presents,
            time: RefreshTime::AnyTime,
            with_unknown_expiry: true,
            rotation: Rotation::Unpublished,
            when_unknown: WhenUnknown::Promptly { within: Duration::from_secs(60) },
            names_dead_tokens: false,
            ahead: 0.2,
        }
    }

    /// Sets when it may be refreshed.
    #[must_use]
    pub const fn with_time(mut self, time: RefreshTime) -> Self {
        self.time = time;
        self
    }

    /// Sets whether a refresh may be made unasked while the expiry is unknown.
    #[must_use]
    pub const fn with_unknown_expiry(mut self, allowed: bool) -> Self {
        self.with_unknown_expiry = allowed;
        self
    }

    /// Sets whether the presented credential is replaced.
    #[must_use]
    pub const fn with_rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Sets what to do when the outcome is unknown.
    #[must_use]
    pub const fn with_when_unknown(mut self, when_unknown: WhenUnknown) -> Self {
        self.when_unknown = when_unknown;
        self
    }

    /// Sets in which part of the lifetime, counted from its end, it is refreshed ahead of need.
    #[must_use]
    pub const fn with_ahead(mut self, part: f64) -> Self {
        self.ahead = part;
        self
    }

    /// Says that the provider publishes how a dead token is refused.
    #[must_use]
    pub const fn with_named_dead_tokens(mut self) -> Self {
        self.names_dead_tokens = true;
        self
    }
}
