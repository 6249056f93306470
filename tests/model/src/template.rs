//! Values of the keeper's types that nobody but its protocol can build.

use std::sync::OnceLock;
use std::time::SystemTime;

use rampauth_core::SecretString;
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{AttemptRef, LastError, Operation, Orphan, OwnerId, Record, StoredTokens};

use crate::ids::{attempt, digest, session};
use crate::time::{LEASE, store, wall};

/// Some orphan, to be made into another.
pub(crate) fn an_orphan() -> Orphan {
    template().orphans.first().cloned().expect("the template has an orphan")
}

/// What a record notes of a provider that asked to be left alone until this tick.
pub(crate) fn pause(until: u8) -> LastError {
    let mut noted = refusal().clone();
    noted.paused_until = Some(wall(until));
    noted
}

/// What a record notes of a refusal.
pub(crate) fn refusal() -> &'static LastError {
    static REFUSAL: OnceLock<LastError> = OnceLock::new();
    REFUSAL.get_or_init(|| {
        let noted = r#"{"kind":"refused","outcome":"refused","status":null,"code":null,"at":"1970-01-01T00:00:00Z"}"#;
        let text = template().to_json();
        let text = text.expose_secret().replace(r#""last_error":null"#, &format!(r#""last_error":{noted}"#));
        Record::from_json(&text).ok().and_then(|record| record.last_error).expect("a record with an error")
    })
}

/// A record with every part, made by the protocol itself: the keeper's types are built by nobody else.
pub(crate) fn template() -> &'static Record {
    static TEMPLATE: OnceLock<Record> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let mut slot = None;
        let fresh = |grant| StoredTokens::new(SecretString::new("payload"), digest(grant), SystemTime::UNIX_EPOCH);
        let begin = |id, generation, presents| Operation::Begin {
            generation,
            presents: digest(presents),
            attempt: attempt(id),
            owner: OwnerId::from_random(0),
            lease: LEASE,
            settle: true,
        };
        let commit = |id, grant| Operation::Commit {
            attempt: AttemptRef { id: attempt(id), session: session(1), generation: 1 },
            tokens: fresh(grant),
        };
        let put = Operation::Put { session: session(1), expect: None, tokens: fresh(0) };
        let steps = [put, begin(1, 1, 0), begin(2, 1, 0), commit(1, 1), commit(2, 2), begin(3, 2, 1)];
        for (now, step) in (0..).zip(steps) {
            apply(&mut slot, step, &store(now));
        }
        slot.expect("the first step put a record there")
    })
}
