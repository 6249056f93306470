//! What every client promises to whoever holds it, checked by the compiler: cheap clones that go anywhere, futures that can
//! be spawned, one contract for all.

use rampauth_core::{Error, Refresh, TokenSet};
use {rampauth_alix as alix, rampauth_onboard as onboard, rampauth_payby as payby, rampauth_transak as transak};

fn goes_anywhere<T: Clone + Send + Sync + 'static>() {}
fn can_be_spawned<T: Send>(_: &T) {}

#[test]
fn clients_tokens_and_errors_are_shared_freely() {
    goes_anywhere::<alix::CardClient>();
    goes_anywhere::<alix::OnOffRampClient>();
    goes_anywhere::<alix::OnOffRampSession>();
    goes_anywhere::<transak::UserClient>();
    goes_anywhere::<payby::Client>();
    goes_anywhere::<onboard::Client>();
    goes_anywhere::<alix::CardTokens>();
    goes_anywhere::<alix::OnOffRampTokens>();
    goes_anywhere::<transak::UserToken>();
    goes_anywhere::<payby::PayByTokens>();
    goes_anywhere::<onboard::OnboardTokens>();
    goes_anywhere::<alix::Config>();
    goes_anywhere::<transak::Config>();
    goes_anywhere::<payby::Config>();
    goes_anywhere::<onboard::Config>();
    goes_anywhere::<Error>();
}

/// Never run: that it compiles is the test.
#[expect(dead_code, reason = "it is there to be compiled")]
fn every_future_can_be_spawned(
    (card, card_credential): (&alix::CardClient, &alix::CardCredential),
    (session, session_credential): (&alix::OnOffRampSession, &alix::OnOffRampCredential),
    (user, token): (&transak::UserClient, &transak::UserToken),
    (payby, payby_credential): (&payby::Client, &payby::PayByCredential),
    (onboard, onboard_credential): (&onboard::Client, &onboard::OnboardCredential),
    (any, set): (&dyn Refresh, &TokenSet),
) {
    can_be_spawned(&card.refresh(card_credential));
    can_be_spawned(&session.refresh(session_credential));
    can_be_spawned(&user.refresh(token));
    can_be_spawned(&user.refresh_for(token, [127, 0, 0, 1].into()));
    can_be_spawned(&payby.refresh(payby_credential));
    can_be_spawned(&payby.check_keys());
    can_be_spawned(&onboard.refresh(onboard_credential));
    can_be_spawned(&any.refresh(set));
}

/// One list for all that can be refreshed, as a keeper of tokens holds them.
#[test]
fn every_client_is_a_refresh() {
    fn is_refresh<T: Refresh>() {}
    is_refresh::<alix::CardClient>();
    is_refresh::<alix::OnOffRampSession>();
    is_refresh::<transak::UserClient>();
    is_refresh::<payby::Client>();
    is_refresh::<onboard::Client>();
    is_refresh::<std::sync::Arc<dyn Refresh>>();
}
