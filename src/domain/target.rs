//! What is measured and how it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Template;

/// What is measured: an address, the wire it speaks, and how to reach it. Holds a key *reference*, never a key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// As the person gave it: a base URL with or without `/v1`, a full route, or `owner/name` of a Space.
    pub url: String,
    #[serde(default)]
    pub protocol: Protocol,
    /// None means the first that the server lists; for `http` there is then none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Gradio: the named endpoint, as `/chat`; none means `/chat` or `/predict` where it streams and takes text, else the
    /// first that is public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_name: Option<String>,
    #[serde(default)]
    pub gradio_mode: GradioMode,
    /// Ask for a stream; `false` measures the one-shot answer.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Sent with every call. A value that holds a secret belongs into `key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub key: KeyRef,
    #[serde(default)]
    pub http: HttpVersion,
    #[serde(default)]
    pub connections: Connections,
    /// PEM file with the certificate authority to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate. The run wears a badge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// `http://host:port`; the environment's proxies are never used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How the endpoint is asked; only with [`Protocol::Http`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
}

fn yes() -> bool {
    true
}

impl Target {
    /// Everything else at its default.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            protocol: Protocol::Auto,
            model: None,
            api_name: None,
            gradio_mode: GradioMode::Queue,
            stream: true,
            headers: BTreeMap::new(),
            key: KeyRef::None,
            http: HttpVersion::Http1,
            connections: Connections::Keep,
            ca_file: None,
            insecure: false,
            proxy: None,
            timeouts: Timeouts::default(),
            template: None,
        }
    }
}

/// The wire that is spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Found out from the address and the server's answers before the run.
    #[default]
    Auto,
    Gradio,
    #[serde(rename = "openai-chat")]
    OpenAiChat,
    #[serde(rename = "openai-completions")]
    OpenAiCompletions,
    /// `/v1/responses`.
    #[serde(rename = "openai-responses")]
    OpenAiResponses,
    /// Text Generation Inference's own: `/generate_stream` and `/generate`.
    Tgi,
    /// Ollama's own: `/api/chat` and `/api/generate`.
    Ollama,
    /// Any endpoint, as the target's template says.
    Http,
}

impl Protocol {
    pub const ALL: [Self; 8] = [
        Self::Auto,
        Self::Gradio,
        Self::OpenAiChat,
        Self::OpenAiCompletions,
        Self::OpenAiResponses,
        Self::Tgi,
        Self::Ollama,
        Self::Http,
    ];

    /// As in a plan and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gradio => "gradio",
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiCompletions => "openai-completions",
            Self::OpenAiResponses => "openai-responses",
            Self::Tgi => "tgi",
            Self::Ollama => "ollama",
            Self::Http => "http",
        }
    }

    /// As in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Auto => "Detect",
            Self::Gradio => "Gradio",
            Self::OpenAiChat => "OpenAI chat",
            Self::OpenAiCompletions => "OpenAI completions",
            Self::OpenAiResponses => "OpenAI responses",
            Self::Tgi => "TGI",
            Self::Ollama => "Ollama",
            Self::Http => "Any HTTP",
        }
    }

    /// The protocol with that id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.id() == id)
    }

    pub fn is_openai(self) -> bool {
        matches!(
            self,
            Self::OpenAiChat | Self::OpenAiCompletions | Self::OpenAiResponses
        )
    }
}

/// Which of Gradio's two wires is used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradioMode {
    /// `queue/join` and one event stream, as the browser does: rank, ETA and queue wait are seen.
    #[default]
    Queue,
    /// POST and GET of `/call`, as curl users do: waiting is only silence.
    Call,
}

/// Where the key is; the key itself is never stored in a plan or a run.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum KeyRef {
    #[default]
    None,
    /// An environment variable of this process.
    Env { name: String },
    /// The system's keyring, under the target's origin.
    Keyring,
    /// Typed by the person and kept in memory only.
    Session,
}

impl KeyRef {
    /// For a person: where the key comes from, never the key; `None` when there is none.
    pub fn said(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Env { name } => Some(format!("the key in the environment variable “{name}”")),
            Self::Keyring => Some("the key in the system's keyring".to_owned()),
            Self::Session => Some("the key typed in this session".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum HttpVersion {
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    #[serde(rename = "2")]
    Http2,
}

/// How users treat their connections.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// One per user, opened before the stage starts.
    #[default]
    Keep,
    /// A new one for every request; connecting counts.
    New,
}

/// Seconds after which a request fails; each its own failure kind.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS together.
    pub connect_secs: f64,
    /// From the request's last byte to the answer's first; prefill may be long.
    pub first_byte_secs: f64,
    /// Without any byte in a stream.
    pub idle_secs: f64,
    /// Without a token in a stream that has begun, though heartbeats come.
    pub token_stall_secs: f64,
    /// The whole request.
    pub total_secs: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_secs: 10.0,
            first_byte_secs: 300.0,
            idle_secs: 120.0,
            token_stall_secs: 300.0,
            total_secs: 600.0,
        }
    }
}

/// Whether a host name or address is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl Target {
    /// The host of the address, as far as it can be read without asking anybody; `None` for a Space's name.
    pub fn host(&self) -> Option<String> {
        let text = self.url.trim();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => host.split(':').next()?,
        };
        let is_space = !text.contains("://")
            && !host.contains('.')
            && host != "localhost"
            && text.contains('/');
        (!host.is_empty() && !is_space).then(|| host.to_owned())
    }

    /// A key could go over plain http to another machine (an address without a scheme counts); the person is asked first.
    pub fn sends_key_in_clear(&self) -> bool {
        let plain = !self.url.trim().starts_with("https://") && self.host().is_some();
        plain && self.key != KeyRef::None && !self.host().is_some_and(|host| is_loopback(&host))
    }

    /// The target is this machine.
    pub fn is_local(&self) -> bool {
        self.host().is_some_and(|host| is_loopback(&host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_off_any_shape_of_address() {
        let host = |url| Target::at(url).host();
        assert_eq!(
            host("http://127.0.0.1:8000/v1").as_deref(),
            Some("127.0.0.1")
        );
        assert_eq!(host("http://[::1]:80/").as_deref(), Some("::1"));
        assert_eq!(host("localhost:8000").as_deref(), Some("localhost"));
        assert_eq!(
            host("api.example.com/v1").as_deref(),
            Some("api.example.com")
        );
        assert_eq!(host("owner/name"), None);
    }

    #[test]
    fn only_a_key_on_plain_http_to_another_machine_is_in_clear() {
        let with_key = |url| Target {
            key: KeyRef::Session,
            ..Target::at(url)
        };
        assert!(with_key("http://10.0.0.1:8000").sends_key_in_clear());
        assert!(!with_key("http://127.0.0.1:8000").sends_key_in_clear());
        assert!(!with_key("https://api.example.com").sends_key_in_clear());
        assert!(!Target::at("http://10.0.0.1:8000").sends_key_in_clear());
    }
}
