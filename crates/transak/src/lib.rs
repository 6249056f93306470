#![doc = include_str!("../README.md")]

mod client;
mod config;
mod error;
mod token;
mod wire;

pub use client::UserClient;
pub use config::{ApiKey, Config, Environment};
pub use token::UserToken;

pub use rampauth_core::{
    AccessToken, BaseUrl, Clock, Error, ErrorKind, Expiry, HttpClient, MAX_BODY_LENGTH, Outcome, Presents, Refresh,
    RefreshPolicy, RefreshTime, Rotation, TokenSet, TransportError, TransportFailure, WhenUnknown,
};
#[cfg(feature = "reqwest")]
pub use rampauth_core::{ReqwestClient, ReqwestClientBuilder};
