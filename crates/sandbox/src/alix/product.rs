//! Which of the two calls is meant, where both have one form.

use crate::Call;

/// Which of the two look-alikes is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    OnOffRamp,
    Card,
}

impl Product {
    pub(super) fn call(self) -> Call {
        match self {
            Self::OnOffRamp => Call::AlixOnOffRamp,
            Self::Card => Call::AlixCard,
        }
    }
}
