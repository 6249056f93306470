//! Many at once: every outcome is one that the same operations have one after the other.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::difference::{self, Times};
use super::kind::Kind;
use super::names::{
    A, B, C, D, S1, S2, S3, STORE_NOW, attempt, begin, commit, dead, give_up, lapsing, not_sent, put, reject, remove,
    reseal, settle, unknown,
};
use super::script::{Scenario, Stage, code};
use crate::key::SessionKey;
use crate::protocol::{self, Answer, Operation};
use crate::record::{AttemptId, Record, SessionId, StoreTime};

const TASKS: u8 = 16;
/// How often each is tried: chance decides who comes first.
const ROUNDS: usize = 8;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        code("concurrent: of sixteen begins one has begun, and the others are told how long", |stage| {
            Box::pin(one_begins(stage, &[], begin))
        }),
        code("concurrent: of sixteen who settle one doubt one has begun", |stage| {
            let doubt = [(lapsing(begin(1, A)), Kind::Begun)];
            Box::pin(async move { one_begins(stage, &doubt, settle).await })
        }),
        code("concurrent: of sixteen answers to one token one is saved and every other is kept", |stage| {
            Box::pin(answers(stage))
        }),
        code("concurrent: of sixteen logins in place of one, one is saved", |stage| Box::pin(logins(stage))),
        code("concurrent: sixteen sessions do not disturb one another", |stage| Box::pin(apart(stage))),
        code("concurrent: answers, doubts and claims leave what one order of them explains", |stage| {
            let operations = [
                commit(A, 1, 2),
                commit(B, 1, 3),
                settle(1, C),
                unknown(B, 1),
                not_sent(A, 1),
                dead(B, 1),
                begin(2, D),
                give_up(1),
            ];
            Box::pin(async move { explained(stage, &operations).await })
        }),
        code("concurrent: login, logout and refresh leave what one order of them explains", |stage| {
            let operations = [
                commit(A, 1, 2),
                settle(1, C),
                put(S2, Some(S1), 5),
                remove(S3, S1),
                reject(1, 1),
                commit(B, 1, 3),
                dead(B, 1),
            ];
            Box::pin(async move { explained(stage, &operations).await })
        }),
        code("concurrent: sealing anew and refreshing leave what one order of them explains", |stage| {
            let operations = [
                commit(A, 1, 2),
                reseal(&[(1, 11)]),
                settle(1, C),
                reseal(&[(2, 12)]),
                commit(B, 1, 3),
                reseal(&[(11, 21)]),
            ];
            Box::pin(async move { explained(stage, &operations).await })
        }),
    ]
}

/// Carries all of them out at once, each in a task of its own; the answers are in the order of the operations.
async fn at_once(stage: &Stage, operations: Vec<(SessionKey, Operation)>) -> Result<Vec<Answer>, String> {
    let start = Arc::new(Barrier::new(operations.len()));
    let mut tasks = JoinSet::new();
    for (number, (key, operation)) in operations.into_iter().enumerate() {
        let (stage, start) = (stage.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            (number, stage.apply(&key, operation).await)
        });
    }
    let mut answers = Vec::new();
    while let Some(answered) = tasks.join_next().await {
        let (number, answer) = answered.map_err(|_| "the store panicked".to_owned())?;
        answers.push((number, answer?));
    }
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn count(answers: &[Answer], kind: Kind) -> usize {
    answers.iter().filter(|answer| Kind::of(answer) == kind).count()
}

/// None of those that are given: a repetition of an attempt is answered differently.
fn contender(n: u8) -> AttemptId {
    attempt(0x40 + n)
}

async fn one_begins(
    stage: Stage,
    given: &[(Operation, Kind)],
    begin: fn(u64, AttemptId) -> Operation,
) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let key = stage.key("");
        stage.given(&key, &[(put(S1, None, 1), Kind::Saved)]).await?;
        stage.given(&key, given).await?;
        let begins = (1..=TASKS).map(|n| (key.clone(), begin(1, contender(n)))).collect();
        let answers = at_once(&stage, begins).await?;
        let (begun, lost) = (count(&answers, Kind::Begun), count(&answers, Kind::Busy));
        if begun != 1 || lost != answers.len() - 1 {
            return Err(format!("{begun} have begun and {lost} have to wait: {}", kinds(&answers)));
        }
        let winner = (1..=TASKS).zip(&answers).find(|(_, answer)| Kind::of(answer) == Kind::Begun);
        let holder = stage.load(&key).await?.and_then(|record| record.attempt).map(|journal| journal.id);
        if holder != winner.map(|(n, _)| contender(n)) {
            return Err("the claim is another's than the one's who was answered Begun".to_owned());
        }
    }
    Ok(())
}

async fn answers(stage: Stage) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let key = stage.key("");
        stage.given(&key, &[(put(S1, None, 1), Kind::Saved), (lapsing(begin(1, A)), Kind::Begun)]).await?;
        let commits = (1..=TASKS).map(|n| (key.clone(), commit(contender(n), 1, 10 + u32::from(n)))).collect();
        let answers = at_once(&stage, commits).await?;
        let (saved, kept) = (count(&answers, Kind::Saved), count(&answers, Kind::Superseded));
        let orphans = stage.load(&key).await?.map_or(0, |record| record.orphans.len());
        if saved != 1 || kept != answers.len() - 1 || orphans != kept {
            return Err(format!("{saved} saved, {kept} kept, {orphans} orphans stored: {}", kinds(&answers)));
        }
    }
    Ok(())
}

async fn logins(stage: Stage) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let key = stage.key("");
        stage.given(&key, &[(put(S1, None, 1), Kind::Saved)]).await?;
        let session = |n: u8| SessionId::from_random(u128::from(n));
        let puts = (1..=TASKS).map(|n| (key.clone(), put(session(n), Some(S1), u32::from(n)))).collect();
        let answers = at_once(&stage, puts).await?;
        let (saved, moved) = (count(&answers, Kind::Saved), count(&answers, Kind::Moved));
        let generation = stage.load(&key).await?.map(|record| record.generation);
        if saved != 1 || moved != answers.len() - 1 || generation != Some(2) {
            return Err(format!("{saved} saved, generation {generation:?}: {}", kinds(&answers)));
        }
    }
    Ok(())
}

async fn apart(stage: Stage) -> Result<(), String> {
    let keys: Vec<_> = (0..TASKS).map(|_| stage.key("")).collect();
    for (step, kind) in [
        (put(S1, None, 1), Kind::Saved),
        (begin(1, A), Kind::Begun),
        (commit(A, 1, 2), Kind::Saved),
        (begin(2, B), Kind::Begun),
        (unknown(B, 2), Kind::Done),
    ] {
        let answers = at_once(&stage, keys.iter().map(|key| (key.clone(), step.clone())).collect()).await?;
        if count(&answers, kind) != keys.len() {
            return Err(format!("not all were answered {kind:?}: {}", kinds(&answers)));
        }
    }
    Ok(())
}

/// After `A`'s claim lapsed and `B`'s did, all of these at once: some order of them gives the same answers and the same record.
async fn explained(stage: Stage, operations: &[Operation]) -> Result<(), String> {
    for round in 0..ROUNDS {
        let key = stage.key("");
        let (mut expected, then) = (None, StoreTime::wall(STORE_NOW));
        for operation in [put(S1, None, 1), lapsing(begin(1, A)), lapsing(settle(1, B))] {
            let answer = protocol::apply(&mut expected, operation.clone(), &then);
            stage.given(&key, &[(operation, Kind::of(&answer))]).await?;
        }
        // Who is asked first is often answered first.
        let mut operations = operations.to_vec();
        let first = round % operations.len();
        operations.rotate_left(first);
        let answers = at_once(&stage, operations.iter().map(|it| (key.clone(), it.clone())).collect()).await?;
        let left = stage.load(&key).await?;
        let outcome = Outcome {
            answered: operations.into_iter().zip(answers).collect(),
            left,
            times: Times::StoreNow(stage.now()),
        };
        if !outcome.is_explained(expected.as_ref(), &mut Vec::new()) {
            let answers: Vec<_> = outcome.answered.iter().map(|(_, answer)| answer.clone()).collect();
            return Err(format!("no order of the operations gives these answers and this record: {}", kinds(&answers)));
        }
    }
    Ok(())
}

/// What was answered, in no order, and what is left.
struct Outcome {
    answered: Vec<(Operation, Answer)>,
    left: Option<Record>,
    times: Times,
}

impl Outcome {
    /// Whether those that are not `done` yet can follow in some order upon this record.
    fn is_explained(&self, record: Option<&Record>, done: &mut Vec<usize>) -> bool {
        if done.len() == self.answered.len() {
            return difference::records(record, self.left.as_ref(), self.times).is_empty();
        }
        for (number, (operation, answer)) in self.answered.iter().enumerate() {
            if done.contains(&number) {
                continue;
            }
            let mut next = record.cloned();
            let expected = protocol::apply(&mut next, operation.clone(), &StoreTime::wall(STORE_NOW));
            if !difference::answers(Kind::of(&expected), next.as_ref(), answer, self.times).is_empty() {
                continue;
            }
            done.push(number);
            let explained = self.is_explained(next.as_ref(), done);
            done.pop();
            if explained {
                return true;
            }
        }
        false
    }
}

fn kinds(answers: &[Answer]) -> String {
    let kinds: Vec<_> = answers.iter().map(|answer| format!("{:?}", Kind::of(answer))).collect();
    kinds.join(", ")
}
