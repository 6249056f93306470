//! A profile: one account at one provider, with everything but the secrets themselves.

use std::time::Duration;

use rampauth_alix::{Email, Lang, PartnerCode};
use rampauth_core::{BaseUrl, Error};
use rampauth_keeper::{SessionKey, SessionOptions};
use rampauth_onboard::UserId;
use rampauth_payby::{ContentLanguage, MerchantOrderNo, PartnerId, Subject};

use super::key::session_key;
use super::network::{Network, Networks};
use super::secret::SecretRef;
use super::section::Section;
use crate::nearest::nearest;

/// How long a whole call may take unless the profile says otherwise, in seconds.
const DEFAULT_TIMEOUT: u64 = 30;
const MAX_TIMEOUT: u64 = 300;
/// Seven days.
const DEFAULT_EXPIRY_WARNING: u64 = 604_800;
const YEAR: u64 = 31_536_000;

/// One account at one provider.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// What its session is called in a store.
    pub(crate) key: SessionKey,
    /// How long a whole call may take. Connecting may take half of it, and 10 s at most.
    pub(crate) timeout: Duration,
    /// How its requests travel.
    pub(crate) network: Network,
    /// What its session is told beyond the provider's rules.
    pub(crate) options: SessionOptions,
    pub(crate) provider: Provider,
}

/// Which provider, and what its client is made from.
#[derive(Debug)]
pub(crate) enum Provider {
    AlixCard { partner: AlixPartner, user_email: Option<Email> },
    AlixOnOffRamp { partner: AlixPartner, email: Email, lang: Option<Lang>, provider_public_key: Option<SecretRef> },
    TransakUser { base_url: BaseUrl, api_key: Option<SecretRef> },
    PayBy(PayByMerchant),
    Onboard(rampauth_onboard::Config),
}

/// What both products of Alix ask for.
#[derive(Debug)]
pub(crate) struct AlixPartner {
    pub(crate) base_url: BaseUrl,
    pub(crate) partner_code: PartnerCode,
    pub(crate) secret_key: SecretRef,
    pub(crate) signing_key: SecretRef,
}

/// A merchant of PayBy.
#[derive(Debug)]
pub(crate) struct PayByMerchant {
    pub(crate) base_url: BaseUrl,
    pub(crate) partner_id: PartnerId,
    pub(crate) signing_key: SecretRef,
    pub(crate) provider_public_key: SecretRef,
    /// A fresh one for every attempt where there is none.
    pub(crate) merchant_order_no: Option<MerchantOrderNo>,
    pub(crate) subject: Option<Subject>,
    pub(crate) refresh_token_field: Option<String>,
    pub(crate) send_partner_id: Option<bool>,
    pub(crate) content_language: Option<ContentLanguage>,
}

const PROVIDERS: [&str; 5] = ["alix-card", "alix-on-off-ramp", "transak-user", "payby", "onboard"];

/// The value that is probably meant, to stand after a refusal. What was written is not repeated.
fn perhaps<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |known| format!("; perhaps `{known}`"))
}

impl Profile {
    pub(super) fn read(name: &str, mut section: Section<'_>, networks: &mut Networks) -> Result<Self, Error> {
        let provider = section.peek("provider").unwrap_or_default().to_owned();
        // Checked below, where its key can be named.
        let environment =
            section.peek("environment").or_else(|| section.peek("base_url")).unwrap_or_default().to_owned();
        let read = section.required("provider", |text| match text.as_str() {
            "alix-card" => Ok(alix_card as fn(&mut Section<'_>) -> _),
            "alix-on-off-ramp" => Ok(alix_on_off_ramp as _),
            "transak-user" => Ok(transak_user as _),
            "payby" => Ok(payby as _),
            "onboard" => Ok(onboard as _),
            text => {
                let perhaps = perhaps(text, PROVIDERS);
                Err(Error::config("read the provider", format!("it is none of {}{perhaps}", PROVIDERS.join(", "))))
            }
        })?;
        let timeout = section.number("timeout_seconds", 1, MAX_TIMEOUT)?.unwrap_or(DEFAULT_TIMEOUT);
        let timeout = Duration::from_secs(timeout);
        let network = networks.of_profile(&mut section, timeout)?;
        let options = session_options(&mut section)?;
        let read = read(&mut section)?;
        let key = session_key(&provider, &environment, name)?;
        Ok(Self { name: name.to_owned(), key, timeout, network, options, provider: read })
    }
}

fn session_options(section: &mut Section<'_>) -> Result<SessionOptions, Error> {
    let warning = section.number("expiry_warning_seconds", 0, YEAR)?.unwrap_or(DEFAULT_EXPIRY_WARNING);
    let options = SessionOptions::new().warn_before_expiry(Duration::from_secs(warning));
    Ok(match section.number("refresh_at_least_every_seconds", 60, YEAR)? {
        Some(every) => options.refresh_at_least_every(Duration::from_secs(every)),
        None => options,
    })
}

impl Profile {
    /// Whose tokens the profile is about, where it says so.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match &self.provider {
            Provider::Onboard(config) => config.user_id.as_ref().map(UserId::as_str),
            _ => None,
        }
    }
}

/// Refuses keys that this provider does not have, before missing ones are named: one is often a misspelling of the other.
fn allow(section: &Section<'_>, own: &[&str]) -> Result<(), Error> {
    const COMMON: [&str; 8] = [
        "provider",
        "environment",
        "base_url",
        "timeout_seconds",
        "proxy",
        "ca_file",
        "refresh_at_least_every_seconds",
        "expiry_warning_seconds",
    ];
    section.allow(&[own, &COMMON].concat())
}

fn alix_card(section: &mut Section<'_>) -> Result<Provider, Error> {
    allow(section, &["partner_code", "secret_key", "signing_key", "user_email"])?;
    Ok(Provider::AlixCard { partner: alix_partner(section)?, user_email: section.value("user_email", Email::new)? })
}

fn alix_on_off_ramp(section: &mut Section<'_>) -> Result<Provider, Error> {
    allow(section, &["partner_code", "secret_key", "signing_key", "provider_public_key", "email", "lang"])?;
    let lang = |text: String| match text.as_str() {
        "en" => Ok(Lang::En),
        "cn" => Ok(Lang::Cn),
        "vi" => Ok(Lang::Vi),
        _ => Err(Error::config("read the language", "it is none of en, cn, vi")),
    };
    Ok(Provider::AlixOnOffRamp {
        partner: alix_partner(section)?,
        email: section.required("email", Email::new)?,
        lang: section.value("lang", lang)?,
        provider_public_key: section.secret("provider_public_key")?,
    })
}

fn alix_partner(section: &mut Section<'_>) -> Result<AlixPartner, Error> {
    use rampauth_alix::Environment::{Production, Sandbox};
    Ok(AlixPartner {
        base_url: base_url(section, &[("sandbox", Sandbox.url()), ("production", Production.url())])?,
        partner_code: section.required("partner_code", PartnerCode::new)?,
        secret_key: section.required_secret("secret_key")?,
        signing_key: section.required_secret("signing_key")?,
    })
}

fn transak_user(section: &mut Section<'_>) -> Result<Provider, Error> {
    use rampauth_transak::Environment::{Production, Staging};
    allow(section, &["api_key"])?;
    let hosts = [("staging", Staging.gateway_url()), ("production", Production.gateway_url())];
    Ok(Provider::TransakUser { base_url: base_url(section, &hosts)?, api_key: section.secret("api_key")? })
}

fn payby(section: &mut Section<'_>) -> Result<Provider, Error> {
    use rampauth_payby::Environment;
    allow(
        section,
        &[
            "partner_id",
            "signing_key",
            "provider_public_key",
            "merchant_order_no",
            "subject",
            "refresh_token_field",
            "send_partner_id",
            "content_language",
        ],
    )?;
    let hosts = [("staging", Environment::STAGING_URL), ("production", Environment::PRODUCTION_URL)];
    Ok(Provider::PayBy(PayByMerchant {
        base_url: base_url(section, &hosts)?,
        partner_id: section.required("partner_id", PartnerId::new)?,
        signing_key: section.required_secret("signing_key")?,
        provider_public_key: section.required_secret("provider_public_key")?,
        merchant_order_no: section.value("merchant_order_no", MerchantOrderNo::new)?,
        subject: section.value("subject", Subject::new)?,
        refresh_token_field: section.value("refresh_token_field", refresh_token_field)?,
        send_partner_id: section.flag("send_partner_id")?,
        content_language: section.value("content_language", ContentLanguage::new)?,
    }))
}

/// The client checks it too; here the key can be named.
fn refresh_token_field(name: String) -> Result<String, Error> {
    if matches!(name.as_str(), "merchantOrderNo" | "subject") {
        return Err(Error::config("read the field's name", "it is the name of another field of the body"));
    }
    Ok(name)
}

fn onboard(section: &mut Section<'_>) -> Result<Provider, Error> {
    allow(section, &["user_id"])?;
    let hosts = [("staging", rampauth_onboard::Environment::Staging.url())];
    let mut config = rampauth_onboard::Config::new(base_url(section, &hosts)?);
    config.user_id = section.value("user_id", UserId::new)?;
    Ok(Provider::Onboard(config))
}

/// Exactly one of `environment`, by its name in `hosts`, and `base_url`.
fn base_url(section: &mut Section<'_>, hosts: &[(&str, &str)]) -> Result<BaseUrl, Error> {
    let environment = section.value("environment", |text| {
        let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
        let host = hosts.iter().find(|(name, _)| *name == text);
        let (_, url) = host.ok_or_else(|| {
            let perhaps = perhaps(&text, names.iter().copied());
            let reason = format!("this provider's are {}{perhaps}", names.join(", "));
            let help = format!("write, for example: environment = \"{}\"", names.first().unwrap_or(&"staging"));
            Error::config("read the environment", reason).with_help(help)
        })?;
        BaseUrl::parse(url)
    })?;
    let Some((base_url, place)) = section.text("base_url")? else {
        return environment.ok_or_else(|| section.place().refuse("it needs one of `environment` and `base_url`"));
    };
    if environment.is_some() {
        return Err(place.refuse("there is `environment` too; keep one of the two"));
    }
    BaseUrl::parse(&base_url).map_err(|error| place.refuse_with(&error))
}
