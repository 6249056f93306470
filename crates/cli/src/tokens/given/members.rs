//! The members of a given document, wherever its form has them, under each of their names.

use std::time::SystemTime;

use rampauth_core::json::{Json, JsonObject, JsonText};
use rampauth_core::time::parse_rfc3339;

use crate::tokens::times;

/// What a token and its times are called; of the token's names the first is the one to advise.
pub(super) struct Names {
    pub(super) token: &'static [&'static str],
    pub(super) instant: &'static [&'static str],
    /// Seconds from now.
    pub(super) lifetime: &'static [&'static str],
}

impl Names {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.token.iter().chain(self.instant).chain(self.lifetime).copied()
    }
}

/// The objects that may hold tokens: `data`, or `body` beside a `head`, and the document itself.
pub(super) struct Members<'a>(Vec<JsonObject<'a>>);

impl<'a> Members<'a> {
    pub(super) fn of(root: &JsonObject<'a>) -> Self {
        let inner = |name| root.object(name).ok().flatten();
        let body = inner("body").filter(|_| inner("head").is_some());
        Self(inner("data").into_iter().chain(body).chain([root.clone()]).collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(JsonObject::names)
    }

    /// Every value that stands under one of these names, with the name.
    fn values(&self, names: &'static [&'static str]) -> Result<Vec<(&'static str, Json<'a>)>, String> {
        let mut found = Vec::new();
        for object in &self.0 {
            for name in names {
                let value = object.get(name).map_err(|problem| format!("`{name}` {problem}"))?;
                found.extend(value.map(|value| (*name, value)));
            }
        }
        Ok(found)
    }

    /// The token, as a text or as the `token` of an object.
    pub(super) fn token(&self, names: &Names) -> Result<Option<JsonText<'a>>, String> {
        let mut token: Option<(&str, JsonText<'_>)> = None;
        for (name, value) in self.values(names.token)? {
            let inner = match value {
                Json::Object(object) => object.get("token").map_err(|problem| format!("`{name}.token` {problem}"))?,
                value => Some(value),
            };
            let Some(Json::Text(text)) = inner else { return Err(format!("`{name}` is not a text")) };
            match &token {
                Some((first, other)) if other.expose_secret() != text.expose_secret() => {
                    return Err(format!("`{first}` and another `{name}` contradict each other"));
                }
                _ => token = Some((name, text)),
            }
        }
        Ok(token.map(|(_, text)| text))
    }

    /// When it expires: the earliest of all that is said, lifetimes counted from `now`.
    pub(super) fn expiry(&self, names: &Names, now: SystemTime) -> Result<Option<SystemTime>, String> {
        let mut times = Vec::new();
        for (name, value) in self.values(names.instant)? {
            times.push(read_instant(name, &value)?);
        }
        for (name, value) in self.values(names.token)? {
            let Json::Object(object) = value else { continue };
            let expiry = object.get("expiry").map_err(|problem| format!("`{name}.expiry` {problem}"))?;
            times.extend(expiry.map(|expiry| read_instant(&format!("{name}.expiry"), &expiry)).transpose()?);
        }
        for (name, value) in self.values(names.lifetime)? {
            let lifetime =
                times::lifetime(&value).ok_or_else(|| format!("`{name}` is not a number of seconds above zero"))?;
            times.extend(now.checked_add(lifetime));
        }
        Ok(times.into_iter().min())
    }

    /// The same for an access token, of which Transak's answer to a login tells `created` and `ttl` (docs.transak.com "Verify User
    /// Email OTP", read 2026-11).
    pub(super) fn access_expiry(&self, names: &Names, now: SystemTime) -> Result<Option<SystemTime>, String> {
        let time = |value: &Json<'_>| value.as_text().and_then(|text| parse_rfc3339(text.expose_secret()));
        let created = self.values(&["created"])?.first().and_then(|(_, value)| time(value));
        let ttl = self.values(&["ttl"])?.first().and_then(|(_, value)| times::lifetime(value));
        let told = created.zip(ttl).and_then(|(created, ttl)| created.checked_add(ttl));
        Ok(self.expiry(names, now)?.into_iter().chain(told).min())
    }
}

fn read_instant(name: &str, value: &Json<'_>) -> Result<SystemTime, String> {
    times::instant(value).ok_or_else(|| format!("`{name}` is not a time such as 2026-11-20T09:30:00Z"))
}
