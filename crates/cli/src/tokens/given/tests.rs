//! Each form that tokens are given in, and what is said of those that cannot be used.

use super::*;
use rampauth_core::time::parse_rfc3339;

const NOW: &str = "2026-11-20T09:00:00Z";
/// `{"exp":1795167000}`, 2026-11-20T09:30:00Z.
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNjcwMDB9.c2ln";

fn at(time: &str) -> SystemTime {
    parse_rfc3339(time).expect("a time")
}

fn given(text: &str, presents: Presents) -> Result<Given, Error> {
    read(text.as_bytes(), presents, at(NOW))
}

fn refusal(text: &str, presents: Presents) -> String {
    given(text, presents).expect_err(text).to_string()
}

/// Access token, its expiry, refresh token, its expiry.
fn tokens(text: &str, presents: Presents) -> (Option<String>, Expiry, Option<String>, Expiry) {
    let Given { set, doubts, .. } = given(text, presents).expect(text);
    assert_eq!(doubts, [""; 0], "{text}");
    let access = set.access_token.map(|token| token.expose_secret().to_owned());
    let refresh = set.refresh_token.map(|token| token.expose_secret().to_owned());
    (access, set.access_expiry, refresh, set.refresh_expiry)
}

#[test]
fn every_form_brings_the_same_tokens() {
    let (access, refresh) = (at("2026-11-20T09:15:00Z"), at("2027-05-19T09:00:00Z"));
    let expected = || (Some("a".to_owned()), Expiry::At(access), Some("r".to_owned()), Expiry::At(refresh));
    for text in [
        // Plain.
        r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2026-11-20T09:15:00Z","refreshTokenExpiresAt":"2027-05-19T09:00:00Z","rotated":true,"x":[1],"x":2}"#,
        // After a byte order mark.
        "\u{feff}{\"accessToken\":\"a\",\"refreshToken\":\"r\",\"accessTokenExpiresAt\":\"2026-11-20T09:15:00Z\",\"refreshTokenExpiresAt\":\"2027-05-19T09:00:00Z\"}",
        // Alix card: in an envelope, times as texts of Unix seconds.
        r#"{"success":true,"message":"ok","data":{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"1795166100","refreshTokenExpiresAt":"1810717200"},"errorCode":0}"#,
        // Alix, as the page's table names the times, in milliseconds.
        r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiredAt":1795166100000,"refreshTokenExpiredAt":1810717200000,"signature":"c2ln"}"#,
        // Onboard.
        r#"{"userId":"u-1","accessToken":{"token":"a","expiry":"2026-11-20T09:15:00Z"},"refreshToken":{"token":"r","expiry":"2027-05-19T12:00:00+03:00"}}"#,
        // PayBy.
        r#"{"head":{"applyStatus":"SUCCESS","code":"0","msg":"","traceCode":"t"},"body":{"access_token":"a","refresh_token":"r","expires_in":"900","refresh_token_expires_in":15552000}}"#,
        // OAuth.
        r#"{"access_token":"a","token_type":"bearer","refresh_token":"r","expires_in":900,"refresh_expires_in":15552000,"scope":"x"}"#,
        r#"{"access_token":"a","refresh_token":"r","expires_at":1795166100,"refresh_token_expires_at":1810717200}"#,
        // Both spellings, in accord, and of two times the earlier.
        r#"{"access_token":"a","accessToken":"a","refresh_token":"r","expires_at":1795166100,"expires_in":901,"refreshTokenExpiresAt":1810717200}"#,
    ] {
        assert_eq!(tokens(text, Presents::RefreshToken), expected(), "{text}");
    }
}

#[test]
fn a_login_of_transak_tells_when_it_was_made_and_how_long_the_token_lives() {
    let text = r#"{"data":{"accessToken":"a","ttl":2592000,"created":"2026-11-20T08:00:00.000Z"}}"#;
    let expected = (Some("a".to_owned()), Expiry::At(at("2026-12-20T08:00:00Z")), None, Expiry::Unknown);
    assert_eq!(tokens(text, Presents::AccessToken), expected);
    let refresh = format!(r#"{{"data":{{"accessToken":"{JWT}"}}}}"#);
    let expected = (Some(JWT.to_owned()), Expiry::At(at("2026-11-20T09:30:00Z")), None, Expiry::Unknown);
    assert_eq!(tokens(&refresh, Presents::AccessToken), expected);
}

#[test]
fn the_presented_token_is_needed_and_the_other_may_be_null_or_absent() {
    for text in [r#"{"refreshToken":"r"}"#, r#"{"refreshToken":"r","accessToken":null,"y":[1],"y":2}"#] {
        let set = given(text, Presents::RefreshToken).expect("tokens").set;
        assert!(set.access_token.is_none() && set.refresh_token.is_some());
        assert_eq!(refusal(text, Presents::AccessToken), "failed to read the tokens: `accessToken` is missing");
    }
    let missing = "failed to read the tokens: `refreshToken` is missing";
    for text in ["{}", r#"{"refreshToken":null}"#, r#"{"accessToken":"a"}"#, r#"{"body":{"refreshToken":"r"}}"#] {
        assert_eq!(refusal(text, Presents::RefreshToken), missing);
    }
}

#[test]
fn an_access_token_without_a_time_is_believed_its_own_and_a_refresh_token_is_not() {
    let own = Expiry::At(at("2026-11-20T09:30:00Z"));
    let told = Expiry::At(at("2026-11-20T11:00:00Z"));
    for (time, expected) in [
        ("", own),
        (r#","accessTokenExpiresAt":null"#, own),
        (r#","accessTokenExpiresAt":"2026-11-20T11:00:00Z""#, told),
    ] {
        let text = format!(r#"{{"accessToken":"{JWT}","refreshToken":"{JWT}"{time}}}"#);
        for presents in [Presents::RefreshToken, Presents::AccessToken] {
            let set = given(&text, presents).expect("tokens").set;
            assert_eq!((set.access_expiry, set.refresh_expiry), (expected, Expiry::Unknown), "{text}");
        }
    }
    let opaque = given(r#"{"accessToken":"a","refreshToken":"r"}"#, Presents::RefreshToken).expect("tokens").set;
    assert_eq!(opaque.access_expiry, Expiry::Unknown);
}

#[test]
fn everything_else_is_refused_by_name_and_not_repeated() {
    let long = format!(r#"{{"refreshToken":"{}"}}"#, "x".repeat(65_537));
    let charset = "it holds a character other than printable ASCII (a line break, perhaps)";
    let bearer = "it starts with `Bearer `, which is no part of the token; leave it off";
    let no_time = "is not a time such as 2026-11-20T09:30:00Z";
    for (text, message) in [
        ("", "read the tokens: they are not JSON (line 1, column 0)"),
        ("secret", "read the tokens: they are not JSON (line 1, column 1)"),
        ("[]", "read the tokens: they are not a JSON object"),
        (r#"{"refreshToken":7}"#, "read the tokens: `refreshToken` is not a text"),
        (r#"{"refreshToken":{"secret":"secret"}}"#, "read the tokens: `refreshToken` is not a text"),
        (r#"{"refreshToken":{"token":7}}"#, "read the tokens: `refreshToken` is not a text"),
        (r#"{"refreshToken":""}"#, "read `refreshToken`: it is empty"),
        (&long, "read `refreshToken`: it is longer than 65,536 bytes"),
        (r#"{"refreshToken":"secret\n"}"#, &format!("read `refreshToken`: {charset}")),
        (r#"{"refreshToken":"secret\u00e9"}"#, &format!("read `refreshToken`: {charset}")),
        (r#"{"refreshToken":"secret","accessToken":""}"#, "read `accessToken`: it is empty"),
        (r#"{"refreshToken":"Bearer secret"}"#, &format!("read `refreshToken`: {bearer}")),
        (r#"{"refreshToken":"r","access_token":"bearer\tsecret"}"#, &format!("read `accessToken`: {bearer}")),
        (
            r#"{"refreshToken":"secret","refreshToken":"secret"}"#,
            "read the tokens: `refreshToken` stands there more than once",
        ),
        (
            r#"{"refreshToken":"secret","refresh_token":"secret2"}"#,
            "read the tokens: `refreshToken` and another `refresh_token` contradict each other",
        ),
        (
            r#"{"data":{"refreshToken":"secret"},"refreshToken":"secret2"}"#,
            "read the tokens: `refreshToken` and another `refreshToken` contradict each other",
        ),
        (
            r#"{"refreshToken":"r","refreshTokenExpiresAt":900}"#,
            &format!("read the tokens: `refreshTokenExpiresAt` {no_time}"),
        ),
        (
            r#"{"refreshToken":"r","accessToken":null,"accessTokenExpiresAt":"secret"}"#,
            &format!("read the tokens: `accessTokenExpiresAt` {no_time}"),
        ),
        (
            r#"{"refreshToken":{"token":"r","expiry":"2026-11-20T09:30:00"}}"#,
            &format!("read the tokens: `refreshToken.expiry` {no_time}"),
        ),
        (
            r#"{"refresh_token":"r","access_token":"a","expires_in":"secret"}"#,
            "read the tokens: `expires_in` is not a number of seconds above zero",
        ),
    ] {
        assert_eq!(refusal(text, Presents::RefreshToken), format!("failed to {message}"));
    }
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let refusal = read(&utf16, Presents::RefreshToken, at(NOW)).expect_err("refused").to_string();
    assert_eq!(refusal, "failed to read the tokens: they are text in UTF-16; save it as UTF-8");
}

#[test]
fn an_answer_that_refuses_is_no_login() {
    let refused = "failed to read the tokens: they are a provider's answer that refuses, not tokens";
    for (text, code) in [
        (r#"{"success":false,"message":"secret","data":null,"errorCode":32}"#, Some("32")),
        (r#"{"success":false,"data":{"refreshToken":"r"}}"#, None),
        (r#"{"errorCode":"7","refreshToken":"r"}"#, Some("7")),
        (r#"{"error":"Invalid request"}"#, None),
        (r#"{"error":{"statusCode":400,"message":"secret","errorCode":1002},"data":{"refreshToken":"r"}}"#, None),
        (r#"{"error":"invalid_grant","error_description":"secret"}"#, None),
        (r#"{"head":{"applyStatus":"SUCCESS","code":"402"},"body":{"refreshToken":"r"}}"#, Some("402")),
        (r#"{"head":{"applyStatus":"ERROR","code":"0"},"body":{"refreshToken":"r"}}"#, Some("0")),
        (r#"{"code":"RE_AUTHENTICATE","message":"secret"}"#, Some("RE_AUTHENTICATE")),
    ] {
        let error = given(text, Presents::RefreshToken).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.provider_code()), (refused, code), "{text}");
    }
}

#[test]
fn a_misspelt_member_is_named_and_so_is_the_right_one() {
    for (text, there, known) in [
        (r#"{"RefreshToken":"secret"}"#, "RefreshToken", "refreshToken"),
        (r#"{"refreshtoken":"secret"}"#, "refreshtoken", "refreshToken"),
        (r#"{"refresh-token":"secret"}"#, "refresh-token", "refreshToken"),
        (r#"{"refreshTokn":"secret"}"#, "refreshTokn", "refreshToken"),
        (r#"{"data":{"refreshTokem":"secret"}}"#, "refreshTokem", "refreshToken"),
    ] {
        let message = format!("`refreshToken` is missing; `{there}` is there, and its name is `{known}`");
        assert_eq!(refusal(text, Presents::RefreshToken), format!("failed to read the tokens: {message}"));
    }
    let given = given(
        r#"{"refreshToken":"r","accessTokenExpireAt":"2026-11-20T09:30:00Z","secret":1}"#,
        Presents::RefreshToken,
    );
    let given = given.expect("tokens");
    assert_eq!(given.doubts, ["`accessTokenExpireAt` is no known member; perhaps `accessTokenExpiresAt`"]);
    assert_eq!(given.set.access_expiry, Expiry::Unknown);
}

#[test]
fn tokens_of_another_person_are_refused() {
    let read = |text| given(text, Presents::RefreshToken).expect("tokens");
    let named = read(r#"{"userId":"u-1","refreshToken":{"token":"r"}}"#);
    assert!(named.check_user(Some("u-1")).is_ok() && named.check_user(None).is_ok());
    let refusal = named.check_user(Some("u-2")).expect_err("another's").to_string();
    assert!(refusal.ends_with("they are another person's") && !refusal.contains("u-1"), "{refusal}");
    assert!(read(r#"{"refreshToken":"r"}"#).check_user(Some("u-2")).is_ok());
}

#[test]
fn a_credential_that_has_expired_is_of_no_use() {
    let check = |text: &str, presents, now: &str| {
        let set = given(text, presents).expect("tokens").set;
        check_alive(&set, presents, at(now)).map_err(|error| (error.kind(), error.outcome()))
    };
    let dead = Err((ErrorKind::LoginNeeded, Outcome::NotSent));
    let refresh = r#"{"refreshToken":"r","refreshTokenExpiresAt":"2026-11-20T09:30:00Z","accessToken":"a","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    assert_eq!(check(refresh, Presents::RefreshToken, "2026-11-20T09:29:59Z"), Ok(()));
    assert_eq!(check(refresh, Presents::RefreshToken, "2026-11-20T09:30:00Z"), dead);
    assert_eq!(check(refresh, Presents::AccessToken, "2026-11-20T09:29:59Z"), dead);
    // An access token that lives on can still be handed out.
    let usable = refresh.replace("2020", "2126");
    assert_eq!(check(&usable, Presents::RefreshToken, "2026-11-20T09:30:00Z"), Ok(()));
    // What the token says of itself counts there, whatever stands beside it.
    let own = format!(r#"{{"accessToken":"{JWT}","accessTokenExpiresAt":"2026-11-20T11:00:00Z"}}"#);
    assert_eq!(check(&own, Presents::AccessToken, "2026-11-20T09:29:59Z"), Ok(()));
    assert_eq!(check(&own, Presents::AccessToken, "2026-11-20T09:30:00Z"), dead);
}

#[test]
fn the_word_of_a_header_is_known_in_any_case() {
    for token in ["Bearer x", "bearer x", "BEARER\tx", "Bearer "] {
        assert!(header_before(token).is_some(), "{token}");
    }
    for token in ["Bearer", "bearer.x", "x Bearer y", "é"] {
        assert!(header_before(token).is_none(), "{token}");
    }
}
