//! `rampauth demo`: all five refresh calls against a sandbox of its own, the way a user makes them.

mod progress;
mod table;

use std::path::Path;

use rampauth_core::{Clock as _, Error, ErrorKind, Expiry, Outcome, SystemClock};
use rampauth_sandbox::{Call, Sandbox};
use serde::Serialize;

use crate::commands::sandbox;
use crate::config::Config;
use crate::provider::ALGORITHM;
use crate::signals::Stop;
use crate::time::told;
use crate::{input, kit, output, terminal, tokens};
use progress::Progress;

const NEXT: &str = "\
Each signature was made by one implementation of RSA and verified by another; keys and tokens are gone again.
Next: `rampauth sandbox --write demo` keeps a sandbox running and writes a configuration with live tokens for it.";

/// What became of one call.
struct Row {
    call: Call,
    /// Method and path, as the sandbox saw them.
    request: String,
    /// What the signature covers; nothing where the token is all that the call takes.
    signed: Option<&'static str>,
    expiry: Expiry,
    rotated: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    rows: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonRow<'a> {
    provider: &'a str,
    call: &'a str,
    signed: Option<&'a str>,
    algorithm: Option<&'a str>,
    outcome: &'a str,
    access_token_expires_at: Option<String>,
    rotated: bool,
}

/// The only outcome that a printed row has: the first call that is not granted ends the demo with its error.
const GRANTED: &str = "granted";

pub(crate) async fn run(json: bool) -> Result<(), Error> {
    let progress = Progress::start(kit::PROFILES.len(), json);
    progress.say("making keys and starting the sandbox");
    let sandbox = sandbox::start(Sandbox::builder()).await?;
    // Dropped when it is told to stop, and its folder of keys with it.
    let mut stop = Stop::listen()?;
    let rows = tokio::select! {
        rows = refresh_all(&sandbox, |call| progress.step(&format!("refreshing {call}"))) => rows?,
        () = stop.wait() => {
            let reason = "it was told to stop";
            return Err(Error::new(ErrorKind::Interrupted, Outcome::Unknown, "finish the demo", reason));
        }
    };
    sandbox.stop().await;
    drop(progress);
    if json {
        return output::json(&Document { rows: rows.iter().map(JsonRow::from).collect() }, Outcome::Unknown);
    }
    let colour = terminal::has_colour(&std::io::stdout());
    let table = table::render(&rows, SystemClock.now(), table::terminal_width(), colour);
    output::line(&format!("{table}\n{NEXT}"), Outcome::Unknown)
}

/// Writes a configuration and tokens for the sandbox, reads them as any other, and refreshes profile by profile.
async fn refresh_all(sandbox: &Sandbox, begin: impl Fn(Call)) -> Result<Vec<Row>, Error> {
    let folder = tempfile::Builder::new().prefix("rampauth-demo-").tempdir().map_err(|error| {
        Error::input("start the demo", "there is no place for temporary files")
            .with_help("set TMPDIR to a folder that can be written")
            .with_source(error)
    })?;
    kit::write(folder.path(), true, sandbox)?;
    let config = Config::load(&folder.path().join("rampauth.toml"))?;
    let mut rows = Vec::with_capacity(kit::PROFILES.len());
    for (profile, call) in kit::PROFILES {
        begin(call);
        let client = config.profile(profile)?.client()?;
        let presents = client.policy().presents;
        let before = tokens::read(&issued(folder.path(), profile)?, presents)?;
        let after = client.refresh(&before).await?;
        let seen = sandbox.events().pop();
        rows.push(Row {
            call,
            request: seen.map_or_else(String::new, |event| format!("{} {}", event.method, event.path)),
            signed: signed(call),
            expiry: after.access_expiry,
            rotated: tokens::rotated(presents, &before, &after),
        });
    }
    Ok(rows)
}

fn issued(folder: &Path, profile: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    match input::file(&folder.join(format!("{profile}.json")), input::MAX_STDIN) {
        Ok(Some(bytes)) => Ok(bytes),
        _ => Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "read the demo's tokens", "they are gone")),
    }
}

fn signed(call: Call) -> Option<&'static str> {
    match call {
        Call::AlixCard => Some("partnerCode|secretKey"),
        Call::AlixOnOffRamp => Some("partnerCode|email|secretKey"),
        Call::PayBy => Some("the body, byte for byte"),
        _ => None,
    }
}

impl<'a> From<&'a Row> for JsonRow<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            provider: row.call.name(),
            call: &row.request,
            signed: row.signed,
            algorithm: row.signed.map(|_| ALGORITHM),
            outcome: GRANTED,
            access_token_expires_at: told(row.expiry),
            rotated: row.rotated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_first_call_that_is_not_granted_ends_it() {
        // Tokens that are born expired: four providers renew them, Transak's client does not even ask.
        let sandbox = sandbox::start(Sandbox::builder().access_lifetime(Duration::ZERO)).await.expect("a sandbox");
        let begun = std::cell::RefCell::new(Vec::new());
        let ended = refresh_all(&sandbox, |call| begun.borrow_mut().push(call)).await;
        let error = ended.err().expect("a failure");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
        assert_eq!(begun.into_inner(), [Call::AlixCard, Call::AlixOnOffRamp, Call::TransakUser]);
        assert_eq!(sandbox.events().len(), 2);
    }
}
