//! Where a measured connection goes and how.

use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::{TransportError, TransportErrorKind};

/// All that connections of one target have in common.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    pub tls: bool,
    /// A name, or an address (IPv6 without brackets).
    pub host: String,
    pub port: u16,
    pub http: HttpVersion,
    /// `http://host:port`, with user and password if it asks for them.
    pub proxy: Option<Url>,
    /// PEM file with authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Name lookup, TCP and TLS together, over all addresses.
    pub connect_timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum HttpVersion {
    #[default]
    Http1,
    Http2,
}

impl Route {
    /// The route to `url`'s origin: HTTP/1.1, no proxy, the system's trust.
    pub fn from_url(url: &Url, connect_timeout: Duration) -> Result<Self, TransportError> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            scheme => {
                return Err(unusable(&format!(
                    "The address starts with “{scheme}”: use http or https"
                )));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(unusable("The address has no host")),
        };
        Ok(Self {
            tls,
            host,
            port: url
                .port_or_known_default()
                .unwrap_or(if tls { 443 } else { 80 }),
            http: HttpVersion::Http1,
            proxy: None,
            ca_file: None,
            insecure: false,
            connect_timeout,
        })
    }

    /// `host:port`, IPv6 in brackets: what CONNECT asks for.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// As the `host` header has it: without the scheme's own port.
    pub fn host_header(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.bracketed_host()
        } else {
            self.authority()
        }
    }

    /// Scheme, host and port: what a key is bound to. `https://example.org`, `http://[::1]:8000`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.host_header())
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// Requests go to the proxy itself, naming the whole address; with TLS or HTTP/2 it only passes bytes on.
    pub(super) fn is_forwarded(&self) -> bool {
        self.proxy.is_some() && !self.tls && self.http == HttpVersion::Http1
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

fn unusable(message: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Client, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, origin: &str, authority: &str) {
        let route = Route::from_url(&Url::parse(url).unwrap(), Duration::ZERO).unwrap();
        assert_eq!(route.origin(), origin);
        assert_eq!(route.authority(), authority);
    }

    #[test]
    fn origins_are_what_a_url_says() {
        check(
            "https://Example.org/v1?x=1",
            "https://example.org",
            "example.org:443",
        );
        check("http://[::1]:8000/v1", "http://[::1]:8000", "[::1]:8000");
        check("http://10.0.0.1", "http://10.0.0.1", "10.0.0.1:80");
        check("http://a.test:443", "http://a.test:443", "a.test:443");
    }

    #[test]
    fn other_schemes_are_refused() {
        let url = Url::parse("ftp://a.test/").unwrap();
        let error = Route::from_url(&url, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Client);
    }
}
