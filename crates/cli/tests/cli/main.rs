//! The binary as a user runs it: arguments, files, environment and standard input in; output, error line and exit code out.

mod broken_config;
mod broken_store;
mod broken_tokens;
mod closed_output;
mod config_advice;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod core_dump;
mod decode;
mod demo;
mod exit_codes;
mod failing;
mod help;
mod import;
mod init;
mod keep;
mod keep_beside;
#[cfg(unix)]
mod keep_end;
#[cfg(unix)]
mod keep_many;
#[cfg(unix)]
mod keep_reload;
mod logs;
mod network;
mod packaging;
mod pauses;
#[cfg(unix)]
mod provider;
mod provider_options;
mod races;
mod redaction;
mod refresh;
mod reject;
#[cfg(unix)]
mod removed_log;
mod sandbox;
mod sealed;
mod sign;
mod signals;
#[cfg(unix)]
mod started;
mod status;
mod status_check;
mod stored;
mod support;
mod terminal;
mod token_file;
mod tunnel;
mod verify;
