//! What is wrong with a target: its address, headers, key and template.

use super::super::{Issue, KeyRef, Protocol, Slot, Target, Timeouts};
use super::{Found, Zero};

impl Target {
    /// The issues of the target alone, for a test request.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Found(Vec::new());
        self.check_into(&mut found);
        found.0
    }

    pub(super) fn check_into(&self, found: &mut Found) {
        if let Some(message) = url_issue(&self.url) {
            found.add("target.url", message);
        }
        for (field, text) in [
            ("target.model", &self.model),
            ("target.api_name", &self.api_name),
        ] {
            if text.as_deref().is_some_and(|t| t.trim().is_empty()) {
                found.add(field, "is empty: name one, or leave the field out");
            }
        }
        for (name, value) in &self.headers {
            if let Some(message) = header_issue(name, value) {
                found.add(format!("target.headers.{name}"), message);
            }
        }
        if let KeyRef::Env { name } = &self.key
            && let Some(message) = env_name_issue(name)
        {
            found.add("target.key.name", message);
        }
        if self
            .ca_file
            .as_ref()
            .is_some_and(|p| p.as_os_str().is_empty())
        {
            found.add(
                "target.ca_file",
                "is empty: name a PEM file, or leave the field out",
            );
        }
        if let Some(proxy) = &self.proxy
            && let Some(message) = proxy_issue(proxy)
        {
            found.add("target.proxy", message);
        }
        self.timeouts.check_into(found);
        if self.protocol == Protocol::Http {
            self.check_template(found);
        }
    }

    fn check_template(&self, found: &mut Found) {
        let Some(template) = &self.template else {
            let message = "is missing: the protocol “http” needs to know how the endpoint is asked";
            return found.add("target.template", message);
        };
        found.0.extend(template.check());
        if self.model.is_none() && template.has_slot(Slot::Model) {
            let message = "is missing: the template has the slot {{model}}";
            found.add("target.model", message);
        }
    }
}

impl Timeouts {
    pub(super) fn check_into(&self, found: &mut Found) {
        for (field, secs) in [
            ("target.timeouts.connect_secs", self.connect_secs),
            ("target.timeouts.first_byte_secs", self.first_byte_secs),
            ("target.timeouts.idle_secs", self.idle_secs),
            ("target.timeouts.token_stall_secs", self.token_stall_secs),
            ("target.timeouts.total_secs", self.total_secs),
        ] {
            found.secs(field, secs, Zero::Refused);
        }
    }
}

fn url_issue(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return Some(
            "is empty: paste the server's address, as in http://127.0.0.1:8000/v1, or the owner/name of a Space"
                .to_owned(),
        );
    }
    if is_space_name(text) {
        return None;
    }
    // `localhost:8000` is an address to everybody; which scheme it means is for the protocol layer to say.
    let has_scheme = text.contains("://");
    let parsed = if has_scheme {
        url::Url::parse(text)
    } else {
        url::Url::parse(&format!("http://{text}"))
    };
    let url = match parsed {
        Ok(url) => url,
        Err(e) => {
            return Some(format!(
                "“{text}” is neither an address ({e}) nor the owner/name of a Space: write http://host:port"
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(format!(
            "“{}” is not spoken: use http or https",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            "holds a user name or password, which a plan never holds: remove it and name the key with target.key"
                .to_owned(),
        );
    }
    let secret = url.query_pairs().find(|(name, _)| is_secret_name(name));
    secret.map(|(name, _)| {
        format!(
            "“{name}” looks like a secret, which a plan never holds: remove it and name the key with target.key"
        )
    })
}

/// `owner/name`: one slash, and only what the Hub allows in names.
fn is_space_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let is_host = |owner: &str| owner == "localhost" || owner.contains('.');
    text.split_once('/')
        .is_some_and(|(owner, name)| is_part(owner) && is_part(name) && !is_host(owner))
}

/// Headers that the transport writes by itself.
const OWN_HEADERS: [&str; 5] = [
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
];

fn header_issue(name: &str, value: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some(format!(
            "“{name}” is not a header name: letters, digits and hyphens"
        ));
    }
    if is_secret_name(&lower) || looks_like_secret(value) {
        return Some(
            "looks like a secret, which a plan never holds: remove it and name the key with target.key, as in key = { source = \"env\", name = \"HF_TOKEN\" }"
                .to_owned(),
        );
    }
    if OWN_HEADERS.contains(&lower.as_str()) {
        return Some(format!(
            "“{name}” is set by the connection itself: remove it"
        ));
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Some("holds a line break or control character: write it in one line".to_owned());
    }
    None
}

/// A header or query parameter whose value is a secret, by its name.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    const WHOLE: [&str; 10] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "key",
        "auth",
        "sig",
        "signature",
        "token",
        "password",
    ];
    const ENDS: [&str; 6] = [
        "api-key",
        "apikey",
        "-token",
        "-secret",
        "-password",
        "-auth-key",
    ];
    WHOLE.contains(&name.as_str()) || name == "secret" || ENDS.iter().any(|end| name.ends_with(end))
}

/// A value that can only be a key: known prefixes with a long tail, or a bearer.
pub fn looks_like_secret(value: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "hf_", "sk-", "gsk_", "nvapi-", "ghp_", "glpat-", "AIza", "xoxb-",
    ];
    let value = value.trim();
    let bare = value
        .strip_prefix("Bearer ")
        .or_else(|| value.strip_prefix("bearer "));
    bare.is_some_and(|b| b.trim().len() >= 4)
        || (value.len() >= 16 && PREFIXES.iter().any(|p| value.starts_with(p)))
}

fn env_name_issue(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some(
            "is empty: name the environment variable that holds the key, as in HF_TOKEN".to_owned(),
        );
    }
    if looks_like_secret(name) {
        return Some(
            "looks like the key itself: put the key into an environment variable and write that variable's name here"
                .to_owned(),
        );
    }
    if name.contains(['=', '\0', '$', ' ']) {
        return Some(format!(
            "“{name}” is not the name of an environment variable: write it bare, as in HF_TOKEN"
        ));
    }
    None
}

fn proxy_issue(proxy: &str) -> Option<String> {
    let fix = "write http://host:port";
    match url::Url::parse(proxy.trim()) {
        Ok(url) if url.scheme() != "http" => Some(format!("“{proxy}” is not an http proxy: {fix}")),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Some(format!(
            "holds a user name or password, which a plan never holds: {fix}"
        )),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => {
            Some(format!("“{proxy}” names no host: {fix}"))
        }
        Ok(_) => None,
        Err(e) => Some(format!("“{proxy}” is not an address ({e}): {fix}")),
    }
}
