//! Records as text: what is written stays readable by the next version, everything comes back, and nothing that is damaged
//! is taken for a record or repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use rampauth_core::{ClockDifference, Expiry, SecretString};
use rampauth_store::{
    AttemptId, BootTime, CredentialHistory, Lease, OwnerId, Record, RecordDamage, SessionId, State, StoredTokens,
    TokenDigest,
};

/// Version 1, every field in use. Never changed: stores out there hold such texts.
const FULL: &str = concat!(
    r#"{"version":1,"session":"0000000000000000000000000000abcd","generation":7,"base":5,"state":"doubtful","#,
    r#""tokens":{"payload":"sécret \"one\"","sealed_with":"key-2","#,
    r#""presents":"0101010101010101010101010101010101010101010101010101010101010101","#,
    r#""access":"0202020202020202020202020202020202020202020202020202020202020202","#,
    r#""access_expiry":{"at":"2026-11-20T12:00:00Z"},"presented_expiry":{"assumed":"2027-01-01T00:00:00.000000001Z"},"#,
    r#""granted_at":"2026-11-20T11:00:00.5Z","next_due":"2026-11-20T11:48:00Z"},"#,
    r#""attempt":{"id":"000000000000000000000000000000a2","owner":"ffffffffffffffffffffffffffffffff","#,
    r#""presents":"0101010101010101010101010101010101010101010101010101010101010101","#,
    r#""presented_by":["000000000000000000000000000000a1","000000000000000000000000000000a2"],"more":3,"#,
    r#""first_sent":"2026-11-20T11:48:01Z","lease":{"until":"2026-11-20T11:49:00Z","#,
    r#""boot":["000000000000000000000000000000b0",{"secs":90,"nanos":5}]}},"#,
    r#""orphans":[{"attempt":"000000000000000000000000000000a0","presented":6,"tokens":{"payload":"sécret two","#,
    r#""sealed_with":null,"presents":"0303030303030303030303030303030303030303030303030303030303030303","#,
    r#""access":null,"access_expiry":"unknown","presented_expiry":"unknown","granted_at":"1969-12-31T23:59:59Z","#,
    r#""next_due":null}}],"last_commit":"00000000000000000000000000000099","#,
    r#""rejected":"0202020202020202020202020202020202020202020202020202020202020202","#,
    r#""next_due":"2026-11-20T11:48:30Z","last_error":{"kind":"server","outcome":"unknown","status":503,"#,
    r#""code":"E1","at":"2026-11-20T11:48:02Z"},"updated_at":"2026-11-20T11:48:02Z"}"#,
);

fn full() -> Record {
    Record::from_json(FULL).expect("a record of version 1")
}

fn at(seconds: i64, nanos: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    time + Duration::from_nanos(nanos.into())
}

#[test]
fn version_one_is_read_field_by_field_and_written_to_the_letter() {
    let record = full();
    assert_eq!((record.session, record.generation, record.base), (SessionId::from_random(0xabcd), 7, 5));
    assert_eq!((record.state, record.last_commit), (State::Doubtful, Some(AttemptId::from_random(0x99))));
    let tokens = record.tokens.as_ref().expect("tokens");
    assert_eq!(tokens.payload.expose_secret(), "sécret \"one\"");
    assert_eq!(tokens.sealed_with.as_deref(), Some("key-2"));
    assert_eq!(tokens.presents, TokenDigest::from_bytes([1; 32]));
    assert_eq!((tokens.access, record.rejected), (Some(TokenDigest::from_bytes([2; 32])), tokens.access));
    let noon = 1_795_176_000;
    assert_eq!(tokens.access_expiry, Expiry::At(at(noon, 0)));
    assert_eq!(tokens.presented_expiry, Expiry::Assumed(at(1_798_761_600, 1)));
    assert_eq!((tokens.granted_at, tokens.next_due), (at(noon - 3600, 500_000_000), Some(at(noon - 720, 0))));
    let attempt = record.attempt.as_ref().expect("an attempt");
    assert_eq!((attempt.id, attempt.owner), (AttemptId::from_random(0xa2), OwnerId::from_random(u128::MAX)));
    assert_eq!(attempt.presented_by, [AttemptId::from_random(0xa1), AttemptId::from_random(0xa2)]);
    assert_eq!((attempt.presents, attempt.more), (tokens.presents, 3));
    let boot = BootTime { boot: 0xb0, since: Duration::new(90, 5) };
    assert_eq!(attempt.lease, Some(Lease { until: at(noon - 660, 0), boot: Some(boot) }));
    assert_eq!((attempt.first_sent, record.next_due), (at(noon - 719, 0), Some(at(noon - 690, 0))));
    let [orphan] = &record.orphans[..] else { panic!("one orphan") };
    assert_eq!((orphan.attempt, orphan.presented), (AttemptId::from_random(0xa0), 6));
    assert_eq!(orphan.tokens.payload.expose_secret(), "sécret two");
    assert_eq!((orphan.tokens.access, orphan.tokens.access_expiry), (None, Expiry::Unknown));
    assert_eq!(orphan.tokens.granted_at, at(-1, 0));
    let error = record.last_error.as_ref().expect("an error");
    assert_eq!((error.kind.as_str(), error.outcome.as_str()), ("server", "unknown"));
    assert_eq!((error.status, error.code.as_deref(), error.at), (Some(503), Some("E1"), at(noon - 718, 0)));
    assert_eq!(record.updated_at, at(noon - 718, 0));

    assert_eq!(record.to_json().expose_secret(), FULL);
}

/// What was added to version one since: a record without it is read as one that has none of it.
#[test]
fn pauses_and_the_history_of_credentials_are_written_where_there_are_any() {
    let digest = "0404040404040404040404040404040404040404040404040404040404040404";
    let old = full();
    let error = old.last_error.as_ref().expect("an error");
    assert!(error.paused_until.is_none() && !old.history.contains(TokenDigest::from_bytes([4; 32])));

    let text = FULL
        .replace(
            r#""at":"2026-11-20T11:48:02Z"}"#,
            r#""at":"2026-11-20T11:48:02Z","paused_until":"2026-11-20T11:58:02Z"}"#,
        )
        .replace(
            r#""updated_at""#,
            &format!(r#""history":{{"logins":["{digest}"],"sent":["{}"]}},"updated_at""#, digest.replace('4', "5")),
        );
    let record = Record::from_json(&text).expect("a record of version 1");
    assert_eq!(record.paused_until(at(1_795_175_282, 0)), Some(at(1_795_175_882, 0)));
    assert_eq!(record.paused_until(at(1_795_175_882, 0)), None, "it is over");
    assert_eq!(record.history.logins(), [TokenDigest::from_bytes([4; 32])]);
    assert_eq!(record.history.sent(), [TokenDigest::from_bytes([5; 32])]);
    assert_eq!(record.to_json().expose_secret(), text);
    let damaged = text.replace(digest, "04");
    assert_eq!(Record::from_json(&damaged).err(), Some(RecordDamage::Unreadable));
}

#[test]
fn refusals_are_written_once_there_are_any_and_a_record_without_them_has_none() {
    let mut record = full();
    assert_eq!(record.refusals, 0);
    record.refusals = 12;
    let text = record.to_json();
    assert!(text.expose_secret().contains(r#""refusals":12,"updated_at""#), "{text:?}");
    assert_eq!(Record::from_json(text.expose_secret()).map(|record| record.refusals), Ok(12));
    record.refusals = 0;
    assert_eq!(record.to_json().expose_secret(), FULL);
    let damaged = FULL.replace(r#""updated_at""#, r#""refusals":-1,"updated_at""#);
    assert_eq!(Record::from_json(&damaged).err(), Some(RecordDamage::Unreadable));
}

#[test]
fn what_later_versions_added_comes_back_and_is_passed_over_by_earlier_ones() {
    let mut record = full();
    assert_eq!(record.clock_difference(), None);
    let tokens = record.tokens.as_mut().expect("tokens");
    tokens.presented_since = Some(at(1_700_000_000, 5));
    tokens.clock_difference = Some(ClockDifference::from_milliseconds(-61_000));
    let granted_at = tokens.granted_at;
    assert_eq!(record.clock_difference(), Some((ClockDifference::from_milliseconds(-61_000), granted_at)));
    // What failed later knows better.
    let error = record.last_error.as_mut().expect("an error");
    error.clock_difference = Some(ClockDifference::from_milliseconds(1_200_000));
    let failed_at = error.at;
    let text = record.to_json();
    for member in [
        r#""presented_since":"2023-11-14T22:13:20.000000005Z","clock_ahead":-61000}"#,
        r#""at":"2026-11-20T11:48:02Z","clock_ahead":1200000}"#,
    ] {
        assert!(text.expose_secret().contains(member), "{}", text.expose_secret());
    }
    let read = Record::from_json(text.expose_secret()).expect("a record");
    let tokens = read.tokens.as_ref().expect("tokens");
    assert_eq!(tokens.presented_since, Some(at(1_700_000_000, 5)));
    assert_eq!(tokens.clock_difference, Some(ClockDifference::from_milliseconds(-61_000)));
    assert_eq!(read.clock_difference(), Some((ClockDifference::from_milliseconds(1_200_000), failed_at)));
    // A version that does not know a member passes over it.
    let newer = FULL.replace("\"sealed_with\":\"key-2\"", "\"sealed_with\":\"key-2\",\"unheard_of\":[1]");
    assert_eq!(Record::from_json(&newer).expect("a record").to_json().expose_secret(), FULL);
}

#[test]
fn every_state_has_its_word() {
    for (state, word) in [
        (State::Ready, "ready"),
        (State::Doubtful, "doubtful"),
        (State::LoginNeeded, "login_needed"),
        (State::Tombstone, "tombstone"),
    ] {
        let mut record = full();
        record.state = state;
        let text = record.to_json();
        assert!(text.expose_secret().contains(&format!(r#""state":"{word}""#)));
        assert_eq!(Record::from_json(text.expose_secret()).map(|record| record.state), Ok(state));
    }
}

#[test]
fn a_newer_version_is_named_whatever_else_it_holds() {
    for text in [FULL.replace("\"version\":1", "\"version\":2"), r#"{"version":2}"#.to_owned()] {
        assert_eq!(Record::from_json(&text).err(), Some(RecordDamage::Newer { version: 2 }));
    }
}

#[test]
fn what_is_cut_short_or_changed_in_kind_is_no_record() {
    for end in (0..FULL.len()).filter(|end| FULL.is_char_boundary(*end)) {
        assert_eq!(Record::from_json(&FULL[..end]).err(), Some(RecordDamage::Unreadable), "cut at {end}");
    }
    for (right, wrong) in [
        ("\"version\":1,", ""),
        ("\"version\":1,", "\"version\":-1,"),
        ("\"version\":1,", "\"version\":\"1\","),
        ("\"generation\":7", "\"generation\":-7"),
        ("\"generation\":7,", ""),
        ("0000000000000000000000000000abcd", "abcd"),
        ("0000000000000000000000000000abcd", "0000000000000000000000000000abcg"),
        ("0000000000000000000000000000abcd", "+000000000000000000000000000abcd"),
        ("0000000000000000000000000000abcd", "é00000000000000000000000000000abc"),
        ("\"doubtful\"", "\"Doubtful\""),
        ("0101010101010101", "01010101010101"),
        ("0202020202020202", "é2020202020202"),
        ("000000000000000000000000000000b0", ""),
        ("000000000000000000000000000000a1", "a1"),
        ("000000000000000000000000000000a0", "a0"),
        ("00000000000000000000000000000099", "99"),
        ("0303030303030303", "x303030303030303"),
        ("2026-11-20T11:48:01Z", "yesterday"),
        ("{\"at\":", "{\"on\":"),
        ("\"nanos\":5", "\"nanos\":\"5\""),
        ("\"orphans\":[", "\"orphans\":[null,"),
        ("\"payload\":\"sécret two\"", "\"payload\":2"),
    ] {
        let damaged = FULL.replacen(right, wrong, 1);
        assert_ne!(damaged, FULL, "{right} is in the text");
        assert_eq!(Record::from_json(&damaged).err(), Some(RecordDamage::Unreadable), "{right} became {wrong}");
    }
}

#[test]
fn neither_a_record_nor_its_damage_shows_a_token() {
    assert!(FULL.contains("sécret"));
    let record = full();
    let damage = [
        Record::from_json(&FULL[..FULL.len() - 1]).expect_err("cut short"),
        Record::from_json(&FULL.replace("\"version\":1", "\"version\":9")).expect_err("newer"),
        Record::from_json(&FULL.replace("\"more\":3", "\"more\":\"sécret\"")).expect_err("a secret out of place"),
        Record::from_json(&FULL.replace("\"doubtful\"", "\"sécret\"")).expect_err("a secret for a state"),
    ];
    let shown = format!("{record:?} {record:#?} {:?} {damage:?} {damage:#?}", record.to_json());
    assert!(!shown.contains("sécret"), "{shown}");
}

fn times() -> impl Strategy<Value = SystemTime> {
    // The calendar: years -9999 to 9999.
    let seconds = prop_oneof![4 => 0..5_000_000_000_i64, 1 => -377_700_000_000..253_402_000_000_i64];
    (seconds, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| at(seconds, nanos))
}

fn expiries() -> impl Strategy<Value = Expiry> {
    prop_oneof![times().prop_map(Expiry::At), times().prop_map(Expiry::Assumed), Just(Expiry::Unknown)]
}

fn digests() -> impl Strategy<Value = TokenDigest> {
    any::<[u8; 32]>().prop_map(TokenDigest::from_bytes)
}

fn attempts() -> impl Strategy<Value = AttemptId> {
    any::<u128>().prop_map(AttemptId::from_random)
}

fn some<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

fn tokens() -> impl Strategy<Value = StoredTokens> {
    let times = (expiries(), expiries(), times(), some(times()));
    (any::<String>(), some(any::<String>()), digests(), some(digests()), times).prop_map(
        |(payload, sealed_with, presents, access, (access_expiry, presented_expiry, granted_at, next_due))| {
            let mut tokens = StoredTokens::new(SecretString::new(payload), presents, granted_at);
            (tokens.sealed_with, tokens.access, tokens.next_due) = (sealed_with, access, next_due);
            (tokens.access_expiry, tokens.presented_expiry) = (access_expiry, presented_expiry);
            tokens
        },
    )
}

fn leases() -> impl Strategy<Value = Lease> {
    let boots = (any::<u128>(), any::<Duration>()).prop_map(|(boot, since)| BootTime { boot, since });
    (times(), some(boots)).prop_map(|(until, boot)| Lease { until, boot })
}

fn states() -> impl Strategy<Value = State> {
    proptest::sample::select(vec![State::Ready, State::Doubtful, State::LoginNeeded, State::Tombstone])
}

/// Any values in the fields of a record, which may be what no protocol leaves.
fn records() -> impl Strategy<Value = Record> {
    let numbers = (any::<u128>(), any::<u64>(), any::<u64>(), states(), any::<u64>(), any::<u32>());
    let ids = (some(attempts()), proptest::collection::vec(attempts(), 0..9), attempts(), any::<u128>());
    let whens = (some(times()), times(), times(), some(leases()), times());
    let texts = (any::<String>(), any::<String>(), some(any::<u16>()), some(any::<String>()));
    let parts = (some(tokens()), proptest::collection::vec(tokens(), 0..4), some(digests()), digests());
    (numbers, ids, whens, texts, parts, any::<[bool; 2]>()).prop_map(
        |(numbers, ids, whens, texts, parts, [attempted, failed])| {
            let mut record = full();
            let presented;
            let more;
            (record.session, record.generation, record.base, record.state, presented, more) =
                (SessionId::from_random(numbers.0), numbers.1, numbers.2, numbers.3, numbers.4, numbers.5);
            (record.last_commit, record.next_due, record.updated_at) = (ids.0, whens.0, whens.1);
            (record.tokens, record.rejected) = (parts.0, parts.2);
            let attempt = record.attempt.as_mut().expect("an attempt");
            (attempt.presented_by, attempt.id, attempt.owner) = (ids.1, ids.2, OwnerId::from_random(ids.3));
            (attempt.presents, attempt.more, attempt.first_sent, attempt.lease) = (parts.3, more, whens.2, whens.3);
            let error = record.last_error.as_mut().expect("an error");
            (error.kind, error.outcome, error.status, error.code) = texts;
            error.at = whens.4;
            error.paused_until = whens.0;
            record.history = CredentialHistory::from_digests(parts.2.into_iter().collect(), vec![parts.3]);
            let orphan = record.orphans.pop().expect("an orphan");
            record.orphans = (parts.1.into_iter())
                .map(|tokens| {
                    let mut orphan = orphan.clone();
                    (orphan.tokens, orphan.presented) = (tokens, presented);
                    orphan
                })
                .collect();
            record.attempt = record.attempt.filter(|_| attempted);
            record.last_error = record.last_error.filter(|_| failed);
            record.refusals = more / 2;
            record
        },
    )
}

/// Everything of a record: what `Debug` shows, and the payloads, which it does not.
fn everything(record: &Record) -> (String, Vec<&str>) {
    let tokens = record.tokens.iter().chain(record.orphans.iter().map(|orphan| &orphan.tokens));
    (format!("{record:?}"), tokens.map(|tokens| tokens.payload.expose_secret()).collect())
}

proptest! {
    #[test]
    fn any_record_comes_back(record in records()) {
        let text = record.to_json();
        let again = Record::from_json(text.expose_secret()).expect("what was written");
        prop_assert_eq!(everything(&again), everything(&record));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        prop_assert!(Record::from_json(&text).is_err());
    }

    #[test]
    fn a_record_with_a_few_other_bytes_is_read_or_refused(
        edits in proptest::collection::vec((0..FULL.len(), any::<u8>()), 1..4),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (place, byte) in edits {
            bytes[place] = byte;
        }
        // A changed digit makes another record; nothing makes a panic.
        if let Ok(record) = Record::from_json(&String::from_utf8_lossy(&bytes)) {
            let text = record.to_json();
            let again = Record::from_json(text.expose_secret()).expect("what was written");
            prop_assert_eq!(everything(&again), everything(&record));
        }
    }
}
