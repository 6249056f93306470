use super::*;

#[test]
fn a_clone_is_the_same_failure_and_editing_it_changes_no_other() {
    let first = Error::config("load the key", "it is empty");
    let second = first.clone().with_provider_code("32");
    assert_eq!((first.provider_code(), second.provider_code()), (None, Some("32")));
    assert_eq!(second.to_string(), "failed to load the key: it is empty");
}

#[test]
fn each_kind_has_its_advice() {
    use ErrorKind::*;
    let in_doubt = "the refresh may have happened: keep the tokens you hold and treat the presented one as in doubt";
    for (kind, name, help) in [
        (Config, "config", "correct the setting that the message names"),
        (Input, "input", "correct what the message names"),
        (LoginNeeded, "login_needed", "have the person log in again and store the new tokens"),
        (
            Unauthorized,
            "unauthorized",
            "check keys, environment and the provider's allow-list; the tokens may still be good",
        ),
        (Forbidden, "forbidden", "check the account's rights and this machine's clock; the tokens may still be good"),
        (Refused, "refused", "read status and code; nothing was granted"),
        (WrongEndpoint, "wrong_endpoint", "check the base URL and the environment"),
        (RateLimited, "rate_limited", "wait before the next call"),
        (Unreachable, "unreachable", "check the address and the network, then try again; nothing was sent"),
        (Timeout, "timeout", in_doubt),
        (Interrupted, "interrupted", in_doubt),
        (Server, "server", in_doubt),
        (
            Protocol,
            "protocol",
            "the refresh may have happened: keep the tokens you hold, treat the presented one as in doubt, and check the \
             base URL",
        ),
        (
            Untrusted,
            "untrusted",
            "check the provider's public key and the environment; treat the presented token as in doubt",
        ),
        (Internal, "internal", "report this; the outcome says how far the call got"),
    ] {
        let error = Error::new(kind, Outcome::Unknown, "x", "y");
        assert_eq!((kind.as_str(), error.help()), (name, help));
        assert_eq!(error.with_help("do this").help(), "do this");
    }
}

#[test]
fn only_a_plain_word_is_a_code() {
    let code = |text: &str| Error::input("x", "y").with_provider_code(text).provider_code().map(str::to_owned);
    for good in ["32", "1002", "RE_AUTHENTICATE", "ERR-1002.7", "unsupported_grant_type", "InvalidToken", "e1002"] {
        assert_eq!(code(good).as_deref(), Some(good));
    }
    for bad in
        ["", "a b", "jane@example.com", &"X".repeat(41), &"x".repeat(25), "2xm7g44pkvvq", "eyJhbGciOiJIUzI1NiJ9.e30.x"]
    {
        assert_eq!(code(bad), None, "{bad}");
    }
}

#[test]
fn a_code_is_one_up_to_each_of_its_bounds() {
    let is_kept = |text: &str| Error::input("x", "y").with_provider_code(text).provider_code() == Some(text);
    let (word, digits, mixture) = ("W".repeat(24), "1".repeat(12), "a2345678".to_owned());
    for (longest, more) in [
        (word.clone(), format!("{word}W")),
        (digits.clone(), format!("{digits}1")),
        (mixture.clone(), format!("{mixture}9")),
        (format!("{word}_{digits}-xy"), format!("{word}_{digits}-xyz")),
        (format!("{mixture}.{mixture}"), format!("{mixture}.{mixture}9")),
    ] {
        assert!(is_kept(&longest) && !is_kept(&more), "{longest}");
    }
    assert_eq!(format!("{word}_{digits}-xy").len(), 40, "in all");
}

#[test]
fn the_providers_message_is_bounded_and_never_shown() {
    let error = Error::input("x", "y").with_provider_message(&format!("needle\u{1b}[2J{}", "é".repeat(500)));
    assert_eq!(error.provider_message().map(|text| text.chars().count()), Some(200));
    assert!(!format!("{error} {error:?} {error:#?}").contains("needle"));
    assert!(error.provider_message().is_some_and(|text| !text.contains('\u{1b}')));
}

#[test]
fn the_advice_names_a_clock_that_is_off_where_that_may_be_the_reason() {
    use ErrorKind::*;
    let ahead = |seconds: i64| Some(ClockDifference::from_milliseconds(seconds * 1_000));
    let help = |kind, difference| {
        Error::new(kind, Outcome::Refused, "x", "y").with_clock_difference(difference).help().to_owned()
    };
    for kind in [LoginNeeded, Unauthorized, Forbidden, Refused, Protocol] {
        let plain = help(kind, None);
        for (difference, said) in [
            (ahead(60), None),
            (ahead(-60), None),
            (ahead(61), Some("this machine's clock is 61 s ahead of the provider's")),
            (ahead(-1_200), Some("this machine's clock is 20 min behind the provider's")),
        ] {
            let expected = said.map_or_else(|| plain.clone(), |said| format!("{plain}; {said}"));
            assert_eq!(help(kind, difference), expected, "{kind:?}");
        }
    }
    for kind in
        [Config, Input, WrongEndpoint, RateLimited, Unreachable, Timeout, Interrupted, Server, Untrusted, Internal]
    {
        assert_eq!(help(kind, ahead(1_200)), help(kind, None), "{kind:?}");
    }
    // It is said once, and advice that comes later has it too.
    let error = Error::new(Refused, Outcome::Refused, "x", "y").with_clock_difference(ahead(1_200));
    assert_eq!(error.help().matches("20 min").count(), 1);
    let difference = "this machine's clock is 20 min ahead of the provider's";
    assert_eq!(error.clone().with_help("set it").help(), format!("set it; {difference}"));
    assert_eq!(error.with_help(format!("set it: {difference}!")).help(), format!("set it: {difference}!"));
}
