//! Who the merchant is, where PayBy is, and what a refresh carries: everything checked before a client exists.

mod order_no;
mod text;

use std::fmt;
use std::sync::Arc;

use rampauth_core::{BaseUrl, Error, Signer, Verifier};
use serde_json::value::RawValue;

pub use order_no::{MerchantOrderNo, OrderNumbers, UniqueOrderNumbers};
pub use text::{ApiVersion, ContentLanguage, PartnerId, Subject};

/// One of PayBy's environments: its address together with the public key that signs its answers, so that the two
/// cannot be mixed up. PayBy's key differs from merchant to merchant and between staging and production.
#[derive(Clone)]
pub struct Environment {
    base_url: BaseUrl,
    provider_key: Arc<dyn Verifier>,
}

impl Environment {
    /// The staging host (PayBy docs, "Refresh Tokens", read 2026-11).
    pub const STAGING_URL: &str = "https://uat.test2pay.com";
    /// The production host (PayBy docs, "Refresh Tokens", read 2026-11).
    pub const PRODUCTION_URL: &str = "https://api.payby.com";

    /// Staging, with the public key that PayBy gave to the merchant for it.
    pub fn staging(provider_key: impl Verifier + 'static) -> Self {
        Self::at(BaseUrl::parse(Self::STAGING_URL).expect("the constant is a base URL"), provider_key)
    }

    /// Production, with the public key that PayBy gave to the merchant for it.
    pub fn production(provider_key: impl Verifier + 'static) -> Self {
        Self::at(BaseUrl::parse(Self::PRODUCTION_URL).expect("the constant is a base URL"), provider_key)
    }

    /// Any other address, with the public key that its answers are signed with. The URL ends before `/sgs`.
    pub fn at(base_url: impl Into<BaseUrl>, provider_key: impl Verifier + 'static) -> Self {
        Self { base_url: base_url.into(), provider_key: Arc::new(provider_key) }
    }

    /// Where PayBy is.
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// PayBy's public key.
    pub fn provider_key(&self) -> &dyn Verifier {
        &*self.provider_key
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The verifier is the caller's: what its `Debug` shows is not known here.
        f.debug_struct("Environment").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The fields of `bizContent` that the vendor published, which no other may be named like.
const DOCUMENTED_FIELDS: [&str; 2] = ["merchantOrderNo", "subject"];

/// A merchant of PayBy, and what its refresh calls carry.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where PayBy is, and its public key.
    pub environment: Environment,
    /// The merchant id that PayBy assigned.
    pub partner_id: PartnerId,
    /// Signs with the merchant's own private key.
    pub signer: Arc<dyn Signer>,
    /// The description of the call; [`Subject::default`] unless set.
    pub subject: Subject,
    /// Where the order number of each attempt comes from; [`UniqueOrderNumbers`] unless set.
    pub order_numbers: Arc<dyn OrderNumbers>,
    /// Whether the body holds `partnerId`; it does unless set otherwise.
    pub send_partner_id: bool,
    /// The header `content-language`; left out unless set.
    pub content_language: Option<ContentLanguage>,
    /// The header `api-version`; left out unless set.
    pub api_version: Option<ApiVersion>,
    // These names are checked against each other.
    refresh_token_field: String,
    extra_fields: Vec<(String, Box<RawValue>)>,
}

impl Config {
    /// Puts the parts together; each has been checked on its own.
    pub fn new(environment: Environment, partner_id: PartnerId, signer: impl Signer + 'static) -> Self {
        Self {
            environment,
            partner_id,
            signer: Arc::new(signer),
            subject: Subject::default(),
            order_numbers: Arc::new(UniqueOrderNumbers),
            send_partner_id: true,
            content_language: None,
            api_version: None,
            refresh_token_field: "refreshToken".to_owned(),
            extra_fields: Vec::new(),
        }
    }

    /// Describes the call with this subject.
    #[must_use]
    pub fn with_subject(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }

    /// Takes each attempt's order number from here: a [`MerchantOrderNo`] for the same every time, or a closure
    /// `|now: SystemTime| …`.
    #[must_use]
    pub fn with_order_numbers(mut self, source: impl OrderNumbers + 'static) -> Self {
        self.order_numbers = Arc::new(source);
        self
    }

    /// Sets whether the body holds `partnerId`. The page requires it (describing it with the text of `requestTime`,
    /// taken as a copying error); PayBy's own Java SDK leaves it out (read 2026-11).
    #[must_use]
    pub fn with_send_partner_id(mut self, send: bool) -> Self {
        self.send_partner_id = send;
        self
    }

    /// Asks for messages in this language.
    #[must_use]
    pub fn with_content_language(mut self, language: ContentLanguage) -> Self {
        self.content_language = Some(language);
        self
    }

    /// Sends the header `api-version`, as PayBy's own Java SDK does.
    #[must_use]
    pub fn with_api_version(mut self, version: ApiVersion) -> Self {
        self.api_version = Some(version);
        self
    }

    /// Sends the refresh token as the member `name` of `bizContent`.
    ///
    /// **PayBy never published this name.** Its page of the call lists no field for the token at all; `refreshToken`,
    /// the default, is a guess after the spelling of the published fields. Ask PayBy for the name before relying on
    /// it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when the name is empty, `merchantOrderNo`, `subject`,
    /// or that of an extra field.
    pub fn with_refresh_token_field(mut self, name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let taken = self.extra_fields.iter().any(|(extra, _)| *extra == name);
        check_name(&name, taken).map_err(|reason| Error::config("read the refresh token's field name", reason))?;
        self.refresh_token_field = name;
        Ok(self)
    }

    /// Adds a member to `bizContent` whose value is a text. Extra members follow the refresh token, in the order
    /// given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when the name is empty or taken.
    pub fn with_extra_text(self, name: impl Into<String>, text: &str) -> Result<Self, Error> {
        self.with_extra_field(name.into(), serde_json::value::to_raw_value(text))
    }

    /// Adds a member to `bizContent` whose value is any JSON, given as JSON text and sent as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when the name is empty or taken, or `json` is not one
    /// JSON value.
    pub fn with_extra_json(self, name: impl Into<String>, json: impl Into<String>) -> Result<Self, Error> {
        self.with_extra_field(name.into(), RawValue::from_string(json.into()))
    }

    fn with_extra_field(mut self, name: String, value: serde_json::Result<Box<RawValue>>) -> Result<Self, Error> {
        const ACTION: &str = "read an extra field of bizContent";
        let taken = self.refresh_token_field == name || self.extra_fields.iter().any(|(extra, _)| *extra == name);
        check_name(&name, taken).map_err(|reason| Error::config(ACTION, reason))?;
        // The parser's own error could quote the value.
        let value = value.map_err(|_| Error::config(ACTION, "its value is not JSON"))?;
        self.extra_fields.push((name, value));
        Ok(self)
    }

    /// The name under which the refresh token is sent.
    pub fn refresh_token_field(&self) -> &str {
        &self.refresh_token_field
    }

    pub(crate) fn extra_fields(&self) -> &[(String, Box<RawValue>)] {
        &self.extra_fields
    }
}

fn check_name(name: &str, taken: bool) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("its name is empty")
    } else if DOCUMENTED_FIELDS.contains(&name) {
        Err("its name is that of a documented field, which has a setting of its own")
    } else if taken {
        Err("its name is taken by another field")
    } else {
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The signer is the caller's: what its `Debug` shows is not known here. An extra field may be a secret.
        f.debug_struct("Config")
            .field("environment", &self.environment)
            .field("partner_id", &self.partner_id)
            .field("refresh_token_field", &self.refresh_token_field)
            .finish_non_exhaustive()
    }
}
