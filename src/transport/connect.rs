//! Opens measured connections: name lookup, TCP (every address in turn), a proxy's tunnel, TLS.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;
use hyper::client::conn::{http1, http2};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::Url;

use super::clock::{Clock, u64_from_duration};
use super::connection::{Connection, Sender};
use super::drive::{Driver, Engine, Tasks};
use super::error::{kind_from_io, message_from_chain, without_lookup};
use super::route::{HttpVersion, Route};
use super::stamped::{Marks, Stamped, keep_stamps_on};
use super::tls::client_config;
use super::wire::Wire;
use super::{TransportError, TransportErrorKind};

/// A response head may not be longer: no honest one is.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
/// The head of a proxy's answer to CONNECT.
const MAX_TUNNEL_HEAD_BYTES: usize = 8 * 1024;

/// How long the parts of opening a connection took, and to which address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectTimes {
    /// `None`: the host is an address already.
    pub dns_ns: Option<u64>,
    /// Over all addresses that were tried, and a proxy's tunnel.
    pub tcp_ns: u64,
    pub tls_ns: Option<u64>,
    /// Offsets from the run's epoch.
    pub started_ns: u64,
    pub done_ns: u64,
    /// The one that answered, of all that the name resolved to; the proxy's, if there is one.
    pub address: SocketAddr,
}

impl ConnectTimes {
    /// All parts together.
    pub fn sum_ns(&self) -> u64 {
        self.dns_ns.unwrap_or(0) + self.tcp_ns + self.tls_ns.unwrap_or(0)
    }
}

/// Opens connections along one [`Route`].
///
/// TLS sessions are not resumed: each handshake is a whole one, so that connection times can be compared.
pub struct Connector {
    route: Route,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    proxy: Option<Proxy>,
    host_header: HeaderValue,
}

struct Proxy {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

impl Connector {
    /// Fails when the CA file, the proxy's address or the host cannot be used.
    pub fn new(route: Route) -> Result<Self, TransportError> {
        keep_stamps_on();
        let tls = route.tls.then(|| tls_from_route(&route)).transpose()?;
        let proxy = route.proxy.as_ref().map(proxy_from_url).transpose()?;
        let host_header = HeaderValue::from_str(&route.host_header())
            .map_err(|_invalid| unusable("The host cannot be sent in a header", &route.host))?;
        Ok(Self {
            route,
            tls,
            proxy,
            host_header,
        })
    }

    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Opens a connection within the route's connect timeout.
    pub async fn connect(&self, clock: &Clock) -> Result<Connection, TransportError> {
        let started = Instant::now();
        let deadline = started + self.route.connect_timeout;
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (self.route.host.as_str(), self.route.port),
        };

        let addresses = resolve(host, port, deadline).await?;
        let dns_ns = host
            .parse::<IpAddr>()
            .is_err()
            .then(|| u64_from_duration(started.elapsed()));

        let tcp_started = Instant::now();
        let (tcp, address) = connect_first(host, &addresses, deadline).await?;
        let marks = Arc::new(Marks::default());
        let mut stamped = Stamped::new(tcp, clock.clone(), Arc::clone(&marks));
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !self.route.is_forwarded()) {
            let authority = self.route.authority();
            let tunnel = open_tunnel(&mut stamped, proxy, &authority);
            within(deadline, "The proxy's tunnel", tunnel).await?;
        }
        let tcp_ns = u64_from_duration(tcp_started.elapsed());

        let tls_started = Instant::now();
        let wire = match &self.tls {
            None => Wire::Plain(stamped),
            Some((connector, name)) => {
                let handshake = self.handshake(connector, name, stamped);
                within(deadline, "The TLS handshake", handshake).await?
            }
        };
        let times = ConnectTimes {
            dns_ns,
            tcp_ns,
            tls_ns: self
                .tls
                .is_some()
                .then(|| u64_from_duration(tls_started.elapsed())),
            started_ns: clock.ns_from_instant(started),
            done_ns: clock.now_ns(),
            address,
        };
        self.open(wire, marks, times).await
    }

    async fn handshake(
        &self,
        connector: &TlsConnector,
        name: &ServerName<'static>,
        stamped: Stamped,
    ) -> Result<Wire, TransportError> {
        let tls = connector
            .connect(name.clone(), stamped)
            .await
            .map_err(|error| self.tls_error(&error))?;
        let agreed = tls.get_ref().1.alpn_protocol();
        if self.route.http == HttpVersion::Http2 && agreed != Some(b"h2") {
            return Err(TransportError::new(
                TransportErrorKind::Protocol,
                format!(
                    "The server does not offer HTTP/2: use 1.1 for “{}”",
                    self.route.host
                ),
            ));
        }
        Ok(Wire::Tls(Box::new(tls)))
    }

    /// Whatever ends a handshake is a failure of TLS, our own limits aside.
    fn tls_error(&self, error: &io::Error) -> TransportError {
        let kind = match kind_from_io(error) {
            Some(TransportErrorKind::Client) => TransportErrorKind::Client,
            _ => TransportErrorKind::Tls,
        };
        let what = format!("The TLS handshake with “{}” failed", self.route.host);
        TransportError::new(kind, message_from_chain(&what, error))
    }

    async fn open(
        &self,
        wire: Wire,
        marks: Arc<Marks>,
        times: ConnectTimes,
    ) -> Result<Connection, TransportError> {
        let refused = |error: hyper::Error| {
            TransportError::from_chain(
                "The HTTP connection cannot be set up",
                &error,
                TransportErrorKind::Protocol,
            )
        };
        let (sender, engine) = match self.route.http {
            HttpVersion::Http1 => {
                let (sender, connection) = http1::Builder::new()
                    .max_headers(MAX_HEADERS)
                    .max_header_size(MAX_HEAD_BYTES)
                    .handshake(wire)
                    .await
                    .map_err(refused)?;
                (Sender::Http1(sender), Engine::Http1(Box::new(connection)))
            }
            HttpVersion::Http2 => {
                let tasks = Tasks::default();
                let (sender, connection) = http2::Builder::new(tasks.clone())
                    .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
                    .handshake(wire)
                    .await
                    .map_err(refused)?;
                let connection = Box::new(connection);
                (Sender::Http2(sender), Engine::Http2 { connection, tasks })
            }
        };
        let driver = Driver::new(engine, Arc::clone(&marks));
        Ok(Connection::new(
            sender,
            driver,
            marks,
            times,
            self.address_form(),
        ))
    }

    /// How requests name where they go.
    fn address_form(&self) -> AddressForm {
        let prefix = match self.route.http {
            HttpVersion::Http2 => Some(self.route.origin()),
            HttpVersion::Http1 => self.route.is_forwarded().then(|| self.route.origin()),
        };
        AddressForm {
            host: (self.route.http == HttpVersion::Http1).then(|| self.host_header.clone()),
            prefix,
            proxy_authorization: self
                .proxy
                .as_ref()
                .filter(|_| self.route.is_forwarded())
                .and_then(|proxy| proxy.authorization.clone()),
        }
    }
}

/// How requests of one connection name where they go.
pub(super) struct AddressForm {
    /// The `host` header; HTTP/2 has none.
    pub(super) host: Option<HeaderValue>,
    /// Scheme and authority, where the request line holds them.
    pub(super) prefix: Option<String>,
    pub(super) proxy_authorization: Option<HeaderValue>,
}

fn tls_from_route(route: &Route) -> Result<(TlsConnector, ServerName<'static>), TransportError> {
    let alpn: &[&[u8]] = match route.http {
        HttpVersion::Http1 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
    };
    let mut config = client_config(route.ca_file.as_deref(), route.insecure, alpn)?;
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::try_from(route.host.clone()).map_err(|_invalid| {
        unusable(
            "The host is no name that a certificate can have",
            &route.host,
        )
    })?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn proxy_from_url(url: &Url) -> Result<Proxy, TransportError> {
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "http" || host.is_empty() {
        return Err(TransportError::new(
            TransportErrorKind::Client,
            "The proxy's address must be http://host:port",
        ));
    }
    let authorization = (!url.username().is_empty())
        .then(|| {
            let decode = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
            let mut login = decode(url.username());
            login.push(b':');
            login.extend(decode(url.password().unwrap_or_default()));
            let value = HeaderValue::from_str(&format!("Basic {}", base64(&login)));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        })
        .transpose()
        .map_err(|_invalid| unusable("The proxy's password cannot be sent to it", host))?;
    Ok(Proxy {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port_or_known_default().unwrap_or(80),
        authorization,
    })
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| {
            bits << 8 | u32::from(group.get(i).copied().unwrap_or(0))
        });
        for i in 0..4 {
            let letter = LETTERS
                .get((bits >> (18 - 6 * i) & 63) as usize)
                .map_or('=', |&letter| char::from(letter));
            text.push(if i <= group.len() { letter } else { '=' });
        }
    }
    text
}

async fn within<T>(
    deadline: Instant,
    what: &str,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    timeout_at(deadline, work).await.unwrap_or_else(|_elapsed| {
        Err(TransportError::new(
            TransportErrorKind::TimeoutConnect,
            format!("{what} took too long"),
        ))
    })
}

async fn resolve(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, TransportError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let not_found = |why: &str| {
        TransportError::new(
            TransportErrorKind::Dns,
            format!("The name “{host}” was not found: {}", without_lookup(why)),
        )
    };
    let lookup = async {
        let found =
            tokio::net::lookup_host((host, port))
                .await
                .map_err(|error| match kind_from_io(&error) {
                    Some(TransportErrorKind::Client) => {
                        TransportError::new(TransportErrorKind::Client, error.to_string())
                    }
                    _ => not_found(&error.to_string()),
                })?;
        Ok(found.collect::<Vec<_>>())
    };
    let addresses = within(deadline, &format!("Looking up “{host}”"), lookup).await?;
    if addresses.is_empty() {
        return Err(not_found("it has no address"));
    }
    Ok(addresses)
}

/// The first address that answers. Each gets an equal share of what is left of the time, so that a dead first one
/// leaves some for the next.
async fn connect_first(
    host: &str,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), TransportError> {
    let mut last = TransportError::new(
        TransportErrorKind::Connect,
        format!("No address of “{host}” answered"),
    );
    for (i, &address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let n_left = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let until = now + deadline.saturating_duration_since(now) / n_left.max(1);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Without it a small request may wait for the answer to the one before.
                tcp.set_nodelay(true).ok();
                return Ok((tcp, address));
            }
            Ok(Err(error)) => {
                let kind = match kind_from_io(&error) {
                    Some(
                        kind @ (TransportErrorKind::Client | TransportErrorKind::TimeoutConnect),
                    ) => kind,
                    _ => TransportErrorKind::Connect,
                };
                last = TransportError::new(
                    kind,
                    message_from_chain(&format!("No connection to {address}"), &error),
                );
                if kind == TransportErrorKind::Client && !is_address_unusable(&error) {
                    // Another address would not help.
                    break;
                }
            }
            Err(_elapsed) => {
                last = TransportError::new(
                    TransportErrorKind::TimeoutConnect,
                    format!("{address} did not answer in time"),
                );
            }
        }
    }
    Err(last)
}

/// This one address (say IPv6 on a machine without it), not all of them.
fn is_address_unusable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Asks an HTTP proxy to pass bytes on to `authority` (RFC 9110, 9.3.6).
async fn open_tunnel(
    stamped: &mut Stamped,
    proxy: &Proxy,
    authority: &str,
) -> Result<(), TransportError> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let failed = |why: String| {
        TransportError::new(
            TransportErrorKind::Connect,
            format!("The proxy opened no tunnel to “{authority}”: {why}"),
        )
    };
    let broken = |error: io::Error| failed(error.to_string());
    stamped.write_all(&request).await.map_err(broken)?;
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_TUNNEL_HEAD_BYTES {
            return Err(failed("its answer is too long".to_owned()));
        }
        // Byte by byte, once a connection: nothing after the head may be taken.
        head.push(stamped.read_u8().await.map_err(broken)?);
    }
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let is_success = line.starts_with("HTTP/1.")
        && line
            .split(' ')
            .nth(1)
            .is_some_and(|status| status.len() == 3 && status.starts_with('2'));
    if is_success {
        Ok(())
    } else {
        let shown: String = line.chars().take(120).collect();
        Err(failed(format!("it answered “{shown}”")))
    }
}

fn unusable(what: &str, value: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Client, format!("{what}: “{value}”"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }

    #[test]
    fn a_proxy_is_http_and_may_have_a_password() {
        let proxy =
            proxy_from_url(&Url::parse("http://me:p%40ss@127.0.0.1:3128").unwrap()).unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("127.0.0.1", 3128));
        let sent = proxy.authorization.unwrap();
        assert_eq!(sent.to_str().unwrap(), "Basic bWU6cEBzcw==");
        assert!(sent.is_sensitive());
        for bad in ["https://p.test:1", "socks5://p.test:1"] {
            assert!(proxy_from_url(&Url::parse(bad).unwrap()).is_err());
        }
    }
}
