//! The short texts that PayBy limits: each checked when it is made.

use rampauth_core::Error;

macro_rules! header_text {
    ($(#[$doc:meta])* $name:ident, $action:literal, most: $most:expr, $refusals:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes the value, used as it is.
            ///
            /// # Errors
            ///
            #[doc = concat!("[`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is ", $refusals)]
            /// or not printable ASCII, or starts or ends with a space, which HTTP would strip.
            pub fn new(value: impl Into<String>) -> Result<Self, Error> {
                let value = value.into();
                match check_length(&value, $most).and_then(|()| check_header(&value)) {
                    Ok(()) => Ok(Self(value)),
                    Err(reason) => Err(Error::config($action, reason)),
                }
            }

            /// The value.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

header_text!(
    /// The merchant id that PayBy assigned, sent as the header `partner-id` and in the body as `partnerId`. At most 12
    /// characters (PayBy docs, "Refresh Tokens", read 2026-11).
    PartnerId,
    "read the partner id",
    most: 12,
    "empty, longer than 12 characters,"
);
header_text!(
    /// The language of PayBy's messages, the header `content-language`: `en`, "currently only English is supported".
    /// At most 10 characters (PayBy docs, "Refresh Tokens", read 2026-11).
    ContentLanguage,
    "read the content language",
    most: 10,
    "empty, longer than 10 characters,"
);
header_text!(
    /// The header `api-version`. No page lists it; PayBy's own Java SDK sends `v1` (read 2026-11).
    ApiVersion,
    "read the API version",
    most: usize::MAX,
    "empty"
);

/// The description that PayBy asks for with every call, `bizContent.subject`.
///
/// At most 12 characters (PayBy docs, "Refresh Tokens", read 2026-11), counted as Unicode scalar values. Newer pages
/// allow 64 for orders; [`with_limit`](Self::with_limit) takes that. The default is `refresh`: the vendor requires a
/// subject and says nothing about its meaning for this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The limit that the vendor published for this call, in characters.
    pub const PUBLISHED_LIMIT: usize = 12;

    /// Checks and takes a subject of 1 to 12 characters, used as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is empty or longer.
    pub fn new(subject: impl Into<String>) -> Result<Self, Error> {
        Self::with_limit(subject, Self::PUBLISHED_LIMIT)
    }

    /// The same with another limit, in characters, for a merchant whom PayBy grants one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is empty or longer than `limit`.
    pub fn with_limit(subject: impl Into<String>, limit: usize) -> Result<Self, Error> {
        let subject = subject.into();
        check_length(&subject, limit).map_err(|reason| Error::config("read the subject", reason))?;
        Ok(Self(subject))
    }

    /// The subject.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Subject {
    fn default() -> Self {
        Self("refresh".to_owned())
    }
}

pub(super) fn check_length(text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    match text.chars().count() {
        length if length > most => Err(format!("it has {length} characters; at most {most} are allowed")),
        _ => Ok(()),
    }
}

fn check_header(text: &str) -> Result<(), String> {
    if !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Err("it holds a character other than printable ASCII (a line break, perhaps)".to_owned())
    } else if text.starts_with(' ') || text.ends_with(' ') {
        Err("it starts or ends with a space".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_short_and_printable() {
        let message = |value: &str| PartnerId::new(value).expect_err("refused").to_string();
        let ascii = "it holds a character other than printable ASCII (a line break, perhaps)";
        for (bad, reason) in [
            ("", "it is empty"),
            ("1234567890123", "it has 13 characters; at most 12 are allowed"),
            ("200001\n", ascii),
            ("2000é", ascii),
            (" 2000", "it starts or ends with a space"),
            ("2000 ", "it starts or ends with a space"),
        ] {
            assert_eq!(message(bad), format!("failed to read the partner id: {reason}"), "{bad:?}");
        }
        assert_eq!(PartnerId::new("200001200101").expect("a partner id").as_str(), "200001200101");
        assert!(ContentLanguage::new("en").is_ok() && ContentLanguage::new("1234567890").is_ok());
        let error = ContentLanguage::new("12345678901").expect_err("refused");
        let reason = "it has 11 characters; at most 10 are allowed";
        assert_eq!(error.to_string(), format!("failed to read the content language: {reason}"));
        assert!(ApiVersion::new("v1").is_ok() && ApiVersion::new("").is_err() && ApiVersion::new("v\r1").is_err());
    }

    #[test]
    fn a_subject_is_counted_in_characters() {
        let arabic = "استرداد رمز!";
        assert_eq!((arabic.chars().count(), arabic.len()), (12, 22));
        assert_eq!(Subject::new(arabic).expect("a subject").as_str(), arabic);
        assert_eq!(
            Subject::new("thirteen chars").expect_err("refused").to_string(),
            "failed to read the subject: it has 14 characters; at most 12 are allowed"
        );
        assert!(Subject::new("x".repeat(12)).is_ok() && Subject::new("x".repeat(13)).is_err());
        assert!(Subject::new("").is_err() && Subject::with_limit("", 64).is_err());
        assert!(Subject::with_limit("x".repeat(64), 64).is_ok() && Subject::with_limit("x".repeat(65), 64).is_err());
        assert_eq!(Subject::new(Subject::default().as_str()).expect("within the limit"), Subject::default());
    }
}
