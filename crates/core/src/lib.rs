// The front page's examples use the feature `rsa`.
#![cfg_attr(feature = "rsa", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "rsa"),
    doc = "Secrets, tokens, signing and the refresh contract that rampauth's providers share."
)]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc_key;
mod base_url;
mod clock;
mod clock_difference;
mod content_coding;
mod error;
mod grant;
#[cfg(feature = "hmac")]
mod hmac;
pub mod json;
mod jwt;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod key;
mod refresh;
#[cfg(feature = "reqwest")]
mod reqwest_client;
#[cfg(feature = "rsa")]
mod rsa_key;
mod secret;
mod secret_newtype;
mod sign;
pub mod time;
mod token;
mod token_check;
mod transport;

pub use answer::Answer;
#[cfg(feature = "aws-lc-rs")]
pub use aws_lc_key::{AwsLcSigningKey, AwsLcVerifyingKey};
pub use base_url::BaseUrl;
pub use clock::{Clock, SystemClock};
pub use clock_difference::ClockDifference;
pub use error::{Error, ErrorKind, Outcome};
pub use grant::{Granted, RefreshCredential, SessionKind};
#[cfg(feature = "hmac")]
pub use hmac::HmacSha256Key;
pub use jwt::UnverifiedJwt;
pub use refresh::{Presents, Refresh, RefreshPolicy, RefreshTime, Rotation, WhenUnknown};
#[cfg(feature = "reqwest")]
pub use reqwest_client::{ReqwestClient, ReqwestClientBuilder};
#[cfg(feature = "rsa")]
pub use rsa_key::{RsaSigningKey, RsaVerifyingKey, SmallKeysAllowed};
pub use secret::{SecretBytes, SecretString};
pub use sign::{Signature, Signer, Verifier};
pub use token::{AccessToken, Expiry, RefreshToken, TokenSet};
pub use token_check::MAX_TOKEN_LENGTH;
pub use transport::{
    HttpClient, MAX_BODY_LENGTH, TransportError, TransportFailure, header_value, request, secret_header_value,
};
