// The front page's example uses the features `reqwest` and `rsa`.
#![cfg_attr(all(feature = "reqwest", feature = "rsa"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "reqwest", feature = "rsa")),
    doc = "Refreshes Alix access tokens, on/off-ramp and card: signs, sends, and says what happened."
)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod error;
mod sign;
mod token;
mod wire;

pub use client::{CardClient, OnOffRampClient, OnOffRampSession, POLICY};
pub use config::{Config, Email, Environment, Lang, PartnerCode, SecretKey};
pub use sign::{card_string_to_sign, on_off_ramp_string_to_sign, response_string_to_sign};
pub use token::{Card, CardCredential, CardTokens, OnOffRamp, OnOffRampCredential, OnOffRampTokens};

pub use rampauth_core::{
    AccessToken, BaseUrl, Clock, ClockDifference, Error, ErrorKind, Expiry, HttpClient, MAX_BODY_LENGTH, Outcome,
    Presents, Refresh, RefreshPolicy, RefreshTime, RefreshToken, Rotation, SecretBytes, SecretString, Signature,
    Signer, TokenSet, TransportError, TransportFailure, Verifier, WhenUnknown,
};
#[cfg(feature = "aws-lc-rs")]
pub use rampauth_core::{AwsLcSigningKey, AwsLcVerifyingKey};
#[cfg(feature = "reqwest")]
pub use rampauth_core::{ReqwestClient, ReqwestClientBuilder};
#[cfg(feature = "rsa")]
pub use rampauth_core::{RsaSigningKey, RsaVerifyingKey};
