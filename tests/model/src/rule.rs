//! The rules that a step can break, and those that were broken.

/// What a step can break. The bit stays set, so that the state that follows shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// See [`TWO_AT_ONCE`](crate::property::TWO_AT_ONCE).
    TwoAtOnce,
    /// See [`SPENT_AS_FRESH`](crate::property::SPENT_AS_FRESH).
    SpentAsFresh,
    /// See [`SUCCESSOR_KNOWN`](crate::property::SUCCESSOR_KNOWN).
    SuccessorKnown,
    /// See [`POLICY`](crate::property::POLICY).
    Policy,
    /// See [`REFUSED_AGAIN`](crate::property::REFUSED_AGAIN).
    RefusedAgain,
    /// See [`STALE_OVERWRITE`](crate::property::STALE_OVERWRITE).
    StaleOverwrite,
    /// See [`UNDONE`](crate::property::UNDONE).
    Undone,
    /// See [`READERS`](crate::property::READERS).
    Readers,
    /// See [`REFUSALS`](crate::property::REFUSALS).
    Refusals,
    /// See [`TRIED`](crate::property::TRIED).
    Tried,
    /// See [`PAUSED`](crate::property::PAUSED).
    Paused,
    /// See [`TOLD`](crate::property::TOLD).
    Told,
}

/// The rules that some step has broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken(u16);

impl Broken {
    /// Notes a broken rule.
    pub fn note(&mut self, rule: Rule, broken: bool) {
        if broken {
            self.0 |= 1 << rule as u8;
        }
    }

    /// Whether this rule was broken.
    pub fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u8) != 0
    }
}
