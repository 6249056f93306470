#![doc = include_str!("../README.md")]

pub mod check;
pub mod flaw;
pub mod model;
mod outside;
pub mod property;
pub mod provider;
pub mod runs;
pub mod setup;
mod shown;
mod step;
pub mod stored;
pub mod time;
pub mod world;
