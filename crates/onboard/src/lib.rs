#![doc = include_str!("../README.md")]

mod client;
mod config;
mod error;
mod token;
mod wire;

pub use client::Client;
pub use config::{Config, Environment, UserId};
pub use token::{Onboard, OnboardCredential, OnboardTokens};

pub use rampauth_core::{
    AccessToken, BaseUrl, Clock, Error, ErrorKind, Expiry, HttpClient, Outcome, Refresh, RefreshPolicy, RefreshToken,
    TokenSet,
};
#[cfg(feature = "reqwest")]
pub use rampauth_core::{ReqwestClient, ReqwestClientBuilder};
