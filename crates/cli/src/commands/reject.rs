//! `rampauth reject`: the provider does not accept an access token any more; one refresh follows, however many say so.

use std::path::Path;

use rampauth_core::{AccessToken, Error, Outcome};
use rampauth_keeper::{Record, TokenDigest};
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::stored::Stored;
use crate::{input, output, tokens};

const ACTION: &str = "read the rejected token";

#[derive(Serialize)]
struct Rejected<'a> {
    key: &'a str,
    /// Whether it was the session's own; otherwise nothing was changed.
    rejected: bool,
}

pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let token = given()?;
    let (stored, before) = Stored::expect(&config, profile).await?;
    let rejected = holds(&before, &token);
    if rejected {
        let session = &stored.session;
        // Noted before anything else: it is not handed out again, whatever becomes of the refresh.
        let noted = session.reject(&token).await;
        // Where another process has refreshed meanwhile, its token is what there is.
        let result = match (noted, session.try_access_token().is_some()) {
            (Ok(()), false) => {
                stored.prepare(profile)?;
                session.access_token().await.map(drop)
            }
            (noted, _) => noted,
        };
        stored.finish(result, &before, profile).await?;
    }
    tell(profile, rejected, json)
}

/// The access token on standard input, alone.
fn given() -> Result<AccessToken, Error> {
    let refuse =
        |reason: String| Error::input(ACTION, reason).with_help("give the access token on standard input, alone");
    let given = input::offered()?.ok_or_else(|| refuse("there is none on standard input".to_owned()))?;
    let token = input::text(&given).map_err(|it| refuse(format!("it is {it}")))?.trim();
    if let Some(reason) = tokens::header_before(token) {
        return Err(refuse(reason.to_owned()));
    }
    if token.starts_with('{') {
        return Err(refuse("it is JSON, where a token alone belongs".to_owned()));
    }
    AccessToken::new(token)
        .map_err(|error| error.with_action(ACTION).with_help("give the access token on standard input, alone"))
}

fn holds(record: &Record, token: &AccessToken) -> bool {
    let digest = TokenDigest::of(token.expose_secret());
    record.tokens.as_ref().is_some_and(|tokens| tokens.access == Some(digest))
}

fn tell(profile: &Profile, rejected: bool, json: bool) -> Result<(), Error> {
    if json {
        return output::json(&Rejected { key: profile.key.as_str(), rejected }, Outcome::Unknown);
    }
    let name = printable(&profile.name);
    let said = match rejected {
        true => format!("`{name}` has another access token now: rampauth token {name}"),
        false => format!("that is not the access token of `{name}` any more, and nothing was changed"),
    };
    output::line(&said, Outcome::Unknown)
}
