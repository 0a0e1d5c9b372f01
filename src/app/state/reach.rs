//! Where a request would go: this machine or another, in the clear or not. Decides what is asked before a start.

use crate::app::form::Forecast;
use crate::domain::Target;

/// How far the target is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// This machine.
    Loopback,
    Elsewhere,
}

/// The host that a URL, a bare `host:port` or a Space name leads to; empty when there is none.
pub fn host_of(text: &str) -> String {
    let text = text.trim();
    if let Ok(url) = url::Url::parse(text)
        && let Some(host) = url.host_str()
    {
        return host.trim_matches(['[', ']']).to_owned();
    }
    let is_space = text.split('/').count() == 2 && !text.contains([':', '.', ' ']);
    if is_space {
        return "huggingface.co".to_owned();
    }
    let guessed = url::Url::parse(&format!("http://{text}")).ok();
    let host = guessed.and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_default().trim_matches(['[', ']']).to_owned()
}

/// The URL leads to this machine.
pub fn is_loopback(text: &str) -> bool {
    let host = host_of(text);
    if let Ok(address) = host.parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
    host == "localhost" || host.ends_with(".localhost")
}

impl Reach {
    pub fn of(url: &str) -> Self {
        if is_loopback(url) {
            Self::Loopback
        } else {
            Self::Elsewhere
        }
    }
}

/// A key would leave this machine over plain http.
pub fn sends_key_in_the_clear(target: &Target) -> bool {
    let plain = target
        .url
        .trim()
        .to_ascii_lowercase()
        .starts_with("http://");
    target.key != crate::domain::KeyRef::None && plain && !is_loopback(&target.url)
}

/// Requests above which a start is confirmed, when they go to another machine.
pub(crate) const MANY_REQUESTS: u64 = 1000;

/// More than that would be sent, or may be: see [`Forecast::bound`].
pub(crate) fn is_big(forecast: &Forecast) -> bool {
    forecast.bound > MANY_REQUESTS as f64
}
