//! The one place that reads the environment.

use std::ffi::OsString;

/// The variable, if it is set.
#[expect(clippy::disallowed_methods, reason = "reading the environment is the command line's part")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The variable, if it is set to something: for settings that an empty value switches off.
pub(crate) fn setting(name: &str) -> Option<OsString> {
    variable(name).filter(|value| !value.is_empty())
}
