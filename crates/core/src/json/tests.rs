use super::*;

fn object(text: &[u8]) -> JsonObject<'_> {
    Json::parse(text).expect("JSON").as_object().expect("an object").clone()
}

fn text_of(members: &JsonObject<'_>, name: &str) -> Result<Option<String>, MemberProblem> {
    members.text(name).map(|text| text.map(|text| text.expose_secret().to_owned()))
}

#[test]
fn members_are_found_or_named_as_a_problem() {
    let members = object(br#"{"a":"x","b":null,"c":1,"d":"","e":"1","e":"2","f":{"g":true},"h":"\ud800"}"#);
    let text = |name| text_of(&members, name);
    assert_eq!(text("a"), Ok(Some("x".to_owned())));
    assert_eq!([text("b"), text("d"), text("zz")], [Ok(None), Ok(None), Ok(None)]);
    assert_eq!(text("c"), Err(MemberProblem::WrongType));
    assert_eq!(text("e"), Err(MemberProblem::Repeated));
    assert_eq!(text("h"), Err(MemberProblem::Unreadable));
    assert_eq!(members.names().collect::<String>(), "abcdeefh");
    assert!(members.object("f").expect("an object").is_some());
    assert_eq!(members.object("a").expect_err("a text"), MemberProblem::WrongType);
    let value = |name| members.get(name).expect("readable").expect("there");
    assert_eq!(value("a").as_text().map(JsonText::expose_secret), Some("x"));
    assert!(value("c").as_text().is_none() && value("f").as_text().is_none());
}

#[test]
fn every_kind_of_value_is_told_apart() {
    for (text, expected) in [
        ("null", "Null"),
        ("true", "Bool(true)"),
        ("false", "Bool(false)"),
        ("-32", "Integer(-32)"),
        ("9223372036854775807", "Integer(9223372036854775807)"),
        ("9223372036854775808", "Float(9.223372036854776e18)"),
        ("1.5", "Float(1.5)"),
        ("1e3", "Float(1000.0)"),
        ("\"\"", "Text(JsonText(***))"),
        (" [1,[]] ", "List"),
        ("{ }", "Object(JsonObject(0 members))"),
        (r#"{"a":{"b":1},"a":2}"#, "Object(JsonObject(2 members))"),
    ] {
        assert_eq!(format!("{:?}", Json::parse(text.as_bytes()).expect("JSON")), expected, "{text}");
    }
}

#[test]
fn a_whole_number_or_a_text_is_a_code() {
    let members = object(br#"{"a":32,"b":18446744073709551615,"c":1.5,"d":"32"}"#);
    let code = |name| members.get(name).expect("single").as_ref().and_then(Json::as_code);
    assert_eq!([code("a"), code("b"), code("c"), code("d")], [Some("32".into()), None, None, Some("32".into())]);
}

/// Whatever stands in a member that nobody reads, the one beside it is read.
#[test]
fn an_odd_value_is_unreadable_and_hides_no_other() {
    let digits = "9".repeat(400);
    let odd: [&[u8]; 17] = [
        b"1e999",
        digits.as_bytes(),
        b"NaN",
        b"-Infinity",
        b"undefined",
        b"0x1f",
        b"+1",
        b"01",
        b"1.",
        br#""\ud800""#,
        br#""\udc00\ud800""#,
        br#""\ud800\u0041""#,
        br#""\x""#,
        br#""\u12""#,
        br#""\u+123""#,
        b"\"\xff\"",
        b"\"\xed\xa0\x80\"",
    ];
    for value in odd {
        let shown = String::from_utf8_lossy(value).into_owned();
        for text in [
            [&br#"{"odd":"#[..], value, br#","token":"t"}"#].concat(),
            [&br#"{"token":"t","odd" : "#[..], value, b"\r\n}"].concat(),
            [&br#"{"token":"t","list":[[1,"#[..], value, br#"],{"odd":"#, value, b"}]}"].concat(),
        ] {
            assert_eq!(text_of(&object(&text), "token"), Ok(Some("t".to_owned())), "{shown}");
        }
        let alone = [b"{\"odd\":", value, b"}"].concat();
        assert!(matches!(object(&alone).get("odd"), Ok(Some(Json::Unreadable))), "{shown}");
    }
}

#[test]
fn a_name_that_cannot_be_read_is_none_that_is_asked_for() {
    let text = [&br#"{"\ud800":1,"tok\u0065n":"t",""#[..], b"\xff\":2,\"tokeN\":3,\"\\x\":4}"].concat();
    assert_eq!(text_of(&object(&text), "token"), Ok(Some("t".to_owned())));
    assert_eq!(text_of(&object(br#"{"token":"t","t\u006fken":"u"}"#), "token"), Err(MemberProblem::Repeated));
}

#[test]
fn a_byte_order_mark_and_padding_are_skipped() {
    let value = br#"{"token":"t"}"#;
    let padding: [(&[u8], &[u8]); 6] = [
        (b"\xef\xbb\xbf", b""),
        (b"\xef\xbb\xbf\r\n\t ", b" \n"),
        (b"\0\0", b"\0"),
        (b" \0 \xef\xbb\xbf\0", b"\0 \r\n"),
        (b"\n\n", b"\n\0\n"),
        (b"", b" "),
    ];
    for (before, after) in padding {
        let text = [before, value, after].concat();
        assert_eq!(text_of(&object(&text), "token"), Ok(Some("t".to_owned())), "{before:?} {after:?}");
    }
    // No padding within it, and no mark behind it.
    for text in [&b"{\0}"[..], b"{}\xef\xbb\xbf", b"\xef\xbb{}", b"\xff\xfe{\0}\0"] {
        assert!(Json::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn nesting_has_no_limit_and_takes_no_stack() {
    let deep = |open: &str, close: &str| {
        let depth = 65_000 / (open.len() + close.len());
        format!(r#"{{"token":"t","odd":{}1{}}}"#, open.repeat(depth), close.repeat(depth))
    };
    let texts = [deep("[", "]"), deep(r#"{"":"#, "}"), deep(r#"[{"a":"#, "}]")];
    // Less than a frame for each level would take.
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let read = move || {
        for text in &texts {
            let members = object(text.as_bytes());
            assert_eq!(text_of(&members, "token"), Ok(Some("t".to_owned())));
            assert!(matches!(members.get("odd"), Ok(Some(Json::List | Json::Object(_)))));
            drop(Json::objects_within(format!("!{text}").as_bytes()));
            drop(Json::objects_within(&text.as_bytes()[..text.len() - 1]));
        }
    };
    small.spawn(read).expect("a thread").join().expect("no panic");
}

#[test]
fn a_text_is_a_view_unless_it_was_escaped() {
    let source = br#"{"n\u0061me":"needle","escaped":"a\u00e9"}"#;
    let members = object(source);
    let text = |name| members.text(name).expect("a text").expect("a text");
    let inside = |text: &JsonText<'_>| source.as_ptr_range().contains(&text.expose_secret().as_ptr());
    assert_eq!((text("name").expose_secret(), text("escaped").expose_secret()), ("needle", "aé"));
    assert_eq!((inside(&text("name")), inside(&text("escaped"))), (true, false));
    for name in ["name", "escaped"] {
        assert_eq!(SecretString::from(text(name)).expose_secret(), text(name).expose_secret());
    }
}

#[test]
fn each_escape_is_its_character() {
    let members = object(br#"{"a":"\"\\\/\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\ude00.\\u0041"}"#);
    let expected = "\"\\/\u{8}\u{c}\n\r\t\0é€😀.\\u0041";
    assert_eq!(text_of(&members, "a"), Ok(Some(expected.to_owned())));
}

#[test]
fn a_syntax_error_is_a_place() {
    for (text, expected) in [
        (&b""[..], (1, 0)),
        (b" \n", (2, 0)),
        (b"<html>", (1, 1)),
        (b" secret\n", (1, 2)),
        (b"1e999", (1, 1)),
        (b"{\"a\":\n <}", (2, 2)),
        (b"{\"a\"", (1, 4)),
        (b"{\"a", (1, 3)),
        (b"{\"a\\", (1, 4)),
        (b"{a:1}", (1, 2)),
        (b"{\"a\" 1}", (1, 6)),
        (b"{\"a\":1,}", (1, 8)),
        (b"{\"a\":}", (1, 6)),
        (b"[1,]", (1, 4)),
        (b"[1 2]", (1, 4)),
        (b"[1}", (1, 3)),
        (b"{\"a\":1]", (1, 7)),
        (b"[", (1, 1)),
        (b"{} {}", (1, 4)),
        (b"{}]", (1, 3)),
        (b"\xef\xbb\xbf{} x ", (1, 7)),
    ] {
        assert_eq!(Json::parse(text).map(drop), Err(expected), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn whole_objects_are_found_among_anything() {
    let found = |text: &str| {
        let objects = Json::objects_within(text.as_bytes());
        let token = |object: &JsonObject<'_>| text_of(object, "t").expect("a text").unwrap_or_default();
        objects.iter().map(token).collect::<Vec<_>>()
    };
    assert_eq!(found(r#"<b>Warning</b>: {x} in {"a.php on {"t":"1"}<!-- {"t":"2","u":{"t":"3"}} -->"#), ["1", "2"]);
    assert_eq!(found(r#"{"t":"1"}{"t":"2"}"#), ["1", "2"]);
    assert_eq!(found(r#"[{"t":"1"}"#), ["1"]);
    assert_eq!(found(r#"{"t":"1","u":{"t":"2"}"#), ["2"]);
    assert_eq!(found(r#"{"t":"1""#), Vec::<String>::new());
    // What never ends is given up, and soon: once as much was looked through as 64 times the length.
    let mut given_up = 0;
    for depth in 1..200 {
        let text = r#"{"":"#.repeat(depth) + r#"{"t":"1"}"#;
        let looked_through: usize = (0..depth).map(|brace| text.len() - 4 * brace).sum();
        let expected: &[&str] = if looked_through <= 64 * text.len() { &["1"] } else { &[] };
        given_up += usize::from(expected.is_empty());
        assert_eq!(found(&text), expected, "{depth}");
    }
    assert!(given_up > 50, "{given_up}");
    assert_eq!(found(&r#"{"":"#.repeat(13_000)), Vec::<String>::new());
}

#[test]
fn debug_shows_no_value() {
    let shown = format!("{:?}", Json::parse(br#"{"needle":"needle"}"#).expect("JSON"));
    assert!(!shown.contains("needle"), "{shown}");
}

#[test]
fn a_time_is_seconds_milliseconds_or_a_date_as_a_number_or_as_a_text() {
    use std::time::{Duration, UNIX_EPOCH};

    let at = |milliseconds| Some(UNIX_EPOCH + Duration::from_millis(milliseconds));
    for (text, expected) in [
        ("1731314878", at(1_731_314_878_000)),
        ("\"1731314878\"", at(1_731_314_878_000)),
        ("\" 1731314878\\n\"", at(1_731_314_878_000)),
        ("1731314878.9", at(1_731_314_878_000)),
        ("1e9", at(1_000_000_000_000)),
        ("1", at(1_000)),
        // The first that are milliseconds, and the last that are seconds, of which the calendar has none so late.
        ("1000000000000", at(1_000_000_000_000)),
        ("999999999999", None),
        ("1731314878500", at(1_731_314_878_500)),
        ("\"2024-11-11T08:47:58Z\"", at(1_731_314_878_000)),
        ("\" 2024-11-11T08:47:58.5Z \"", at(1_731_314_878_500)),
        ("0", None),
        ("-1", None),
        ("\"-1731314878\"", None),
        ("\"1e9\"", None),
        ("\"1731314878.5\"", None),
        ("\"soon\"", None),
        ("\"\"", None),
        ("1e300", None),
        ("9223372036854775807", None),
        ("true", None),
        ("null", None),
        ("[1731314878]", None),
        ("{}", None),
        ("\"\\ud800\"", None),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).expect(text).as_time(), expected, "{text}");
    }
}

#[test]
fn a_number_above_zero_may_be_a_text_and_has_its_fraction_cut() {
    for (text, expected) in [
        ("1", Some(1)),
        ("\"900\"", Some(900)),
        ("\" 900 \"", Some(900)),
        ("900.9", Some(900)),
        ("0.9", None),
        ("0", None),
        ("-900", None),
        ("\"900.9\"", None),
        ("1e300", Some(i64::MAX)),
        ("true", None),
        ("[]", None),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).expect(text).as_positive(), expected, "{text}");
    }
}

#[test]
fn a_problem_with_a_member_is_named() {
    for (problem, expected) in [
        (MemberProblem::Repeated, "stands there more than once"),
        (MemberProblem::WrongType, "is of another type than is documented"),
        (MemberProblem::Unreadable, "cannot be read as a text"),
    ] {
        assert_eq!(problem.to_string(), expected);
    }
}
