//! Compare and set: what a store does by itself.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::difference::{self, Times};
use super::names::{S1, S2, login, tokens};
use super::script::{Scenario, Stage, code, failed};
use crate::key::SessionKey;
use crate::record::Record;
use crate::revision::Revision;
use crate::store::{Replaced, Replacement, Store as _, Stored};

const TASKS: u32 = 16;
const ROUNDS: u32 = 8;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        code("replace: what was never stored is absent, and is written only by who expects that", |stage| {
            Box::pin(absent(stage))
        }),
        code("replace: what is written is read, with its revision", |stage| Box::pin(read_back(stage))),
        code("replace: upon another revision nothing is written, and what is there is answered", |stage| {
            Box::pin(conflicts(stage))
        }),
        code("replace: a revision is both its numbers, of 64 bits each", |stage| Box::pin(revisions(stage))),
        code("replace: a record that is written again unchanged has a new revision", |stage| Box::pin(again(stage))),
        code("replace: one key's revision is nothing to another key", |stage| Box::pin(apart(stage))),
        code("replace: of sixteen upon one revision one is written, and the others see it", |stage| {
            Box::pin(one_is_written(stage))
        }),
        code("replace: sixteen sessions at once are sixteen records", |stage| Box::pin(many_keys(stage))),
    ]
}

fn record(number: u32) -> Record {
    login(S1, u64::from(number), tokens(number))
}

fn revision(number: u64) -> Revision {
    Revision::from_parts(number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

async fn read(stage: &Stage, key: &SessionKey) -> Result<Stored, String> {
    stage.store.read(key).await.map_err(|error| failed("read", &error))
}

async fn replace(
    stage: &Stage,
    key: &SessionKey,
    expected: Revision,
    revision: Revision,
    record: &Record,
) -> Result<Replaced, String> {
    let replacement = Replacement { expected, revision, record, claims: false };
    stage.store.replace(key, replacement).await.map_err(|error| failed("replace", &error))
}

async fn write(
    stage: &Stage,
    key: &SessionKey,
    expected: Revision,
    revision: Revision,
    record: &Record,
) -> Result<(), String> {
    match replace(stage, key, expected, revision, record).await? {
        Replaced::Written { time } => to_result(&difference::clock(time, stage.now())),
        Replaced::Conflict(stored) => Err(format!("{expected:?} conflicts with {:?}, which it is", stored.revision)),
    }
}

/// That a replace is refused, and answers this record and revision.
async fn refused(
    stage: &Stage,
    key: &SessionKey,
    expected: Revision,
    current: (Revision, Option<&Record>),
) -> Result<(), String> {
    let answer = replace(stage, key, expected, revision(99), &record(99)).await?;
    let Replaced::Conflict(conflict) = answer else {
        return Err(format!("written upon {expected:?}, where {:?} is stored", current.0));
    };
    is_stored(stage, &conflict, current).map_err(|what| format!("in the conflict: {what}"))?;
    is_stored(stage, &read(stage, key).await?, current)
}

fn is_stored(stage: &Stage, stored: &Stored, (revision, record): (Revision, Option<&Record>)) -> Result<(), String> {
    let mut found = difference::records(record, stored.record.as_ref(), Times::Exact);
    found.extend(difference::clock(stored.time, stage.now()));
    if stored.revision != revision {
        found.push(format!("{:?} is stored instead of {revision:?}", stored.revision));
    }
    to_result(&found)
}

fn to_result(differences: &[String]) -> Result<(), String> {
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

async fn absent(stage: Stage) -> Result<(), String> {
    let key = stage.key("");
    is_stored(&stage, &read(&stage, &key).await?, (Revision::ABSENT, None))?;
    refused(&stage, &key, revision(1), (Revision::ABSENT, None)).await?;
    write(&stage, &key, Revision::ABSENT, revision(1), &record(1)).await?;
    refused(&stage, &key, Revision::ABSENT, (revision(1), Some(&record(1)))).await
}

async fn read_back(stage: Stage) -> Result<(), String> {
    let key = stage.key("");
    let mut expected = Revision::ABSENT;
    for number in 1..5 {
        let next = revision(u64::from(number));
        write(&stage, &key, expected, next, &record(number)).await?;
        is_stored(&stage, &read(&stage, &key).await?, (next, Some(&record(number))))?;
        expected = next;
    }
    Ok(())
}

async fn conflicts(stage: Stage) -> Result<(), String> {
    let key = stage.key("");
    write(&stage, &key, Revision::ABSENT, revision(1), &record(1)).await?;
    write(&stage, &key, revision(1), revision(2), &record(2)).await?;
    for expected in [1, 3, 99].map(revision) {
        refused(&stage, &key, expected, (revision(2), Some(&record(2)))).await?;
    }
    // Whoever was refused can go on from what was answered.
    write(&stage, &key, revision(2), revision(3), &record(3)).await
}

async fn revisions(stage: Stage) -> Result<(), String> {
    let top = 1 << 63;
    for (number, random) in [(u64::MAX, u64::MAX), (top, 0), (1, top), (7, 7)] {
        let key = stage.key("");
        let stored = Revision::from_parts(number, random);
        write(&stage, &key, Revision::ABSENT, stored, &record(1)).await?;
        let one_bit = [(number, random ^ 1), (number ^ 1, random), (number, random ^ top), (number ^ top, random)];
        for (number, random) in one_bit.into_iter().chain([(random, number)]) {
            let other = Revision::from_parts(number, random);
            if other != stored {
                refused(&stage, &key, other, (stored, Some(&record(1)))).await?;
            }
        }
        write(&stage, &key, stored, revision(8), &record(2)).await?;
    }
    Ok(())
}

async fn again(stage: Stage) -> Result<(), String> {
    let key = stage.key("");
    write(&stage, &key, Revision::ABSENT, revision(1), &record(1)).await?;
    write(&stage, &key, revision(1), revision(2), &record(1)).await?;
    refused(&stage, &key, revision(1), (revision(2), Some(&record(1)))).await
}

async fn apart(stage: Stage) -> Result<(), String> {
    let (one, other) = (stage.key("a"), stage.key("b"));
    write(&stage, &one, Revision::ABSENT, revision(1), &record(1)).await?;
    refused(&stage, &other, revision(1), (Revision::ABSENT, None)).await?;
    let second = login(S2, 2, tokens(2));
    write(&stage, &other, Revision::ABSENT, revision(1), &second).await?;
    write(&stage, &one, revision(1), revision(2), &record(3)).await?;
    is_stored(&stage, &read(&stage, &other).await?, (revision(1), Some(&second)))
}

/// Carries out all of them at once, each in a task of its own; the answers are in the order of the replaces.
async fn at_once(stage: &Stage, replaces: Vec<(SessionKey, Revision, u32)>) -> Result<Vec<Replaced>, String> {
    let start = Arc::new(Barrier::new(replaces.len()));
    let mut tasks = JoinSet::new();
    for (index, (key, expected, number)) in replaces.into_iter().enumerate() {
        let (stage, start) = (stage.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            (index, replace(&stage, &key, expected, revision(u64::from(number)), &record(number)).await)
        });
    }
    let mut answers = Vec::new();
    while let Some(answered) = tasks.join_next().await {
        let (index, answer) = answered.map_err(|_| "the store panicked".to_owned())?;
        answers.push((index, answer?));
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn one_is_written(stage: Stage) -> Result<(), String> {
    for round in 0..ROUNDS {
        let key = stage.key("");
        let mut expected = Revision::ABSENT;
        if round % 2 == 1 {
            expected = revision(1);
            write(&stage, &key, Revision::ABSENT, expected, &record(1)).await?;
        }
        let replaces = (0..TASKS).map(|number| (key.clone(), expected, 100 + number)).collect();
        let answers = at_once(&stage, replaces).await?;
        let written: Vec<_> = (100..)
            .zip(&answers)
            .filter(|(_, answer)| matches!(answer, Replaced::Written { .. }))
            .map(|(number, _)| number)
            .collect();
        let [winner] = written[..] else { return Err(format!("{} of {TASKS} were written", written.len())) };
        let current = (revision(u64::from(winner)), Some(&record(winner)));
        for answer in &answers {
            if let Replaced::Conflict(stored) = answer {
                is_stored(&stage, stored, current).map_err(|what| format!("in the conflict: {what}"))?;
            }
        }
        is_stored(&stage, &read(&stage, &key).await?, current)?;
    }
    Ok(())
}

async fn many_keys(stage: Stage) -> Result<(), String> {
    let keys: Vec<_> = (0..TASKS).map(|_| stage.key("")).collect();
    let replaces = keys.iter().zip(1..).map(|(key, number)| (key.clone(), Revision::ABSENT, number)).collect();
    let answers = at_once(&stage, replaces).await?;
    if !answers.iter().all(|answer| matches!(answer, Replaced::Written { .. })) {
        return Err("a session is in the way of another".to_owned());
    }
    for (key, number) in keys.iter().zip(1..) {
        is_stored(&stage, &read(&stage, key).await?, (revision(u64::from(number)), Some(&record(number))))?;
    }
    Ok(())
}
