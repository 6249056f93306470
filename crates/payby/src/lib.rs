// The front page's example uses the features `reqwest` and `rsa`.
#![cfg_attr(all(feature = "reqwest", feature = "rsa"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "reqwest", feature = "rsa")),
    doc = "Refreshes PayBy tokens: signs the exact body, sends it once, and believes nothing that PayBy did not sign."
)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod error;
mod sign;
mod token;
mod wire;

pub use client::{Client, POLICY};
pub use config::{
    ApiVersion, Config, ContentLanguage, Environment, MerchantOrderNo, OrderNumbers, PartnerId, Subject,
    UniqueOrderNumbers,
};
pub use sign::{KEY_CHECK_STRING_TO_SIGN, refresh_string_to_sign};
pub use token::{PayBy, PayByCredential, PayByTokens};

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
