//! Where a provider is: https, or plain http on this machine alone.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};

use crate::Error;

const ACTION: &str = "read the base URL";

/// The address that a provider's paths are appended to: `https://host[:port][/prefix]`, or the same with `http` where
/// the host is `localhost`, `[::1]` or in `127.0.0.0/8`.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    scheme: Scheme,
    authority: Authority,
    /// What stands before a call's path, without a slash at its end.
    prefix: String,
}

impl BaseUrl {
    /// Checks and takes a base URL. A path is kept as a prefix; a slash at its end makes no difference.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for any other scheme, for http to another machine, and for a
    /// user, a query or a fragment. The error does not repeat the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |reason: &'static str| Err(Error::config(ACTION, reason));
        // `Uri` drops a fragment without a word.
        if url.contains('#') {
            return refuse("it has a fragment (`#…`); leave that out");
        }
        let Ok(uri) = url.parse::<Uri>() else {
            return refuse("it is not a URL such as https://api.example.com");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return refuse("it is not a URL such as https://api.example.com");
        };
        if authority.as_str().contains('@') {
            return refuse("it holds a user name or password; leave that out");
        }
        if uri.query().is_some() {
            return refuse("it has a query (`?…`); leave that out");
        }
        let host = authority.host();
        // What stands between host and port is let through by the parser: `[::1]evil.example:80`.
        let rest = &authority.as_str()[host.len()..];
        let port = rest.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        let is_port = port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0);
        // So is anything between brackets.
        let is_host = !host.is_empty() && (!host.contains(['[', ']']) || in_brackets(host).is_some());
        if !(is_host && (rest.is_empty() || is_port)) {
            return refuse("its host or port is not valid");
        }
        if *scheme == Scheme::HTTP && !is_loopback(host) {
            return refuse("plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https");
        }
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return refuse("its scheme is neither https nor http");
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let text = format!("{scheme}://{authority}{prefix}");
        Ok(Self { text, scheme: scheme.clone(), authority: authority.clone(), prefix })
    }

    /// The URL of a path below this one; `path` starts with a slash.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the two make no URL.
    pub fn join(&self, path: &str) -> Result<Uri, Error> {
        let no_url = || Error::config(ACTION, "it makes no URL with the call's path");
        // Put together of its parts: parsing all of it anew is a good part of what building a request costs.
        let path = match self.prefix.as_str() {
            "" => PathAndQuery::try_from(path),
            prefix => PathAndQuery::try_from([prefix, path].concat()),
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.map_err(|_| no_url())?);
        Uri::from_parts(parts).map_err(|_| no_url())
    }

    /// The URL as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.text)
    }
}

/// Whether a host, as it stands in a URL, names this machine whatever a resolver says.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || in_brackets(host).is_some_and(|address| address.is_loopback())
}

/// The IPv6 address that the host is. One with a zone is none here: zones are of no use on the way to a provider.
fn in_brackets(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_at_home() {
        for (url, kept) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com:8443/pay/v1/", "https://api.example.com:8443/pay/v1"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
            ("http://127.9.8.7", "http://127.9.8.7"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("http://LocalHost:1/x", "http://LocalHost:1/x"),
            ("http://127.0.0.0", "http://127.0.0.0"),
            ("http://127.255.255.255:65535", "http://127.255.255.255:65535"),
            ("http://[0:0:0:0:0:0:0:1]:1", "http://[0:0:0:0:0:0:0:1]:1"),
            ("https://[2001:db8::1]:443/x", "https://[2001:db8::1]:443/x"),
        ] {
            let base = BaseUrl::parse(url).expect(url);
            assert_eq!(base.as_str(), kept);
            assert_eq!(base.join("/a/b").expect("a URL").to_string(), format!("{kept}/a/b"));
        }
    }

    const NO_URL: &str = "it is not a URL such as https://api.example.com";
    const NO_HOST: &str = "its host or port is not valid";
    const PLAIN: &str = "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https";
    const USER: &str = "it holds a user name or password; leave that out";

    #[test]
    fn everything_else_is_refused_by_name() {
        for (url, reason) in [
            ("", "it is not a URL such as https://api.example.com"),
            ("api.example.com", "it is not a URL such as https://api.example.com"),
            ("/path", "it is not a URL such as https://api.example.com"),
            ("ftp://example.com", "its scheme is neither https nor http"),
            ("http://example.com", "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https"),
            (
                "http://127.0.0.1.evil.com",
                "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https",
            ),
            ("http://[::2]", "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https"),
            ("http://0.0.0.0", "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https"),
            ("http://localhost@evil.com", "it holds a user name or password; leave that out"),
            ("https://user:secret@example.com", "it holds a user name or password; leave that out"),
            ("https://example.com/?a=b", "it has a query (`?…`); leave that out"),
            ("https://example.com/#x", "it has a fragment (`#…`); leave that out"),
            ("https://example.com:99999", "its host or port is not valid"),
            ("https://example.com:0", "its host or port is not valid"),
            ("https://example.com:", NO_HOST),
            ("https://", NO_URL),
            // What begins like this machine and is none.
            ("http://[::1]evil.example", NO_HOST),
            ("http://[::1]:80evil", NO_HOST),
            ("http://[::1].evil.example", NO_HOST),
            ("http://[::1]evil.example:80", NO_HOST),
            ("https://[::1]evil.example", NO_HOST),
            ("http://evil.example[::1]", NO_HOST),
            ("http://[::1%25eth0]", NO_HOST),
            ("http://[::1%eth0]", NO_HOST),
            ("http://[::1", NO_URL),
            ("http://[]", NO_HOST),
            ("http://[localhost]", NO_HOST),
            ("http://[127.0.0.1]", NO_HOST),
            ("http://[::ffff:127.0.0.1]", PLAIN),
            ("http://[::]", PLAIN),
            ("http://127.0.0.1.evil.example", PLAIN),
            ("http://127.0.0.1evil.example", PLAIN),
            ("http://127.0.0.1.", PLAIN),
            ("http://127.1", PLAIN),
            ("http://0x7f.0.0.1", PLAIN),
            ("http://0177.0.0.1", PLAIN),
            ("http://2130706433", PLAIN),
            ("http://126.255.255.255", PLAIN),
            ("http://128.0.0.1", PLAIN),
            ("http://localhost.evil", PLAIN),
            ("http://localhost.", PLAIN),
            ("http://evil-localhost", PLAIN),
            ("http://127.0.0.1:80@evil.example", USER),
            ("http://[::1]@evil.example", USER),
            ("http://localhost:1@evil.example:80", USER),
            ("http://@localhost", USER),
            ("http://localhost\\@evil.example", NO_URL),
            ("http://localhost%00.evil", NO_URL),
            ("http://localhost:80:80", NO_URL),
            ("http://localhost:+80", NO_HOST),
            ("http://localhost:65536", NO_HOST),
        ] {
            let error = BaseUrl::parse(url).expect_err(url);
            assert_eq!(error.to_string(), format!("failed to read the base URL: {reason}"), "{url}");
        }
    }
}
