//! `rampauth init`: a configuration file to start from.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use rampauth_core::{Error, Outcome};
use serde::Serialize;

use crate::config::TEMPLATE;
use crate::{output, signals};

const ACTION: &str = "write the configuration";

#[derive(Serialize)]
struct Written<'a> {
    path: &'a str,
}

pub(crate) fn run(path: &Path, json: bool) -> Result<(), Error> {
    let name = path.display().to_string();
    // Half a file would be in the way of the next try.
    signals::hold();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::input(ACTION, format!("{name} exists, and is left as it is"))
            .with_help("give another file with --config"),
        _ => unwritable(&name, error),
    })?;
    file.write_all(TEMPLATE.as_bytes()).map_err(|error| {
        // Half a file would be in the way of the next try.
        drop(std::fs::remove_file(path));
        unwritable(&name, error)
    })?;
    if json {
        return output::json(&Written { path: &name }, Outcome::NotSent);
    }
    output::line(&format!("wrote {name}: keep the profiles that you need"), Outcome::NotSent)
}

fn unwritable(name: &str, error: io::Error) -> Error {
    Error::input(ACTION, format!("{name} cannot be written"))
        .with_help("give another file with --config, in a folder that there is and that this user may write to")
        .with_source(error)
}
