//! Reading a fresh token takes no memory.

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Clock as _, Error, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, SystemClock, TokenSet,
};
use rampauth_keeper::{Keeper, MemoryStore, SessionKey};

struct Unasked(RefreshPolicy);

#[async_trait]
impl Refresh for Unasked {
    fn policy(&self) -> &RefreshPolicy {
        &self.0
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        unreachable!("the token is fresh")
    }
}

#[tokio::test]
async fn reading_a_fresh_token_allocates_nothing() {
    let keeper = Keeper::builder(MemoryStore::new()).spawn().expect("a keeper");
    let key = SessionKey::parse("fake/test/account").expect("a key");
    let provider = Unasked(RefreshPolicy::new(Presents::RefreshToken));
    let session = keeper.session(key, provider).await.expect("a session");
    let (access, refresh) =
        (AccessToken::new("access").expect("a token"), RefreshToken::new("refresh").expect("a token"));
    let expiry = Expiry::At(SystemClock.now() + Duration::from_secs(3_600));
    let tokens = TokenSet::new().with_access_token(access, expiry).with_refresh_token(refresh, Expiry::Unknown);
    session.put(tokens).await.expect("saved");

    let read = || assert_eq!(session.try_access_token().expect("fresh").expose_secret(), "access");
    // A thread's first read finds the thread a place for its guards.
    read();
    let reads = measure(|| (0..1_000).for_each(|_| read()));
    assert_eq!((reads.count_total, reads.bytes_total), (0, 0));

    // To keep it is a share in it, not a copy of the text.
    let kept = measure(|| drop(black_box(session.try_access_token().expect("fresh").to_owned())));
    assert_eq!(kept.count_total, 0);
    let copied = measure(|| drop(black_box("access".to_owned())));
    assert_eq!(copied.count_total, 1, "the counter counts");
}
