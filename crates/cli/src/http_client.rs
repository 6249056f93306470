//! The HTTP client of a profile: built when it is needed first, and one for all profiles that travel alike.

use std::error::Error as _;
use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rampauth_core::{
    BaseUrl, Error, HttpClient, Refresh, RefreshPolicy, ReqwestClient, TokenSet, TransportError, TransportFailure,
};

use crate::config::{CaFile, Network, Proxy};
use crate::{env, input};

/// The most that a file of CA certificates may hold, in bytes: 1 MiB. A system's whole bundle has about 220 KB.
const MAX_CA_FILE: usize = 1024 * 1024;
const PEM_BLOCK: &[u8] = b"-----BEGIN CERTIFICATE-----";

impl Network {
    /// The client. The first call builds it, which reads the system's CA certificates.
    ///
    /// # Errors
    ///
    /// When the proxy or the file of CA certificates is unusable, by its place in the configuration; and when TLS cannot be set up.
    pub(crate) fn client(&self) -> Result<ReqwestClient, Error> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let certificates = self.ca_file.as_ref().map(CaFile::read).transpose()?;
        let proxy = self.proxy.url()?;
        let build = |proxy: Option<&String>, certificates: Option<&Vec<u8>>| {
            let mut builder = ReqwestClient::builder().timeout(self.timeout);
            if let Some(url) = proxy {
                builder = builder.proxy(url);
            }
            if let Some(pem) = certificates {
                builder = builder.root_certificate(pem.clone());
            }
            builder.build()
        };
        let built = build(proxy.as_ref(), certificates.as_ref()).map_err(|error| {
            // Whatever it does not fail without is to blame.
            match (&self.ca_file, self.proxy.place()) {
                (Some(file), _) if build(proxy.as_ref(), None).is_ok() => file.no_certificates(),
                (_, Some(place)) if build(None, certificates.as_ref()).is_ok() => place.refuse_with(&error),
                _ => error,
            }
        })?;
        Ok(client.insert(built).clone())
    }

    /// What a profile whose calls go to this URL should be told when it cannot connect.
    pub(crate) fn advice(&self, base_url: &BaseUrl) -> Option<String> {
        if is_this_machine(base_url) {
            return None;
        }
        if let Some(place) = self.proxy.place() {
            return Some(format!("it was tried through the proxy of {place}"));
        }
        let variable = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            .into_iter()
            .find(|name| matches!(self.proxy, Proxy::Unset) && env::setting(name).is_some())?;
        Some(format!(
            "the proxy of {variable} is not used: to use it, write proxy = {{ env = \"{variable}\" }} in the configuration"
        ))
    }
}

#[async_trait]
impl HttpClient for Network {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let client = self.client();
        client.map_err(|error| TransportError::new(TransportFailure::Unusable).with_source(error))?.send(request).await
    }
}

impl CaFile {
    fn read(&self) -> Result<Vec<u8>, Error> {
        let bytes = match input::file(&self.path, MAX_CA_FILE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(self.place.refuse("the file that it names is longer than 1 MiB")),
            Err(error) => return Err(self.place.unreadable(&self.written).with_source(error)),
        };
        if bytes.is_empty() {
            return Err(self.place.refuse("the file that it names is empty"));
        }
        if !bytes.windows(PEM_BLOCK.len()).any(|window| window == PEM_BLOCK) {
            return Err(self.no_certificates());
        }
        Ok(bytes.to_vec())
    }

    fn no_certificates(&self) -> Error {
        let reason = "the file that it names does not hold valid CA certificates in PEM";
        self.place.refuse(reason).with_help("give a file of blocks that begin with -----BEGIN CERTIFICATE-----")
    }
}

/// A client that says more about some of its errors.
pub(crate) struct Advised {
    pub(crate) client: Box<dyn Refresh>,
    pub(crate) concerns: fn(&Error) -> bool,
    pub(crate) advice: String,
}

/// Whether no connection could be made, for a reason that a proxy could be the answer to.
pub(crate) fn is_unreachable(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<TransportError>());
    cause.is_some_and(|cause| cause.failure() == TransportFailure::Unreachable)
}

#[async_trait]
impl Refresh for Advised {
    fn policy(&self) -> &RefreshPolicy {
        self.client.policy()
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        self.client.refresh(current).await.map_err(|error| {
            if !(self.concerns)(&error) {
                return error;
            }
            let help = format!("{}; {}", error.help(), self.advice);
            error.with_help(help)
        })
    }
}

/// Where no proxy is ever used.
fn is_this_machine(base_url: &BaseUrl) -> bool {
    let Ok(uri) = base_url.join("/") else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
