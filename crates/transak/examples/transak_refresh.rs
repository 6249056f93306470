//! Refreshes a user token against the sandbox, then shows what an expired one gives.
//!
//! `cargo run -p rampauth-transak --example transak_refresh`

use std::time::{Duration, SystemTime};

use rampauth_sandbox::{Call, Sandbox};
use rampauth_transak::{ApiKey, BaseUrl, Config, UserClient, UserToken};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The sandbox stands in for Transak; with the real one it is `Config::new(Environment::Staging)`.
    let sandbox = Sandbox::start().await?;
    let config =
        Config::new(BaseUrl::parse(sandbox.url())?).with_api_key(ApiKey::new(&sandbox.credentials().transak.api_key)?);
    let client = UserClient::new(config)?;

    // What the user's login gave, 25 days ago.
    let token = UserToken::new(sandbox.issue(Call::TransakUser).access_token)?;
    let login = sandbox.now();
    sandbox.advance(25 * DAY);
    println!("the old token expires {}", since(login, token.expiry().time()));

    let renewed = client.refresh(&token).await?;
    println!("the new token expires {}", since(login, renewed.expiry().time()));

    // The sandbox, and perhaps Transak, takes a token once.
    match client.refresh(&token).await {
        Ok(_) => println!("the old token was renewed once more"),
        Err(error) => println!("{}: {error}; {}", error.kind().as_str(), error.help()),
    }

    // An expired token is not even sent.
    let expired = renewed.with_expiry(rampauth_transak::Expiry::At(login));
    match client.refresh(&expired).await {
        Ok(_) => println!("an expired token was renewed"),
        Err(error) => println!("{}: {error}; {}", error.kind().as_str(), error.help()),
    }

    for event in sandbox.events() {
        println!("sandbox: {event}");
    }
    sandbox.stop().await;
    Ok(())
}

fn since(login: SystemTime, time: Option<SystemTime>) -> String {
    match time.and_then(|time| time.duration_since(login).ok()) {
        Some(lifetime) => format!("{:.0} days after the login", lifetime.div_duration_f64(DAY)),
        None => "at a time that nobody said".to_owned(),
    }
}
