//! Which server it is, guessed from what it says unasked and from one cheap call that does not generate.

use http::HeaderMap;
use http::header::SERVER;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::domain::Protocol;
use crate::transport::Control;

/// One entry of `/v1/models`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Model {
    pub id: String,
    #[serde(default)]
    pub owned_by: Option<String>,
}

/// `{"data":[{"id":…}]}`, or a bare list as some proxies answer.
pub(super) fn models_in(body: &[u8]) -> Option<Vec<Model>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = match &value {
        Value::Array(list) => list,
        Value::Object(map) => map.get("data")?.as_array()?,
        _ => return None,
    };
    Some(
        list.iter()
            .filter_map(|entry| Model::deserialize(entry).ok())
            .collect(),
    )
}

/// A server that we know by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    LlamaCpp,
    Vllm,
    Sglang,
    Tgi,
    Ollama,
    LmStudio,
    OpenAi,
}

impl Kind {
    pub(super) fn guess(headers: &HeaderMap, models: &[Model]) -> Option<Self> {
        let server = headers.get(SERVER).and_then(|value| value.to_str().ok());
        if server.is_some_and(|server| server.to_ascii_lowercase().contains("llama.cpp")) {
            return Some(Self::LlamaCpp);
        }
        let first = models.first()?;
        match first.owned_by.as_deref()? {
            "llamacpp" => Some(Self::LlamaCpp),
            "vllm" => Some(Self::Vllm),
            "sglang" => Some(Self::Sglang),
            "library" => Some(Self::Ollama),
            "organization_owner" => Some(Self::LmStudio),
            "openai" | "system" | "openai-internal" => Some(Self::OpenAi),
            // Text Generation Inference puts the model's id there.
            owner if owner == first.id => Some(Self::Tgi),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Tgi => "TGI",
            Self::Ollama => "Ollama",
            Self::LmStudio => "LM Studio",
            Self::OpenAi => "OpenAI",
        }
    }

    /// The wire of its own that it speaks too.
    pub(super) fn native(self) -> Option<Protocol> {
        match self {
            Self::Tgi => Some(Protocol::Tgi),
            Self::Ollama => Some(Protocol::Ollama),
            _ => None,
        }
    }

    /// Whether it goes on to a given length when asked to. OpenAI refuses unknown fields, the others pass over them.
    pub(super) fn takes_ignore_eos(self) -> bool {
        matches!(self, Self::LlamaCpp | Self::Vllm | Self::Sglang)
    }

    /// It serves its one model whatever name is asked, or none.
    pub(super) fn ignores_model(self) -> bool {
        matches!(self, Self::LlamaCpp)
    }

    /// Route and JSON pointer of its version.
    fn version_at(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LlamaCpp => Some(("/props", "/build_info")),
            Self::Vllm => Some(("/version", "/version")),
            Self::Sglang => Some(("/get_server_info", "/version")),
            Self::Tgi => Some(("/info", "/version")),
            Self::Ollama => Some(("/api/version", "/version")),
            Self::LmStudio | Self::OpenAi => None,
        }
    }

    /// What the server says its version is; not knowing is no error.
    pub(super) async fn version(self, origin: &Url, control: &Control) -> Option<String> {
        let (route, pointer) = self.version_at()?;
        let answer = control.get(&origin.join(route).ok()?).await.ok()?;
        if !answer.is_success() {
            return None;
        }
        let value: Value = serde_json::from_slice(&answer.body).ok()?;
        let version = value.pointer(pointer)?.as_str()?.trim();
        let is_plain = !version.is_empty() && version.len() <= 64 && !version.contains("unknown");
        is_plain.then(|| version.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn servers_are_known_by_what_they_say() {
        let mut headers = HeaderMap::new();
        let models = |owner: &str| {
            let body = format!(r#"{{"object":"list","data":[{{"id":"m","owned_by":"{owner}"}}]}}"#);
            models_in(body.as_bytes()).unwrap()
        };
        assert_eq!(Kind::guess(&headers, &models("vllm")), Some(Kind::Vllm));
        assert_eq!(Kind::guess(&headers, &models("m")), Some(Kind::Tgi));
        assert_eq!(Kind::guess(&headers, &models("acme")), None);
        assert_eq!(Kind::guess(&headers, &[]), None);
        headers.insert(SERVER, HeaderValue::from_static("llama.cpp"));
        assert_eq!(Kind::guess(&headers, &[]), Some(Kind::LlamaCpp));
    }

    #[test]
    fn a_list_of_models_may_be_bare_and_hold_junk() {
        assert_eq!(models_in(br#"[{"id":"a"},{"x":1},7]"#).unwrap().len(), 1);
        assert_eq!(models_in(br#"{"data":[]}"#), Some(Vec::new()));
        assert_eq!(models_in(b"Internal Server Error"), None);
        assert_eq!(models_in(br#"{"detail":"no"}"#), None);
    }
}
