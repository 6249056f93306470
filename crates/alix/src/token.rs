//! The two products' tokens: alike on the wire, and never interchangeable.

use rampauth_core::{Granted, RefreshCredential, SessionKind};

/// A session of the card API. Access tokens lived 900 s and refresh tokens 180 days in the vendor's one sample (Alix
/// docs, "Refresh Token" of the card API, read 2026-11); nothing about lifetimes is promised.
#[derive(Debug)]
pub enum Card {}

/// A session of the on/off-ramp API. Its answers tell no lifetimes.
#[derive(Debug)]
pub enum OnOffRamp {}

impl SessionKind for Card {
    const NAME: &'static str = "Alix card";
}

impl SessionKind for OnOffRamp {
    const NAME: &'static str = "Alix on/off-ramp";
}

/// What a card refresh presents.
pub type CardCredential = RefreshCredential<Card>;
/// What a card refresh gives.
pub type CardTokens = Granted<Card>;
/// What an on/off-ramp refresh presents.
pub type OnOffRampCredential = RefreshCredential<OnOffRamp>;
/// What an on/off-ramp refresh gives.
pub type OnOffRampTokens = Granted<OnOffRamp>;
