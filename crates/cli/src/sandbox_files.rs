//! All that a client of a sandbox needs, as files: a configuration, the secrets that it names, and live tokens.

mod folder;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{AccessToken, Error, ErrorKind, Expiry, Outcome, RefreshToken, TokenSet};
use rampauth_sandbox::{Call, IssuedTokens, Sandbox};
use zeroize::Zeroizing;

use crate::tokens::Tokens;
use folder::File;

/// Every profile of the configuration with the call that it is for.
pub(crate) const PROFILES: [(&str, Call); 5] = [
    ("card", Call::AlixCard),
    ("ramp", Call::AlixOnOffRamp),
    ("user", Call::TransakUser),
    ("payby", Call::PayBy),
    ("onboard", Call::Onboard),
];

/// Writes the files of this sandbox to a folder, which only the user may enter.
///
/// # Errors
///
/// When the folder is not empty and `force` is not given, or something cannot be written.
pub(crate) fn write(folder: &Path, force: bool, sandbox: &Sandbox) -> Result<(), Error> {
    folder::fill(folder, force, &files(sandbox)?)
}

/// The configuration last: a folder that has one is whole.
fn files(sandbox: &Sandbox) -> Result<Vec<File>, Error> {
    let credentials = sandbox.credentials();
    let mut files: Vec<File> = [
        ("partner.pem", &credentials.alix.signing_key),
        ("alix-secret-key.txt", &credentials.alix.secret_key),
        ("alix.pub.pem", &credentials.alix.provider_public_key),
        ("transak-api-key.txt", &credentials.transak.api_key),
        ("payby.pub.pem", &credentials.payby.provider_public_key),
    ]
    .map(|(name, text)| (name.to_owned(), Zeroizing::new(text.clone())))
    .into();
    files.push(("sealing.key".to_owned(), sealing_key()?));
    for (profile, call) in PROFILES {
        let set = issued(sandbox.issue(call))?;
        let json = serde_json::to_string(&Tokens::new(&set)).expect("texts have a JSON form");
        files.push((format!("{profile}.json"), Zeroizing::new(json + "\n")));
    }
    files.push(("rampauth.toml".to_owned(), Zeroizing::new(configuration(sandbox))));
    Ok(files)
}

/// Issued tokens as a login brings them.
pub(crate) fn issued(tokens: IssuedTokens) -> Result<TokenSet, Error> {
    let odd = |error: Error| {
        let reason = "the sandbox issued a token that no header can carry";
        Error::new(ErrorKind::Internal, Outcome::NotSent, "write the tokens", reason).with_source(error)
    };
    let access = AccessToken::new(tokens.access_token).map_err(odd)?;
    let mut set = TokenSet::new().with_access_token(access, Expiry::At(tokens.access_token_expires_at));
    if let Some(token) = tokens.refresh_token {
        let expiry = tokens.refresh_token_expires_at.map_or(Expiry::Unknown, Expiry::At);
        set = set.with_refresh_token(RefreshToken::new(token).map_err(odd)?, expiry);
    }
    Ok(set)
}

/// 32 random bytes in base64.
#[expect(clippy::disallowed_methods, reason = "a key is drawn")]
fn sealing_key() -> Result<Zeroizing<String>, Error> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|_| {
        let reason = "the system gives no random numbers";
        Error::new(ErrorKind::Internal, Outcome::NotSent, "make a sealing key", reason)
    })?;
    // Exactly as long as what is written: growing would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(45));
    STANDARD.encode_string(key.as_slice(), &mut text);
    text.push('\n');
    Ok(text)
}

fn configuration(sandbox: &Sandbox) -> String {
    let credentials = sandbox.credentials();
    // A JSON text is a TOML one too.
    let quote = |text: &str| serde_json::to_string(text).expect("a text has a JSON form");
    format!(
        r#"# For a sandbox at {url}; its keys and tokens are good for nothing else.
store = "sqlite:rampauth.db"
sealing_key = {{ file = "sealing.key" }}

[profile.card]
provider = "alix-card"
base_url = "{url}"
partner_code = {partner_code}
secret_key = {{ file = "alix-secret-key.txt" }}
signing_key = {{ file = "partner.pem" }}

[profile.ramp]
provider = "alix-on-off-ramp"
base_url = "{url}"
partner_code = {partner_code}
secret_key = {{ file = "alix-secret-key.txt" }}
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "alix.pub.pem" }}
email = {email}

[profile.user]
provider = "transak-user"
base_url = "{url}"
api_key = {{ file = "transak-api-key.txt" }}

[profile.payby]
provider = "payby"
base_url = "{url}"
partner_id = {partner_id}
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "payby.pub.pem" }}
subject = "sandbox"
refresh_token_field = {refresh_token_field}

[profile.onboard]
provider = "onboard"
base_url = "{url}"
user_id = {user_id}
"#,
        url = sandbox.url(),
        partner_code = quote(&credentials.alix.partner_code),
        email = quote(&credentials.alix.email),
        partner_id = quote(&credentials.payby.partner_id),
        refresh_token_field = quote(&credentials.payby.refresh_token_field),
        user_id = quote(&credentials.onboard.user_id),
    )
}
