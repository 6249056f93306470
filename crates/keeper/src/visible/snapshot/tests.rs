use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use rampauth_core::Expiry;

use super::*;

/// Fewer where an interpreter runs it.
const GENERATIONS: u64 = if cfg!(miri) { 60 } else { 20_000 };
const WRITERS: usize = 2;
const READERS: usize = if cfg!(miri) { 3 } else { 6 };

/// Tokens that name their generation, at a length that differs from the neighbours'.
fn token(generation: u64) -> String {
    format!("access-{generation}-{}", "x".repeat((generation % 97) as usize))
}

fn picture(generation: u64) -> Arc<Snapshot> {
    let access = AccessToken::new(token(generation)).expect("a token");
    let refresh = RefreshToken::new(format!("refresh-{generation}")).expect("a token");
    let tokens =
        TokenSet::new().with_access_token(access, Expiry::Unknown).with_refresh_token(refresh, Expiry::Unknown);
    Arc::new(Snapshot::new(&tokens, None, &about(1, generation)))
}

fn about(session: u128, generation: u64) -> About {
    let shown = Shown { session: SessionId::from_random(session), generation, stage: Stage::Saved };
    About { shown, state: State::Ready, rejected: false, due: None }
}

fn generation(token: &TokenRef<'_>) -> u64 {
    token.expose_secret().split('-').nth(1).and_then(|number| number.parse().ok()).expect("a whole token")
}

#[test]
fn readers_never_go_back_and_what_they_hold_stays_whole() {
    let (slot, next, writers) = (Slot::default(), AtomicU64::new(1), AtomicUsize::new(WRITERS));
    slot.publish(&picture(0));
    thread::scope(|scope| {
        // Each publishes what it drew, so that the older of two often comes later.
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let generation = next.fetch_add(1, Ordering::Relaxed);
                    if generation > GENERATIONS {
                        break;
                    }
                    slot.publish(&picture(generation));
                }
                writers.fetch_sub(1, Ordering::Release);
            });
        }
        for _ in 0..READERS {
            scope.spawn(|| {
                // More at once than a thread has free guards for: the last ones are counted references.
                let (mut held, mut owned, mut seen) = (Vec::new(), None, 0);
                while seen < GENERATIONS {
                    let all_published = writers.load(Ordering::Acquire) == 0;
                    let reference = slot.read(0).expect("fresh for ever");
                    let newer = generation(&reference);
                    assert!(newer >= seen, "{newer} after {seen}");
                    assert!(newer == GENERATIONS || !all_published, "{newer} is what is left");
                    seen = newer;
                    if seen % 10 == 0 {
                        owned = Some((seen, reference.to_owned()));
                    }
                    held.push((seen, reference));
                    if held.len() == 12 {
                        for (generation, reference) in held.drain(..) {
                            assert_eq!(reference.expose_secret(), token(generation));
                        }
                    }
                    thread::yield_now();
                }
                let (generation, owned) = owned.unwrap_or_else(|| (seen, slot.read(0).expect("fresh").to_owned()));
                drop(held);
                assert_eq!(owned.expose_secret(), token(generation));
            });
        }
    });
    let last = slot.load().expect("published");
    assert_eq!((last.generation, Arc::strong_count(&last)), (GENERATIONS, 2), "nobody else holds it any more");
}

#[test]
fn a_picture_is_small_and_gives_back_what_it_was_made_of() {
    assert_eq!(size_of::<Snapshot>(), 96, "there is one for each session");
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let (access, refresh) = (AccessToken::new("a").expect("a token"), RefreshToken::new("rr").expect("a token"));
    let both = TokenSet::new()
        .with_access_token(access.clone(), Expiry::At(at))
        .with_refresh_token(refresh.clone(), Expiry::Assumed(at));
    let alone = TokenSet::new().with_refresh_token(refresh, Expiry::At(at));
    let about = About { state: State::Doubtful, due: Some(at), ..about(u128::MAX, 7) };
    for tokens in [both.clone(), alone, TokenSet::new().with_access_token(access, Expiry::Unknown), TokenSet::new()] {
        let picture = Arc::new(Snapshot::new(&tokens, None, &about));
        let back = picture.tokens();
        let texts = |set: &TokenSet| {
            let access = set.access_token.as_ref().map(|token| token.expose_secret().to_owned());
            (access, set.refresh_token.as_ref().map(|token| token.expose_secret().to_owned()))
        };
        assert_eq!(texts(&back), texts(&tokens));
        assert_eq!((back.access_expiry, back.refresh_expiry), (tokens.access_expiry, tokens.refresh_expiry));
        assert_eq!((picture.due(), picture.granted_at.time(), picture.session.get()), (Some(at), None, u128::MAX));
    }
    let due = Some(at - Duration::from_nanos(1));
    assert_eq!(Snapshot::new(&both, None, &About { due, ..about }).due(), Some(at), "a refresh is never early");
}

#[test]
fn one_bound_says_whether_a_token_is_fresh() {
    let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let fresh_until = |expiry, state, rejected, access: &str| {
        let mut tokens = TokenSet::new();
        if !access.is_empty() {
            tokens = tokens.with_access_token(AccessToken::new(access).expect("a token"), expiry);
        }
        let picture = Arc::new(Snapshot::new(&tokens, None, &About { state, rejected, ..about(1, 1) }));
        let usable = picture.usable_at(SystemTime::UNIX_EPOCH).is_some();
        assert_eq!(usable, picture.fresh_until > 0);
        picture.fresh_until
    };
    let at = Expiry::At(expiry);
    assert_eq!(fresh_until(at, State::Ready, false, "a"), 1_000_000_000_000);
    assert_eq!(fresh_until(Expiry::Unknown, State::Doubtful, false, "a"), i64::MAX);
    assert_eq!(fresh_until(at, State::LoginNeeded, false, "a"), 1_000_000_000_000, "it lives as long as it lives");
    assert_eq!(fresh_until(at, State::Tombstone, false, "a"), i64::MIN);
    assert_eq!(fresh_until(Expiry::Unknown, State::Ready, true, "a"), i64::MIN);
    assert_eq!(fresh_until(Expiry::Unknown, State::Ready, false, ""), i64::MIN);
}
