//! What is asked before a run, against servers that replay captured answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use inferometer::domain::{FailureKind, Prompt, Protocol, Target, TargetInfo, Workload};
use inferometer::protocol::{self, PrepareError, SharedAdapter};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::data_file;
use super::transcript::Transcript;

/// A loopback server that answers each path with fixed bytes and keeps the heads of what was asked.
pub(crate) struct Replay {
    pub(crate) url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Replay {
    pub(crate) async fn start(routes: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes: BTreeMap<String, Vec<u8>> = routes
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.clone()))
            .collect();
        let routes = Arc::new(routes);
        let heads = Arc::new(Mutex::new(Vec::new()));
        let all_heads = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&routes), Arc::clone(&all_heads)));
            }
        });
        Self { url, heads }
    }

    pub(crate) fn asked(&self) -> String {
        self.heads.lock().unwrap().join("\n")
    }
}

async fn serve(
    mut stream: TcpStream,
    routes: Arc<BTreeMap<String, Vec<u8>>>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let mut buffer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let Ok(n @ 1..) = stream.read(&mut part).await else {
            return;
        };
        buffer.extend_from_slice(&part[..n]);
        while let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(buffer.drain(..at + 4).collect()).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            heads.lock().unwrap().push(head);
            let answer = routes.get(&path).cloned();
            let answer =
                answer.unwrap_or_else(|| answer_of("404 Not Found", "{\"detail\":\"Not Found\"}"));
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

pub(crate) fn answer_of(status: &str, body: &str) -> Vec<u8> {
    let n = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {n}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn raw(name: &str) -> Vec<u8> {
    Transcript::load(name).raw
}

async fn prepare(target: &Target) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    protocol::prepare(target, &Workload::default(), None).await
}

pub(crate) fn issue_fields(error: &PrepareError) -> Vec<String> {
    match error {
        PrepareError::Refused(issues) => issues.iter().map(|i| i.field.clone()).collect(),
        PrepareError::Unreachable(failure) => panic!("unreachable: {}", failure.message),
    }
}

fn body_of(adapter: &SharedAdapter) -> Value {
    let prompt = Prompt {
        system: None,
        user: "x".into(),
        ..Prompt::default()
    };
    let call = adapter.exchange(&prompt, 0, 0).next_call(0).unwrap();
    serde_json::from_slice(&call.body).unwrap()
}

#[tokio::test]
async fn the_first_model_of_llama_cpp() {
    let server = Replay::start(&[("/v1/models", raw("llamacpp/models"))]).await;
    for base in ["", "/", "/v1", "/v1/chat/completions"] {
        let target = Target::at(&format!("{}{base}", server.url));
        let (adapter, info) = prepare(&target).await.unwrap();
        assert_eq!(info.url, format!("{}/v1", server.url), "{base}");
        assert_eq!(info.models, ["smollm2"]);
        assert_eq!(info.facts.name, "llama.cpp");
        assert_eq!(info.facts.route, "/v1/chat/completions");
        assert_eq!(adapter.facts(), &info.facts);
        assert_eq!(body_of(&adapter)["model"], "smollm2");
    }
    assert!(!server.asked().contains("POST"), "nothing was generated");
}

#[tokio::test]
async fn vllm_tells_its_version_and_wants_its_key() {
    let server = Replay::start(&[
        ("/v1/models", raw("vllm/models")),
        ("/version", raw("vllm/version")),
    ])
    .await;
    let mut target = Target::at(&format!("{}/v1/completions", server.url));
    target.model = Some("another".to_owned());
    let key = SecretString::from("sk-test");
    let prepared = protocol::prepare(&target, &Workload::default(), Some(&key)).await;
    let (adapter, info) = prepared.unwrap();
    assert_eq!(info.protocol, Protocol::OpenAiCompletions);
    assert_eq!(info.facts.name, "vLLM 0.32.0");
    assert_eq!(info.facts.version.as_deref(), Some("0.32.0"));
    assert_eq!(info.facts.model.as_deref(), Some("another"));
    assert!(info.notes.iter().any(|note| note.contains("“another”")));
    assert!(server.asked().contains("authorization: Bearer sk-test"));
    assert!(body_of(&adapter).get("prompt").is_some());

    let locked = Replay::start(&[("/v1/models", raw("vllm/err_no_auth"))]).await;
    let mut target = Target::at(&locked.url);
    target.protocol = Protocol::OpenAiChat;
    let error = prepare(&target).await.err().unwrap();
    assert_eq!(issue_fields(&error), ["target.key"]);
    target.model = Some("m".to_owned());
    let (_, info) = prepare(&target).await.unwrap();
    assert!(
        info.notes[0].contains("401 “Unauthorized”"),
        "{:?}",
        info.notes
    );
}

#[tokio::test]
async fn a_server_that_cannot_list_its_models_needs_a_name() {
    let server = Replay::start(&[
        ("/v1/models", raw("tfserve/models")),
        ("/v1/chat/completions", raw("tfserve/err_405")),
    ])
    .await;
    let found = protocol::detect(&server.url, &Target::at(""), None)
        .await
        .unwrap();
    assert_eq!(found.protocol, Protocol::OpenAiChat, "known by its route");
    let mut target = Target::at(&server.url);
    let error = prepare(&target).await.err().unwrap();
    assert_eq!(issue_fields(&error), ["target.model"]);
    target.model = Some("models/tiny-llama".to_owned());
    let (adapter, info) = prepare(&target).await.unwrap();
    assert_eq!(body_of(&adapter)["model"], "models/tiny-llama");
    assert!(info.models.is_empty());
    target.model = None;
    let workload = Workload {
        extra_body: r#"{"model":"by hand"}"#.to_owned(),
        ..Workload::default()
    };
    let (adapter, info) = protocol::prepare(&target, &workload, None).await.unwrap();
    assert_eq!(body_of(&adapter)["model"], "by hand");
    assert_eq!(info.facts.model.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn a_base_without_v1_is_found() {
    let server = Replay::start(&[(
        "/llm/models",
        answer_of("200 OK", r#"{"data":[{"id":"m"}]}"#),
    )])
    .await;
    let (_, info) = prepare(&Target::at(&format!("{}/llm/", server.url)))
        .await
        .unwrap();
    assert_eq!(info.facts.route, "/llm/chat/completions");
    assert_eq!(info.url, format!("{}/llm", server.url));
}

#[tokio::test]
async fn nothing_there_says_what_to_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    // With a template nothing is asked before the run.
    let asked = Protocol::ALL.into_iter().filter(|p| *p != Protocol::Http);
    for protocol in asked {
        let mut target = Target::at(&url);
        target.protocol = protocol;
        let Err(PrepareError::Unreachable(failure)) = prepare(&target).await else {
            panic!("{protocol:?} found something at a closed port");
        };
        assert_eq!(failure.kind, FailureKind::Connect);
        assert!(
            failure.message.starts_with("Nothing at “http://127.0.0.1"),
            "{}",
            failure.message
        );
        assert!(
            failure.message.contains("the port is right"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn a_plan_that_names_protocol_and_model_needs_no_server_to_begin() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut target = Target::at(&url);
    target.protocol = Protocol::OpenAiCompletions;
    target.model = Some("m".to_owned());
    let (adapter, info) = prepare(&target).await.unwrap();
    assert_eq!(body_of(&adapter)["model"], "m");
    assert_eq!(info.facts.route, "/v1/completions");
    assert!(
        info.notes[0].contains("Models cannot be listed"),
        "{:?}",
        info.notes
    );
    target.protocol = Protocol::Auto;
    assert!(
        prepare(&target).await.is_err(),
        "nobody says which protocol it is"
    );
}

#[tokio::test]
async fn other_servers_are_told_from_ours() {
    let page =
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<!doctype html>";
    let html = Replay::start(&[
        ("/config", page.into()),
        ("/v1/models", page.into()),
        ("/models", page.into()),
    ])
    .await;
    let error = protocol::detect(&html.url, &Target::at(""), None)
        .await
        .unwrap_err();
    assert_eq!(issue_fields(&error), ["target.url"]);
    assert!(error.to_string().contains("Neither"), "{error}");

    let loading = r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#;
    let loading = answer_of("503 Service Unavailable", loading);
    let loading = Replay::start(&[("/v1/models", loading.clone()), ("/config", loading)]).await;
    let error = protocol::detect(&loading.url, &Target::at(""), None)
        .await
        .unwrap_err();
    let PrepareError::Unreachable(failure) = error else {
        panic!("{error}");
    };
    assert_eq!(failure.status, Some(503));
    assert!(
        failure.message.contains("“Loading model”"),
        "{}",
        failure.message
    );

    let moved = "HTTP/1.1 301 Moved\r\nlocation: https://new.example/v1/models\r\ncontent-length: 0\r\n\r\n";
    let moved = Replay::start(&[("/v1/models", moved.into())]).await;
    let error = prepare(&Target::at(&format!("{}/v1", moved.url)))
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("“https://new.example/v1/models”"),
        "{error}"
    );
}

#[tokio::test]
async fn a_gradio_app_is_known_by_its_config() {
    let file = |name: &str| {
        answer_of(
            "200 OK",
            &data_file(&format!("transcripts/gradio6/{name}")).to_string(),
        )
    };
    let server = Replay::start(&[
        ("/config", file("config.json")),
        ("/gradio_api/info", file("info.json")),
    ])
    .await;
    for path in ["", "/gradio_api/call/chat", "/v1"] {
        let text = format!("{}{path}", server.url);
        let info = protocol::detect(&text, &Target::at(&text), None)
            .await
            .unwrap();
        assert_eq!(info.protocol, Protocol::Gradio, "{path}");
        assert!(
            info.facts.name.starts_with("gradio 6."),
            "{path}: {}",
            info.facts.name
        );
        assert!(!info.endpoints.is_empty(), "{path}");
    }
    let as_openai = Target {
        protocol: Protocol::OpenAiChat,
        ..Target::at(&server.url)
    };
    let forced = protocol::detect(&server.url, &as_openai, None)
        .await
        .unwrap();
    assert_eq!(
        forced.protocol,
        Protocol::OpenAiChat,
        "the person's choice stands"
    );
}

#[tokio::test]
async fn a_pasted_command_fills_the_form_and_keys_stay_with_their_origin() {
    let server = Replay::start(&[("/v1/models", raw("llamacpp/models"))]).await;
    let own_key = SecretString::from("sk-of-another-server");
    let mut elsewhere = Target::at("https://api.example.com/v1");
    elsewhere
        .headers
        .insert("api-key".to_owned(), "also-secret".to_owned());
    let text = format!(
        "curl {}/v1/chat/completions -H 'Authorization: Bearer sk-pasted' -H 'x-team: a' -d '{{\"model\":\"smollm2\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'",
        server.url
    );
    let info = protocol::detect(&text, &elsewhere, Some(&own_key))
        .await
        .unwrap();
    assert_eq!(info.protocol, Protocol::OpenAiChat);
    assert_eq!(info.evidence[0], "The address ends in /chat/completions");
    let pasted = info.pasted.unwrap();
    assert_eq!(pasted.key.as_deref(), Some("sk-pasted"));
    assert_eq!(pasted.user.as_deref(), Some("hi"));
    let asked = server.asked();
    assert!(
        asked.contains("Bearer sk-pasted") && asked.contains("x-team: a"),
        "{asked}"
    );
    assert!(
        !asked.contains("secret") && !asked.contains("another"),
        "{asked}"
    );

    let own = Target::at(&server.url);
    protocol::detect(&server.url, &own, Some(&own_key))
        .await
        .unwrap();
    assert!(
        server.asked().contains("sk-of-another-server"),
        "its own origin"
    );

    let error = protocol::detect("curl -H a:b", &own, None)
        .await
        .unwrap_err();
    assert_eq!(issue_fields(&error), ["target.url"]);
}
