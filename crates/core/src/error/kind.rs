//! What kind of failure it was, and whether the call may have happened.

/// What went wrong. Each kind ends with what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing or wrong. Nothing was sent. Correct the setting that the message names.
    Config,
    /// An argument is missing or wrong, a token for instance. Nothing was sent. Correct what the message names.
    Input,
    /// The presented token is dead: expired, revoked or spent. Have the person log in again and store the new tokens.
    LoginNeeded,
    /// The provider does not accept the caller, without saying that the token is dead. Check keys, environment and
    /// whether this address is on the provider's allow-list; the tokens may still be good.
    Unauthorized,
    /// The provider forbids the call. Check the account's rights and this machine's clock; the tokens may still be good.
    Forbidden,
    /// The provider answered and refused, for a reason of its own. Read status and code; nothing was granted.
    Refused,
    /// There is no such call at this address. Check the base URL and the environment.
    WrongEndpoint,
    /// Too many calls; this one was not processed. Wait for [`retry_after`](crate::Error::retry_after), or back off.
    RateLimited,
    /// No connection could be made: refused, name resolution, TLS, or connecting took too long. Nothing was sent; try
    /// again.
    Unreachable,
    /// Sent, and no whole answer came in time. The refresh may have happened: treat the presented token as in doubt.
    Timeout,
    /// Sent, and the connection broke before a whole answer. The refresh may have happened: treat the presented token
    /// as in doubt.
    Interrupted,
    /// The provider failed (5xx). The refresh may have happened: treat the presented token as in doubt.
    Server,
    /// The answer is not what the provider documents. The refresh may have happened: look at
    /// [`salvage`](crate::Error::salvage) and [`body`](crate::Error::body), and treat the presented token as in doubt.
    Protocol,
    /// The answer's signature is missing or wrong, so nothing in it was believed. Check the provider's public key and
    /// the environment; treat the presented token as in doubt.
    Untrusted,
    /// Something of ours failed. Report it; [`outcome`](crate::Error::outcome) says how far the call got.
    Internal,
}

impl ErrorKind {
    /// The kind's name as the command line prints it, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Input => "input",
            Self::LoginNeeded => "login_needed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::WrongEndpoint => "wrong_endpoint",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Server => "server",
            Self::Protocol => "protocol",
            Self::Untrusted => "untrusted",
            Self::Internal => "internal",
        }
    }

    /// Whether a clock that is wrong can be behind it: an expiry that was misread, a time that the provider refuses.
    pub(super) fn may_come_from_a_wrong_clock(self) -> bool {
        matches!(self, Self::LoginNeeded | Self::Unauthorized | Self::Forbidden | Self::Refused | Self::Protocol)
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Config => "correct the setting that the message names",
            Self::Input => "correct what the message names",
            Self::LoginNeeded => "have the person log in again and store the new tokens",
            Self::Unauthorized => "check keys, environment and the provider's allow-list; the tokens may still be good",
            Self::Forbidden => "check the account's rights and this machine's clock; the tokens may still be good",
            Self::Refused => "read status and code; nothing was granted",
            Self::WrongEndpoint => "check the base URL and the environment",
            Self::RateLimited => "wait before the next call",
            Self::Unreachable => "check the address and the network, then try again; nothing was sent",
            Self::Timeout | Self::Interrupted | Self::Server => {
                "the refresh may have happened: keep the tokens you hold and treat the presented one as in doubt"
            }
            Self::Protocol => {
                "the refresh may have happened: keep the tokens you hold, treat the presented one as in doubt, and check the base URL"
            }
            Self::Untrusted => {
                "check the provider's public key and the environment; treat the presented token as in doubt"
            }
            Self::Internal => "report this; the outcome says how far the call got",
        }
    }
}

/// Whether the call may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Not a byte of the request left: the presented token is untouched.
    NotSent,
    /// The provider answered and did not grant: the presented token was not exchanged.
    Refused,
    /// The request may have been carried out and its answer is lost: the presented token may be spent.
    Unknown,
}

impl Outcome {
    /// The outcome's name as the command line prints it, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
