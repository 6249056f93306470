//! `rampauth token`: a usable access token of the stored session, refreshed first if needed.

use std::path::Path;

use rampauth_core::{Error, Outcome};
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
    let stored = Stored::expect(&config, profile).await?;
    let given = stored.session.access_token().await;
    let expiry = stored.session.tokens().and_then(|tokens| told(tokens.access_expiry));
    let token = stored.finish(given, path, profile).await?;
    // Whatever was refreshed is in the store: it can be asked for again.
    if json {
        let token = Token { access_token: token.expose_secret(), access_token_expires_at: expiry };
        return output::json(&token, Outcome::Unknown);
    }
    output::line(token.expose_secret(), Outcome::Unknown)
}
