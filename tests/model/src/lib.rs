#![doc = include_str!("../README.md")]

pub mod check;
pub mod flaw;
pub mod ids;
pub mod model;
mod outside;
pub mod property;
pub mod provider;
pub mod rule;
pub mod runs;
pub mod setup;
mod shown;
mod step;
pub mod stored;
mod template;
pub mod time;
mod transitions;
pub mod world;
