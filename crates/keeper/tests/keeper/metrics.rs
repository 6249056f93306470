//! Each metric moves when it should, and not otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use rampauth_core::{ErrorKind, Expiry, Outcome, WhenUnknown};
use rampauth_keeper::metrics::{
    ADOPTED, CALLERS, CLAIM_WAITS, CLAIMS_LOST, CLOCKS_DIFFER, ENVIRONMENT, EVENTS_MISSED, EXPIRES_SOON, FAILING,
    LOGIN_NEEDED, ORPHANED, OUTCOME, PROVIDER, RECOVERED, REFRESHES, SAVE_FAILURES, SECONDS_LEFT, UNCLAIMED,
};
use rampauth_keeper::{Operation, SessionId};

use crate::support::{LIFETIME, Move, Step, World, error, pass, tokens};

/// Records what this thread's keepers measure.
struct Recording {
    snapshotter: Snapshotter,
    _guard: metrics::LocalRecorderGuard<'static>,
}

impl Recording {
    fn start() -> Self {
        // A guard borrows its recorder, and a test ends with its process.
        let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
        Self { snapshotter: recorder.snapshotter(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    /// What moved since this was asked last: counters by how much, histograms with each value. With the outcome, where there
    /// is one.
    fn moved(&self) -> BTreeMap<String, Vec<f64>> {
        let mut moved = BTreeMap::new();
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let key = key.key();
            let labels: BTreeMap<_, _> = key.labels().map(|label| (label.key(), label.value())).collect();
            if key.name() == EVENTS_MISSED {
                assert!(labels.is_empty(), "it is no session's: {labels:?}");
                let DebugValue::Counter(count) = value else { panic!("it is a counter") };
                moved.extend((count > 0).then(|| (key.name().to_owned(), vec![count as f64])));
                continue;
            }
            assert_eq!((labels[PROVIDER], labels[ENVIRONMENT]), ("fake", "test"), "{labels:?}");
            assert_eq!(labels.len(), if key.name() == REFRESHES { 3 } else { 2 }, "{labels:?}");
            let name = labels.get(OUTCOME).map_or(key.name().to_owned(), |outcome| format!("{} {outcome}", key.name()));
            let values: Vec<f64> = match value {
                DebugValue::Counter(0) => Vec::new(),
                DebugValue::Counter(count) => vec![count as f64],
                DebugValue::Histogram(values) => values.into_iter().map(Into::into).collect(),
                DebugValue::Gauge(_) => panic!("there is no gauge"),
            };
            if !values.is_empty() {
                moved.insert(name, values);
            }
        }
        moved
    }

    #[track_caller]
    fn assert_moved(&self, what: &str, expected: &[(&str, &[f64])]) {
        let expected = expected.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect();
        assert_eq!(self.moved(), expected, "{what}");
    }
}

fn refreshes(outcome: &str) -> String {
    format!("{REFRESHES} {outcome}")
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_counted_by_outcome_and_nothing_else_moves() {
    let recording = Recording::start();
    let world = World::new().await;
    recording.assert_moved("a login", &[]);
    world.token().await;
    recording.assert_moved("a read", &[]);
    world.session.refresh().await.expect("refreshed");
    recording.assert_moved("granted", &[(&refreshes("granted"), &[1.0]), (CALLERS, &[1.0])]);
    for (kind, outcome) in [(ErrorKind::RateLimited, Outcome::Refused), (ErrorKind::Unreachable, Outcome::NotSent)] {
        world.provider.next([Move::Fail(error(kind, outcome))]);
        world.session.refresh().await.expect_err("failed");
        recording.assert_moved(outcome.as_str(), &[(&refreshes(outcome.as_str()), &[1.0]), (CALLERS, &[1.0])]);
    }
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    recording.assert_moved("unknown", &[(&refreshes("unknown"), &[1.0]), (CALLERS, &[1.0])]);
    world.provider.next([Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))]);
    world.session.refresh().await.expect_err("dead");
    let dead = [(&*refreshes("refused"), &[1.0][..]), (LOGIN_NEEDED, &[1.0]), (CALLERS, &[1.0])];
    recording.assert_moved("login_needed", &dead);
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_refresh_are_measured_once_and_nobody_waits_for_one_ahead_of_need() {
    let recording = Recording::start();
    let world = World::new().await;
    pass(LIFETIME * 85 / 100).await;
    recording.assert_moved("ahead of need", &[(&refreshes("granted"), &[1.0]), (CALLERS, &[0.0])]);
    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    let callers: Vec<_> = (0..7)
        .map(|_| {
            let session = world.session.clone();
            tokio::spawn(async move { session.refresh().await })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("refreshed");
    }
    recording.assert_moved("together", &[(&refreshes("granted"), &[1.0]), (CALLERS, &[7.0])]);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_did_is_counted_where_it_is_seen() {
    let recording = Recording::start();
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    let (one, two) = tokio::join!(world.session.refresh(), async {
        pass(Duration::from_secs(1)).await;
        other.refresh().await
    });
    one.expect("refreshed");
    two.expect("refreshed");
    // The other waited once, saw the first's tokens, and presented them as it was asked to.
    let both = [(&*refreshes("granted"), &[2.0][..]), (CLAIM_WAITS, &[1.0]), (ADOPTED, &[1.0]), (CALLERS, &[1.0, 1.0])];
    recording.assert_moved("one after the other", &both);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_not_saved_orphaned_or_unclaimed_are_counted() {
    let recording = Recording::start();
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::AtLastMoment)).await;
    let (_keeper, other) = world.another_process().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    let moved = [(&*refreshes("granted"), &[1.0][..]), (SAVE_FAILURES, &[1.0]), (CALLERS, &[1.0])];
    recording.assert_moved("not saved", &moved);
    pass(Duration::from_secs(60)).await;
    let again = recording.moved();
    assert!(again[SAVE_FAILURES][0] > 1.0 && !again.contains_key(&refreshes("granted")), "{again:?}");
    world.store.refuse_commits(false);
    other.refresh().await.expect("settled");
    recording.moved();
    world.session.settle().await.expect("kept as an orphan");
    recording.assert_moved("orphaned", &[(ORPHANED, &[1.0]), (CALLERS, &[1.0])]);

    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    let late = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.session.remove().await.expect("removed");
    late.await.expect("no panic").expect("there is nothing left to do");
    let moved = [(&*refreshes("granted"), &[1.0][..]), (UNCLAIMED, &[1.0]), (CALLERS, &[1.0])];
    recording.assert_moved("after a logout", &moved);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_lost_is_counted_and_nothing_is_sent() {
    let recording = Recording::start();
    let world = World::new().await;
    // The machine sleeps for a minute while the store answers.
    world.store.delay_the_next(Step::Begin, Duration::from_secs(4));
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.wall.step(60);
    refresh.await.expect("no panic").expect_err("too old");
    recording.assert_moved("too old", &[(CLAIMS_LOST, &[1.0]), (CALLERS, &[1.0])]);
    assert_eq!(world.provider.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_ended_before_anything_was_sent_is_counted() {
    let recording = Recording::start();
    let within = Duration::from_secs(3_600);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    recording.moved();
    // A login comes in just as the doubt is claimed.
    let record = world.store.record().await;
    let (session, expect) = (SessionId::from_random(7), Some(record.session));
    let login = Operation::Put { session, expect, tokens: record.tokens.expect("tokens") };
    world.store.after_the_next_begin(move || vec![login]);
    world.session.settle().await.expect("there is no doubt left");
    recording.assert_moved("a login", &[(CLAIMS_LOST, &[1.0]), (ADOPTED, &[1.0]), (CALLERS, &[1.0])]);
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_refresh_tokens_life_is_measured_at_each_landing() {
    let recording = Recording::start();
    let world = World::new().await;
    let login = async |refresh_lifetime| {
        let mut login = tokens(0, Expiry::At((world.clock)() + LIFETIME));
        login.refresh_expiry = Expiry::At((world.clock)() + refresh_lifetime);
        world.session.put(login).await.expect("saved");
    };
    let fail = async |left: Duration| {
        world.provider.next([Move::Fail(error(ErrorKind::RateLimited, Outcome::Refused))]);
        world.session.refresh().await.expect_err("failed");
        let (left, soon) = (left.as_secs_f64(), left.is_zero());
        let (refused, left) = (refreshes("refused"), [left]);
        let mut moved = vec![(&*refused, &[1.0][..]), (CALLERS, &[1.0]), (SECONDS_LEFT, &left)];
        // Its last fifth has come and gone meanwhile.
        moved.extend(soon.then_some((EXPIRES_SOON, &[1.0][..])));
        recording.assert_moved("failed", &moved);
    };
    login(3 * LIFETIME).await;
    pass(LIFETIME / 4).await;
    // A clock that is set back gives it no more.
    world.wall.step(-3_600);
    pass(LIFETIME / 4).await;
    fail(LIFETIME * 5 / 2).await;
    world.session.refresh().await.expect("refreshed");
    let moved = [(&*refreshes("granted"), &[1.0][..]), (CALLERS, &[1.0]), (RECOVERED, &[1.0])];
    recording.assert_moved("nobody knows", &moved);
    login(LIFETIME / 2).await;
    for (wait, left) in [(LIFETIME / 4, LIFETIME / 4), (LIFETIME / 3, Duration::ZERO)] {
        pass(wait).await;
        fail(left).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_fails_again_and_again_is_counted_once() {
    let world = World::new().await;
    world.session.put(tokens(0, Expiry::At((world.clock)()))).await.expect("saved");
    let recording = Recording::start();
    world.provider.next((0..11).map(|_| Move::Fail(error(ErrorKind::Forbidden, Outcome::Refused))));
    let refused = refreshes("refused");
    for times in 1..=11 {
        world.session.refresh().await.expect_err("refused");
        let mut moved = vec![(&*refused, &[1.0][..]), (CALLERS, &[1.0])];
        moved.extend((times == 10).then_some((FAILING, &[1.0][..])));
        recording.assert_moved("refused", &moved);
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_that_differ_and_events_that_were_missed_are_counted() {
    let recording = Recording::start();
    let mut world = World::new().await;
    let off = tokens(1, Expiry::At((world.clock)() + LIFETIME))
        .with_clock_difference(Some(rampauth_core::ClockDifference::from_milliseconds(-61_000)));
    world.provider.next([Move::Answer(off)]);
    world.session.refresh().await.expect("refreshed");
    recording.assert_moved("off", &[(&refreshes("granted"), &[1.0]), (CALLERS, &[1.0]), (CLOCKS_DIFFER, &[1.0])]);
    for _ in 0..1_030 {
        world.session.refresh().await.expect("refreshed");
    }
    recording.moved();
    drop(world.happened());
    // A refresh is one event, and the first came with another.
    recording.assert_moved("missed", &[(EVENTS_MISSED, &[8.0])]);
}

#[tokio::test(start_paused = true)]
async fn every_counter_is_there_at_zero_from_the_first_session_on_and_every_metric_is_described() {
    let recording = Recording::start();
    let world = World::new().await;
    let mut found = BTreeMap::new();
    for (key, _, description, value) in recording.snapshotter.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        assert!(description.is_some_and(|description| !description.is_empty()), "{name}");
        let DebugValue::Counter(0) = value else { panic!("{name}: {value:?}") };
        *found.entry(name).or_insert(0) += 1;
    }
    let of_each = [
        ADOPTED,
        CLAIM_WAITS,
        CLAIMS_LOST,
        CLOCKS_DIFFER,
        EVENTS_MISSED,
        EXPIRES_SOON,
        FAILING,
        LOGIN_NEEDED,
        ORPHANED,
        RECOVERED,
        SAVE_FAILURES,
        UNCLAIMED,
    ];
    let mut expected: BTreeMap<_, _> = of_each.into_iter().map(|name| (name.to_owned(), 1)).collect();
    expected.insert(REFRESHES.to_owned(), 4);
    assert_eq!(found, expected);
    // A histogram is there once there is something in it.
    world.session.refresh().await.expect("refreshed");
    for (key, unit, description, _) in recording.snapshotter.snapshot().into_vec() {
        if [CALLERS, SECONDS_LEFT].contains(&key.key().name()) {
            assert!(unit.is_some() && description.is_some(), "{key:?}");
        }
    }
}
