//! HMAC-SHA256 by the book: the test cases of RFC 4231, section 4, and what is not a code.
#![cfg(feature = "hmac")]

use rampauth_core::HmacSha256Key;

/// Key, message and code in hexadecimal; test case 5 gives the first 16 bytes of the code alone.
fn rfc_4231() -> [(Vec<u8>, Vec<u8>, &'static str); 7] {
    [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((0x01..=0x19).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (vec![0x0c; 20], b"Test With Truncation".to_vec(), "a3b6167473100ee06e0c796c2955552b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be \
              hashed before being used by the HMAC algorithm."
                .to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ]
}

#[test]
fn the_codes_of_rfc_4231() {
    for (case, (key, message, code)) in (1..).zip(rfc_4231()) {
        let key = HmacSha256Key::new(&key);
        let (bytes, hex) = (key.sign(&message), key.sign_hex(&message));
        assert_eq!(hex.len(), 64);
        assert_eq!(&hex[..code.len()], code, "test case {case}");
        assert!(key.verify(&message, &bytes), "test case {case}");
        // The same key signs again: nothing of the first message stays in it.
        assert_eq!(key.clone().sign(&message), bytes);
    }
}

#[test]
fn what_is_not_the_code_is_refused() {
    let key = HmacSha256Key::new(b"Jefe");
    let message = b"what do ya want for nothing?";
    let code = key.sign(message);
    for at in 0..code.len() {
        let mut flipped = code;
        flipped[at] ^= 1;
        assert!(!key.verify(message, &flipped), "byte {at}");
    }
    let hex = key.sign_hex(message);
    for other in [&code[..31], &code[1..], &[&code[..], &[0]].concat(), &[0; 32], b"", hex.as_bytes()] {
        assert!(!key.verify(message, other), "{other:?}");
    }
    assert!(!key.verify(b"what do ya want for nothing", &code));
    assert!(!HmacSha256Key::new(b"jefe").verify(message, &code));
}

#[test]
fn an_empty_key_is_a_key() {
    // Python: hmac.new(b"", b"", "sha256").hexdigest()
    let code = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    assert_eq!(HmacSha256Key::new(b"").sign_hex(b""), code);
}
