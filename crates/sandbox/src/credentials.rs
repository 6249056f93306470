//! What a client needs to talk to the sandbox: credentials and issued tokens, with nothing secret in `Debug`.

use std::fmt;
use std::time::SystemTime;

/// Everything a client of the sandbox must be configured with.
///
/// The keys, Alix's secret key and Transak's API key are made anew at every start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Credentials {
    /// For both Alix calls.
    pub alix: AlixCredentials,
    /// For the Transak call.
    pub transak: TransakCredentials,
    /// For the PayBy calls.
    pub payby: PayByCredentials,
    /// For the Onboard call.
    pub onboard: OnboardCredentials,
}

/// What a client of the two Alix calls needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct AlixCredentials {
    /// The partner's code, sent and signed.
    pub partner_code: String,
    /// The secret that is signed and never sent.
    pub secret_key: String,
    /// The e-mail of the on/off-ramp user: signed exactly as it stands, never sent.
    ///
    /// It has capitals on purpose, so that a client that changes case is found out.
    pub email: String,
    /// The partner's private RSA key: PKCS#8, PEM, 2048 bits. PayBy's client has the same one.
    pub signing_key: String,
    /// Alix's public RSA key: SPKI, PEM, 2048 bits. Verifies the `signature` of an on/off-ramp answer.
    pub provider_public_key: String,
}

/// What a client of the Transak call needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct TransakCredentials {
    /// The value of `x-api-key`. The header may be left out; a wrong one is refused.
    pub api_key: String,
}

/// What a client of the PayBy calls needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct PayByCredentials {
    /// The merchant id: header `partner-id`, and `partnerId` where the body has one.
    pub partner_id: String,
    /// The merchant's private RSA key: PKCS#8, PEM, 2048 bits. Alix's client has the same one.
    pub signing_key: String,
    /// PayBy's public RSA key: SPKI, PEM, 2048 bits. Verifies the `sign` header of an answer.
    pub provider_public_key: String,
    /// The member of `bizContent` in which the sandbox looks for the refresh token; PayBy never published its name.
    pub refresh_token_field: String,
}

/// What a client of the Onboard call knows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OnboardCredentials {
    /// The user whom the tokens belong to; every answer repeats it.
    pub user_id: String,
}

impl fmt::Debug for AlixCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlixCredentials")
            .field("partner_code", &self.partner_code)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TransakCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransakCredentials").finish_non_exhaustive()
    }
}

impl fmt::Debug for PayByCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayByCredentials")
            .field("partner_id", &self.partner_id)
            .field("refresh_token_field", &self.refresh_token_field)
            .finish_non_exhaustive()
    }
}

/// Tokens that the sandbox issued, as a login or a refresh hands them out.
#[derive(Clone)]
#[non_exhaustive]
pub struct IssuedTokens {
    /// Counts what the sandbox issued, from 1 on: tells its tokens apart and says nothing of them.
    pub number: u64,
    /// The access token.
    pub access_token: String,
    /// The refresh token; none for [`Call::TransakUser`](crate::Call::TransakUser), which presents the access token.
    pub refresh_token: Option<String>,
    /// When the access token ends, by the sandbox's clock, in whole seconds.
    pub access_token_expires_at: SystemTime,
    /// When the refresh token ends, by the sandbox's clock, in whole seconds.
    pub refresh_token_expires_at: Option<SystemTime>,
}

impl fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedTokens")
            .field("number", &self.number)
            .field("access_token_expires_at", &self.access_token_expires_at)
            .field("refresh_token_expires_at", &self.refresh_token_expires_at)
            .finish_non_exhaustive()
    }
}
