// The front page's example uses the feature `reqwest`.
#![cfg_attr(feature = "reqwest", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "reqwest"),
    doc = "Refreshes Onboard tokens: sends once, checks whose tokens came, and says what happened."
)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod error;
mod token;
mod wire;

pub use client::{Client, POLICY};
pub use config::{Config, Environment, UserId};
pub use token::{Onboard, OnboardCredential, OnboardTokens};

pub use rampauth_core::{
    AccessToken, BaseUrl, Clock, ClockDifference, Error, ErrorKind, Expiry, HttpClient, MAX_BODY_LENGTH, Outcome,
    Presents, Refresh, RefreshPolicy, RefreshTime, RefreshToken, Rotation, SecretBytes, TokenSet, TransportError,
    TransportFailure, WhenUnknown,
};
#[cfg(feature = "reqwest")]
pub use rampauth_core::{ReqwestClient, ReqwestClientBuilder};
