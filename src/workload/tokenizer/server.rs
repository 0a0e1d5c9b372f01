//! The server's `/tokenize` and `/detokenize`, as vLLM, SGLang and llama.cpp have them.

use serde_json::{Value, json};
use tokio::runtime::Handle;
use url::Url;

use crate::transport::Control;

/// Where a server may be asked for tokens.
#[derive(Clone, Debug)]
pub struct TokenizeRoute {
    pub control: Control,
    /// The measured base, such as `http://127.0.0.1:8000/v1`.
    pub base: Url,
    pub model: Option<String>,
}

/// Asks a server; its calls wait, so it is used on a thread that may.
#[derive(Debug)]
pub struct ServerTokenizer {
    route: TokenizeRoute,
    runtime: Handle,
    /// Ends in `/`.
    root: Url,
}

impl ServerTokenizer {
    /// Finds the routes beside the base or below it, and tries them with a short text.
    ///
    /// # Errors
    /// In words, when the server has no such route.
    pub fn find(route: &TokenizeRoute, runtime: &Handle) -> Result<Self, String> {
        let mut said = String::new();
        for root in roots(&route.base) {
            let found = Self {
                route: route.clone(),
                runtime: runtime.clone(),
                root,
            };
            let tried = found.encode("A first word.").and_then(|t| found.decode(&t));
            match tried {
                Ok(text) if text.trim() == "A first word." => return Ok(found),
                Ok(text) => said = format!("/detokenize gave “{text}” for “A first word.”"),
                Err(error) => said = error,
            }
        }
        Err(format!("the server has no usable /tokenize ({said})"))
    }

    pub(super) fn name(&self) -> String {
        format!("{}tokenize", self.root)
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        // vLLM and SGLang read `prompt`, llama.cpp reads `content`; each passes over the other's.
        let body = json!({
            "model": self.route.model, "prompt": text, "content": text,
            "add_special_tokens": false, "add_special": false,
        });
        let answer = self.ask("tokenize", &body)?;
        let tokens = answer.get("tokens").and_then(Value::as_array);
        let tokens = tokens.and_then(|list| list.iter().map(token).collect::<Option<Vec<u32>>>());
        tokens.ok_or_else(|| "/tokenize answered without a list of tokens".to_owned())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        let body = json!({ "model": self.route.model, "tokens": tokens });
        let answer = self.ask("detokenize", &body)?;
        let text = ["prompt", "content", "text"]
            .iter()
            .find_map(|name| answer.get(name)?.as_str());
        let text = text.ok_or_else(|| "/detokenize answered without a text".to_owned())?;
        Ok(text.to_owned())
    }

    fn ask(&self, route: &str, body: &Value) -> Result<Value, String> {
        let url = self.root.join(route).map_err(|e| e.to_string())?;
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut().filter(|_| self.route.model.is_none()) {
            fields.shift_remove("model");
        }
        let call = self.route.control.post_json(&url, body.to_string().into());
        let answer = self.runtime.block_on(call).map_err(|e| e.message)?;
        if !answer.is_success() {
            return Err(format!("POST {} answered {}", url.path(), answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|e| format!("POST {} did not answer JSON ({e})", url.path()))
    }
}

/// A number, or SGLang's list of one.
fn token(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// The base without its `/v1`, and the base itself.
fn roots(base: &Url) -> Vec<Url> {
    let path = base.path().trim_end_matches('/');
    let above = path.strip_suffix("/v1").unwrap_or(path);
    let mut paths = vec![format!("{above}/"), format!("{path}/")];
    paths.dedup();
    let with = |path: &String| {
        let mut url = base.clone();
        url.set_path(path);
        url.set_query(None);
        url
    };
    paths.iter().map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_lie_beside_the_base() {
        let of = |base: &str| {
            let roots = roots(&Url::parse(base).unwrap());
            roots.iter().map(|u| u.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of("http://h:1/v1"), ["http://h:1/", "http://h:1/v1/"]);
        assert_eq!(of("http://h:1/"), ["http://h:1/"]);
        assert_eq!(of("http://h/p/v1/?k=s"), ["http://h/p/", "http://h/p/v1/"]);
    }
}
