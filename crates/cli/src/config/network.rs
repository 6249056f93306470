//! How a profile's requests travel: `timeout_seconds`, `proxy` and `ca_file`. Profiles that say the same share one client, which is
//! built when the first of them sends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use rampauth_core::{Error, ReqwestClient};
use toml::de::DeValue;

use super::place::Place;
use super::secret::{SecretRef, Source};
use super::section::Section;

const FORM: &str =
    r#"write proxy = "http://HOST:PORT", { env = "HTTPS_PROXY" } or { file = "PATH" }, or proxy = false for none"#;

/// What the client of a profile is built from.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) timeout: Duration,
    pub(crate) proxy: Proxy,
    pub(crate) ca_file: Option<CaFile>,
    /// The same for all profiles that say the same; `None` until one of them needs it.
    pub(crate) client: Arc<Mutex<Option<ReqwestClient>>>,
}

/// The proxy of everything that does not go to this machine.
#[derive(Clone, Debug)]
pub(crate) enum Proxy {
    /// Nothing is said, so there is none.
    Unset,
    /// `false`.
    Off,
    /// A URL without a user.
    Url(String, Place),
    /// A URL that may hold a password.
    Secret(SecretRef),
}

/// CA certificates (PEM) that are trusted beside those of the system.
#[derive(Clone, Debug)]
pub(crate) struct CaFile {
    /// As it stands in the configuration.
    pub(crate) written: String,
    pub(crate) path: PathBuf,
    pub(crate) place: Place,
}

/// What the profiles have that say nothing themselves, and the clients that there are to share.
pub(super) struct Networks {
    proxy: Proxy,
    ca_file: Option<CaFile>,
    clients: BTreeMap<Identity, Arc<Mutex<Option<ReqwestClient>>>>,
}

/// What tells two clients apart.
type Identity = (Duration, ProxySource, Option<PathBuf>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ProxySource {
    None,
    Url(String),
    Secret(Source),
}

impl Networks {
    /// Takes the keys at the top level of the file.
    pub(super) fn read(top: &mut Section<'_>) -> Result<Self, Error> {
        let proxy = read_proxy(top)?.unwrap_or(Proxy::Unset);
        Ok(Self { proxy, ca_file: read_ca_file(top)?.flatten(), clients: BTreeMap::new() })
    }

    /// The same of a profile, whose own word counts more.
    pub(super) fn of_profile(&mut self, section: &mut Section<'_>, timeout: Duration) -> Result<Network, Error> {
        let proxy = read_proxy(section)?.unwrap_or_else(|| self.proxy.clone());
        let ca_file = read_ca_file(section)?.unwrap_or_else(|| self.ca_file.clone());
        let identity = (timeout, proxy.source(), ca_file.as_ref().map(|file| file.path.clone()));
        let client = Arc::clone(self.clients.entry(identity).or_default());
        Ok(Network { timeout, proxy, ca_file, client })
    }
}

impl Proxy {
    fn source(&self) -> ProxySource {
        match self {
            Self::Unset | Self::Off => ProxySource::None,
            Self::Url(url, _) => ProxySource::Url(url.clone()),
            Self::Secret(secret) => ProxySource::Secret(secret.source().clone()),
        }
    }

    /// Where the configuration names it, if it does.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Unset | Self::Off => None,
            Self::Url(_, place) => Some(place),
            Self::Secret(secret) => Some(secret.place()),
        }
    }

    /// The URL, with all that is secret in it.
    ///
    /// # Errors
    ///
    /// When it cannot be had or is no URL of a proxy; by its place in the configuration, and without repeating it.
    pub(crate) fn url(&self) -> Result<Option<String>, Error> {
        match self {
            Self::Unset | Self::Off => Ok(None),
            Self::Url(url, _) => Ok(Some(url.clone())),
            Self::Secret(secret) => {
                let url = check(secret.text()?.expose_secret()).map_err(|reason| secret.place().refuse(reason))?;
                Ok(Some(url))
            }
        }
    }
}

fn read_proxy(section: &mut Section<'_>) -> Result<Option<Proxy>, Error> {
    let Some((value, place)) = section.take("proxy") else { return Ok(None) };
    match value {
        DeValue::Boolean(false) => Ok(Some(Proxy::Off)),
        DeValue::String(url) => {
            if url.contains('@') {
                let reason = "a user or a password must not stand here: take the whole URL from a variable or a file";
                return Err(place.refuse(reason).with_help(FORM));
            }
            let url = check(&url).map_err(|reason| place.refuse(reason).with_help(FORM))?;
            Ok(Some(Proxy::Url(url, place)))
        }
        table @ DeValue::Table(_) => SecretRef::read(table, place).map(|secret| Some(Proxy::Secret(secret))),
        _ => Err(place.refuse("it is neither a URL nor the place of one nor false").with_help(FORM)),
    }
}

/// `Some(None)` where there is to be none.
fn read_ca_file(section: &mut Section<'_>) -> Result<Option<Option<CaFile>>, Error> {
    let Some((value, place)) = section.take("ca_file") else { return Ok(None) };
    match value {
        DeValue::Boolean(false) => Ok(Some(None)),
        DeValue::String(path) if !path.is_empty() => {
            Ok(Some(Some(CaFile { path: place.resolve(&path), written: path.into_owned(), place })))
        }
        _ => Err(place.refuse("it is neither the path of a file nor false").with_help(r#"write ca_file = "PATH""#)),
    }
}

/// The URL with its scheme: as in the environment's variables, one that is left out is http.
fn check(url: &str) -> Result<String, &'static str> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = url.parse().map_err(|_| "it is not a URL such as http://proxy.example.com:3128")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("its scheme is neither http nor https");
    }
    let host = uri.host().unwrap_or_default();
    let after_user = uri.authority().map_or("", |it| it.as_str().rsplit('@').next().unwrap_or_default());
    let has_port = after_user.len() > host.len();
    if host.is_empty() || (has_port && uri.port_u16().is_none_or(|port| port == 0)) {
        return Err("its host or port is not valid");
    }
    if !uri.path().trim_matches('/').is_empty() || uri.query().is_some() {
        return Err("it has more than a host and a port");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_with_or_without_scheme_port_and_user() {
        for (url, kept) in [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
            ("https://proxy.example.com", "https://proxy.example.com"),
            ("proxy.example.com:3128", "http://proxy.example.com:3128"),
            ("http://[::1]:3128/", "http://[::1]:3128/"),
            ("http://user:pass@127.0.0.1:3128", "http://user:pass@127.0.0.1:3128"),
        ] {
            assert_eq!(check(url).as_deref(), Ok(kept));
        }
    }

    /// The clients of these profiles.
    fn clients(top: &str, profiles: &[&str]) -> Vec<Arc<Mutex<Option<ReqwestClient>>>> {
        let mut text = format!("{top}\n");
        for (number, lines) in profiles.iter().enumerate() {
            let url = format!("https://{number}.example.com");
            text += &format!("[profile.p{number}]\nprovider = \"onboard\"\nbase_url = \"{url}\"\n{lines}\n");
        }
        let file = super::super::File::new(std::path::Path::new("rampauth.toml"), &text);
        let config = super::super::Config::parse(&text, file).expect("a configuration");
        config.profiles().map(|profile| Arc::clone(&profile.network.client)).collect()
    }

    #[test]
    fn profiles_that_travel_alike_share_one_client_and_others_do_not() {
        let same = [
            ("", vec!["", "", "timeout_seconds = 30", "proxy = false"]),
            ("proxy = \"http://a:1\"", vec!["", "proxy = \"a:1\""]),
            ("proxy = { env = \"A\" }", vec!["", "proxy = { env = \"A\" }"]),
            ("ca_file = \"a\"", vec!["", "ca_file = \"a\""]),
        ];
        for (top, profiles) in same {
            let clients = clients(top, &profiles);
            assert!(clients.iter().all(|client| Arc::ptr_eq(client, &clients[0])), "{top} {profiles:?}");
        }
        let each = [
            "",
            "timeout_seconds = 31",
            "proxy = \"http://a:1\"",
            "proxy = \"http://a:2\"",
            "proxy = { env = \"A\" }",
            "proxy = { file = \"A\" }",
            "ca_file = \"a\"",
            "ca_file = \"b\"",
        ];
        let clients = clients("", &each);
        for (number, client) in clients.iter().enumerate() {
            let shared = clients.iter().filter(|other| Arc::ptr_eq(client, other)).count();
            assert_eq!(shared, 1, "{}", each[number]);
        }
    }

    #[test]
    fn five_thousand_profiles_build_one_client() {
        let clients = clients("", &[""; 5_000]);
        assert_eq!(Arc::strong_count(&clients[0]), 5_000);
    }

    #[test]
    fn everything_else_is_refused() {
        let (no_url, scheme) =
            ("it is not a URL such as http://proxy.example.com:3128", "its scheme is neither http nor https");
        for (url, reason) in [
            ("http://", no_url),
            ("a proxy", no_url),
            ("http://proxy.example.com:3128\n", no_url),
            ("socks5://proxy.example.com:1080", scheme),
            ("http://proxy.example.com:0", "its host or port is not valid"),
            ("http://proxy.example.com:", "its host or port is not valid"),
            ("http://proxy.example.com:66000", "its host or port is not valid"),
            ("http://:3128", "its host or port is not valid"),
            ("http://proxy.example.com/path", "it has more than a host and a port"),
            ("http://proxy.example.com?a=b", "it has more than a host and a port"),
        ] {
            assert_eq!(check(url), Err(reason), "{url:?}");
        }
    }
}
