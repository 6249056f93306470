//! Every record of a store sealed anew with the present key, beside whatever else goes on.

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{
    Answer, Operation, Record, Resealed, SessionKey, Store, StoreError, StoreExt as _, StoredTokens, TokenDigest,
};

use crate::tokens::encoding;
use crate::tokens::sealing::{Seal, SealingKeys, Unreadable};

const ACTION: &str = "seal the tokens anew";
/// How often a record that moves under one's feet is looked at anew.
const LOOKS: u32 = 100;

/// What came of [`reseal`], session by session. Those without tokens are left out.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ResealReport {
    /// Sealed anew.
    pub resealed: Vec<SessionKey>,
    /// All of it was sealed with the present key already.
    pub current: Vec<SessionKey>,
    /// Something of it could not be read or written, and is as it was. What could is sealed anew all the same.
    pub failed: Vec<(SessionKey, Error)>,
}

/// Seals every session's tokens, and those that wait beside them, with the present key. Session, generation, state, claim and
/// journal stay what they are, so that it may run beside keepers that refresh; asked again, it does what is left.
///
/// A process that still seals with an older key will go on doing so: change the keys of all first, then reseal.
///
/// # Errors
///
/// [`ErrorKind::Internal`] when the store's sessions cannot be listed. What is wrong with one session stands in the report, and
/// is in the way of no other.
pub async fn reseal(store: &(impl Store + ?Sized), keys: &SealingKeys) -> Result<ResealReport, Error> {
    let mut report = ResealReport::default();
    for session in store.all_keys().await.map_err(failed)? {
        match reseal_one(store, Seal { session: &session, keys: Some(keys) }).await {
            Ok(Some(true)) => report.resealed.push(session),
            Ok(Some(false)) => report.current.push(session),
            Ok(None) => {}
            Err(error) => report.failed.push((session, error)),
        }
    }
    Ok(report)
}

/// Whether anything had to be done; `None` where there are no tokens.
async fn reseal_one(store: &(impl Store + ?Sized), seal: Seal<'_>) -> Result<Option<bool>, Error> {
    let mut sealed_anew = false;
    for _ in 0..LOOKS {
        let Some(record) = store.load(seal.session).await.map_err(failed)? else { return Ok(None) };
        if stored(&record).next().is_none() {
            return Ok(None);
        }
        let (payloads, unreadable) = payloads(&record, seal);
        if !payloads.is_empty() {
            // Looked at once more in any case: something may have come in between.
            let answer = store.apply(seal.session, Operation::Reseal { payloads }).await.map_err(failed)?;
            sealed_anew |= matches!(answer, Answer::Done(_));
            continue;
        }
        return match unreadable {
            Some(unreadable) => Err(unreadable.into_error(ACTION, seal.session)),
            None => Ok(Some(sealed_anew)),
        };
    }
    let reason = format!("the record of {} has moved all the while", seal.session);
    Err(Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason).with_help("try again"))
}

fn stored(record: &Record) -> impl Iterator<Item = &StoredTokens> {
    record.tokens.iter().chain(record.orphans.iter().map(|orphan| &orphan.tokens))
}

/// The payloads of this record that are not sealed with the present key, sealed with it; and what could not be read, if
/// anything.
fn payloads(record: &Record, seal: Seal<'_>) -> (Vec<Resealed>, Option<Unreadable>) {
    let (mut payloads, mut unreadable) = (Vec::new(), None);
    for tokens in stored(record) {
        match encoding::reseal(tokens, seal) {
            Ok(Some(StoredTokens { payload, sealed_with, .. })) => {
                let was = TokenDigest::of(tokens.payload.expose_secret());
                payloads.push(Resealed { was, payload, sealed_with });
            }
            Ok(None) => {}
            Err(found) => unreadable = unreadable.or(Some(found)),
        }
    }
    (payloads, unreadable)
}

fn failed(error: StoreError) -> Error {
    Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "the store failed").with_source(error)
}
