//! One type per secret: wiped when the last holder drops it, shown by nothing, read through one door.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

/// A secret text: cheap to clone, wiped from memory when its last clone is dropped.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`, and `Debug` shows nothing of the value, not even its
/// length. [`expose_secret`](Self::expose_secret) is the only way to read it.
///
/// Several secrets can be views of one block ([`SecretString::pack`], [`SecretString::part_of`]); the block is wiped once, by
/// its owner, when the last view is gone.
#[derive(Clone)]
pub struct SecretString {
    owner: Arc<dyn AsRef<str> + Send + Sync>,
    view: Range<u32>,
}

impl SecretString {
    /// Takes the text over and wipes the `String` it came in.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        let [secret] = Self::pack([&text]);
        text.zeroize();
        secret
    }

    /// Copies several texts into one allocation and returns a view of each.
    ///
    /// # Panics
    ///
    /// When the texts are over 4 GiB together.
    pub fn pack<const N: usize>(texts: [&str; N]) -> [Self; N] {
        // Exactly sized from the start: growing would leave copies behind that nobody wipes.
        let mut block = String::with_capacity(texts.iter().map(|text| text.len()).sum());
        let views = texts.map(|text| {
            let start = offset(block.len());
            block.push_str(text);
            start..offset(block.len())
        });
        let owner: Arc<dyn AsRef<str> + Send + Sync> = Arc::new(Zeroizing::new(block.into_boxed_str()));
        views.map(|view| Self { owner: Arc::clone(&owner), view })
    }

    /// A view of a part, in bytes, of what somebody else owns: who has to wipe it when it is dropped, and to show the same text
    /// each time.
    ///
    /// # Panics
    ///
    /// When the part is not in the text, does not begin and end between characters, or is over 4 GiB into it.
    pub fn part_of(owner: Arc<dyn AsRef<str> + Send + Sync>, part: Range<usize>) -> Self {
        assert!((*owner).as_ref().get(part.clone()).is_some(), "a part of the text");
        Self { owner, view: offset(part.start)..offset(part.end) }
    }

    /// The secret itself. Whatever is done with it from here on is the caller's to keep safe.
    pub fn expose_secret(&self) -> &str {
        &(*self.owner).as_ref()[self.view.start as usize..self.view.end as usize]
    }
}

fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("secrets under 4 GiB")
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(***)")
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretString {
    fn from(text: &str) -> Self {
        let [secret] = Self::pack([text]);
        secret
    }
}

/// Secret bytes that need not be text, such as the body of an answer that could not be read: cheap to clone, wiped from
/// memory when the last clone is dropped.
///
/// As with [`SecretString`], `Debug` shows nothing of the value, not even its length, and
/// [`expose_secret`](Self::expose_secret) is the only way to read it.
#[derive(Clone)]
pub struct SecretBytes(Arc<Zeroizing<Box<[u8]>>>);

impl SecretBytes {
    /// The secret itself. Whatever is done with it from here on is the caller's to keep safe.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

/// Copies the bytes into one allocation of exactly their size.
impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_one_block_keep_to_their_part() {
        let [first, empty, second] = SecretString::pack(["añb", "", "cd"]);
        assert_eq!((first.expose_secret(), empty.expose_secret(), second.expose_secret()), ("añb", "", "cd"));
        assert!(Arc::ptr_eq(&first.owner, &second.owner));
        drop(first);
        assert_eq!(second.clone().expose_secret(), "cd");
    }

    #[test]
    fn a_part_of_what_somebody_owns_keeps_the_owner() {
        let owner: Arc<Box<str>> = Arc::new("añb".into());
        let part = SecretString::part_of(Arc::clone(&owner) as _, 1..3);
        assert_eq!((part.expose_secret(), Arc::strong_count(&owner)), ("ñ", 2));
        for outside in [2..4, 0..5, 9..9] {
            let owner = Arc::clone(&owner);
            let refused = std::panic::catch_unwind(|| SecretString::part_of(owner, outside.clone()));
            assert!(refused.is_err(), "{outside:?}");
        }
    }

    #[test]
    fn debug_tells_nothing() {
        let shown = [format!("{:?}", SecretString::new("hunter2")), format!("{:#?}", SecretString::new(""))];
        assert_eq!(shown, ["SecretString(***)", "SecretString(***)"]);
        let bytes = SecretBytes::from(&b"\xff hunter2"[..]);
        assert_eq!(bytes.clone().expose_secret(), b"\xff hunter2");
        assert_eq!(format!("{bytes:?} {bytes:#?}"), "SecretBytes(***) SecretBytes(***)");
    }
}
