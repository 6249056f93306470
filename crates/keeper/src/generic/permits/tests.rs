use std::time::Duration;

use futures_util::FutureExt;

use super::*;

fn permits(most: usize) -> Arc<Permits> {
    PermitsByProvider::new(most, Handle::current()).of(&SessionKey::parse("onboard/staging/acme").expect("a key"))
}

fn dies_in(seconds: u64) -> Urgency {
    Urgency::Scheduled(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn is_served(place: &mut Place) -> bool {
    let permit = place.now_or_never();
    // Held on: who is served takes it with them.
    permit.map(std::mem::forget).is_some()
}

#[tokio::test]
async fn a_quarter_is_kept_for_callers_and_for_what_dies() {
    for (most, scheduled) in [(64, 48), (8, 6), (4, 3), (3, 3), (1, 1)] {
        let permits = permits(most);
        let mut held = Vec::new();
        held.extend((0..scheduled).map(|_| permits.try_take(dies_in(1)).expect("free")));
        assert!(permits.try_take(dies_in(0)).is_none(), "{most}");
        let urgent = [Urgency::Caller, Urgency::Dying].into_iter().cycle();
        held.extend(urgent.take(most - scheduled).map(|urgency| permits.try_take(urgency).expect("free")));
        assert!(permits.try_take(Urgency::Dying).is_none(), "{most}");
        drop(held);
        assert_eq!(permits.line().taken, 0);
    }
}

#[tokio::test]
async fn no_permit_at_all_would_be_none_ever() {
    assert!(permits(0).try_take(dies_in(1)).is_some());
}

#[tokio::test]
async fn those_who_wait_are_served_by_urgency_and_equals_as_they_came() {
    let permits = permits(1);
    let mut held = permits.try_take(Urgency::Caller);
    let order = [dies_in(9), dies_in(3), Urgency::Caller, dies_in(3), Urgency::Dying, Urgency::Caller];
    let mut places: Vec<_> = order.map(|urgency| Some(permits.wait(urgency))).into();
    for expected in [4, 2, 5, 1, 3, 0] {
        for place in places.iter_mut().flatten() {
            assert!(place.now_or_never().is_none(), "one at a time");
        }
        drop(held.take());
        held = places[expected].take().and_then(FutureExt::now_or_never).map(|served| served.expect("no pause"));
        assert!(held.is_some(), "{expected}");
    }
}

#[tokio::test]
async fn nobody_passes_who_is_no_more_urgent_than_one_who_waits() {
    let permits = permits(4);
    let held: Vec<_> = (0..3).map(|_| permits.try_take(dies_in(1)).expect("free")).collect();
    let _waiting = permits.wait(dies_in(5));
    assert!(permits.try_take(dies_in(1)).is_none(), "three are what the scheduled ones may have");
    assert!(permits.try_take(Urgency::Caller).is_some());
    drop(held);
}

#[tokio::test]
async fn who_is_joined_by_a_caller_goes_before_the_scheduled_ones() {
    let permits = permits(1);
    let held = permits.try_take(Urgency::Caller);
    let (mut first, mut second) = (permits.wait(dies_in(1)), permits.wait(dies_in(2)));
    permits.a_caller_waits(second.number());
    // Again, and for one that is unknown by now: nothing.
    permits.a_caller_waits(second.number());
    permits.a_caller_waits(99);
    drop(held);
    assert!(!is_served(&mut first) && is_served(&mut second));
}

#[tokio::test]
async fn a_caller_who_joins_takes_what_is_kept_for_callers_at_once() {
    let permits = permits(4);
    let _held: Vec<_> = (0..3).map(|_| permits.try_take(dies_in(1)).expect("free")).collect();
    let mut place = permits.wait(dies_in(2));
    assert!(!is_served(&mut place));
    permits.a_caller_waits(place.number());
    assert!(is_served(&mut place));
}

#[tokio::test]
async fn a_place_that_is_given_up_keeps_nobody_waiting_and_a_permit_that_reaches_nobody_comes_back() {
    let permits = permits(1);
    let held = permits.try_take(Urgency::Caller);
    let (gone, granted) = (permits.wait(Urgency::Dying), permits.wait(Urgency::Caller));
    let mut last = permits.wait(dies_in(1));
    drop(gone);
    drop(held);
    // It was granted and never looked at.
    drop(granted);
    assert!(is_served(&mut last));
    let line = permits.line();
    assert!(line.waiting.is_empty() && line.places.is_empty() && line.taken == 1);
}

#[tokio::test]
async fn each_provider_and_environment_has_its_own() {
    let all = PermitsByProvider::new(1, Handle::current());
    let of = |key| all.of(&SessionKey::parse(key).expect("a key"));
    let _held = of("onboard/staging/acme").try_take(Urgency::Caller).expect("free");
    assert!(of("onboard/staging/other/u-1").try_take(Urgency::Caller).is_none());
    assert!(of("onboard/production/acme").try_take(Urgency::Caller).is_some());
    assert!(of("alix-card/staging/acme").try_take(Urgency::Caller).is_some());
}
