//! What can go wrong between us and a server, in classes that map one to one onto the failure classes of a run file.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

/// A call that got no usable answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    pub kind: TransportErrorKind,
    /// What the system or the peer said; holds no secret and no URL's query.
    pub message: String,
}

/// The classes of transport failure.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TransportErrorKind {
    Dns,
    Connect,
    Tls,
    TimeoutConnect,
    TimeoutFirstByte,
    TimeoutIdle,
    TimeoutTotal,
    /// A kept connection that the server closed after the request was written and before a byte of answer.
    StaleConnection,
    Reset,
    /// The peer closed before the answer was whole.
    Truncated,
    /// Bytes that are not HTTP, or HTTP that breaks its own rules.
    Protocol,
    /// This machine ran out of ports, descriptors or memory, or a local file or setting is unusable.
    Client,
}

impl TransportError {
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The error's own class where its chain of causes tells one, else `otherwise`.
    pub(super) fn from_chain(
        what: &str,
        error: &(dyn Error + 'static),
        otherwise: TransportErrorKind,
    ) -> Self {
        let kind = kind_from_chain(error).unwrap_or(otherwise);
        Self::new(kind, message_from_chain(what, error))
    }
}

/// Looks for the deepest cause that we know.
fn kind_from_chain(error: &(dyn Error + 'static)) -> Option<TransportErrorKind> {
    let mut found = None;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return Some(TransportErrorKind::Tls);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = kind_from_io(io).or(found);
            // An io::Error's source is its inner error's source: the inner error itself must be looked at by hand.
            if let Some(inner) = io.get_ref() {
                cause = Some(inner);
                continue;
            }
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            found = kind_from_hyper(hyper).or(found);
        }
        cause = error.source();
    }
    found
}

fn kind_from_hyper(error: &hyper::Error) -> Option<TransportErrorKind> {
    if error.is_parse() {
        Some(TransportErrorKind::Protocol)
    } else if error.is_incomplete_message() || error.is_body_write_aborted() {
        Some(TransportErrorKind::Truncated)
    } else {
        kind_from_http2(error)
    }
}

/// HTTP/2's errors are another crate's; their texts tell what came from the peer and what from the socket.
fn kind_from_http2(error: &hyper::Error) -> Option<TransportErrorKind> {
    let text = error.source()?.to_string();
    if text.contains("broken pipe") || text.contains("unexpected end of file") {
        Some(TransportErrorKind::Truncated)
    } else if text.contains("error received") || text.contains("reset by peer") {
        Some(TransportErrorKind::Reset)
    } else {
        None
    }
}

/// The class of a system error, where it has one of its own.
pub(super) fn kind_from_io(error: &io::Error) -> Option<TransportErrorKind> {
    if is_client_limit(error) {
        return Some(TransportErrorKind::Client);
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Some(TransportErrorKind::Reset),
        io::ErrorKind::UnexpectedEof => Some(TransportErrorKind::Truncated),
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Some(TransportErrorKind::Connect),
        io::ErrorKind::TimedOut => Some(TransportErrorKind::TimeoutConnect),
        _ => None,
    }
}

/// Out of ports, descriptors, buffers or memory.
fn is_client_limit(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        use nix::errno::Errno;
        if matches!(
            Errno::from_raw(code),
            Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::EADDRNOTAVAIL
        ) {
            return true;
        }
    }
    // WSAEMFILE, WSAENOBUFS.
    #[cfg(windows)]
    if matches!(error.raw_os_error(), Some(10024 | 10055)) {
        return true;
    }
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory
    )
}

/// What libraries wrap a cause into.
const HOLLOW: [&str; 7] = [
    "error sending request",
    "dns error",
    "error resolving DNS",
    "client error (",
    "tcp connect error",
    "error trying to connect",
    "connection error",
];

/// What the resolver said, without that it was a lookup: the sentence before says that.
pub(super) fn without_lookup(cause: &str) -> &str {
    let lookup = "failed to lookup address information: ";
    cause.strip_prefix(lookup).unwrap_or(cause)
}

/// `what: cause: deeper cause`, without repeating what a cause already quotes of the next. Wrappers that say nothing are left
/// out.
pub(super) fn message_from_chain(what: &str, error: &(dyn Error + 'static)) -> String {
    let mut message = what.to_owned();
    let mut last = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        let text = text.trim_end_matches('.');
        // The number says nothing to a person that the words before it do not.
        let text = without_lookup(text.split(" (os error ").next().unwrap_or(text));
        let is_hollow = error.source().is_some() && HOLLOW.iter().any(|h| text.starts_with(h));
        if !text.is_empty() && !is_hollow && !last.contains(text) {
            // Writing to a String cannot fail.
            write!(message, ": {text}").ok();
            text.clone_into(&mut last);
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Wrapper(&'static str, #[source] Box<dyn Error + Send + Sync>);

    #[test]
    fn a_chain_is_told_by_what_it_says() {
        let refused = io::Error::from_raw_os_error(13);
        let inner = Wrapper("tcp connect error", Box::new(refused));
        let inner = Wrapper("client error (Connect)", Box::new(inner));
        let chain = Wrapper("error sending request", Box::new(inner));
        let message = message_from_chain("No connection to “h”", &chain);
        assert!(message.starts_with("No connection to “h”: "), "{message}");
        for hollow in ["error", "(", "13"] {
            assert!(!message.contains(hollow), "{message}");
        }
        let lookup = io::Error::other("failed to lookup address information: Name not known");
        let chain = Wrapper("error resolving DNS", Box::new(lookup));
        let chain = Wrapper("dns error", Box::new(chain));
        assert_eq!(
            message_from_chain("No “h”", &chain),
            "No “h”: Name not known"
        );
        let alone = io::Error::other("connection error");
        assert_eq!(message_from_chain("x", &alone), "x: connection error");
    }

    #[test]
    fn a_reset_is_told_from_a_refusal_and_from_our_own_limits() {
        let kind = |kind| kind_from_io(&io::Error::from(kind));
        assert_eq!(
            kind(io::ErrorKind::ConnectionReset),
            Some(TransportErrorKind::Reset)
        );
        assert_eq!(
            kind(io::ErrorKind::ConnectionRefused),
            Some(TransportErrorKind::Connect)
        );
        assert_eq!(
            kind(io::ErrorKind::AddrNotAvailable),
            Some(TransportErrorKind::Client)
        );
        assert_eq!(kind(io::ErrorKind::PermissionDenied), None);
    }

    #[cfg(unix)]
    #[test]
    fn out_of_descriptors_is_the_clients_fault() {
        for code in [
            nix::errno::Errno::EMFILE,
            nix::errno::Errno::ENFILE,
            nix::errno::Errno::EADDRNOTAVAIL,
            nix::errno::Errno::ENOBUFS,
        ] {
            let error = io::Error::from_raw_os_error(code as i32);
            assert_eq!(kind_from_io(&error), Some(TransportErrorKind::Client));
        }
    }

    #[test]
    fn a_tls_error_is_found_inside_an_io_error() {
        let inner = rustls::Error::HandshakeNotComplete;
        let error = io::Error::new(io::ErrorKind::InvalidData, inner);
        let error = TransportError::from_chain("TLS failed", &error, TransportErrorKind::Connect);
        assert_eq!(error.kind, TransportErrorKind::Tls);
        assert_eq!(
            error.message, "TLS failed: handshake not complete",
            "the cause is said once"
        );
    }
}
