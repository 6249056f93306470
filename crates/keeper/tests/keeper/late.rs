//! What comes late: answers behind newer ones, claims that were taken over, and what is left of a session that has ended.

use std::time::Duration;

use rampauth_core::{AccessToken, ErrorKind, Outcome, WhenUnknown};
use rampauth_keeper::{AttemptId, AttemptRef, Operation, OwnerId, State};

use crate::support::{Move, Step, World, error, pass};

fn refused() -> Move {
    Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))
}

/// This process holds an answer (`access-1`) that it could not save, and the other has settled the doubt about it
/// (`access-2`); then the first is saved as an orphan.
async fn orphaned(world: &mut World) -> (rampauth_keeper::Keeper, rampauth_keeper::Session) {
    let (keeper, other) = world.another_process().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    // The claim has lapsed, and the other process has not looked yet.
    pass(Duration::from_secs(46)).await;
    world.store.refuse_commits(false);
    other.settle().await.expect("settled");
    world.happened();
    world.session.settle().await.expect("kept");
    assert_eq!(world.happened(), ["orphaned"]);
    (keeper, other)
}

#[tokio::test(start_paused = true)]
async fn an_orphan_stands_in_for_tokens_that_are_refused_and_callers_get_it() {
    let within = Duration::from_secs(3_600);
    let mut world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    let (_keeper, other) = orphaned(&mut world).await;
    assert_eq!(world.token().await, "access-2", "what the other saved is the session's own");
    world.provider.next([refused()]);
    world.session.refresh().await.expect("the orphan stands in");
    assert_eq!(world.happened(), ["adopted"]);
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0", "refresh-2", "refresh-1"]);
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn what_the_live_tokens_came_from_is_not_offered_for_revocation() {
    let within = Duration::from_secs(3_600);
    let mut world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    let (_keeper, other) = world.another_process().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    pass(Duration::from_secs(50)).await;
    world.store.refuse_commits(false);
    other.settle().await.expect("settled");
    other.refresh().await.expect("refreshed");
    world.happened();
    world.session.settle().await.expect("there are newer tokens");
    assert_eq!(world.happened(), ["adopted"]);
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-3");
}

#[tokio::test(start_paused = true)]
async fn an_orphan_stands_in_for_a_doubt_that_may_not_be_settled() {
    let mut world = World::with(|provider| provider.when_unknown(WhenUnknown::Stop)).await;
    let (_keeper, _other) = orphaned(&mut world).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    pass(Duration::from_secs(5)).await;
    let token = world.session.access_token().await.expect("a token");
    world.session.reject(&token).await.expect("noted");
    assert_eq!(world.token().await, "access-1");
    let happened = world.happened();
    assert_eq!(happened[..2], ["doubtful", "adopted"], "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn a_logout_ends_what_was_never_saved_too() {
    let mut world = World::new().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    assert_eq!(world.token().await, "access-1");
    world.session.remove().await.expect("removed");
    assert!(world.session.try_access_token().is_none() && world.session.tokens().is_none());
    world.happened();
    world.store.refuse_commits(false);
    pass(Duration::from_secs(60)).await;
    assert_eq!(world.happened(), ["unclaimed"]);
    assert_eq!(world.store.record().await.state, State::Tombstone);
}

#[tokio::test(start_paused = true)]
async fn a_logout_elsewhere_is_told_as_one() {
    let mut world = World::new().await;
    let (_keeper, elsewhere) = world.another_process().await;
    elsewhere.remove().await.expect("removed");
    let error = world.session.refresh().await.expect_err("removed");
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert_eq!(world.happened(), ["removed"]);
    assert!(world.session.try_access_token().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_token_is_not_presented_once_its_successor_is_stored() {
    let within = Duration::from_secs(3_600);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    let record = world.store.record().await;
    let id = record.attempt.expect("an attempt").id;
    let attempt = AttemptRef { id, session: record.session, generation: record.generation };
    let late = World::new().await;
    late.session.refresh().await.expect("refreshed");
    let tokens = late.store.record().await.tokens.expect("tokens");
    // The lost answer is found after all, just as the doubt is claimed.
    world.store.after_the_next_begin(move || vec![Operation::Commit { attempt, tokens }]);
    world.session.settle().await.expect("settled by the late answer");
    assert_eq!(world.provider.calls(), 1);
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
}

#[tokio::test(start_paused = true)]
async fn readers_never_go_back_to_what_was_read_before() {
    let world = World::new().await;
    // Says something about another token, and reads the record for it, slowly.
    let slow_reader = || {
        world.store.delay_the_next(Step::Load, Duration::from_secs(3));
        let session = world.session.clone();
        tokio::spawn(async move { session.reject(&AccessToken::new("another").expect("a token")).await })
    };
    let reader = slow_reader();
    pass(Duration::from_secs(1)).await;
    world.session.refresh().await.expect("refreshed");
    reader.await.expect("no panic").expect("nothing to do");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");

    let reader = slow_reader();
    pass(Duration::from_secs(1)).await;
    world.session.remove().await.expect("removed");
    reader.await.expect("no panic").expect("nothing to do");
    assert!(world.session.try_access_token().is_none(), "a logout wins over what was read before it");
}

#[tokio::test(start_paused = true)]
async fn an_answer_behind_a_newer_one_is_kept_and_readers_see_the_newer() {
    let mut world = World::new().await;
    let record = world.store.record().await;
    let another = AttemptId::from_random(4_711);
    let attempt = AttemptRef { id: another, session: record.session, generation: record.generation };
    let newer = World::new().await;
    newer.session.refresh().await.expect("refreshed");
    newer.session.refresh().await.expect("refreshed");
    let tokens = newer.store.record().await.tokens.expect("tokens");
    world.store.after_the_next_begin(move || vec![Operation::Commit { attempt, tokens }]);
    world.session.refresh().await.expect("there are tokens");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-2");
    assert_eq!(world.happened(), ["orphaned", "adopted"]);
    assert_eq!(world.store.record().await.orphans.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_taken_over_is_given_back() {
    let within = Duration::from_secs(3_600);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    let record = world.store.record().await;
    let first = record.attempt.expect("an attempt").id;
    let (wall, another) = (world.wall.clone(), AttemptId::from_random(4_711));
    let begin = Operation::Begin {
        generation: record.generation,
        presents: record.tokens.expect("tokens").presents,
        attempt: another,
        owner: OwnerId::from_random(1),
        lease: Duration::from_secs(45),
        settle: true,
    };
    world.store.after_the_next_begin(move || {
        wall.step(60);
        vec![begin]
    });
    world.session.settle().await.expect("somebody else is at it");
    assert_eq!(world.provider.calls(), 1);
    let attempt = world.store.record().await.attempt.expect("the other's");
    assert_eq!((attempt.id, attempt.presented_by), (another, vec![first, another]));
}

#[tokio::test(start_paused = true)]
async fn a_claim_after_which_the_store_fails_is_given_back_once_it_is_there_again() {
    let within = Duration::from_secs(3_600);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    let first = world.store.record().await.attempt.expect("an attempt").id;
    let store = world.store.clone();
    world.store.after_the_next_begin(move || {
        store.fail(true);
        tokio::spawn(async move {
            pass(Duration::from_millis(100)).await;
            store.fail(false);
        });
        Vec::new()
    });
    world.session.settle().await.expect_err("the store failed");
    assert_eq!(world.provider.calls(), 1);
    let attempt = world.store.record().await.attempt.expect("the doubt");
    assert_eq!((attempt.presented_by, attempt.lease), (vec![first], None));
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_nothing_leave_that_was_only_claimed() {
    let world = World::new().await;
    world.store.delay_the_next(Step::Begin, Duration::from_secs(2));
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.keeper.shutdown().await;
    assert!(world.store.record().await.attempt.is_none(), "taken back when shutdown returns");
    let error = refresh.await.expect("no panic").expect_err("not sent");
    assert_eq!((error.outcome(), world.provider.calls()), (Outcome::NotSent, 0));
    assert!(error.to_string().ends_with("the keeper is shutting down, so nothing was sent"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_ages_by_the_monotonic_clock_too() {
    let within = Duration::from_secs(3_600);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    // The store takes its time twice, and the wall clock is set back meanwhile.
    let (wall, store) = (world.wall.clone(), world.store.clone());
    world.store.delay_the_next(Step::Begin, Duration::from_secs(4));
    world.store.after_the_next_begin(move || {
        wall.step(-60);
        store.delay_the_next(Step::Load, Duration::from_secs(4));
        Vec::new()
    });
    assert_eq!(world.session.settle().await.expect_err("too old").outcome(), Outcome::NotSent);
    assert_eq!(world.provider.calls(), 1);
}
