//! One module per command.

pub(crate) mod decode;
pub(crate) mod demo;
pub(crate) mod forget;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod keep;
pub(crate) mod packaging;
pub(crate) mod refresh;
pub(crate) mod reject;
pub(crate) mod reseal;
pub(crate) mod sandbox;
pub(crate) mod settle;
pub(crate) mod sign;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod verify;
