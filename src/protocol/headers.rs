//! The headers of a target's calls, with its secrets marked, and what an answer's headers tell.

use std::time::Duration;

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, DATE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::domain::{Failure, FailureKind, Issue, Target};
use crate::transport::{TransportError, TransportErrorKind, control};

const OUR_NAME: &str = concat!("inferometer/", env!("CARGO_PKG_VERSION"));

/// Control calls are small; they get no longer than this, however long a generation may take.
const CONTROL_TIMEOUT_SECS: f64 = 20.0;

/// The headers that every call to the target carries: ours, the bearer key, then the person's own, which win.
pub fn target_headers(
    target: &Target,
    key: Option<&SecretString>,
) -> Result<HeaderMap, Vec<Issue>> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let mut issues = Vec::new();
    if let Some(key) = key {
        match HeaderValue::try_from(format!("Bearer {}", key.expose_secret().trim())) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            Err(_) => issues.push(Issue::new(
                "target.key",
                "The key holds characters that no header can carry; copy it again without line breaks",
            )),
        }
    }
    for (name, value) in &target.headers {
        match (HeaderName::try_from(name.trim()), HeaderValue::try_from(value.trim())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(is_secret_header(&name));
                headers.insert(name, value);
            }
            (Err(_), _) => issues.push(Issue::new(
                "target.headers",
                format!("“{name}” is not a header's name; write letters, digits and “-”"),
            )),
            (_, Err(_)) => issues.push(Issue::new(
                "target.headers",
                format!("The value of the header “{name}” holds a line break or control character; remove it"),
            )),
        }
    }
    if issues.is_empty() {
        Ok(headers)
    } else {
        Err(issues)
    }
}

/// A header whose value is likely a secret: it is marked sensitive and shown masked.
pub fn is_secret_header(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains("authorization")
        || name.contains("cookie")
        || name.contains("token")
        || name.contains("secret")
        || name.ends_with("key")
}

/// How control calls reach the target.
pub fn control_options(
    target: &Target,
    key: Option<&SecretString>,
) -> Result<control::Options, Vec<Issue>> {
    let headers = target_headers(target, key)?;
    let proxy = match &target.proxy {
        None => None,
        Some(text) => Some(Url::parse(text).map_err(|error| {
            vec![Issue::new(
                "target.proxy",
                format!("“{text}” is not a proxy's address ({error}); write http://host:port"),
            )]
        })?),
    };
    let connect_timeout = Duration::try_from_secs_f64(target.timeouts.connect_secs)
        .unwrap_or(Duration::from_secs(10));
    let total_secs = target.timeouts.total_secs.clamp(0.0, CONTROL_TIMEOUT_SECS);
    let total_timeout = Duration::try_from_secs_f64(total_secs).unwrap_or(Duration::from_secs(20));
    Ok(control::Options {
        headers,
        ca_file: target.ca_file.clone(),
        insecure: target.insecure,
        proxy,
        connect_timeout,
        total_timeout,
    })
}

/// Seconds of a `Retry-After`, given as seconds or as an HTTP date (then counted from the answer's own `Date`).
pub fn retry_after_secs(headers: &HeaderMap) -> Option<f64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<f64>() {
        return (secs.is_finite() && secs >= 0.0).then_some(secs);
    }
    let at = |text: &str| {
        let time = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(time.timestamp())
    };
    let until = at(text)?;
    let now = at(headers.get(DATE)?.to_str().ok()?)?;
    Some((until.duration_since(now).as_secs_f64()).max(0.0))
}

/// A transport's error as a failure of a request, class by class.
pub fn failure_from_transport(error: &TransportError) -> Failure {
    let kind = match error.kind {
        TransportErrorKind::Dns => FailureKind::Dns,
        TransportErrorKind::Connect => FailureKind::Connect,
        TransportErrorKind::Tls => FailureKind::Tls,
        TransportErrorKind::TimeoutConnect => FailureKind::TimeoutConnect,
        TransportErrorKind::TimeoutFirstByte => FailureKind::TimeoutFirstByte,
        TransportErrorKind::TimeoutIdle => FailureKind::TimeoutIdle,
        TransportErrorKind::TimeoutTotal => FailureKind::TimeoutTotal,
        TransportErrorKind::StaleConnection => FailureKind::StaleConnection,
        TransportErrorKind::Reset => FailureKind::Reset,
        TransportErrorKind::Truncated => FailureKind::ErrorTruncated,
        TransportErrorKind::Protocol => FailureKind::Protocol,
        TransportErrorKind::Client => FailureKind::Client,
    };
    Failure::new(kind, error.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after_secs(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(retry_after_secs(&headers), Some(7.0));
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Sat, 21 Nov 2026 23:15:00 GMT"),
        );
        assert_eq!(retry_after_secs(&headers), None, "no date to count from");
        headers.insert(
            DATE,
            HeaderValue::from_static("Sat, 21 Nov 2026 23:14:30 GMT"),
        );
        assert_eq!(retry_after_secs(&headers), Some(30.0));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after_secs(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("-4"));
        assert_eq!(retry_after_secs(&headers), None);
    }

    #[test]
    fn secrets_are_marked_and_the_persons_headers_win() {
        let mut target = Target::at("http://h");
        target
            .headers
            .insert("X-Api-Key".to_owned(), "a".to_owned());
        target
            .headers
            .insert("user-agent".to_owned(), "me".to_owned());
        let key = SecretString::from("sk-canary\n");
        let headers = target_headers(&target, Some(&key)).unwrap();
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-canary");
        assert!(headers[AUTHORIZATION].is_sensitive());
        assert!(headers["x-api-key"].is_sensitive());
        assert_eq!(headers[USER_AGENT], "me");
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn every_bad_header_is_told_at_once() {
        let mut target = Target::at("http://h");
        target.headers.insert("bad name".to_owned(), "a".to_owned());
        target.headers.insert("x".to_owned(), "a\nb".to_owned());
        assert_eq!(target_headers(&target, None).unwrap_err().len(), 2);
    }
}
