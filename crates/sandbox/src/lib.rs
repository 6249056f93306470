#![doc = include_str!("../README.md")]

mod alix;
mod arranged;
mod call;
mod clock;
mod credentials;
mod diagnose;
mod event;
mod failure;
mod json;
mod keys;
mod ledger;
mod message;
mod mint;
mod onboard;
mod payby;
mod route;
mod sandbox;
mod server;
mod state;
mod transak;

pub use call::Call;
pub use credentials::{
    AlixCredentials, Credentials, IssuedTokens, OnboardCredentials, PayByCredentials, TransakCredentials,
};
pub use event::{Event, Verdict};
pub use failure::{Failure, NotDocumented};
pub use ledger::{Presentation, Reuse};
pub use sandbox::{Builder, Sandbox, StartError};
