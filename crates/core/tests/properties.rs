//! What holds for every input: nothing panics, nothing is lost, and the answers to related questions agree.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::Offset;
use proptest::prelude::*;
use rampauth_core::json::Json;
use rampauth_core::time::{
    from_unix_milliseconds, from_unix_seconds, parse_http_date, parse_rfc3339, to_unix_milliseconds,
};
use rampauth_core::{
    AccessToken, Answer, BaseUrl, Expiry, Granted, MAX_TOKEN_LENGTH, Outcome, RefreshCredential, RefreshToken,
    SessionKind, TokenSet, UnverifiedJwt,
};
use serde_json::Value;

/// Any time that the platform can hold, mostly of this century.
fn times() -> impl Strategy<Value = SystemTime> {
    let seconds = prop_oneof![4 => 0..5_000_000_000_u64, 1 => any::<u64>(), 1 => Just(i64::MAX as u64)];
    seconds.prop_map(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH))
}

fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![4 => (0..100_000_u64).prop_map(Duration::from_secs), 1 => any::<Duration>(), 1 => Just(Duration::MAX)]
}

fn expiries() -> impl Strategy<Value = Expiry> {
    prop_oneof![times().prop_map(Expiry::At), times().prop_map(Expiry::Assumed), Just(Expiry::Unknown)]
}

fn tokens() -> impl Strategy<Value = String> {
    "[!-~]([ -~]{0,30}[!-~])?"
}

/// JSON values as providers write them, numbers of every kind included.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Text with a few bytes replaced, added or taken away.
fn mangled(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..4);
    (text, edits).prop_map(|(text, edits)| {
        let mut bytes = text.into_bytes();
        for (at, byte, how) in edits.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            match (how, bytes.len()) {
                (_, 0) => bytes.push(byte),
                (0, length) => bytes[at.index(length)] = byte,
                (1, length) => bytes.insert(at.index(length), byte),
                (_, length) => drop(bytes.remove(at.index(length))),
            }
        }
        bytes
    })
}

fn jwt(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Integer(ours), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Json::Float(ours), Value::Number(theirs)) => theirs.as_i64().is_none() && theirs.as_f64() == Some(*ours),
        (Json::Text(ours), Value::String(theirs)) => ours.expose_secret() == theirs,
        (Json::List, Value::Array(_)) => true,
        (Json::Object(ours), Value::Object(theirs)) => theirs.iter().all(|(name, theirs)| match ours.get(name) {
            Ok(Some(ours)) => same(&ours, theirs),
            Ok(None) => theirs.is_null(),
            Err(_) => false,
        }),
        _ => false,
    }
}

/// Whether two members of one object may have the same name, which is an error here and the last one's value there.
fn has_repetition(text: &[u8]) -> bool {
    let Ok(json) = Json::parse(text) else { return false };
    fn within(json: &Json<'_>, theirs: &Value) -> bool {
        let (Some(object), Some(members)) = (json.as_object(), theirs.as_object()) else { return false };
        members.iter().any(|(name, value)| match object.get(name) {
            Ok(Some(inner)) => within(&inner, value),
            Ok(None) => false,
            Err(_) => true,
        })
    }
    serde_json::from_slice(text).is_ok_and(|theirs| within(&json, &theirs))
}

struct Card;
impl SessionKind for Card {
    const NAME: &'static str = "card";
}

proptest! {
    #[test]
    fn any_text_is_a_jwt_or_none(text in any::<String>(), parts in prop::collection::vec("[A-Za-z0-9_=-]{0,40}", 2..5)) {
        for text in [text, parts.join(".")] {
            if let Some(jwt) = UnverifiedJwt::read(&text) {
                let claims = Json::parse(jwt.claims.expose_secret().as_bytes()).expect("claims in JSON");
                prop_assert!(claims.as_object().is_some());
            }
        }
    }

    #[test]
    fn a_mangled_jwt_is_a_jwt_or_none(
        claims in mangled(prop_oneof![
            values().prop_map(|value| serde_json::json!({ "exp": value, "iat": 1, "x": 2 }).to_string()),
            prop::collection::vec(0..4_000_000_000_u64, 3).prop_map(|numbers| format!("{numbers:?}")),
        ]),
        header in mangled(Just(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned())),
        token in mangled(Just(jwt(r#"{"alg":"HS256"}"#, r#"{"exp":1700000000}"#))),
    ) {
        let pieces = [&header, &claims, &b"sig"[..].to_vec()].map(|piece| URL_SAFE_NO_PAD.encode(piece));
        for text in [pieces.join("."), String::from_utf8_lossy(&token).into_owned()] {
            if let Some(jwt) = UnverifiedJwt::read(&text) {
                // What is odd beside a time is no reason not to read it.
                let Ok(claims) = serde_json::from_str::<Value>(jwt.claims.expose_secret()) else { continue };
                let exp = claims.get("exp").filter(|exp| exp.is_number());
                // A time is told only where the token has one, and is that one to the second.
                if let Some(told) = jwt.expires_at {
                    let told = told.duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
                    let exp = exp.and_then(Value::as_f64).expect("a number");
                    prop_assert!((exp - told).abs() <= 1.0, "{exp} {told}");
                }
            }
        }
    }

    #[test]
    fn a_whole_jwt_is_read(iat in 0..4_000_000_000_u64, exp in 0..4_000_000_000_u64, padding in 0..3_usize) {
        let token = jwt(r#"{"alg":"RS256"}"#, &format!(r#"{{"iat":{iat},"exp":{exp}{}}}"#, " ".repeat(padding)));
        let jwt = UnverifiedJwt::read(&token).expect("a JWT");
        let time = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        prop_assert_eq!((jwt.issued_at, jwt.expires_at, jwt.not_before), (time(iat), time(exp), None));
    }

    #[test]
    fn any_text_is_a_time_or_none(text in any::<String>(), like in "[0-9T:Z.+ -]{0,40}", date in "[A-Za-z0-9:, +-]{0,40}") {
        for text in [text, like, date] {
            for time in [parse_rfc3339(&text), parse_http_date(&text)].into_iter().flatten() {
                prop_assert!(time >= UNIX_EPOCH);
            }
        }
    }

    #[test]
    fn a_written_time_is_read_again(nanoseconds in 0..=Timestamp::MAX.as_nanosecond(), offset in -86_399..=86_399_i32) {
        let time = Timestamp::from_nanosecond(nanoseconds).expect("in the calendar");
        let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        let seconds = Duration::from_secs(seconds.try_into().expect("after 1970"));
        let expected = UNIX_EPOCH + seconds + Duration::from_nanos(fraction.try_into().expect("under a second"));
        prop_assert_eq!(parse_rfc3339(&time.to_string()), Some(expected));
        // RFC 3339 has offsets of whole minutes.
        let offset = Offset::from_seconds(offset / 60 * 60).expect("an offset");
        prop_assert_eq!(parse_rfc3339(&time.display_with_offset(offset).to_string()), Some(expected));

        let written = DateTimePrinter::new().timestamp_to_rfc9110_string(&time).expect("an HTTP date");
        prop_assert_eq!(parse_http_date(&written), Some(UNIX_EPOCH + seconds));
    }

    #[test]
    fn unix_times_are_exact_or_none(number in prop_oneof![any::<i64>(), 0..500_000_000_000_i64]) {
        let positive = u64::try_from(number).ok();
        let seconds = positive.filter(|_| number <= Timestamp::MAX.as_second());
        prop_assert_eq!(from_unix_seconds(number), seconds.map(|n| UNIX_EPOCH + Duration::from_secs(n)));
        let milliseconds = positive.filter(|_| number <= Timestamp::MAX.as_millisecond());
        prop_assert_eq!(from_unix_milliseconds(number), milliseconds.map(|n| UNIX_EPOCH + Duration::from_millis(n)));
        prop_assert_eq!(from_unix_milliseconds(number).map(to_unix_milliseconds), milliseconds);
    }

    #[test]
    fn any_time_has_its_milliseconds(time in times()) {
        let since = time.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        prop_assert_eq!(u128::from(to_unix_milliseconds(time)), since.min(u128::from(u64::MAX)));
    }

    #[test]
    fn json_is_read_where_serde_json_reads_it(
        bytes in any::<Vec<u8>>(),
        text in mangled(values().prop_map(|value| value.to_string())),
    ) {
        for bytes in [bytes, text] {
            // All that it takes is taken, with the same values; what else is taken is odd in a part that nobody reads.
            match (Json::parse(&bytes), serde_json::from_slice::<Value>(&bytes)) {
                (Ok(ours), Ok(theirs)) if !has_repetition(&bytes) => prop_assert!(same(&ours, &theirs)),
                (Err(_), Ok(_)) => prop_assert!(false, "{}", String::from_utf8_lossy(&bytes)),
                (Err((line, column)), Err(_)) => prop_assert!(line > 0 && column <= bytes.len()),
                _ => {}
            }
        }
    }

    #[test]
    fn json_keeps_its_values(value in values(), before in "[\u{feff} \t\r\n\0]{0,4}", after in "[ \t\r\n\0]{0,4}") {
        let text = value.to_string();
        // Its floats come back with the last digit rounded, so that ours are compared with what it reads itself.
        let theirs: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert!(same(&Json::parse(text.as_bytes()).expect("JSON"), &theirs), "{}", text);
        let padded = format!("{before}{text}{after}");
        prop_assert!(same(&Json::parse(padded.as_bytes()).expect("JSON"), &theirs), "{}", padded);
    }

    #[test]
    fn an_object_is_found_among_other_text(value in values(), before in "[^{]{0,40}", after in "[^{]{0,40}") {
        let text = serde_json::json!({ "found": value }).to_string();
        let theirs: Value = serde_json::from_str(&text).expect("JSON");
        let whole = format!("{before}{text}{after}");
        let [ours] = &Json::objects_within(whole.as_bytes())[..] else { return Err(TestCaseError::fail(whole)) };
        prop_assert!(same(&Json::Object(ours.clone()), &theirs), "{}", text);
    }

    #[test]
    fn one_odd_member_hides_no_other(
        odd in mangled(values().prop_map(|value| value.to_string())),
        token in tokens(),
    ) {
        let member = serde_json::json!({ "token": token }).to_string();
        let text = [&br#"{"odd":"#[..], &odd, b",", &member.as_bytes()[1..]].concat();
        // Padding has its place around the whole text alone.
        let padded = odd.first().is_some_and(|byte| [0, 0xef].contains(byte)) || odd.last() == Some(&0);
        if Json::parse(&odd).is_ok() && !padded {
            let json = Json::parse(&text).expect("JSON");
            let read = json.as_object().expect("an object").text("token").expect("a text").expect("a text");
            prop_assert_eq!(read.expose_secret(), token);
        }
    }

    #[test]
    fn the_two_questions_agree_and_go_one_way(
        (first, second) in (times(), times()),
        (ahead, further) in (spans(), spans()),
        expiry in expiries(),
    ) {
        let (first, second) = (first.min(second), first.max(second));
        let (ahead, further) = (ahead.min(further), ahead.max(further));
        let set = TokenSet::new().with_access_token(AccessToken::new("a").expect("a token"), expiry);
        // What is due stays due, later and looking further ahead; what is over stays over.
        prop_assert!(!set.should_refresh(first, ahead) || set.should_refresh(second, ahead));
        prop_assert!(!set.should_refresh(first, ahead) || set.should_refresh(first, further));
        prop_assert!(!set.is_usable_at(second) || set.is_usable_at(first));
        // What cannot be used is due; what the provider calls dead cannot be used.
        prop_assert!(set.is_usable_at(first) || set.should_refresh(first, Duration::ZERO));
        prop_assert!(!expiry.is_known_past(first) || !set.is_usable_at(first));
        prop_assert_eq!(expiry == Expiry::Unknown, expiry.time().is_none());
        prop_assert_eq!(set.should_refresh(first, Duration::MAX), expiry != Expiry::Unknown);
    }

    #[test]
    fn a_token_is_taken_whole_or_refused(text in prop_oneof![any::<String>(), tokens(), "[ -~]{0,8}"]) {
        let legal = (1..=MAX_TOKEN_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
            && text.trim_matches(' ') == text;
        match (AccessToken::new(text.as_str()), RefreshToken::new(text.as_str())) {
            (Ok(access), Ok(refresh)) => {
                prop_assert!(legal);
                prop_assert_eq!([access.expose_secret(), refresh.expose_secret()], [&text, &text]);
            }
            (Err(access), Err(refresh)) => {
                prop_assert!(!legal);
                prop_assert_eq!([access.outcome(), refresh.outcome()], [Outcome::NotSent; 2]);
            }
            _ => prop_assert!(false, "the two kinds of token differ over {text:?}"),
        }
    }

    #[test]
    fn granted_tokens_are_never_lost(
        presented in tokens(),
        access in tokens(),
        new in prop::option::of(tokens()),
        again in any::<bool>(),
        (known, access_expiry, refresh_expiry) in (expiries(), expiries(), expiries()),
    ) {
        let new = if again { Some(presented.clone()) } else { new };
        let credential = RefreshCredential::<Card>::new(presented.as_str()).expect("a token").with_expiry(known);
        let answered = new.as_deref().map(|token| RefreshToken::new(token).expect("a token"));
        let access_token = AccessToken::new(access.as_str()).expect("a token");
        let granted = Granted::new(&credential, (access_token, access_expiry), answered, refresh_expiry);
        let next = new.unwrap_or_else(|| presented.clone());
        let rotated = next != presented;
        prop_assert_eq!(granted.rotated(), rotated);
        let expected = match (refresh_expiry, known) {
            (Expiry::Unknown, _) | (Expiry::Assumed(_), Expiry::At(_)) if !rotated => known,
            _ => refresh_expiry,
        };
        prop_assert_eq!(granted.refresh_credential().expiry(), expected);

        let set = TokenSet::from(granted);
        prop_assert_eq!(set.access_token.as_ref().expect("kept").expose_secret(), access);
        prop_assert_eq!(set.refresh_token.as_ref().expect("kept").expose_secret(), &next);
        prop_assert_eq!((set.access_expiry, set.refresh_expiry), (access_expiry, expected));
        let stored = RefreshCredential::<Card>::try_from(&set).expect("a credential");
        prop_assert_eq!((stored.token().expose_secret(), stored.expiry()), (next.as_str(), expected));
    }

    #[test]
    fn an_accepted_base_url_leads_where_it_says(
        url in prop_oneof![
            any::<String>(),
            "(https?|HTTPS?|ftp)://[a-zA-Z0-9.:@%_\\\\\\[\\]-]{0,20}(:[0-9]{0,6})?[/a-z0-9?#%. \\\\]{0,12}",
            "https?://(localhost|127\\.0\\.0\\.1|127\\.[0-9.]{1,9}|\\[::1\\]|api\\.example\\.com)(:[0-9]{1,5})?(/[a-z]{0,3}){0,3}",
        ],
    ) {
        let Ok(base) = BaseUrl::parse(&url) else { return Ok(()) };
        let joined = base.join("/v1/refresh?a=b").expect("a URL");
        let given: http::Uri = url.parse().expect("a URL");
        prop_assert_eq!(joined.scheme(), given.scheme());
        prop_assert_eq!((joined.host(), joined.port_u16()), (given.host(), given.port_u16()));
        prop_assert!(joined.path().ends_with("/v1/refresh") && joined.query() == Some("a=b"));
        prop_assert!(joined.path().starts_with(given.path().trim_end_matches('/')));
        // The URL type of the HTTP client reads hosts in its own way: plain text must stay here in its eyes, too.
        if joined.scheme_str() == Some("http") {
            let url = reqwest::Url::parse(&joined.to_string()).expect("a URL");
            let host = url.host_str().expect("a host");
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            prop_assert!(host == "localhost" || address.is_ok_and(|address| address.is_loopback()), "{}", host);
        }
    }

    #[test]
    fn any_answer_has_a_meaning(
        status in 100..=999_u16,
        retry_after in "[ -~]{0,30}|[0-9]{1,25}",
        body in any::<Vec<u8>>(),
    ) {
        let response = Response::builder().status(status).header("retry-after", retry_after.as_str());
        let answer = Answer::new(response.body(Bytes::from(body)).expect("a response"), UNIX_EPOCH, "test");
        match answer.status_error() {
            None => prop_assert!((200..300).contains(&status)),
            Some(error) => {
                prop_assert_eq!(error.status(), Some(status));
                prop_assert_eq!(error.retry_after(), answer.retry_after());
                // Only an answer that says no leaves no doubt.
                prop_assert!(error.outcome() == Outcome::Unknown || (400..500).contains(&status));
                prop_assert!(error.outcome() != Outcome::NotSent);
            }
        }
        if let Err(error) = answer.json() {
            prop_assert_eq!(error.outcome(), Outcome::Unknown);
        }
    }
}
