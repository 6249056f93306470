//! The listings: which sessions are due, and which there are.

use std::time::{Duration, SystemTime};

use super::difference::{self, Times};
use super::kind::Kind;
use super::names::{
    A, B, S1, S2, begin, commit, dead, give_up, lapsing, manual, not_sent, past, put, reject, remove, settle, tokens,
    unknown,
};
use super::script::{Scenario, Stage, code, failed};
use crate::key::SessionKey;
use crate::protocol::Operation;
use crate::store::{Due, DueQuery};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        code("due: the earliest first, and only what is due before then", |stage| Box::pin(in_order(stage))),
        code("due: no more than asked for, the earliest of all", |stage| Box::pin(limited(stage))),
        code("due: what is claimed is left out until the claim lapses", |stage| Box::pin(claimed(stage))),
        code("due: a claim that was made ahead of time is in it once it lapses", |stage| {
            Box::pin(ahead_of_time(stage))
        }),
        code("due: doubts are in it; what needs a login, is over or has no time is not", |stage| {
            Box::pin(states(stage))
        }),
        code("due: a try that a person asked for in login needed never is, held, lapsed or over", |stage| {
            Box::pin(tried_manually(stage))
        }),
        code("due: it follows the last answer, failure or rejection", |stage| Box::pin(followed(stage))),
        code("due: in several parts it is the same list", |stage| Box::pin(due_in_parts(stage))),
        code("due: it brings the record, its revision and the store's time", |stage| Box::pin(due_with_records(stage))),
        code("due: keys are left out by how they begin", |stage| Box::pin(due_with_exceptions(stage))),
        code("keys: every key once, in order, tombstones too", |stage| Box::pin(keys(stage))),
        code("keys: in several parts it is the same list", |stage| Box::pin(keys_in_parts(stage))),
    ]
}

/// A login that is due on this day.
fn due_on(day: u32) -> Operation {
    let mut tokens = tokens(1);
    tokens.next_due = Some(past(day));
    Operation::Put { session: S1, expect: None, tokens }
}

/// A new key with what these operations, all carried out, leave.
async fn key_with(stage: &Stage, end: &str, operations: &[(Operation, Kind)]) -> Result<SessionKey, String> {
    let key = stage.key(end);
    stage.given(&key, operations).await?;
    Ok(key)
}

/// Which of `ours` are due before this day, as listed.
async fn due(stage: &Stage, day: u32, ours: &[SessionKey]) -> Result<Vec<SessionKey>, String> {
    due_before(stage, past(day), ours).await
}

/// Which of `ours` are due before this time, as listed.
async fn due_before(stage: &Stage, before: SystemTime, ours: &[SessionKey]) -> Result<Vec<SessionKey>, String> {
    let all = list(stage, &DueQuery::new(before, usize::MAX)).await?;
    Ok(all.into_iter().map(|due| due.key).filter(|key| ours.contains(key)).collect())
}

async fn list(stage: &Stage, query: &DueQuery) -> Result<Vec<Due>, String> {
    stage.store.due(query).await.map_err(|error| failed("due", &error))
}

fn expect(what: &str, found: &[SessionKey], expected: &[&SessionKey]) -> Result<(), String> {
    let same = found.iter().eq(expected.iter().copied());
    if same { Ok(()) } else { Err(format!("{what}: listed {found:?} instead of {expected:?}")) }
}

async fn in_order(stage: Stage) -> Result<(), String> {
    let mut keys = Vec::new();
    for day in [5, 2, 9, 3, 7] {
        keys.push(key_with(&stage, "", &[(due_on(day), Kind::Saved)]).await?);
    }
    let [five, two, nine, three, seven] = &keys[..] else { return Err("five keys".to_owned()) };
    expect("before day 10", &due(&stage, 10, &keys).await?, &[two, three, five, seven, nine])?;
    expect("before day 7", &due(&stage, 7, &keys).await?, &[two, three, five])?;
    expect("before day 2", &due(&stage, 2, &keys).await?, &[])
}

async fn limited(stage: Stage) -> Result<(), String> {
    let mut keys = Vec::new();
    for day in 1..=6 {
        keys.push(key_with(&stage, "", &[(due_on(day), Kind::Saved)]).await?);
    }
    // Whatever else the store holds: fewer are the first of more.
    let listed = async |limit| {
        let due = list(&stage, &DueQuery::new(past(9), limit)).await?;
        Ok::<_, String>(due.into_iter().map(|due| due.key).collect::<Vec<_>>())
    };
    let all = listed(usize::MAX).await?;
    let ours: Vec<_> = all.iter().filter(|key| keys.contains(key)).collect();
    if ours.len() != keys.len() {
        return Err(format!("listed {} keys of {}", ours.len(), keys.len()));
    }
    for limit in 0..=all.len().min(8) {
        expect(&format!("at most {limit}"), &listed(limit).await?, &all.iter().take(limit).collect::<Vec<_>>())?;
    }
    expect("at most one more than there are", &listed(all.len() + 1).await?, &all.iter().collect::<Vec<_>>())
}

async fn claimed(stage: Stage) -> Result<(), String> {
    use Kind::{Begun, Done, Saved};
    let begun = (begin(1, A), Begun);
    let held = key_with(&stage, "", &[(due_on(1), Saved), begun.clone()]).await?;
    let lapsed = key_with(&stage, "", &[(due_on(2), Saved), (lapsing(begin(1, A)), Begun)]).await?;
    let over = [(due_on(3), Saved), (lapsing(begin(1, A)), Begun), (settle(1, B), Begun)];
    let taken_over = key_with(&stage, "", &over).await?;
    let given_back = [(due_on(4), Saved), begun, (concluded(past(4)), Done)];
    let given_back = key_with(&stage, "", &given_back).await?;
    let keys = [held, lapsed, taken_over, given_back];
    expect("with claims held and free", &due(&stage, 9, &keys).await?, &[&keys[1], &keys[3]])
}

async fn ahead_of_time(stage: Stage) -> Result<(), String> {
    use Kind::{Begun, Saved};
    let mut unscheduled = tokens(1);
    unscheduled.next_due = None;
    for tokens in [tokens(1), unscheduled] {
        let put = Operation::Put { session: S1, expect: None, tokens };
        let fresh = key_with(&stage, "", &[(put.clone(), Saved)]).await?;
        let held = key_with(&stage, "", &[(put.clone(), Saved), (begin(1, A), Begun)]).await?;
        let lapsed = key_with(&stage, "", &[(put.clone(), Saved), (lapsing(begin(1, A)), Begun)]).await?;
        let over = [(put, Saved), (lapsing(begin(1, A)), Begun), (settle(1, B), Begun)];
        let taken_over = key_with(&stage, "", &over).await?;
        let keys = [fresh, held, lapsed, taken_over];
        expect("on day 9, which is past", &due(&stage, 9, &keys).await?, &[])?;
        let tomorrow = stage.now() + Duration::from_secs(86_400);
        expect("until tomorrow", &due_before(&stage, tomorrow, &keys).await?, &[&keys[2]])?;
    }
    Ok(())
}

/// `A` lost its answer and is due again at this time.
fn concluded(next: SystemTime) -> Operation {
    let mut lost = unknown(A, 1);
    if let Operation::Conclude { next_due, .. } = &mut lost {
        *next_due = Some(next);
    }
    lost
}

async fn states(stage: Stage) -> Result<(), String> {
    use Kind::{Begun, Done, Saved};
    let (begun, lapsed) = ((begin(1, A), Begun), (lapsing(begin(1, A)), Begun));
    let mut unscheduled = tokens(1);
    unscheduled.next_due = None;
    let unscheduled = Operation::Put { session: S1, expect: None, tokens: unscheduled };
    let keys = [
        key_with(&stage, "", &[(due_on(6), Saved)]).await?,
        key_with(&stage, "", &[(due_on(5), Saved), begun.clone(), (concluded(past(5)), Done)]).await?,
        key_with(&stage, "", &[(due_on(4), Saved), begun, (dead(A, 1), Done)]).await?,
        key_with(&stage, "", &[(due_on(3), Saved), lapsed.clone(), (give_up(1), Done)]).await?,
        key_with(&stage, "", &[(due_on(3), Saved), lapsed, (give_up(1), Done), (concluded(past(1)), Done)]).await?,
        key_with(&stage, "", &[(due_on(2), Saved), (remove(S2, S1), Done)]).await?,
        key_with(&stage, "", &[(unscheduled, Saved)]).await?,
    ];
    expect("of every state one", &due(&stage, 9, &keys).await?, &[&keys[1], &keys[0]])
}

async fn tried_manually(stage: Stage) -> Result<(), String> {
    use Kind::{Begun, Done, Saved};
    let dead = [(due_on(1), Saved), (begin(1, A), Begun), (dead(A, 1), Done)];
    let after = |steps: &[(Operation, Kind)]| [&dead[..], steps].concat();
    let keys = [
        key_with(&stage, "", &after(&[(manual(1, B), Begun)])).await?,
        key_with(&stage, "", &after(&[(lapsing(manual(1, B)), Begun)])).await?,
        key_with(&stage, "", &after(&[(manual(1, B), Begun), (unknown(B, 1), Done)])).await?,
        key_with(&stage, "", &after(&[(manual(1, B), Begun), (not_sent(B, 1), Done)])).await?,
    ];
    let tomorrow = stage.now() + Duration::from_secs(86_400);
    expect("until tomorrow", &due_before(&stage, tomorrow, &keys).await?, &[])
}

async fn followed(stage: Stage) -> Result<(), String> {
    use Kind::{Begun, Done, Saved};
    let begun = (begin(1, A), Begun);
    // Tokens of a number alone are due far ahead.
    let refreshed = key_with(&stage, "", &[(due_on(1), Saved), begun.clone(), (commit(A, 1, 2), Saved)]).await?;
    let postponed = key_with(&stage, "", &[(due_on(2), Saved), begun, (unknown(A, 1), Done)]).await?;
    let rejected = key_with(&stage, "", &[(put(S1, None, 1), Saved), (reject(1, 1), Done)]).await?;
    let keys = [refreshed, postponed, rejected];
    expect("on day 9, which is past", &due(&stage, 9, &keys).await?, &[])?;
    let tomorrow = stage.now() + Duration::from_secs(86_400);
    expect("until tomorrow", &due_before(&stage, tomorrow, &keys).await?, &[&keys[2]])
}

async fn keys(stage: Stage) -> Result<(), String> {
    use Kind::{Done, Saved};
    let mut ours = Vec::new();
    for end in ["b", "B", "-b", "_b", ".b", "b/s", "b.c/s"] {
        ours.push(key_with(&stage, end, &[(put(S1, None, 1), Saved)]).await?);
    }
    ours.push(key_with(&stage, "", &[(put(S1, None, 1), Saved), (remove(S2, S1), Done)]).await?);
    let nothing = key_with(&stage, "", &[(remove(S2, S1), Kind::Moved)]).await?;
    let listed = stage.store.keys(None, usize::MAX).await.map_err(|error| failed("keys", &error))?;
    if let Some(pair) = listed.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("{} is listed before {}", pair[0], pair[1]));
    }
    if listed.contains(&nothing) {
        return Err(format!("{nothing} is listed, under which nothing was ever stored"));
    }
    match ours.iter().find(|key| !listed.contains(key)) {
        Some(missing) => Err(format!("{missing} is not listed")),
        None => Ok(()),
    }
}

async fn keys_in_parts(stage: Stage) -> Result<(), String> {
    let mut ours = Vec::new();
    for _ in 0..5 {
        ours.push(key_with(&stage, "", &[(put(S1, None, 1), Kind::Saved)]).await?);
    }
    let page = async |after: Option<&SessionKey>, limit| {
        stage.store.keys(after, limit).await.map_err(|error| failed("keys", &error))
    };
    let all = page(None, usize::MAX).await?;
    if let Some(missing) = ours.iter().find(|key| !all.contains(key)) {
        return Err(format!("{missing} is not listed"));
    }
    let mut listed: Vec<SessionKey> = Vec::new();
    loop {
        let part = page(listed.last(), 3).await?;
        if part.is_empty() {
            break;
        }
        if part.len() > 3 || listed.len() > all.len() {
            return Err(format!("listed {} keys, where 3 were asked for", part.len()));
        }
        listed.extend(part);
    }
    expect("three at a time", &listed, &all.iter().collect::<Vec<_>>())?;
    expect("none", &page(None, 0).await?, &[])
}

async fn due_in_parts(stage: Stage) -> Result<(), String> {
    let mut keys = Vec::new();
    // Several of one time: the key tells them apart.
    for day in [4, 1, 1, 1, 1, 2] {
        keys.push(key_with(&stage, "", &[(due_on(day), Kind::Saved)]).await?);
    }
    let query = DueQuery::new(past(9), usize::MAX);
    let all: Vec<_> = list(&stage, &query).await?.into_iter().map(|due| due.key).collect();
    let mut listed: Vec<Due> = Vec::new();
    loop {
        let mut query = DueQuery::new(past(9), 2);
        if let Some(last) = listed.last() {
            query = query.after(last);
        }
        let part = list(&stage, &query).await?;
        if part.is_empty() {
            break;
        }
        if part.len() > 2 || listed.len() > all.len() {
            return Err(format!("listed {} records, where 2 were asked for", part.len()));
        }
        listed.extend(part);
    }
    let listed: Vec<_> = listed.into_iter().map(|due| due.key).collect();
    expect("two at a time", &listed, &all.iter().collect::<Vec<_>>())?;
    let ours: Vec<_> = all.into_iter().filter(|key| keys.contains(key)).collect();
    let [four, first @ .., two] = &keys[..] else { return Err("six keys".to_owned()) };
    let mut expected: Vec<_> = first.iter().collect();
    expected.sort();
    expected.extend([two, four]);
    expect("the earliest first", &ours, &expected)
}

async fn due_with_records(stage: Stage) -> Result<(), String> {
    let lapsed = [(due_on(1), Kind::Saved), (lapsing(begin(1, A)), Kind::Begun)];
    let key = key_with(&stage, "", &lapsed).await?;
    let expected = stage.store.read(&key).await.map_err(|error| failed("read", &error))?;
    let all = list(&stage, &DueQuery::new(past(9), usize::MAX)).await?;
    let Some(due) = all.into_iter().find(|due| due.key == key) else { return Err(format!("{key} is not listed")) };
    let found = due.stored.map_err(|error| failed("due", &error))?;
    if found.revision != expected.revision || due.at != past(1) {
        return Err(format!("{:?} at {:?}, instead of {:?}", found.revision, due.at, expected.revision));
    }
    let mut differences = difference::records(expected.record.as_ref(), found.record.as_ref(), Times::Exact);
    differences.extend(difference::clock(found.time, stage.now()));
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

async fn due_with_exceptions(stage: Stage) -> Result<(), String> {
    let base = stage.key("");
    let mut keys = Vec::new();
    // In a query language some of these characters stand for others.
    for end in ["-a", "-b", "-b/x", "_a", "x", ".a"] {
        let key = SessionKey::parse(format!("{base}{end}")).expect("a key of plain parts");
        stage.given(&key, &[(due_on(1), Kind::Saved)]).await?;
        keys.push(key);
    }
    let except = |beginnings: &[String]| {
        beginnings.iter().fold(DueQuery::new(past(9), usize::MAX), |query, beginning| query.except(beginning.as_str()))
    };
    let beginning = |key: &SessionKey| key.as_str().to_owned();
    for left_out in [&[][..], &[0], &[1, 2], &[3], &[3, 5], &[0, 1, 2, 3, 4, 5]] {
        let query = except(&left_out.iter().map(|index| beginning(&keys[*index])).collect::<Vec<_>>());
        let listed: Vec<_> = list(&stage, &query).await?.into_iter().map(|due| due.key).collect();
        let ours: Vec<_> = listed.into_iter().filter(|key| keys.contains(key)).collect();
        let expected: Vec<_> = keys.iter().enumerate().filter(|(index, _)| !left_out.contains(index)).collect();
        let mut expected: Vec<_> = expected.into_iter().map(|(_, key)| key).collect();
        expected.sort();
        expect(&format!("without {left_out:?}"), &ours, &expected)?;
    }
    Ok(())
}
