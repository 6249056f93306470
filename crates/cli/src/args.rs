//! The command line as it is typed, and what is said about one that cannot be read.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use rampauth_core::Error;

use crate::logging::Format;

const ACTION: &str = "read the command line";

/// Refreshes the tokens of Alix, Transak, PayBy and Onboard, and shows how their calls are signed.
#[derive(Debug, Parser)]
#[command(name = "rampauth", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The configuration file; else that of `RAMPAUTH_CONFIG`, else `./rampauth.toml`
    #[arg(long, global = true, value_name = "FILE", display_order = 100)]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON: results on standard output, errors in one line on standard error
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Secrets come from files, environment variables and standard input, never from arguments.
RAMPAUTH_LOG filters what is logged on standard error, for example RAMPAUTH_LOG=debug.

Exit codes: 0 done · 2 nothing was sent (configuration, input, usage) · 3 refused · 4 log in again
            5 sent, outcome unknown · 6 not processed, try again · 7 signature wrong · 1 our own failure

Start with `rampauth demo`.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Refresh all five endpoints against a sandbox of its own, keep a token fresh, survive a crash
    Demo,
    /// The process that the demo kills: refreshes the stored session of a profile under a short claim
    #[command(hide = true)]
    DemoVictim {
        /// The profile of the configuration
        profile: String,
    },
    /// Run the providers' refresh endpoints on this machine until stopped
    Sandbox {
        /// Where to listen, an address of this machine such as 127.0.0.1:4010; port 0 takes a free one
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Write a configuration, keys and live tokens for it to this folder
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
        /// Write to a folder that is not empty too
        #[arg(long, requires = "write")]
        force: bool,
    },
    /// Write a commented configuration file, never over an existing one
    Init,
    /// Refresh now: tokens (JSON) on standard input or the stored session, new tokens on standard output
    ///
    /// Without tokens on standard input (a terminal, the null device, nothing in it) the stored session is refreshed; its new
    /// tokens are stored, and then printed all the same. An empty file on standard input is refused: a shell empties FILE in
    /// `refresh PROFILE < FILE > FILE` before anything reads it. --file FILE does what is meant.
    ///
    /// A signal while the request is under way is obeyed once the new tokens are stored or printed; a second one at once.
    ///
    /// Reads and prints {"accessToken", "refreshToken", "accessTokenExpiresAt", "refreshTokenExpiresAt"}: what is printed
    /// can be read again. Of what is read only the token that the provider takes is needed: `accessToken` for
    /// transak-user, `refreshToken` for the others. A provider's own answer to a login is read too, and OAuth's names
    /// (`refresh_token`, `expires_in`).
    Refresh {
        /// The profile of the configuration
        profile: String,
        /// Take the tokens from this file, and replace it with the new ones, which are not printed
        #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "stored"])]
        file: Option<PathBuf>,
        /// Take the tokens from standard input, whatever it is
        #[arg(long, conflicts_with = "stored")]
        stdin: bool,
        /// Take the stored session, whatever is on standard input
        #[arg(long)]
        stored: bool,
    },
    /// Store the tokens of a login, given as JSON on standard input, in place of what is there
    ///
    /// Reads what `refresh` reads. Prints nothing, and with --json {"key", "generation", "imported"}. A damaged record is not
    /// written over: set it aside first, with `rampauth forget`.
    ///
    /// Refused are tokens that have expired, that this session has had before, and that another profile's session has.
    Import {
        /// The profile of the configuration
        profile: String,
        /// Leave a session alone that is alive, whatever is given, and end with 0: for deployments that run this each time
        #[arg(long, conflicts_with = "replace")]
        if_none: bool,
        /// Take tokens that this session has had before, which are probably spent
        #[arg(long)]
        replace: bool,
    },
    /// Print a usable access token of the stored session, refreshed first if needed
    ///
    /// For example: curl -H "access-token: $(rampauth token card)" …
    Token {
        /// The profile of the configuration
        profile: String,
    },
    /// Say that the provider answered 401 to the access token on standard input: it is not handed out again, and refreshed once
    ///
    /// However many say so, one refresh follows. A token that is not the session's own any more changes nothing. With --json it
    /// prints {"key", "rejected"}.
    Reject {
        /// The profile of the configuration
        profile: String,
    },
    /// Show every session of the store: state, expiry, what happened, what to do
    ///
    /// Needs no secret and no network, and may run beside everything else. Prints JSON with --json: {"sessions": […]}.
    Status {
        /// Tell the state by the exit code: 0 all well, 4 a login is needed, 5 something is in doubt or failing
        #[arg(long, conflicts_with = "watch")]
        check: bool,
        /// Look again every 2 s until stopped; with --json one line per change
        #[arg(long)]
        watch: bool,
    },
    /// End a doubt now: present the token once more
    ///
    /// A session is in doubt when a refresh was sent and its answer is lost. Without a doubt nothing is sent.
    Settle {
        /// The profile of the configuration
        profile: String,
    },
    /// Remove a session from the store; the provider is not told
    ///
    /// A damaged record, which every other command leaves alone, is set aside: its bytes move into the table `damaged` of the
    /// store, where nothing is ever deleted, and the session can begin anew with `rampauth import`.
    Forget {
        /// The profile of the configuration
        profile: String,
    },
    /// Seal every session of the store anew with `sealing_key`, after a change of keys
    ///
    /// May run beside everything else. Sessions that cannot be read stay as they are and are named; the others are sealed all
    /// the same. With --json it prints {"sealingKey", "resealed", "current"}.
    Reseal,
    /// Keep every session fresh until stopped, and log what happens
    ///
    /// All profiles of the configuration: sessions that are imported, replaced or forgotten meanwhile are noticed within
    /// seconds. SIGHUP has the configuration and all secrets read again. Ctrl-C and SIGTERM finish what is under way and end it
    /// with 0; a second one ends it at once.
    Keep {
        /// How to log on standard error; without it text, or JSON with --json
        #[arg(long, value_name = "FORMAT", value_enum)]
        log_format: Option<Format>,
    },
    /// Show what is signed, and the signature
    ///
    /// Alix signs texts of the configuration. PayBy signs the exact body given on standard input; without one, the body
    /// that would be sent now, with `***` in the refresh token's place.
    Sign {
        /// The profile of the configuration
        profile: String,
        /// Show the secret parts and the signature, which are `***` otherwise
        #[arg(long)]
        reveal: bool,
    },
    /// Check a provider's signature with its public key
    ///
    /// PayBy: the exact body on standard input, its header `sign` in the file. Alix on/off-ramp: the answer's
    /// `signature` in the file, no body.
    Verify {
        /// The profile of the configuration
        profile: String,
        /// The file with the signature in base64
        #[arg(long, value_name = "FILE")]
        signature_file: PathBuf,
    },
    /// Read the times in a JWT given on standard input, without verifying it
    Decode {
        /// Show the claims too, which hold personal data
        #[arg(long)]
        reveal: bool,
    },
    /// Print the completions of a shell, for packagers
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff), for packagers
    Man,
}

/// Whether errors are wanted as JSON, known before the rest of the command line is understood.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// Reads the command line; `None` when it asked for help or the version, which has been printed.
pub(crate) fn parse(arguments: &[OsString], json: bool) -> Result<Option<Args>, Error> {
    match Args::try_parse_from(arguments) {
        Ok(args) => Ok(Some(args)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // Whoever closed the pipe has seen enough of it.
                drop(error.print());
                Ok(None)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                if !json {
                    drop(error.print());
                }
                Err(Error::input(ACTION, "a command is missing").with_help("try `rampauth --help`"))
            }
            _ => Err(explain(&error)),
        },
    }
}

/// Says what is wrong in our own words: clap's quote what was typed, and somebody may have typed a secret.
fn explain(error: &clap::Error) -> Error {
    let argument = || text(error, ContextKind::InvalidArg).unwrap_or_default();
    let reason = match error.kind() {
        ErrorKind::InvalidSubcommand => match text(error, ContextKind::SuggestedSubcommand) {
            Some(command) => format!("there is no such command; perhaps {command}"),
            None => "there is no such command".to_owned(),
        },
        ErrorKind::MissingRequiredArgument => format!("{} is missing", argument()),
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg) {
            Some(prior) if prior != argument() => format!("{} and {prior} exclude each other", argument()),
            _ => format!("{} is given more than once", argument()),
        },
        ErrorKind::UnknownArgument => match text(error, ContextKind::SuggestedArg) {
            Some(known) => format!("there is no such option; perhaps {known}"),
            None => match option_name(error) {
                Some(name) => format!("there is no such option `{name}`"),
                None => "there is an argument too many (secrets and tokens are never arguments)".to_owned(),
            },
        },
        // An empty value is what clap notes for one that is not there.
        ErrorKind::InvalidValue if text(error, ContextKind::InvalidValue).is_none_or(|value| value == "``") => {
            format!("the value of {} is missing", argument())
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            format!("the value of {} is {}", argument(), what_it_should_be(error))
        }
        ErrorKind::TooManyValues => format!("{} takes no value", argument()),
        kind => kind.to_string(),
    };
    let usage = text(error, ContextKind::Usage).map(|usage| usage.trim().replacen("Usage: ", "usage: ", 1));
    Error::input(ACTION, reason).with_help(usage.unwrap_or_else(|| "try `rampauth --help`".to_owned()))
}

/// The option as it was typed, where it can be nothing but the name of one: `-v`, or words of small letters.
fn option_name(error: &clap::Error) -> Option<&str> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_name = match typed.strip_prefix("--") {
        Some(name) => name.len() <= 24 && name.split('-').all(is_word),
        None => matches!(typed.as_bytes(), [b'-', letter] if letter.is_ascii_alphabetic()),
    };
    is_name.then_some(typed)
}

/// The rest of the sentence about a value that cannot be read.
fn what_it_should_be(error: &clap::Error) -> String {
    let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(known)) if !known.is_empty() => format!("none of {}", known.join(", ")),
        _ if argument.contains("<IP:PORT>") => "not IP:PORT, such as 127.0.0.1:4010".to_owned(),
        _ => "not valid".to_owned(),
    }
}

/// What clap noted: names of commands and options, which are ours.
fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(format!("`{text}`")),
        ContextValue::Strings(texts) => {
            Some(texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", "))
        }
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn json_is_seen_wherever_it_stands() {
        for (line, expected) in [
            ("rampauth --json demo", true),
            ("rampauth refresh --nope --json", true),
            ("rampauth refresh -- --json", false),
            ("--json demo", false),
        ] {
            assert_eq!(asks_for_json(&arguments(line)), expected, "{line}");
        }
    }

    #[test]
    fn mistakes_are_named_without_repeating_what_was_typed() {
        let too_many = "there is an argument too many (secrets and tokens are never arguments)";
        for (line, reason) in [
            ("rampauth", "a command is missing"),
            ("rampauth --json", "a command is missing"),
            ("rampauth refesh", "there is no such command; perhaps `refresh`"),
            ("rampauth hunter2", "there is no such command"),
            ("rampauth refresh", "`<PROFILE>` is missing"),
            ("rampauth refresh card --store", "there is no such option; perhaps `--stored`"),
            ("rampauth refresh card hunter2", too_many),
            ("rampauth refresh card --hunter2=hunter2", too_many),
            ("rampauth refresh card --stdin --stored", "`--stdin` and `--stored` exclude each other"),
            ("rampauth refresh card --file f --stdin", "`--file <FILE>` and `--stdin` exclude each other"),
            ("rampauth refresh card --stored --file f", "`--stored` and `--file <FILE>` exclude each other"),
            ("rampauth refresh card --file", "the value of `--file <FILE>` is missing"),
            ("rampauth demo --json --json", "`--json` is given more than once"),
            ("rampauth demo --json=hunter2", "`--json` takes no value"),
            ("rampauth demo --config", "the value of `--config <FILE>` is missing"),
            (
                "rampauth sandbox --listen hunter2",
                "the value of `--listen <IP:PORT>` is not IP:PORT, such as 127.0.0.1:4010",
            ),
            ("rampauth keep --log-format hunter2", "the value of `--log-format <FORMAT>` is none of text, json"),
            ("rampauth status --interval 5", "there is no such option `--interval`"),
            ("rampauth status -v", "there is no such option `-v`"),
            ("rampauth status --Hunter", too_many),
            ("rampauth sandbox --force", "`--write <DIR>` is missing"),
        ] {
            let error = parse(&arguments(line), true).expect_err("refused");
            assert_eq!(error.to_string(), format!("failed to read the command line: {reason}"), "{line}");
            assert!(!error.help().contains("hunter2"), "{line}: {}", error.help());
        }
    }

    #[test]
    fn help_is_the_usage_of_the_command() {
        let help = |line| parse(&arguments(line), true).expect_err("refused").help().to_owned();
        assert_eq!(help("rampauth refresh"), "usage: rampauth refresh <PROFILE>");
        assert_eq!(help("rampauth sandbox --listen x"), "try `rampauth --help`");
    }
}
