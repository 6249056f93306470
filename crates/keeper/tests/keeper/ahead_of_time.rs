//! What is told ahead of time: a credential that dies soon, a clock that is off, events that were missed; and sessions whose
//! provider tells no expiry.

use std::time::{Duration, SystemTime};

use rampauth_core::{ClockDifference, Error, ErrorKind, Expiry, Outcome, TokenSet};
use rampauth_keeper::{EventKind, SessionOptions};

use crate::support::{LIFETIME, Move, World, error, key, pass, tokens};

const DAY: Duration = Duration::from_secs(86_400);

/// `access-N` for the usual time, and `refresh-N` until then.
fn until(world: &World, number: usize, refresh_expiry: Expiry) -> TokenSet {
    let mut set = tokens(number, Expiry::At((world.clock)() + LIFETIME));
    set.refresh_expiry = refresh_expiry;
    set
}

/// When each credential dies of which it was told, in seconds from `start`.
fn told(world: &mut World, start: SystemTime) -> Vec<u64> {
    std::iter::from_fn(|| world.events.try_next())
        .filter_map(|event| match event.kind {
            EventKind::CredentialExpiresSoon { expiry } => {
                Some(expiry.duration_since(start).expect("a time to come").as_secs())
            }
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_dies_soon_is_told_of_once() {
    let fail = || Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent));
    let mut world = World::new().await;
    let start = (world.clock)();
    world.session.put(until(&world, 1, Expiry::At(start + DAY))).await.expect("saved");
    // Nothing brings a better one.
    world.provider.next((0..1_000).map(|_| fail()));
    // A fifth of its life is less than seven days.
    pass(DAY * 4 / 5 - Duration::from_secs(1)).await;
    assert_eq!(told(&mut world, start), Vec::<u64>::new());
    pass(Duration::from_secs(2)).await;
    assert_eq!(told(&mut world, start), [DAY.as_secs()]);
    pass(DAY / 5).await;
    assert_eq!(told(&mut world, start), Vec::<u64>::new(), "once");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_stays_with_each_new_refresh_token_counts_from_where_it_was_known_first() {
    let mut world = World::new().await;
    let start = (world.clock)();
    // A day in all: a fifth of it is 17,280 s.
    let end = start + DAY;
    world.session.put(until(&world, 1, Expiry::At(end))).await.expect("saved");
    // Every refresh brings a new refresh token with the old end, read a second later or earlier.
    for round in 0..99_u64 {
        pass(Duration::from_secs(720)).await;
        let next = until(&world, 2, Expiry::At(end + Duration::from_secs(round % 2)));
        world.provider.next([Move::Answer(next)]);
        world.session.refresh().await.expect("refreshed");
        let told = told(&mut world, start);
        let due = 720 * (round + 1) >= DAY.as_secs() * 4 / 5;
        let first = 720 * round < DAY.as_secs() * 4 / 5;
        assert_eq!(told.len(), usize::from(due && first), "round {round}: {told:?}");
    }
    // One that lives longer is another matter.
    let longer = (world.clock)() + DAY;
    let next = until(&world, 3, Expiry::At(longer));
    world.provider.next([Move::Answer(next)]);
    world.session.refresh().await.expect("refreshed");
    let record = world.store.record().await;
    assert_eq!(record.tokens.expect("tokens").presented_since, None);
    assert_eq!(told(&mut world, start), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn how_long_ahead_is_an_option_and_none_is_no_warning() {
    for (option, told_after) in
        [(Duration::from_secs(3_600), Some(DAY - Duration::from_secs(3_600))), (Duration::ZERO, None)]
    {
        let mut world = World::new().await;
        let start = (world.clock)();
        let other = rampauth_keeper::SessionKey::parse("fake/test/other").expect("a key");
        let options = SessionOptions::new().warn_before_expiry(option);
        let session = world.keeper.session_with(other, world.provider.clone(), options).await.expect("a session");
        let mut set = tokens(1, Expiry::At(start + 2 * DAY));
        set.refresh_expiry = Expiry::At(start + DAY);
        session.put(set).await.expect("saved");
        drop(told(&mut world, start));
        let end = DAY;
        pass(told_after.unwrap_or(end) - Duration::from_secs(1)).await;
        assert_eq!(told(&mut world, start), Vec::<u64>::new());
        pass(Duration::from_secs(2)).await;
        assert_eq!(told(&mut world, start), told_after.map(|_| end.as_secs()).into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_told_of_kept_in_the_record_and_named_by_what_fails() {
    let mut world = World::new().await;
    let off = |seconds: i64| Some(ClockDifference::from_milliseconds(seconds * 1_000));
    let told = |world: &mut World| {
        let mut all = std::iter::from_fn(|| world.events.try_next());
        let found: Vec<_> = std::iter::from_fn(|| all.next())
            .filter_map(|event| match event.kind {
                EventKind::ClocksDiffer(difference) => Some(difference.milliseconds() / 1_000),
                _ => None,
            })
            .collect();
        found
    };
    for (seconds, expected) in [
        (Some(59), vec![]),
        (Some(60), vec![]),
        (Some(61), vec![61]),
        // Known by now.
        (Some(62), vec![]),
        (None, vec![]),
        (Some(122), vec![122]),
        (Some(-1_200), vec![-1_200]),
        (Some(0), vec![]),
        (Some(-1_200), vec![-1_200]),
    ] {
        pass(Duration::from_secs(1)).await;
        let set = until(&world, 1, Expiry::Unknown).with_clock_difference(seconds.and_then(off));
        world.provider.next([Move::Answer(set)]);
        world.session.refresh().await.expect("refreshed");
        assert_eq!(told(&mut world), expected, "{seconds:?}");
        let record = world.store.record().await;
        assert_eq!(record.clock_difference().map(|(difference, _)| Some(difference)), seconds.map(off));
    }
    // An error has it too, and it is in the record as of then.
    pass(Duration::from_secs(5)).await;
    let failed_at = (world.clock)();
    let forbidden: Error = error(ErrorKind::Forbidden, Outcome::Refused).with_clock_difference(off(1_200));
    world.provider.next([Move::Fail(forbidden)]);
    let error = world.session.refresh().await.expect_err("forbidden");
    assert!(error.help().ends_with("this machine's clock is 20 min ahead of the provider's"), "{}", error.help());
    assert_eq!(told(&mut world), [1_200]);
    let record = world.store.record().await;
    assert_eq!(record.clock_difference(), Some((off(1_200).expect("a difference"), failed_at)));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_falls_behind_knows_how_many_events_it_missed() {
    let mut world = World::new().await;
    drop(world.happened());
    assert_eq!(world.events.missed(), 0);
    for _ in 0..1_034 {
        world.session.refresh().await.expect("refreshed");
    }
    assert_eq!(world.events.missed(), 0, "nothing was read since");
    let read = world.happened().len();
    assert_eq!((read, world.events.missed()), (1_024, 10));
    world.session.refresh().await.expect("refreshed");
    assert_eq!((world.happened().len(), world.events.missed()), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_session_without_an_expiry_is_refreshed_at_least_so_often() {
    let hour = Duration::from_secs(3_600);
    // A policy that leaves such a session alone is overruled by whoever says how often.
    for allowed in [true, false] {
        for (option, fewest, most) in [(None, 0, 0), (Some(hour), 10, 11)] {
            let world = World::with(|mut provider| {
                provider.policy = provider.policy.with_unknown_expiry(allowed);
                provider
            })
            .await;
            let other = rampauth_keeper::SessionKey::parse("fake/test/other").expect("a key");
            let options =
                option.map_or(SessionOptions::new(), |every| SessionOptions::new().refresh_at_least_every(every));
            // The other session of this world is not to be counted.
            world.session.remove().await.expect("removed");
            let provider = world.provider.clone();
            provider.next((0..100).map(|number| Move::Answer(tokens(number + 2, Expiry::Unknown))));
            let session = world.keeper.session_with(other.clone(), provider, options).await.expect("a session");
            session.put(tokens(1, Expiry::Unknown)).await.expect("saved");
            pass(10 * hour + Duration::from_secs(1)).await;
            let calls = world.provider.calls();
            assert!((fewest..=most).contains(&calls), "{allowed}, {option:?}: {calls} calls");
            // Its token is handed out all the while, and a caller's question is no reason to refresh.
            session.access_token().await.expect("a token");
            assert_eq!(world.provider.calls(), calls);
            // A token whose expiry is known goes by that.
            let record = world.store.record_of(&other).await;
            assert_eq!(record.tokens.expect("tokens").next_due.is_some(), option.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn how_often_counts_for_tokens_that_were_stored_before_it_was_said() {
    let hour = Duration::from_secs(3_600);
    let world = World::with(|mut provider| {
        provider.policy = provider.policy.with_unknown_expiry(false);
        provider
    })
    .await;
    world.session.put(tokens(1, Expiry::Unknown)).await.expect("saved");
    assert_eq!(world.store.record().await.next_due, None);
    let keeper = world.another_keeper();
    let options = SessionOptions::new().refresh_at_least_every(hour);
    let _session = keeper.session_with(key(), world.provider.clone(), options).await.expect("a session");
    pass(hour * 8 / 10).await;
    assert_eq!(world.provider.calls(), 0);
    pass(hour * 2 / 10 + Duration::from_secs(1)).await;
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_known_expiry_stands_above_how_often() {
    let world = World::new().await;
    let other = rampauth_keeper::SessionKey::parse("fake/test/other").expect("a key");
    world.session.remove().await.expect("removed");
    let options = SessionOptions::new().refresh_at_least_every(Duration::from_secs(10));
    let session = world.keeper.session_with(other, world.provider.clone(), options).await.expect("a session");
    session.put(tokens(1, Expiry::At((world.clock)() + LIFETIME))).await.expect("saved");
    pass(LIFETIME / 2).await;
    assert_eq!(world.provider.calls(), 0);
    assert_ne!(key().as_str(), session.key().as_str());
}
