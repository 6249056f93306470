//! Reading a JWT without verifying it: a scheduling hint, never a proof.
//!
//! The providers sign their tokens with keys that only they hold, so nobody here can verify them. What an access token
//! says of itself decides when to refresh it, and whether it is still worth presenting where the provider renews it by
//! itself and only while it lives (Transak). What a refresh token says of itself is [assumed](Expiry::Assumed): it never
//! makes one dead.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::SecretString;
use crate::json::{Json, JsonText};
use crate::time::from_unix_seconds;
use crate::token::Expiry;
use crate::token_check::MAX_TOKEN_LENGTH;

/// What a JWT says of itself, unverified. Its claims hold personal data: nothing of them is in `Debug`.
#[derive(Clone)]
#[non_exhaustive]
pub struct UnverifiedJwt {
    /// `alg` of the header, when it is a short plain word.
    pub algorithm: Option<String>,
    /// `iat`: when it was issued.
    pub issued_at: Option<SystemTime>,
    /// `nbf`: not valid before.
    pub not_before: Option<SystemTime>,
    /// `exp`: when it expires.
    pub expires_at: Option<SystemTime>,
    /// The claims as they stand in the token: an object as [`json`](crate::json) reads one, which need not be valid JSON in
    /// all of its parts.
    pub claims: SecretString,
}

impl UnverifiedJwt {
    /// Reads a compact JWT (three parts, base64url, with or without padding). `None` when it is not one: the
    /// providers' tokens are opaque by contract, so that is never an error.
    pub fn read(token: &str) -> Option<Self> {
        let (header, claims) = parts(token)?;
        let (header, times) = (Json::parse(&header).ok()?, Json::parse(&claims).ok()?);
        let (header, times) = (header.as_object()?, times.as_object()?);
        let algorithm = header.text("alg").ok()?;
        let algorithm = algorithm.as_ref().map(JsonText::expose_secret);
        let time = |name| Some(times.get(name).ok()?.as_ref().and_then(numeric_date));
        Some(Self {
            algorithm: algorithm.filter(|alg| is_short_word(alg)).map(str::to_owned),
            issued_at: time("iat")?,
            not_before: time("nbf")?,
            expires_at: time("exp")?,
            claims: SecretString::from(std::str::from_utf8(&claims).ok()?),
        })
    }
}

impl Expiry {
    /// What a token, if it is a JWT, says of its own expiry (`exp`, not verified); otherwise unknown. Of a refresh token it
    /// is a hint alone, see [`as_assumed`](Self::as_assumed).
    pub fn of_jwt(token: &str) -> Self {
        let read = || {
            let (header, claims) = parts(token)?;
            Json::parse(&header).ok()?.as_object()?;
            numeric_date(&Json::parse(&claims).ok()?.as_object()?.get("exp").ok()??)
        };
        read().map_or(Self::Unknown, Self::At)
    }
}

impl std::fmt::Debug for UnverifiedJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedJwt")
            .field("issued_at", &self.issued_at)
            .field("not_before", &self.not_before)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Wiped when dropped: claims are personal data.
type Decoded = Zeroizing<Vec<u8>>;

/// Header and claims, decoded.
fn parts(token: &str) -> Option<(Decoded, Decoded)> {
    if token.len() > MAX_TOKEN_LENGTH {
        return None;
    }
    let mut parts = token.trim().split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    match parts.next() {
        None => Some((decode(header)?, decode(claims)?)),
        Some(_) => None,
    }
}

fn decode(part: &str) -> Option<Decoded> {
    URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok().map(Zeroizing::new)
}

fn is_short_word(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// RFC 7519, section 2, "NumericDate": seconds since 1970, possibly with a fraction.
fn numeric_date(value: &Json<'_>) -> Option<SystemTime> {
    from_unix_seconds(match value {
        Json::Integer(seconds) => *seconds,
        // Casting saturates; what saturates is outside the calendar and refused.
        Json::Float(seconds) => seconds.floor() as i64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn jwt(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The access token of the sample answer in the Alix documentation ("Refresh Token", card; read 2026-11).
    const ALIX_SAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzaWduIjoicmpnUURlOFFWbG5QOUFKTCIsInBhcnRuZXJDb2RlIjoiemVuY2FyZHRlc3QiLCJpYXQiOjE3MzEzMTM5NzgsImV4cCI6MTczMTMxNDg3OH0.7iBLv8Ib6UHbxlrtfjnMzvhpkdYlldSkaXe6RRUI4eQ";

    #[test]
    fn reads_a_vendor_sample() {
        let jwt = UnverifiedJwt::read(ALIX_SAMPLE).expect("a JWT");
        assert_eq!(jwt.algorithm.as_deref(), Some("HS256"));
        assert_eq!((jwt.issued_at, jwt.not_before, jwt.expires_at), (at(1_731_313_978), None, at(1_731_314_878)));
    }

    #[test]
    fn only_a_short_word_is_an_algorithm() {
        for (algorithm, expected) in [
            ("HS256", true),
            ("ECDH-ES", true),
            ("A128CBC-HS256-16", true),
            ("A128CBC-HS256-160", false),
            ("HS 256", false),
            ("none!", false),
            ("é", false),
        ] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}"}}"#));
            let jwt = UnverifiedJwt::read(&format!("{header}.e30.x")).expect("a JWT");
            assert_eq!(jwt.algorithm.as_deref(), expected.then_some(algorithm));
        }
    }

    #[test]
    fn odd_times_are_none_and_the_rest_is_kept() {
        for (exp, expected) in [
            ("1700000000.9", at(1_700_000_000)),
            ("1e9", at(1_000_000_000)),
            ("-1", None),
            ("1e300", None),
            ("18446744073709551615", None),
            ("\"1700000000\"", None),
            ("null", None),
            ("{}", None),
            // Odd and yet in nobody's way.
            ("1e999", None),
            ("NaN", None),
            ("\"\\ud800\"", None),
        ] {
            let read = UnverifiedJwt::read(&jwt(&format!(r#"{{"iat":1700000000,"exp":{exp}}}"#))).expect("a JWT");
            assert_eq!((read.issued_at, read.expires_at), (at(1_700_000_000), expected), "{exp}");
            let jwt = jwt(&format!(r#"{{"sub":"jane","exp":{exp}}}"#));
            assert_eq!(Expiry::of_jwt(&jwt).time(), expected, "{exp}");
        }
    }

    #[test]
    fn the_longest_token_is_read_and_one_byte_more_is_not() {
        let short = jwt(r#"{"exp":1700000000}"#);
        let longest = format!("{short}{}", "x".repeat(MAX_TOKEN_LENGTH - short.len()));
        assert_eq!(Expiry::of_jwt(&longest).time(), at(1_700_000_000));
        assert_eq!(Expiry::of_jwt(&format!("{longest}x")), Expiry::Unknown);
    }

    #[test]
    fn what_is_not_a_jwt_is_none() {
        let two_exps = jwt(r#"{"exp":1,"exp":2}"#);
        let long = format!("{}.e30.", "A".repeat(MAX_TOKEN_LENGTH));
        let (list_of_claims, list_as_header) = (jwt("[1,2,3]"), format!("{}.e30.x", URL_SAFE_NO_PAD.encode("[null]")));
        for text in [
            "",
            "a.b",
            "a.b.c",
            "..",
            "e30.e30.x.y",
            "e30.e30",
            "eyJh.ey*.x",
            &two_exps,
            &list_of_claims,
            &list_as_header,
            &long,
        ] {
            assert!(UnverifiedJwt::read(text).is_none(), "{}", &text[..text.len().min(40)]);
            assert_eq!(Expiry::of_jwt(text), Expiry::Unknown, "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn debug_shows_times_alone() {
        let jwt = UnverifiedJwt::read(&jwt(r#"{"sub":"jane@example.com","exp":1}"#)).expect("a JWT");
        assert!(jwt.claims.expose_secret().contains("jane@example.com"));
        assert!(!format!("{jwt:?}").contains("jane"));
    }
}
