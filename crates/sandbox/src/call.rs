//! The five calls that the sandbox plays, by name.

use std::fmt;

/// A refresh call of one of the providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Alix on/off-ramp: `POST /api/v2/user-order/refresh-token`.
    AlixOnOffRamp,
    /// Alix card: `POST /api/v2/auth/refresh-token`.
    AlixCard,
    /// Transak user access token: `GET /api/v2/auth/refresh`.
    TransakUser,
    /// PayBy: `POST /sgs/api/oauth2/authz/refresh-token`.
    PayBy,
    /// Onboard: `POST /auth/oauth/refresh-token`.
    Onboard,
}

impl Call {
    /// Every call, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::AlixOnOffRamp, Self::AlixCard, Self::TransakUser, Self::PayBy, Self::Onboard];

    /// The call's name in lower case with hyphens, such as `alix-card`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlixOnOffRamp => "alix-on-off-ramp",
            Self::AlixCard => "alix-card",
            Self::TransakUser => "transak-user",
            Self::PayBy => "payby",
            Self::Onboard => "onboard",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
