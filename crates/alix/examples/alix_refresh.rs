//! Refreshes a card session and an on/off-ramp session against the local sandbox.
//!
//! `cargo run -p rampauth-alix --example alix_refresh`

use rampauth_alix::{
    BaseUrl, CardClient, CardCredential, Config, Email, Expiry, OnOffRampClient, OnOffRampCredential, PartnerCode,
    RsaSigningKey, RsaVerifyingKey, SecretKey,
};
use rampauth_sandbox::{Call, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let partner = &sandbox.credentials().alix;

    // In production: `Environment::Production` in place of the base URL, and the keys from where you keep secrets.
    let config = Config::new(
        BaseUrl::parse(sandbox.url())?,
        PartnerCode::new(&partner.partner_code)?,
        SecretKey::new(&partner.secret_key)?,
        RsaSigningKey::parse(&partner.signing_key)?,
    );

    let login = sandbox.issue(Call::AlixCard);
    let card = CardClient::new(config.clone())?;
    let tokens = card.refresh(&CardCredential::new(login.refresh_token.unwrap_or_default())?).await?;
    println!("card: expires {}, rotated: {}", expiry(tokens.access_expiry(), &sandbox), tokens.rotated());

    let login = sandbox.issue(Call::AlixOnOffRamp);
    let on_off_ramp =
        OnOffRampClient::new(config)?.with_provider_key(RsaVerifyingKey::parse(&partner.provider_public_key)?);
    let session = on_off_ramp.session(Email::new(&partner.email)?);
    let tokens = session.refresh(&OnOffRampCredential::new(login.refresh_token.unwrap_or_default())?).await?;
    println!("on/off-ramp: expires {}, rotated: {}", expiry(tokens.access_expiry(), &sandbox), tokens.rotated());

    // Presenting a token that is spent: the error says what happened and what to do.
    let spent = CardCredential::new("spent")?;
    if let Err(error) = card.refresh(&spent).await {
        println!("{error}\n  outcome {:?}; {}", error.outcome(), error.help());
    }
    Ok(())
}

/// When it expires, in words, by the sandbox's clock.
fn expiry(expiry: Expiry, sandbox: &Sandbox) -> String {
    match expiry.time() {
        Some(time) => format!("in {} s", time.duration_since(sandbox.now()).unwrap_or_default().as_secs()),
        None => "when it is rejected".to_owned(),
    }
}
