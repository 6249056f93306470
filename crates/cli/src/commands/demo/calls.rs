//! The five calls: a login is imported, refreshed, and read back from the store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rampauth_core::{Clock as _, Error, ErrorKind, Expiry, Outcome, Refresh, SystemClock};
use rampauth_keeper::{Record, Session};
use rampauth_sandbox::Call;
use serde::{Serialize, Serializer};

use super::setup::{Setup, broken};
use crate::config::Profile;
use crate::provider::ALGORITHM;
use crate::time::told;
use crate::{input, stored, tokens};

/// The only outcome that a row has: the first call that is not granted ends the demo with its error.
pub(super) const GRANTED: &str = "granted";

/// What became of one call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(rename = "provider", serialize_with = "name")]
    pub(super) call: Call,
    /// Method and path, as the sandbox saw them.
    #[serde(rename = "call")]
    pub(super) request: String,
    /// What the signature covers; nothing where the token is all that the call takes.
    pub(super) signed: Option<&'static str>,
    algorithm: Option<&'static str>,
    outcome: &'static str,
    #[serde(rename = "accessTokenExpiresAt", serialize_with = "time")]
    pub(super) expiry: Expiry,
    pub(super) rotated: bool,
}

impl Row {
    pub(super) fn new(
        call: Call,
        request: String,
        signed: Option<&'static str>,
        expiry: Expiry,
        rotated: bool,
    ) -> Self {
        Self { call, request, signed, algorithm: signed.map(|_| ALGORITHM), outcome: GRANTED, expiry, rotated }
    }
}

/// Sessions by profile.
pub(super) type Sessions = BTreeMap<&'static str, Session>;

/// Refreshes profile by profile.
pub(super) async fn refresh_all(
    setup: &Setup,
    profiles: &[(&'static str, Call)],
    begin: impl Fn(Call),
) -> Result<(Vec<Row>, Sessions), Error> {
    let (mut rows, mut sessions) = (Vec::new(), Sessions::new());
    for &(name, call) in profiles {
        begin(call);
        let profile = setup.config.profile(name)?;
        let client = Arc::<dyn Refresh>::from(profile.client()?);
        let login = tokens::read(&issued(setup.folder.path(), name)?, client.policy().presents, SystemClock.now())?.set;
        let session = setup.keeper.session(profile.key.clone(), client).await;
        let session = session.map_err(stored::said_by_the_store)?;
        session.put(login).await.map_err(stored::said_by_the_store)?;
        let before = record(setup, profile).await?;
        session.refresh().await.map_err(stored::said_by_the_store)?;
        let after = record(setup, profile).await?;
        let (Some(before), Some(after)) = (before.tokens, after.tokens) else {
            return Err(broken("read the tokens back", "the store holds none"));
        };
        let seen = setup.sandbox.events().pop();
        let request = seen.map_or_else(String::new, |event| format!("{} {}", event.method, event.path));
        rows.push(Row::new(call, request, signed(call), after.access_expiry, before.presents != after.presents));
        sessions.insert(name, session);
    }
    Ok((rows, sessions))
}

/// The session of a profile, for one who is its only holder from then on.
pub(super) fn take(sessions: &mut Sessions, (profile, _): (&str, Call)) -> Result<Session, Error> {
    sessions.remove(profile).ok_or_else(|| broken("find the session", "it was not opened"))
}

/// What the store holds of a profile that has a session.
pub(super) async fn record(setup: &Setup, profile: &Profile) -> Result<Record, Error> {
    let record = stored::record(&setup.store, profile).await?;
    record.ok_or_else(|| stored::no_session(profile, None))
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

pub(super) fn name<S: Serializer>(call: &Call, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(call.name())
}

pub(super) fn time<S: Serializer>(expiry: &Expiry, serializer: S) -> Result<S::Ok, S::Error> {
    told(*expiry).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::commands::sandbox;
    use crate::sandbox_files;
    use rampauth_sandbox::Sandbox;

    #[tokio::test]
    async fn the_first_call_that_is_not_granted_ends_it() {
        let setup = Setup::new(sandbox::start(Sandbox::builder()).await.expect("a sandbox")).expect("a setup");
        // Transak's token is dead by then, and Alix's refresh tokens live on.
        setup.sandbox.advance(Duration::from_secs(40 * 86_400));
        let begun = std::cell::RefCell::new(Vec::new());
        let ended = refresh_all(&setup, &sandbox_files::PROFILES, |call| begun.borrow_mut().push(call)).await;
        let error = ended.err().expect("a failure");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
        assert_eq!(begun.into_inner(), [Call::AlixCard, Call::AlixOnOffRamp, Call::TransakUser]);
        assert_eq!(setup.sandbox.events().len(), 3);
    }
}
