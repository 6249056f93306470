//! Tokens sealed at rest: the keys, and the text that a store holds in the tokens' place.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use rampauth_core::{Error, ErrorKind, Outcome, SecretString};
use rampauth_store::{SessionKey, StoredTokens, TokenDigest};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Stands before every sealed text: its form, and the version of that.
const FORM: &str = "sealed-1:";
const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
/// How much of a key's digest is its id, in bytes.
const ID: usize = 8;

/// 32 random bytes that seal tokens, made with `openssl rand -base64 32`. Wiped when the last clone is dropped; `Debug` shows
/// its id.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Arc<Zeroizing<Vec<u8>>>,
    id: Arc<str>,
}

impl SealingKey {
    /// Reads a key in base64 (the standard alphabet, padded), as `openssl rand -base64 32` writes it, without its line end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when it is empty, not base64, or not 32 bytes. The error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &'static str| {
            Err(Error::config("read the sealing key", reason).with_help("make one with: openssl rand -base64 32"))
        };
        if text.is_empty() {
            return refuse("it is empty");
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(text.len())));
        if STANDARD.decode_vec(text, &mut bytes).is_err() {
            return refuse("it is not base64");
        }
        if bytes.len() != KEY {
            return refuse("it is not 32 bytes in base64");
        }
        Ok(Self::checked(bytes))
    }

    /// Takes a copy of a key's bytes, which have to be random.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self::checked(Zeroizing::new(bytes.to_vec()))
    }

    fn checked(bytes: Zeroizing<Vec<u8>>) -> Self {
        let digest = Sha256::new_with_prefix(b"rampauth sealing key id 1\n").chain_update(&*bytes).finalize();
        let mut id = String::with_capacity(2 * ID);
        digest[..ID].iter().for_each(|byte| write!(id, "{byte:02x}").expect("a String takes all"));
        Self { bytes: Arc::new(bytes), id: id.into() }
    }

    /// Which key it is, as records say it: the first 8 bytes of the SHA-256 of `rampauth sealing key id 1`, a line feed and the
    /// key, in hex. It follows from the key alone and tells nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(&self.bytes).expect("a key of 32 bytes")
    }

    /// 192 bits, random and so never the same twice. Should the system give none, a digest of key, binding and text stands in:
    /// no granted token is lost for that, and only what is sealed twice and the same gets the same.
    fn nonce(&self, random: impl FnOnce(&mut [u8]) -> bool, binding: &[u8], text: &[u8]) -> XNonce {
        let mut nonce = XNonce::default();
        if !random(&mut nonce) {
            let digest = Sha256::new_with_prefix(b"rampauth nonce 1\n").chain_update(&**self.bytes);
            let digest = digest.chain_update(Sha256::digest(binding)).chain_update(text).finalize();
            nonce.copy_from_slice(&digest[..NONCE]);
        }
        nonce
    }

    fn seal(&self, nonce: &XNonce, binding: &[u8], text: &[u8]) -> SecretString {
        // Exactly sized from the start: growing would leave a copy of the tokens behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(NONCE + text.len() + TAG));
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(text);
        let tag = self.cipher().encrypt_inout_detached(nonce, binding, sealed[NONCE..].as_mut().into());
        sealed.extend_from_slice(&tag.expect("tokens under 256 GiB"));
        let mut written = String::with_capacity(FORM.len() + sealed.len().div_ceil(3) * 4);
        written.push_str(FORM);
        STANDARD.encode_string(&*sealed, &mut written);
        SecretString::new(written)
    }

    fn open(&self, binding: &[u8], sealed: &str) -> Option<SecretString> {
        let sealed = sealed.strip_prefix(FORM)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(base64::decoded_len_estimate(sealed.len())));
        STANDARD.decode_vec(sealed, &mut bytes).ok()?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE)?;
        let (text, tag) = rest.split_at_mut_checked(rest.len().checked_sub(TAG)?)?;
        let (nonce, tag) = (XNonce::try_from(&*nonce).ok()?, Tag::try_from(&*tag).ok()?);
        self.cipher().decrypt_inout_detached(&nonce, binding, text.as_mut().into(), &tag).ok()?;
        std::str::from_utf8(text).ok().map(SecretString::from)
    }
}

/// The keys of a keeper: one that seals, and older ones that may still be read.
///
/// Sealed with XChaCha20-Poly1305 under a random nonce, so that any number of records may be. A sealed text opens in its own
/// place alone: it is bound to the session's key and to the digests that stand beside it. Whoever reads the store learns the
/// tokens' length and digests, when they expire and what happened to them; whoever can write it can put an older state back.
///
/// The text is `sealed-1:` and, in base64 (standard, padded), the nonce (24 bytes), the ciphertext and the tag (16 bytes). The
/// associated data is `rampauth tokens 1`, a line feed, the session key, a line feed, the digest of what is presented (32
/// bytes), and then either a zero byte, or a one byte and the access token's digest (32 bytes).
///
/// To change keys: let every process read the new key, have every process seal with it and read the old one, call
/// [`reseal`](crate::reseal()), and give up the old one.
#[derive(Clone, Debug)]
pub struct SealingKeys {
    sealing: SealingKey,
    readable: Vec<SealingKey>,
}

impl SealingKeys {
    /// A key that seals and opens.
    pub fn new(key: SealingKey) -> Self {
        Self { sealing: key, readable: Vec::new() }
    }

    /// One more key that opens what it sealed.
    #[must_use]
    pub fn with_readable(mut self, key: SealingKey) -> Self {
        self.readable.push(key);
        self
    }

    /// The key that seals.
    pub fn sealing(&self) -> &SealingKey {
        &self.sealing
    }

    pub(crate) fn find(&self, id: &str) -> Option<&SealingKey> {
        std::iter::once(&self.sealing).chain(&self.readable).find(|key| key.id() == id)
    }
}

/// Why stored tokens cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// They are no tokens.
    Damaged,
    /// They were sealed with this key and have changed since, or were sealed for another place.
    Altered { key: String },
    /// They are sealed with this key, which is not at hand.
    UnknownKey { key: String, any: bool },
}

/// What helps where nobody can read the tokens any more. Neither way needs to.
const ANEW: &str = "remove the session (`Keeper::remove`, or `rampauth forget PROFILE`) and log in again";

impl Unreadable {
    /// What a caller is told; nothing was sent.
    pub(crate) fn into_error(self, action: &'static str, session: &SessionKey) -> Error {
        let internal = |reason: String| {
            let help = format!("put the record back from a copy, or {ANEW}");
            Error::new(ErrorKind::Internal, Outcome::NotSent, action, reason).with_help(help)
        };
        match self {
            Self::Damaged => internal(format!("what the store holds of {session} is damaged")),
            Self::Altered { key } => internal(format!(
                "the tokens of {session} do not open with key {key}, which sealed them: they were changed, or belong elsewhere"
            )),
            Self::UnknownKey { key, any } => {
                let given = if any { "which is not among the keys given" } else { "and no key is given" };
                Error::config(action, format!("the tokens of {session} are sealed with key {key}, {given}"))
                    .with_help(format!("give the key of this id as well; if it is lost, {ANEW}"))
            }
        }
    }
}

/// How the tokens of one session are sealed and opened.
#[derive(Clone, Copy)]
pub(crate) struct Seal<'a> {
    pub(crate) session: &'a SessionKey,
    pub(crate) keys: Option<&'a SealingKeys>,
}

impl Seal<'_> {
    /// Puts this text into the tokens, sealed where there is a key.
    pub(crate) fn put(self, text: SecretString, tokens: &mut StoredTokens) {
        let Some(SealingKeys { sealing, .. }) = self.keys else {
            (tokens.payload, tokens.sealed_with) = (text, None);
            return;
        };
        let (binding, text) = (self.binding(tokens), text.expose_secret().as_bytes());
        #[expect(clippy::disallowed_methods, reason = "a nonce is drawn for each text")]
        let nonce = sealing.nonce(|nonce| getrandom::fill(nonce).is_ok(), &binding, text);
        tokens.payload = sealing.seal(&nonce, &binding, text);
        tokens.sealed_with = Some(sealing.id().to_owned());
    }

    /// The text in these tokens, opened where it is sealed.
    pub(crate) fn text(self, tokens: &StoredTokens) -> Result<SecretString, Unreadable> {
        let Some(id) = &tokens.sealed_with else { return Ok(tokens.payload.clone()) };
        if id.len() != 2 * ID || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Unreadable::Damaged);
        }
        let key = id.clone();
        match self.keys.and_then(|keys| keys.find(id)) {
            None => Err(Unreadable::UnknownKey { key, any: self.keys.is_some() }),
            Some(known) => {
                known.open(&self.binding(tokens), tokens.payload.expose_secret()).ok_or(Unreadable::Altered { key })
            }
        }
    }

    /// What the sealed text belongs to: neither copied to another session nor put beside other digests does it open.
    fn binding(self, tokens: &StoredTokens) -> Vec<u8> {
        let StoredTokens { presents, access, .. } = tokens;
        let access = access.as_ref().map(TokenDigest::as_bytes);
        let session = self.session.as_str().as_bytes();
        [b"rampauth tokens 1\n", session, b"\n", presents.as_bytes(), &[u8::from(access.is_some())]]
            .into_iter()
            .chain(access.map(<[u8; 32]>::as_slice))
            .collect::<Vec<_>>()
            .concat()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

#[cfg(test)]
mod tests;
