//! What all requests share: clock, keys, credentials, tokens and log.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::error::Unspecified;

use crate::clock::{Clock, unix_millis, unix_seconds};
use crate::credentials::{AlixCredentials, OnboardCredentials, PayByCredentials, TransakCredentials};
use crate::event::{Listener, Log};
use crate::failure::Failures;
use crate::keys::Key;
use crate::ledger::{Exchange, Ledger, Presentation, Reuse, Worthless};
use crate::mint::Mint;
use crate::{Call, Credentials, IssuedTokens};

/// How a provider makes tokens, given the time, the access token's lifetime where one was chosen, and when the token expires whose
/// place they take.
pub(crate) type MintTokens = fn(&State, SystemTime, Option<Duration>, Option<SystemTime>) -> IssuedTokens;

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) mint: Mint,
    pub(crate) credentials: Credentials,
    /// The partner's key: the sandbox made it, and verifies with its public half.
    pub(crate) partner: Key,
    pub(crate) payby: Key,
    /// Alix's signature over the secret key, which every on/off-ramp answer carries: constant, so made once.
    pub(crate) alix_signature: String,
    pub(crate) options: Options,
    pub(crate) failures: Failures,
    ledger: Mutex<Ledger>,
}

/// What the builder chose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// How long every access token lives, in place of each provider's own lifetime.
    pub(crate) access_lifetime: Option<Duration>,
    /// What becomes of a token that is presented once more.
    pub(crate) reuse: Reuse,
    /// How long a request travels before it is looked at, and how long its answer before it is sent.
    pub(crate) latency: (Duration, Duration),
}

impl State {
    /// Makes keys and credentials.
    pub(crate) fn new(options: Options, listener: Option<Listener>) -> Result<Self, Unspecified> {
        let mint = Mint::new()?;
        // Three keys take a while in turn; at the same time they take as long as the unluckiest.
        let (partner, alix, payby) = thread::scope(|scope| {
            let [alix, payby] = [(); 2].map(|()| scope.spawn(Key::generate));
            (Key::generate(), alix.join(), payby.join())
        });
        let (partner, alix, payby) = (partner?, alix.map_err(|_| Unspecified)??, payby.map_err(|_| Unspecified)??);
        let secret_key = mint.opaque();
        let alix_signature = alix.sign(secret_key.as_bytes())?;
        let credentials = Credentials {
            alix: AlixCredentials {
                partner_code: "zencardtest".to_owned(),
                secret_key,
                email: "Jane.Doe@example.com".to_owned(),
                signing_key: partner.private_pem()?,
                provider_public_key: alix.public_pem()?,
            },
            transak: TransakCredentials { api_key: mint.uuid() },
            payby: PayByCredentials {
                partner_id: "200001200101".to_owned(),
                signing_key: partner.private_pem()?,
                provider_public_key: payby.public_pem()?,
                refresh_token_field: "refreshToken".to_owned(),
            },
            onboard: OnboardCredentials { user_id: "u-1".to_owned() },
        };
        Ok(Self {
            clock: Clock::default(),
            log: Log::new(listener),
            mint,
            credentials,
            partner,
            payby,
            alix_signature,
            options,
            failures: Failures::default(),
            ledger: Mutex::new(Ledger::new(options.reuse)),
        })
    }

    /// A live pair, as a login would have produced; `lifetime` is that of all access tokens of this login.
    pub(crate) fn issue(&self, call: Call, mint: MintTokens, lifetime: Option<Duration>) -> IssuedTokens {
        self.mint_into(&mut self.ledger(), call, mint, lifetime, None)
    }

    /// Spends the presented token and issues its successors, or does neither: one lock over both.
    pub(crate) fn exchange(&self, call: Call, mint: MintTokens, presented: &str) -> Result<IssuedTokens, Worthless> {
        let mut ledger = self.ledger();
        let now = self.clock.now();
        let exchanged = ledger.spend(call, presented, now).map(|exchange| match exchange {
            Exchange::New { replaced, lifetime } => self.mint_into(&mut ledger, call, mint, lifetime, Some(replaced)),
            Exchange::Same(tokens) => tokens,
        });
        if let Ok(tokens) = &exchanged {
            ledger.answered(presented, tokens);
        }
        ledger.note(presented, now, exchanged.as_ref().ok().map(|tokens| tokens.number));
        exchanged
    }

    /// The presentations so far, oldest first.
    pub(crate) fn presentations(&self) -> Vec<Presentation> {
        self.ledger().presentations()
    }

    /// The number of the tokens that this one was issued with.
    pub(crate) fn number(&self, token: &str) -> Option<u64> {
        self.ledger().number(token)
    }

    /// When this access token ends; `None` when it was not issued for this call.
    pub(crate) fn access_expiry(&self, call: Call, token: &str) -> Option<SystemTime> {
        self.ledger().access_expiry(call, token)
    }

    /// `replaced` is when the token expires that the new ones stand in for.
    fn mint_into(
        &self,
        ledger: &mut Ledger,
        call: Call,
        mint: MintTokens,
        chosen: Option<Duration>,
        replaced: Option<SystemTime>,
    ) -> IssuedTokens {
        let now = self.clock.now();
        let lifetime = chosen.or(self.options.access_lifetime);
        // Expiries are as coarse as the answer that tells them, so that it and the ledger mean the same instant: whole
        // seconds, and with Onboard's date-times milliseconds where a lifetime asks for them.
        let (now, lifetime) = match lifetime {
            Some(lifetime) if call == Call::Onboard && lifetime.subsec_nanos() > 0 => {
                let millis = u64::try_from(unix_millis(now)).unwrap_or(u64::MAX);
                (Duration::from_millis(millis), Some(lifetime))
            }
            lifetime => (
                Duration::from_secs(unix_seconds(now)),
                lifetime.map(|lifetime| Duration::from_secs(lifetime.as_secs())),
            ),
        };
        let now = UNIX_EPOCH + now;
        let tokens = mint(self, now, lifetime, replaced);
        ledger.enter(call, &tokens, chosen);
        tokens
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An opaque pair, for the two providers whose tokens have no published shape.
pub(crate) fn opaque_pair(state: &State, now: SystemTime, access: Duration, refresh: Duration) -> IssuedTokens {
    IssuedTokens {
        number: state.mint.number(),
        access_token: state.mint.opaque(),
        refresh_token: Some(state.mint.opaque()),
        access_token_expires_at: now + access,
        refresh_token_expires_at: Some(now + refresh),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::onboard;

    /// In the process, where presentations truly meet: over HTTP they come too far apart to catch a check that is not
    /// under the lock of the change.
    #[test]
    fn of_many_presentations_of_one_token_exactly_one_is_granted() {
        let state = State::new(Options::default(), None).expect("keys and credentials");
        let tokens: Vec<_> =
            (0..20_000).filter_map(|_| state.issue(Call::Onboard, onboard::mint, None).refresh_token).collect();
        let start = Barrier::new(4);
        let present_all = || {
            start.wait();
            tokens.iter().filter(|token| state.exchange(Call::Onboard, onboard::mint, token).is_ok()).count()
        };
        let granted: usize = thread::scope(|scope| {
            let presenters: Vec<_> = (0..4).map(|_| scope.spawn(present_all)).collect();
            presenters.into_iter().map(|one| one.join().expect("a count")).sum()
        });
        assert_eq!(granted, tokens.len());
    }
}
