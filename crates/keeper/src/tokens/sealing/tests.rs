use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

/// Made with Python by another implementation: `HChaCha20` out of `openssl enc -chacha20` (its first block less the state that it
/// began with), `ChaCha20Poly1305` of the package `cryptography`, and `hashlib`. The script gave the values of the
/// `XChaCha20` draft (draft-irtf-cfrg-xchacha-03, sections 2.2.1 and A.3.1) before it gave these. Key: the bytes 0 to 31. Nonce: the bytes
/// 0x40 to 0x57.
const KEY_TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const KEY_ID: &str = "7519570fd162df1d";
/// Session, what is presented, access token, text, sealed text.
const VECTORS: [(&str, &str, Option<&str>, &str, &str); 2] = [
    (
        "alix-card/production/acme",
        "r-1",
        Some("a-1"),
        r#"{"accessToken":"a-1","refreshToken":"r-1","accessExpiry":"unknown","refreshExpiry":"unknown"}"#,
        "sealed-1:QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXrxtkE7OFCmXbm+zbwb5fsPOXnOY/eyH/DEOYNmFQTPtzlyBUd+CpId2e1i1pub+C6C4FmAb3\
         zb6M3n2aeNwjIzQJ1FBm1iO64HDYuqQJ9Z2P5TwJXVMPGT/Uaba4KsAD14JjaoFnYe6chabQmw==",
    ),
    (
        "payby/staging/acme/u-1",
        "r-1",
        None,
        r#"{"accessToken":null,"refreshToken":"r-1","accessExpiry":"unknown","refreshExpiry":"unknown"}"#,
        "sealed-1:QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXrxtkE7OFCmXbm+zbwb5f/OfWwegxKzb8GFSOLV1rSPV42zhMJ7+1MtOQlS9pv6mC3hMNgR38\
         lqaUiWaffd07OngH2gBx1Tet9mv1h6wQ7pbU/SReRlYKGCfNJekDD8R0fkjRPPENRzZTowJF",
    ),
];

fn vector_key() -> SealingKey {
    SealingKey::parse(KEY_TEXT).expect("a key")
}

fn session(key: &str) -> SessionKey {
    SessionKey::parse(key).expect("a session key")
}

fn tokens(payload: &str, presents: &str, access: Option<&str>) -> StoredTokens {
    let mut tokens = StoredTokens::new(payload.into(), TokenDigest::of(presents), UNIX_EPOCH);
    tokens.access = access.map(TokenDigest::of);
    tokens
}

fn sealed(key: &SealingKey, session: &SessionKey, text: &str) -> StoredTokens {
    let mut tokens = tokens("", "r", Some("a"));
    Seal { session, keys: Some(&SealingKeys::new(key.clone())) }.put(text.into(), &mut tokens);
    tokens
}

fn opened(tokens: &StoredTokens, session: &SessionKey, key: &SealingKey) -> Result<String, Unreadable> {
    let keys = SealingKeys::new(key.clone());
    Seal { session, keys: Some(&keys) }.text(tokens).map(|text| text.expose_secret().to_owned())
}

#[test]
fn what_another_implementation_sealed_is_opened_and_sealed_alike() {
    let key = vector_key();
    assert_eq!(key.id(), KEY_ID);
    let nonce: XNonce = std::array::from_fn::<u8, NONCE, _>(|n| 0x40 + n as u8).into();
    for (name, presents, access, text, expected) in VECTORS {
        let session = session(name);
        let mut tokens = tokens(expected, presents, access);
        let seal = Seal { session: &session, keys: None };
        assert_eq!(key.seal(&nonce, &seal.binding(&tokens), text.as_bytes()).expose_secret(), expected);
        tokens.sealed_with = Some(KEY_ID.to_owned());
        assert_eq!(opened(&tokens, &session, &key).as_deref(), Ok(text));
    }
}

#[test]
fn each_seal_has_a_nonce_of_its_own_and_shows_nothing_of_the_text() {
    let (key, session) = (vector_key(), session("a/b/c"));
    let [one, two] = [0; 2].map(|_| sealed(&key, &session, "the very same tokens"));
    assert_ne!(one.payload.expose_secret(), two.payload.expose_secret());
    for sealed in [one, two] {
        assert_eq!(sealed.sealed_with.as_deref(), Some(KEY_ID));
        assert!(!sealed.payload.expose_secret().contains("tokens"));
        assert_eq!(opened(&sealed, &session, &key).as_deref(), Ok("the very same tokens"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "beside nonces that were not drawn, one that was")]
fn without_random_numbers_the_nonce_differs_where_anything_differs() {
    let (key, other) = (vector_key(), SealingKey::from_bytes(&[7; 32]));
    let none = |_: &mut [u8]| false;
    let nonces = [
        key.nonce(none, b"binding", b"text"),
        key.nonce(none, b"binding", b"texs"),
        key.nonce(none, b"bindin", b"gtext"),
        other.nonce(none, b"binding", b"text"),
        key.nonce(|nonce| getrandom::fill(nonce).is_ok(), b"binding", b"text"),
        XNonce::default(),
    ];
    let different: std::collections::BTreeSet<_> = nonces.iter().map(|nonce| nonce.to_vec()).collect();
    assert_eq!(different.len(), nonces.len());
    assert_eq!(key.nonce(none, b"binding", b"text"), nonces[0]);
    let sealed = key.seal(&nonces[0], b"binding", b"text");
    assert_eq!(key.open(b"binding", sealed.expose_secret()).expect("opened").expose_secret(), "text");
}

#[test]
fn a_key_that_cannot_be_used_says_why_and_is_not_repeated() {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    for (text, reason) in [
        (String::new(), "it is empty"),
        ("hunter2 hunter2".to_owned(), "it is not base64"),
        (format!("{KEY_TEXT}\n"), "it is not base64"),
        (KEY_TEXT.trim_end_matches('=').to_owned(), "it is not base64"),
        (base64(&[1; 31]), "it is not 32 bytes in base64"),
        (base64(&[1; 33]), "it is not 32 bytes in base64"),
        ("00".repeat(32), "it is not 32 bytes in base64"),
    ] {
        let error = SealingKey::parse(&text).expect_err(reason);
        assert_eq!(error.to_string(), format!("failed to read the sealing key: {reason}"));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotSent));
        assert_eq!(error.help(), "make one with: openssl rand -base64 32");
    }
}

#[test]
fn any_of_several_keys_opens_and_the_first_seals() {
    let session = session("a/b/c");
    let [new, old, older, unknown] = [1, 2, 3, 4].map(|n| SealingKey::from_bytes(&[n; 32]));
    let keys = SealingKeys::new(new.clone()).with_readable(old.clone()).with_readable(older.clone());
    let seal = Seal { session: &session, keys: Some(&keys) };
    for key in [&new, &old, &older] {
        let mut tokens = sealed(key, &session, "text");
        let text = seal.text(&tokens).expect("opened");
        assert_eq!(text.expose_secret(), "text");
        seal.put(text, &mut tokens);
        assert_eq!(tokens.sealed_with.as_deref(), Some(new.id()));
    }
    let stranger = sealed(&unknown, &session, "text");
    let key = unknown.id().to_owned();
    let expected = Unreadable::UnknownKey { key: key.clone(), any: true };
    assert_eq!(seal.text(&stranger).map(drop), Err(expected));
    let expected = Unreadable::UnknownKey { key, any: false };
    assert_eq!(Seal { session: &session, keys: None }.text(&stranger).map(drop), Err(expected));
}

#[test]
fn what_is_no_key_id_is_damage_and_is_not_repeated() {
    let (key, session) = (vector_key(), session("a/b/c"));
    for id in ["", "key", "7519570FD162DF1D", "7519570fd162df1d0", "7519570fd162df1", "{\"accessTokn\"", "éééééééé"]
    {
        let mut tokens = sealed(&key, &session, "text");
        tokens.sealed_with = Some(id.to_owned());
        assert_eq!(opened(&tokens, &session, &key), Err(Unreadable::Damaged), "{id}");
    }
}

#[test]
fn an_error_says_which_session_and_which_key() {
    let session = session("a/b/c");
    let key = || KEY_ID.to_owned();
    for (unreadable, kind, reason) in [
        (
            Unreadable::UnknownKey { key: key(), any: true },
            ErrorKind::Config,
            "the tokens of a/b/c are sealed with key 7519570fd162df1d, which is not among the keys given",
        ),
        (
            Unreadable::UnknownKey { key: key(), any: false },
            ErrorKind::Config,
            "the tokens of a/b/c are sealed with key 7519570fd162df1d, and no key is given",
        ),
        (
            Unreadable::Altered { key: key() },
            ErrorKind::Internal,
            "the tokens of a/b/c do not open with key 7519570fd162df1d, which sealed them: they were changed, or belong elsewhere",
        ),
        (Unreadable::Damaged, ErrorKind::Internal, "what the store holds of a/b/c is damaged"),
    ] {
        let error = unreadable.into_error("read the session", &session);
        assert_eq!(error.to_string(), format!("failed to read the session: {reason}"));
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotSent));
        assert!(
            error
                .help()
                .ends_with("remove the session (`Keeper::remove`, or `rampauth forget PROFILE`) and log in again")
        );
    }
}

/// Another byte in the place of one of these.
fn changed(mut bytes: Vec<u8>, at: prop::sample::Index, by: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    bytes[at] ^= by;
    bytes
}

fn altered() -> Result<String, Unreadable> {
    Err(Unreadable::Altered { key: KEY_ID.to_owned() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_sealed_opens(text in "\\PC{0,300}", key in any::<[u8; 32]>()) {
        let (key, session) = (SealingKey::from_bytes(&key), session("a/b/c"));
        prop_assert_eq!(opened(&sealed(&key, &session, &text), &session, &key), Ok(text));
    }

    #[test]
    fn a_byte_of_nonce_ciphertext_or_tag_that_changed_opens_nothing(
        text in "\\PC{0,40}", at in any::<prop::sample::Index>(), by in 1_u8..,
    ) {
        let (key, session) = (vector_key(), session("a/b/c"));
        let mut tokens = sealed(&key, &session, &text);
        let bytes = STANDARD.decode(&tokens.payload.expose_secret()[FORM.len()..]).expect("base64");
        tokens.payload = format!("{FORM}{}", STANDARD.encode(changed(bytes, at, by))).into();
        prop_assert_eq!(opened(&tokens, &session, &key), altered());
    }

    #[test]
    fn a_letter_of_the_sealed_text_that_changed_opens_nothing(
        text in "\\PC{0,40}", at in any::<prop::sample::Index>(), by in 1_u8..128,
    ) {
        let (key, session) = (vector_key(), session("a/b/c"));
        let mut tokens = sealed(&key, &session, &text);
        let written = changed(tokens.payload.expose_secret().as_bytes().to_vec(), at, by);
        tokens.payload = String::from_utf8(written).expect("ASCII").into();
        prop_assert_eq!(opened(&tokens, &session, &key), altered());
    }

    #[test]
    fn a_sealed_text_that_was_cut_or_grew_opens_nothing(cut in 0_usize..100, more in "[A-Za-z0-9+/=]{1,8}") {
        let (key, session) = (vector_key(), session("a/b/c"));
        let whole = sealed(&key, &session, "the tokens");
        let text = whole.payload.expose_secret();
        for payload in [text[..cut % text.len()].to_owned(), format!("{text}{more}")] {
            let mut tokens = whole.clone();
            tokens.payload = payload.into();
            prop_assert_eq!(opened(&tokens, &session, &key), altered());
        }
    }

    #[test]
    fn a_key_with_one_other_byte_opens_nothing(at in any::<prop::sample::Index>(), by in 1_u8..) {
        let session = session("a/b/c");
        let key = changed(vector_key().bytes.to_vec(), at, by).try_into().expect("32 bytes");
        let key = SealingKey::from_bytes(&key);
        prop_assert_ne!(key.id(), KEY_ID);
        let mut tokens = sealed(&vector_key(), &session, "text");
        // Even where it is taken for the right one.
        tokens.sealed_with = Some(key.id().to_owned());
        prop_assert_eq!(opened(&tokens, &session, &key), Err(Unreadable::Altered { key: key.id().to_owned() }));
    }

    #[test]
    fn in_another_place_it_opens_nothing(
        other in "[a-z]{1,3}/[a-z]{1,3}/[a-z]{1,3}", at in any::<prop::sample::Index>(), by in 1_u8..,
    ) {
        prop_assume!(other != "a/b/c");
        let (key, home, other) = (vector_key(), session("a/b/c"), session(&other));
        let here = sealed(&key, &home, "text");
        prop_assert_eq!(opened(&here, &other, &key), altered());
        let flipped = |digest: &TokenDigest| {
            TokenDigest::from_bytes(changed(digest.as_bytes().to_vec(), at, by).try_into().expect("32 bytes"))
        };
        let access = here.access.as_ref().map(flipped);
        for (presents, access) in [(flipped(&here.presents), here.access), (here.presents, access), (here.presents, None)] {
            let mut moved = here.clone();
            (moved.presents, moved.access) = (presents, access);
            prop_assert_eq!(opened(&moved, &home, &key), altered());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), id in any::<String>(), short in proptest::collection::vec(any::<u8>(), 0..60)) {
        let (key, session) = (vector_key(), session("a/b/c"));
        for payload in [text.clone(), format!("{FORM}{text}"), format!("{FORM}{}", STANDARD.encode(short))] {
            let mut tokens = sealed(&key, &session, "text");
            tokens.payload = payload.into();
            prop_assert_eq!(opened(&tokens, &session, &key), altered());
            tokens.sealed_with = Some(id.clone());
            prop_assert!(opened(&tokens, &session, &key).is_err());
        }
        prop_assert!(SealingKey::parse(&id).is_err());
    }
}
