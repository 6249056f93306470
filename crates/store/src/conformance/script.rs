//! A scenario as data, and how it is played against a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rampauth_core::{Clock as _, SystemClock};

use super::difference::{self, Times};
use super::kind::Kind;
use super::names::{S1, login, tokens};
use crate::apply::{StoreExt as _, apply_with};
use crate::error::StoreError;
use crate::history::CredentialHistory;
use crate::key::SessionKey;
use crate::protocol::{Answer, Conclusion, Operation, Step as Protocol};
use crate::record::{Record, SessionId, StoreTime, StoredTokens};
use crate::store::Store;

/// A rule and how it is checked.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) play: Play,
}

pub(super) enum Play {
    /// One operation after the other on one key.
    Steps(Script),
    /// Several keys, several tasks, or listings.
    Code(fn(Stage) -> Course),
}

/// A scenario under way; its error says what differed.
pub(super) type Course = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

pub(super) fn steps(name: &'static str, script: Script) -> Scenario {
    Scenario { name, play: Play::Steps(script) }
}

pub(super) fn code(name: &'static str, code: fn(Stage) -> Course) -> Scenario {
    Scenario { name, play: Play::Code(code) }
}

/// An operation, its answer, and the record that is left; the answer holds the same one.
struct Step {
    operation: Operation,
    answer: Kind,
    record: Option<Record>,
}

/// Steps on one key, which holds nothing at first.
#[derive(Default)]
pub(super) struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// A session `S1` with tokens 1.
    pub(super) fn logged_in() -> Self {
        Self::default().put(S1, None, 1, tokens(1))
    }

    /// A login that is saved as this generation.
    pub(super) fn put(
        self,
        session: SessionId,
        expect: Option<SessionId>,
        generation: u64,
        tokens: StoredTokens,
    ) -> Self {
        let record = login(session, generation, tokens.clone());
        self.then(Operation::Put { session, expect, tokens }, Kind::Saved, Some(record))
    }

    /// An operation that changes the record like this.
    pub(super) fn step(self, operation: Operation, answer: Kind, change: impl FnOnce(&mut Record)) -> Self {
        let mut record = self.left().expect("a scenario changes a record that is there");
        change(&mut record);
        self.then(operation, answer, Some(record))
    }

    /// An operation that leaves all as it is.
    pub(super) fn same(self, operation: Operation, answer: Kind) -> Self {
        let record = self.left();
        self.then(operation, answer, record)
    }

    fn left(&self) -> Option<Record> {
        self.steps.last().and_then(|step| step.record.clone())
    }

    fn then(mut self, operation: Operation, answer: Kind, mut record: Option<Record>) -> Self {
        if let Some(record) = &mut record {
            record.history = history_after(self.left().as_ref(), &operation, answer);
        }
        self.steps.push(Step { operation, answer, record });
        self
    }

    /// Which operations are expected to answer what.
    #[cfg(test)]
    pub(super) fn expectations(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.steps.iter().map(|step| (name(&step.operation), step.answer))
    }

    /// Plays all steps on a key of its own, each `twice` if asked.
    pub(super) async fn play(&self, stage: &Stage, twice: bool) -> Result<(), String> {
        let key = stage.key("");
        for (number, step) in self.steps.iter().enumerate() {
            step.play(stage, &key, twice).await.map_err(|what| {
                let operation = name(&step.operation);
                format!("step {}, {operation}, which is to answer {:?}:\n{what}", number + 1, step.answer)
            })?;
        }
        Ok(())
    }
}

/// The credentials that a session has had once this is done: those of its logins, those that were sent, and the one that was
/// there when it ended.
fn history_after(before: Option<&Record>, operation: &Operation, answer: Kind) -> CredentialHistory {
    let mut history = before.map(|record| record.history.clone()).unwrap_or_default();
    let replaces = |session: &SessionId| before.is_none_or(|record| record.session != *session);
    let replaced = before.and_then(|record| record.tokens.as_ref()).map(|tokens| tokens.presents);
    match (operation, answer) {
        (Operation::Put { session, tokens, .. }, Kind::Saved) if replaces(session) => {
            replaced.into_iter().for_each(|presents| history.note_sent(presents));
            history.note_login(tokens.presents);
        }
        (Operation::Remove { session, .. }, Kind::Done) if replaces(session) => {
            replaced.into_iter().for_each(|presents| history.note_sent(presents));
        }
        (Operation::Begin { presents, .. } | Operation::ClaimManually { presents, .. }, Kind::Begun) => {
            history.note_sent(*presents);
        }
        _ => {}
    }
    history
}

impl Step {
    async fn play(&self, stage: &Stage, key: &SessionKey, twice: bool) -> Result<(), String> {
        let before = stage.load(key).await?;
        let answer = stage.apply(key, self.operation.clone()).await?;
        let left = stage.load(key).await?;
        let times = Times::StoreNow(stage.now());
        let mut found = difference::answers(self.answer, self.record.as_ref(), &answer, times);
        found.extend(difference::records(self.record.as_ref(), left.as_ref(), times));
        if self.answer.is_untouched() {
            found.extend(difference::records(before.as_ref(), left.as_ref(), Times::Exact));
        }
        if twice && found.is_empty() {
            let answer = stage.apply(key, self.operation.clone()).await?;
            let mut again = stage.load(key).await?;
            let kind = self.answer.again(&self.operation);
            found.extend(difference::answers(kind, self.record.as_ref(), &answer, times));
            // It may be noted that a repetition came by.
            if let (Some(again), Some(left)) = (&mut again, &left) {
                again.updated_at = left.updated_at;
            }
            found.extend(difference::records(left.as_ref(), again.as_ref(), Times::Exact));
        }
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }
}

fn name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Put { .. } => "put",
        Operation::Begin { settle: false, .. } => "begin",
        Operation::Begin { settle: true, .. } => "begin to settle",
        Operation::ClaimManually { .. } => "claim manually",
        Operation::Commit { .. } => "commit",
        Operation::Conclude { conclusion: Conclusion::NotSent, .. } => "conclude not sent",
        Operation::Conclude { conclusion: Conclusion::Unknown, .. } => "conclude unknown",
        Operation::Conclude { conclusion: Conclusion::Dead, .. } => "conclude dead",
        Operation::Conclude { conclusion: Conclusion::Refused, .. } => "conclude refused",
        Operation::GiveUp { .. } => "give up",
        Operation::Reject { .. } => "reject",
        Operation::Remove { .. } => "remove",
        Operation::Reseal { .. } => "reseal",
    }
}

/// How often a step is planned anew. Sixteen at once get on one by one.
const TRIES: u32 = 100;

/// The store under test, and keys that nobody else uses.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) store: Arc<dyn Store>,
    protocol: Protocol,
    run: String,
    keys: Arc<AtomicU64>,
}

impl Stage {
    pub(super) fn new(store: Arc<dyn Store>, protocol: Protocol) -> Self {
        let since = SystemClock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = format!("{:x}-{:x}", since.as_nanos(), std::process::id());
        Self { store, protocol, run, keys: Arc::default() }
    }

    /// A key that was never used, with `end` at its end.
    pub(super) fn key(&self, end: &str) -> SessionKey {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        SessionKey::parse(format!("conformance/{}/{number}{end}", self.run)).expect("a key of three short plain parts")
    }

    pub(super) fn now(&self) -> SystemTime {
        SystemClock.now()
    }

    pub(super) async fn load(&self, key: &SessionKey) -> Result<Option<Record>, String> {
        self.store.load(key).await.map_err(|error| failed("load", &error))
    }

    pub(super) async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, String> {
        let mut tries = 0;
        loop {
            let applied = apply_with(self.protocol, &self.store, key, None, operation.clone()).await;
            let answer = applied.map_err(|error| failed(name(&operation), &error))?.answer;
            tries += 1;
            if tries == TRIES || !self.is_planned_anew(&operation, &answer) {
                return Ok(answer);
            }
        }
    }

    /// Whether another process came in between, so that whoever plans this looks at the new record and plans it again.
    fn is_planned_anew(&self, operation: &Operation, answer: &Answer) -> bool {
        let Answer::Moved(current @ Some(_)) = answer else { return false };
        let again = (self.protocol)(&mut current.clone(), operation.clone(), &StoreTime::wall(self.now()));
        operation.is_planned() && !matches!(again, Answer::Moved(_))
    }

    /// Carries out steps that lead up to what is checked.
    pub(super) async fn given(&self, key: &SessionKey, operations: &[(Operation, Kind)]) -> Result<(), String> {
        for (operation, kind) in operations {
            let answer = Kind::of(&self.apply(key, operation.clone()).await?);
            if answer != *kind {
                return Err(format!("{} answered {answer:?} instead of {kind:?}", name(operation)));
            }
        }
        Ok(())
    }
}

pub(super) fn failed(what: &str, error: &StoreError) -> String {
    format!("{what} failed: {error} ({:?})", error.kind())
}
