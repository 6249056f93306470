//! The sandbox from outside: real requests, signed by another RSA implementation than the one that verifies them.

mod alix;
mod failures;
mod lifetimes;
mod log;
mod onboard;
mod payby;
mod reuse;
mod server;
mod support;
mod transak;
