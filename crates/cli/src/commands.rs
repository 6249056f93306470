//! One module per command.

pub(crate) mod decode;
pub(crate) mod demo;
pub(crate) mod init;
pub(crate) mod refresh;
pub(crate) mod sandbox;
pub(crate) mod sign;
pub(crate) mod verify;
