//! Where a request would go: this machine or another, in the clear or not. Decides what is asked before a start.

use crate::domain::{Plan, StageEnd, Target};

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

/// What a start would send: the number where the plan says it; else the most that one request a second and user would come to.
pub(crate) fn is_big(plan: &Plan) -> bool {
    if let Some(n) = plan.n_requests() {
        return n > MANY_REQUESTS;
    }
    let of_stage = |stage: &crate::domain::Stage| match stage.end {
        StageEnd::DurationSecs(secs) => secs * f64::from(stage.load.max_in_flight()),
        _ => stage.n_requests().unwrap_or(0) as f64,
    };
    plan.stages.iter().map(of_stage).sum::<f64>() > MANY_REQUESTS as f64
}
