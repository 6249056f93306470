//! Tries the keys and refreshes a PayBy session against the local sandbox.
//!
//! `cargo run -p rampauth-payby --example payby_refresh`

use rampauth_payby::{
    BaseUrl, Client, Config, Environment, Expiry, PartnerId, PayByCredential, RsaSigningKey, RsaVerifyingKey,
};
use rampauth_sandbox::{Call, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start().await?;
    let merchant = &sandbox.credentials().payby;

    // In production: `Environment::production(…)`, and the keys from where you keep secrets.
    let paybys_key = RsaVerifyingKey::parse(&merchant.provider_public_key)?;
    let environment = Environment::at(BaseUrl::parse(sandbox.url())?, paybys_key);
    let signing_key = RsaSigningKey::parse(&merchant.signing_key)?;
    let config = Config::new(environment, PartnerId::new(&merchant.partner_id)?, signing_key)
        .with_refresh_token_field(&merchant.refresh_token_field)?;
    let client = Client::new(config)?;

    client.check_keys().await?;
    println!("both keys fit");

    let login = sandbox.issue(Call::PayBy);
    let presented = PayByCredential::new(login.refresh_token.unwrap_or_default())?;
    let tokens = client.refresh(&presented).await?;
    println!("access token expires {}, rotated: {}", expiry(tokens.access_expiry(), &sandbox), tokens.rotated());

    // Presenting a token that is spent: the error says what happened and what to do.
    if let Err(error) = client.refresh(&presented).await {
        println!("{error}\n  outcome {:?}, verified {:?}; {}", error.outcome(), error.verified(), error.help());
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
