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
        let mut shown = self.root.clone();
        // An address may hold a name and a password; one without a host holds neither.
        shown.set_username("").ok();
        shown.set_password(None).ok();
        format!("{shown}tokenize")
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

    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use crate::transport::Options;

    /// Answers like a server whose tokens are characters: `name` is its field for a text.
    fn serve(name: &'static str, n_calls: usize) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://u:canary@{}/v1", listener.local_addr().unwrap());
        let answer = move |path: &str, body: &Value| match path {
            "/tokenize" => {
                assert_eq!(body["add_special_tokens"], false);
                let text = body[name].as_str().unwrap();
                let tokens: Vec<u32> = text.chars().map(u32::from).collect();
                (200, json!({ "tokens": tokens }))
            }
            "/detokenize" => {
                let tokens = body["tokens"].as_array().unwrap().iter();
                let text: String = tokens
                    .map(|t| char::from(u8::try_from(t.as_u64().unwrap()).unwrap()))
                    .collect();
                (200, json!({ (name): text }))
            }
            _ => (404, json!({})),
        };
        std::thread::Builder::new()
            .spawn(move || {
                for stream in listener.incoming().take(n_calls) {
                    let mut stream = stream.unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut first, mut length) = (String::new(), 0);
                    reader.read_line(&mut first).unwrap();
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        if let Some(n) = line.to_lowercase().strip_prefix("content-length: ") {
                            length = n.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let path = first.split(' ').nth(1).unwrap();
                    let (status, answer) = answer(path, &serde_json::from_slice(&body).unwrap());
                    let text = answer.to_string();
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        text.len()
                    );
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(text.as_bytes()).unwrap();
                }
            })
            .unwrap();
        Url::parse(&url).unwrap()
    }

    fn find(base: Url) -> Result<ServerTokenizer, String> {
        let control = Control::new(&Options {
            headers: http::HeaderMap::new(),
            ca_file: None,
            insecure: false,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
        });
        let route = TokenizeRoute {
            control: control.unwrap(),
            base,
            model: Some("m".to_owned()),
        };
        ServerTokenizer::find(&route, &Handle::current())
    }

    #[tokio::test]
    async fn both_dialects_are_spoken() {
        for name in ["prompt", "content"] {
            let base = serve(name, 4);
            let task = tokio::task::spawn_blocking(move || {
                let server = find(base).unwrap();
                let tokens = server.encode("abc").unwrap();
                assert_eq!(tokens, [97, 98, 99]);
                assert_eq!(server.decode(&tokens).unwrap(), "abc");
                assert!(server.name().ends_with("/tokenize"));
                assert!(!server.name().contains("canary"));
            });
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_server_without_the_route_is_told() {
        let closed = Url::parse("http://127.0.0.1:1/v1").unwrap();
        let task = tokio::task::spawn_blocking(move || find(closed).unwrap_err());
        let message = task.await.unwrap();
        assert!(message.contains("no usable /tokenize"), "{message}");
    }

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
