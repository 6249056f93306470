//! `rampauth token`: a usable access token of the stored session, refreshed first if needed.

use std::path::Path;

use rampauth_core::{AccessToken, Error, ErrorKind, Outcome};
use serde::Serialize;

use crate::config::Config;
use crate::output;
use crate::stored::Stored;
use crate::time::told;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    access_token: &'a str,
    access_token_expires_at: Option<String>,
}

pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let (stored, before) = Stored::expect(&config, profile).await?;
    let now = stored.session.try_access_token().map(|token| token.to_owned());
    if let Some(token) = now {
        let expiry = stored.session.tokens().and_then(|tokens| told(tokens.access_expiry));
        return print(&token, expiry, json);
    }
    stored.prepare(profile)?;
    let (given, result) = match stored.session.access_token().await {
        Ok(token) => (Some(token), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let expiry = stored.session.tokens().and_then(|tokens| told(tokens.access_expiry));
    stored.finish(result, &before, profile).await?;
    let token = given.ok_or_else(|| {
        // The refresh succeeded in the end, and yet the session has no token that could be handed out.
        let reason = "the provider granted none that can be used";
        Error::new(ErrorKind::Protocol, Outcome::Unknown, "give an access token", reason)
            .with_help("what was granted is in the store: see `rampauth status`")
    })?;
    print(&token, expiry, json)
}

/// Whatever was refreshed is in the store: it can be asked for again.
fn print(token: &AccessToken, expiry: Option<String>, json: bool) -> Result<(), Error> {
    if json {
        let token = Token { access_token: token.expose_secret(), access_token_expires_at: expiry };
        return output::deliver_json(&token, Outcome::Unknown);
    }
    output::deliver_line(token.expose_secret(), Outcome::Unknown)
}
