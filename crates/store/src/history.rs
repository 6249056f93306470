//! Which credentials a session has had: so that a login's token that was used up long ago is known when it is imported again.

use serde::{Deserialize, Serialize};

use crate::digest::TokenDigest;

/// The digests of credentials that a session was given by a login, and of those that it sent: eight in all, the latest last.
///
/// What a login gave outlives what refreshes brought: a deployment that stores the same seed token each time it runs does so after
/// any number of rotations. A logout leaves them, as it leaves the generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialHistory {
    logins: Vec<TokenDigest>,
    sent: Vec<TokenDigest>,
}

impl CredentialHistory {
    /// How many digests are kept.
    pub const LENGTH: usize = 8;

    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { logins: Vec::new(), sent: Vec::new() }
    }

    /// A history that was stored, the latest last. Of more than [`LENGTH`](Self::LENGTH) digests the oldest are left out.
    pub fn from_digests(logins: Vec<TokenDigest>, sent: Vec<TokenDigest>) -> Self {
        let mut history = Self { logins, sent };
        history.shorten();
        history
    }

    /// Whether the session had this credential: by a login, or sent in a refresh.
    pub fn contains(&self, credential: TokenDigest) -> bool {
        self.logins.contains(&credential) || self.sent.contains(&credential)
    }

    /// Those that logins gave.
    pub fn logins(&self) -> &[TokenDigest] {
        &self.logins
    }

    /// Those that were sent, as far as no login gave them.
    pub fn sent(&self) -> &[TokenDigest] {
        &self.sent
    }

    pub(crate) fn note_login(&mut self, credential: TokenDigest) {
        self.sent.retain(|known| *known != credential);
        self.logins.retain(|known| *known != credential);
        self.logins.push(credential);
        self.shorten();
    }

    pub(crate) fn note_sent(&mut self, credential: TokenDigest) {
        if self.logins.contains(&credential) {
            return;
        }
        self.sent.retain(|known| *known != credential);
        self.sent.push(credential);
        self.shorten();
    }

    fn shorten(&mut self) {
        let too_many = (self.logins.len() + self.sent.len()).saturating_sub(Self::LENGTH);
        let of_sent = too_many.min(self.sent.len());
        self.sent.drain(..of_sent);
        self.logins.drain(..too_many - of_sent);
    }
}

/// Its form in a record as text.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct HistoryText {
    logins: Vec<String>,
    sent: Vec<String>,
}

impl From<&CredentialHistory> for HistoryText {
    fn from(history: &CredentialHistory) -> Self {
        let texts = |digests: &[TokenDigest]| digests.iter().map(|digest| digest.to_hex()).collect();
        Self { logins: texts(history.logins()), sent: texts(history.sent()) }
    }
}

impl HistoryText {
    pub(crate) fn is_empty(&self) -> bool {
        self.logins.is_empty() && self.sent.is_empty()
    }

    pub(crate) fn read(self) -> Option<CredentialHistory> {
        let digests = |texts: Vec<String>| texts.iter().map(|text| TokenDigest::from_hex(text)).collect::<Option<_>>();
        Some(CredentialHistory::from_digests(digests(self.logins)?, digests(self.sent)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> TokenDigest {
        TokenDigest::of(&number.to_string())
    }

    #[test]
    fn a_seed_outlives_any_number_of_rotations_and_eight_logins_end_it() {
        let mut history = CredentialHistory::default();
        history.note_login(digest(0));
        for number in 1..=100 {
            history.note_sent(digest(number));
        }
        assert!(history.contains(digest(0)) && history.contains(digest(94)) && !history.contains(digest(93)));
        assert_eq!(history.logins().len() + history.sent().len(), CredentialHistory::LENGTH);
        for number in 200..207 {
            history.note_login(digest(number));
        }
        assert!(history.contains(digest(0)) && history.sent().is_empty());
        history.note_login(digest(207));
        assert!(!history.contains(digest(0)) && history.contains(digest(200)));
    }

    #[test]
    fn a_credential_is_there_once() {
        let mut history = CredentialHistory::default();
        for _ in 0..3 {
            history.note_login(digest(1));
            history.note_sent(digest(1));
            history.note_sent(digest(2));
        }
        assert_eq!((history.logins(), history.sent()), (&[digest(1)][..], &[digest(2)][..]));
        history.note_login(digest(2));
        assert_eq!((history.logins(), history.sent().len()), (&[digest(1), digest(2)][..], 0));
    }

    #[test]
    fn what_was_stored_is_shortened() {
        let digests = |range: std::ops::Range<usize>| range.map(digest).collect::<Vec<_>>();
        let history = CredentialHistory::from_digests(digests(0..6), digests(10..20));
        assert_eq!((history.logins(), history.sent()), (&digests(0..6)[..], &digests(18..20)[..]));
        assert_eq!(CredentialHistory::from_digests(digests(0..10), Vec::new()).logins(), digests(2..10));
    }
}
