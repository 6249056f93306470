//! When a refresh of fresh tokens is due.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_core::{Expiry, Presents, RefreshPolicy, RefreshTime};
use rampauth_keeper::SessionKey;
use rampauth_keeper::policy::due;

const LEASE: Duration = Duration::from_secs(20);

/// So many seconds after the tokens were granted.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn key(n: u32) -> SessionKey {
    SessionKey::parse(format!("provider/sandbox/account/u-{n}")).expect("a key")
}

#[test]
fn a_refresh_is_due_in_the_last_fifth_and_up_to_a_quarter_of_that_earlier() {
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let mut seconds = Vec::new();
    for (user, generation) in (0..20).flat_map(|user| (1..20).map(move |generation| (user, generation))) {
        let ask = || due(&key(user), generation, Expiry::At(at(100_000)), at(0), &policy, LEASE).expect("a time");
        assert_eq!(ask(), ask(), "every process finds the same");
        seconds.push(ask().duration_since(at(0)).expect("after the grant").as_secs());
    }
    let (first, last) = (seconds.iter().min().expect("some"), seconds.iter().max().expect("some"));
    assert!((75_000..75_500).contains(first) && (79_500..=80_000).contains(last), "{first} to {last}");
    seconds.sort_unstable();
    seconds.dedup();
    assert!(seconds.len() > 350, "{} different times of 380", seconds.len());
}

#[test]
fn what_may_be_presented_only_before_its_expiry_is_due_three_leases_before() {
    let policy = RefreshPolicy::new(Presents::AccessToken).with_time(RefreshTime::BeforeExpiry);
    let ask = |lease| due(&key(1), 1, Expiry::At(at(1000)), at(0), &policy, Duration::from_secs(lease));
    assert_eq!(ask(100), Some(at(700)));
    // A third of the life at most, however long a lease is.
    let third = Duration::from_secs(1_000) / 3;
    for lease in [112, 400, 1_000, 100_000] {
        assert_eq!(ask(lease), Some(at(1_000) - third), "{lease}");
    }
    let short = ask(10).expect("a time");
    assert!((at(750)..=at(800)).contains(&short));
}

#[test]
fn the_ends_of_what_a_policy_may_say_of_due() {
    let ask = |part, expiry| {
        let policy = RefreshPolicy::new(Presents::RefreshToken).with_ahead(part);
        due(&key(1), 1, expiry, at(0), &policy, LEASE)
    };
    assert_eq!(ask(0.2, Expiry::Unknown), None);
    for (part, time) in [(0.0, at(1000)), (-3.0, at(1000)), (1.0, at(0)), (7.0, at(0)), (f64::INFINITY, at(0))] {
        assert_eq!(ask(part, Expiry::At(at(1000))), Some(time), "{part}");
        assert_eq!(ask(part, Expiry::Assumed(at(1000))), Some(time), "{part}");
    }
    assert_eq!(ask(f64::NAN, Expiry::At(at(1000))), Some(at(1000)));
    // Expired when it came: due at once.
    assert_eq!(ask(0.2, Expiry::At(at(0) - Duration::from_secs(9))), Some(at(0)));
}
