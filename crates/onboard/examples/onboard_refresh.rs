//! Refreshes the tokens of an Onboard user against a local sandbox: `cargo run -p rampauth-onboard --example onboard_refresh`.

use rampauth_onboard::{BaseUrl, Client, Config, Expiry, OnboardCredential, UserId};
use rampauth_sandbox::{Call, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for Onboard and for the login that gave the first tokens.
    let sandbox = Sandbox::start().await?;
    let stored = sandbox.issue(Call::Onboard);

    let user_id = UserId::new(&sandbox.credentials().onboard.user_id)?;
    let config = Config::new(BaseUrl::parse(sandbox.url())?).with_user_id(user_id);
    let client = Client::new(config)?;

    let credential = OnboardCredential::new(stored.refresh_token.ok_or("Onboard issues refresh tokens")?)?;
    let tokens = client.refresh(&credential).await?;
    // Here a service stores `tokens.refresh_credential()`, and only then uses `tokens.access_token()`.
    println!("refreshed the tokens of {}", tokens.user_id().as_str());
    println!("  the refresh token was {}", if tokens.rotated() { "replaced" } else { "kept" });
    match tokens.access_expiry() {
        Expiry::At(time) => {
            println!("  the access token lives for {} s", time.duration_since(sandbox.now())?.as_secs());
        }
        _ => println!("  the access token lives until it is rejected"),
    }

    // What happens to whoever presents the old refresh token again.
    match client.refresh(&credential).await {
        Ok(_) => println!("the old refresh token was good once more"),
        Err(error) => println!("{error}\n  so {}", error.help()),
    }
    sandbox.stop().await;
    Ok(())
}
