#![doc = include_str!("../README.md")]

pub mod check;
mod claim;
mod finish;
pub mod flaw;
pub mod ids;
pub mod model;
mod outside;
pub mod property;
pub mod provider;
pub mod replace;
pub mod rule;
pub mod runs;
pub mod setup;
mod shown;
mod step;
mod store;
pub mod stored;
mod template;
pub mod time;
mod transitions;
pub mod world;
