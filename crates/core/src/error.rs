//! One error type that says what went wrong, whether the call may have happened, and what to do.

mod code;
mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::code::is_code;
pub use self::kind::{ErrorKind, Outcome};
use crate::{ClockDifference, SecretBytes, TokenSet};

/// Why a call did not give tokens. Cheap to clone, so that one failure can be handed to many callers.
///
/// The text reads `failed to <do>: <why>`, followed by HTTP status and provider code where there are any. It never shows
/// a body, a header, a URL or a token; causes are found through [`source`](StdError::source) alone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    action: Cow<'static, str>,
    reason: Cow<'static, str>,
    help: Option<Cow<'static, str>>,
    status: Option<u16>,
    provider_code: Option<String>,
    provider_message: Option<String>,
    retry_after: Option<Duration>,
    verified: Option<bool>,
    about_the_caller: bool,
    salvage: Option<TokenSet>,
    body: Option<SecretBytes>,
    clock_difference: Option<ClockDifference>,
    /// The advice with the clocks' difference, made when it is asked for.
    help_with_clocks: OnceLock<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The longest code or message of a provider that is kept, in characters.
const MAX_PROVIDER_TEXT: usize = 200;

impl Error {
    /// An error whose text is `failed to {action}: {reason}`. Neither part may hold a secret.
    pub fn new(
        kind: ErrorKind,
        outcome: Outcome,
        action: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            outcome,
            action: action.into(),
            reason: reason.into(),
            help: None,
            status: None,
            provider_code: None,
            provider_message: None,
            retry_after: None,
            verified: None,
            about_the_caller: false,
            salvage: None,
            body: None,
            clock_difference: None,
            help_with_clocks: OnceLock::new(),
            source: None,
        }))
    }

    /// A wrong setting; nothing was sent.
    pub fn config(action: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, Outcome::NotSent, action, reason)
    }

    /// A wrong argument; nothing was sent.
    pub fn input(action: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Input, Outcome::NotSent, action, reason)
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.help_with_clocks = OnceLock::new();
        change(inner);
        self
    }

    /// Replaces what was being done, when a caller knows it better.
    #[must_use]
    pub fn with_action(self, action: &'static str) -> Self {
        self.edit(|inner| inner.action = Cow::Borrowed(action))
    }

    /// Says what to do, where it is more than the kind's own advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<Cow<'static, str>>) -> Self {
        self.edit(|inner| inner.help = Some(help.into()))
    }

    /// Keeps the HTTP status of the answer.
    #[must_use]
    pub fn with_status(self, status: http::StatusCode) -> Self {
        self.edit(|inner| inner.status = Some(status.as_u16()))
    }

    /// Keeps the provider's own error code, if it is one: up to 40 characters, and between `_`, `-` and `.` words of up to 24
    /// letters, numbers of up to 12 digits, or mixtures of up to 8. Anything else could be a token in the wrong place.
    #[must_use]
    pub fn with_provider_code(self, code: &str) -> Self {
        let code = is_code(code).then(|| code.to_owned());
        self.edit(|inner| inner.provider_code = code)
    }

    /// Keeps the provider's message, cut to 200 characters. It is never part of the error's text. Give none of a gateway's: a refusal
    /// with a code or a message counts as the provider's own word.
    #[must_use]
    pub fn with_provider_message(self, message: &str) -> Self {
        let message = message.chars().filter(|c| !c.is_control()).take(MAX_PROVIDER_TEXT).collect();
        self.edit(|inner| inner.provider_message = Some(message))
    }

    /// Keeps how long the provider asks to wait.
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.edit(|inner| inner.retry_after = wait)
    }

    /// Says that the provider refused the caller, its keys, its rights or its clock, in an answer of a kind that could be about the
    /// token too.
    #[must_use]
    pub fn with_about_the_caller(self) -> Self {
        self.edit(|inner| inner.about_the_caller = true)
    }

    /// Keeps whether the answer's signature was verified.
    #[must_use]
    pub fn with_verified(self, verified: bool) -> Self {
        self.edit(|inner| inner.verified = Some(verified))
    }

    /// Keeps the tokens of an answer that breaks the contract but brings a new refresh token, or that holds other text too.
    #[must_use]
    pub fn with_salvage(self, tokens: Option<TokenSet>) -> Self {
        self.edit(|inner| inner.salvage = tokens)
    }

    /// Keeps the bytes of an answer that could not be read, as they came.
    #[must_use]
    pub fn with_body(self, body: SecretBytes) -> Self {
        self.edit(|inner| inner.body = Some(body))
    }

    /// Keeps how far this machine's clock is from the provider's. [`help`](Self::help) names a difference of more than a
    /// minute where it may be the reason.
    #[must_use]
    pub fn with_clock_difference(self, difference: Option<ClockDifference>) -> Self {
        self.edit(|inner| inner.clock_difference = difference)
    }

    /// Keeps the cause. It must not hold a secret: it is printed by whoever prints error chains.
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.edit(|inner| inner.source = Some(Arc::new(source)))
    }

    /// The same failure with another reason for it: what is known of the answer stays.
    pub(crate) fn because_of(self, cause: &Self) -> Self {
        self.edit(|inner| {
            let Inner { kind, outcome, action, reason, help, source, .. } = (*cause.0).clone();
            (inner.kind, inner.outcome, inner.action) = (kind, outcome, action);
            (inner.reason, inner.help, inner.source) = (reason, help, source);
        })
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the call may have happened.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether the same call can succeed later without anybody doing anything, and cannot make things worse: the
    /// request was not sent, or was turned away for the time being. An unknown outcome is not transient: presenting a
    /// single-use token again is a decision, not a retry.
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unreachable | ErrorKind::RateLimited)
    }

    /// How long the provider asked to wait (`retry-after`), in its own words: bound it, and add it to a time with
    /// `checked_add`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The HTTP status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's own error code, when the answer held one.
    pub fn provider_code(&self) -> Option<&str> {
        self.0.provider_code.as_deref()
    }

    /// The provider's message, at most 200 characters. It is text out of a body: it may repeat what was sent, personal
    /// data included, so neither `Display` nor `Debug` shows it.
    pub fn provider_message(&self) -> Option<&str> {
        self.0.provider_message.as_deref()
    }

    /// Whether the provider refused the caller, its keys, its rights or its clock: then nothing is said of the presented token.
    pub fn is_about_the_caller(&self) -> bool {
        self.0.about_the_caller
    }

    /// Whether the provider's signature over the answer was verified; `None` where answers are not signed.
    pub fn verified(&self) -> Option<bool> {
        self.0.verified
    }

    /// The tokens of an answer that broke the contract and yet brought a readable new refresh token, or of a whole answer
    /// among other text: the presented one is probably spent, so keep these. Never taken from an answer whose signature is
    /// wrong.
    pub fn salvage(&self) -> Option<&TokenSet> {
        self.0.salvage.as_ref()
    }

    /// The bytes of an answer that could not be read, or of as much of it as arrived. They may hold the only copy of the
    /// new tokens: where [`salvage`](Self::salvage) brings none, keep them for a person to look at. Whether the provider
    /// sent them is for [`verified`](Self::verified) to say; neither `Display` nor `Debug` shows anything of them.
    ///
    /// They are as they came, not always text, and cut somewhere after 64 KiB. An answer that says by its status or in its
    /// documented form that nothing was granted is not kept.
    pub fn body(&self) -> Option<&SecretBytes> {
        self.0.body.as_ref()
    }

    /// How far this machine's clock is from the provider's, where the answer told.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.0.clock_difference
    }

    /// What to do about it, in a sentence. Where a wrong clock may be the reason and this machine's is more than a minute off
    /// the provider's, it says by how much.
    pub fn help(&self) -> &str {
        let help = self.0.help.as_deref().unwrap_or_else(|| self.0.kind.help());
        match self.0.clock_difference.filter(|difference| difference.is_notable()) {
            Some(difference) if self.0.kind.may_come_from_a_wrong_clock() => {
                self.0.help_with_clocks.get_or_init(|| {
                    let difference = difference.to_string();
                    // A provider's own advice may name it already.
                    if help.contains(&difference) { help.to_owned() } else { format!("{help}; {difference}") }
                })
            }
            _ => help,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}: {}", self.0.action, self.0.reason)?;
        match (self.0.status, &self.0.provider_code) {
            (Some(status), Some(code)) => write!(f, " (status {status}, code {code})"),
            (Some(status), None) => write!(f, " (status {status})"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("outcome", &self.0.outcome)
            .field("message", &format_args!("{self}"))
            .field("status", &self.0.status)
            .field("provider_code", &self.0.provider_code)
            .field("retry_after", &self.0.retry_after)
            .field("verified", &self.0.verified)
            .field("salvage", &self.0.salvage.is_some())
            .field("body", &self.0.body.is_some())
            .field("clock_difference", &self.0.clock_difference)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests;
