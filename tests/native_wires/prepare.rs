//! What is asked of TGI and Ollama before a run, and how they are told from each other and the rest.

use inferometer::domain::{Prompt, Protocol, Target, TargetInfo, Workload};
use inferometer::protocol::{self, PrepareError, SharedAdapter};
use serde_json::{Value, json};

use crate::openai_wires::prepare::{Replay, answer_of, issue_fields};

fn good(body: &Value) -> Vec<u8> {
    answer_of("200 OK", &body.to_string())
}

fn tgi_info() -> Vec<u8> {
    good(&json!({
        "model_id": "org/tiny", "max_input_tokens": 1023, "max_total_tokens": 1024,
        "router": "text-generation-router", "version": "3.3.6"
    }))
}

fn ollama_tags(names: &[&str]) -> Vec<u8> {
    let models: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    good(&json!({"models": models}))
}

fn ollama_version() -> Vec<u8> {
    good(&json!({"version": "0.12.3"}))
}

async fn prepare(target: &Target) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    protocol::prepare(target, &Workload::default(), None).await
}

async fn detect(url: &str) -> Result<TargetInfo, PrepareError> {
    protocol::detect(url, &Target::at(url), None).await
}

fn at(url: &str, protocol: Protocol) -> Target {
    Target {
        protocol,
        ..Target::at(url)
    }
}

fn path_of(adapter: &SharedAdapter) -> String {
    let call = adapter.exchange(&Prompt::of("x"), 0, 0).next_call(0);
    call.unwrap().path_and_query
}

#[tokio::test]
async fn tgi_tells_its_model_and_limits() {
    let server = Replay::start(&[("/sub/info", tgi_info())]).await;
    let base = format!("{}/sub", server.url);
    for route in ["", "/", "/generate_stream", "/generate", "/info"] {
        let mut target = at(&format!("{base}{route}"), Protocol::Tgi);
        for (stream, path) in [(true, "/sub/generate_stream"), (false, "/sub/generate")] {
            target.stream = stream;
            let (adapter, info) = prepare(&target).await.unwrap();
            assert_eq!(info.url, base, "{route}");
            assert_eq!(info.facts.name, "TGI 3.3.6");
            assert_eq!(info.facts.model.as_deref(), Some("org/tiny"));
            assert_eq!(info.facts.route, path);
            assert!(info.notes[0].contains("1023 tokens"), "{:?}", info.notes);
            assert_eq!(path_of(&adapter), path, "{route}");
        }
    }
    assert!(!server.asked().contains("POST"), "nothing was generated");
    let mut named = at(&base, Protocol::Tgi);
    named.model = Some("other".to_owned());
    let (_, info) = prepare(&named).await.unwrap();
    assert!(info.notes.iter().any(|note| note.contains("“other”")));
}

#[tokio::test]
async fn ollama_tells_its_models_and_version() {
    let server = Replay::start(&[
        ("/api/tags", ollama_tags(&["tiny:latest", "big:7b"])),
        ("/api/version", ollama_version()),
    ])
    .await;
    for (route, path) in [
        ("", "/api/chat"),
        ("/api", "/api/chat"),
        ("/api/tags", "/api/chat"),
        ("/api/chat", "/api/chat"),
        ("/api/generate", "/api/generate"),
    ] {
        let target = at(&format!("{}{route}", server.url), Protocol::Ollama);
        let (adapter, info) = prepare(&target).await.unwrap();
        assert_eq!(info.models, ["tiny:latest", "big:7b"], "{route}");
        assert_eq!(info.facts.name, "Ollama 0.12.3");
        assert_eq!(info.facts.model.as_deref(), Some("tiny:latest"));
        assert_eq!(path_of(&adapter), path, "{route}");
        let again = at(&info.url, Protocol::Ollama);
        let (adapter, _) = prepare(&again).await.unwrap();
        assert_eq!(path_of(&adapter), path, "the form's address asks the same");
    }
    let mut named = at(&server.url, Protocol::Ollama);
    for (name, n_notes) in [("tiny", 0), ("big:7b", 0), ("gone", 1)] {
        named.model = Some(name.to_owned());
        let (_, info) = prepare(&named).await.unwrap();
        assert_eq!(info.notes.len(), n_notes, "{name}: {:?}", info.notes);
        assert_eq!(info.facts.model.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn without_a_model_there_is_something_to_do() {
    let empty = Replay::start(&[
        ("/api/tags", ollama_tags(&[])),
        ("/api/version", ollama_version()),
    ])
    .await;
    let error = prepare(&at(&empty.url, Protocol::Ollama))
        .await
        .err()
        .unwrap();
    assert_eq!(issue_fields(&error), ["target.model"]);
    assert!(error.to_string().contains("pulled"), "{error}");
    let gate = answer_of("401 Unauthorized", r#"{"error":"unauthorized"}"#);
    let gated = Replay::start(&[("/api/tags", gate.clone()), ("/info", gate)]).await;
    for protocol in [Protocol::Ollama, Protocol::Tgi] {
        let mut target = at(&gated.url, protocol);
        let error = prepare(&target).await.err().unwrap();
        assert_eq!(issue_fields(&error), ["target.key"], "{protocol:?}");
        target.model = Some("m".to_owned());
        let (_, info) = prepare(&target).await.unwrap();
        assert_eq!(info.facts.model.as_deref(), Some("m"), "{protocol:?}");
    }
}

#[tokio::test]
async fn servers_are_found_by_what_they_answer() {
    let tgi = Replay::start(&[("/info", tgi_info())]).await;
    let ollama = Replay::start(&[
        ("/api/tags", ollama_tags(&["tiny"])),
        ("/api/version", ollama_version()),
    ])
    .await;
    for (url, route, protocol) in [
        (&tgi.url, "", Protocol::Tgi),
        (&tgi.url, "/generate", Protocol::Tgi),
        (&tgi.url, "/generate_stream", Protocol::Tgi),
        (&ollama.url, "", Protocol::Ollama),
        (&ollama.url, "/api/generate", Protocol::Ollama),
        (&ollama.url, "/api/chat", Protocol::Ollama),
    ] {
        let info = detect(&format!("{url}{route}")).await.unwrap();
        assert_eq!(info.protocol, protocol, "{route}");
        assert!(!info.evidence.is_empty());
        assert_eq!(info.models.len(), 1, "{route}");
    }
    let neither = detect(&format!("{}/elsewhere", tgi.url)).await.unwrap_err();
    assert_eq!(issue_fields(&neither), ["target.url"]);
    assert!(!ollama.asked().contains("POST") && !tgi.asked().contains("POST"));
}

#[tokio::test]
async fn a_server_that_speaks_both_is_taken_by_its_own_wire_unless_the_address_says_more() {
    let model = json!({"id": "tiny", "object": "model", "owned_by": "library"});
    let server = Replay::start(&[
        (
            "/v1/models",
            good(&json!({"object": "list", "data": [model]})),
        ),
        ("/api/tags", ollama_tags(&["tiny"])),
        ("/api/version", ollama_version()),
    ])
    .await;
    let info = detect(&server.url).await.unwrap();
    assert_eq!(info.protocol, Protocol::Ollama);
    assert!(
        info.notes.iter().any(|n| n.contains("/v1")),
        "{:?}",
        info.notes
    );
    for (route, protocol) in [
        ("/v1", Protocol::OpenAiChat),
        ("/v1/chat/completions", Protocol::OpenAiChat),
        ("/v1/responses", Protocol::OpenAiResponses),
    ] {
        let info = detect(&format!("{}{route}", server.url)).await.unwrap();
        assert_eq!(info.protocol, protocol, "{route}");
        assert_eq!(info.facts.name, "Ollama 0.12.3", "{route}");
    }
    let command = format!(
        "curl {}/api/generate -d '{{\"model\":\"tiny\",\"prompt\":\"Hi\",\"options\":{{\"num_predict\":4}}}}'",
        server.url
    );
    let info = detect(&command).await.unwrap();
    assert_eq!(info.protocol, Protocol::Ollama);
    let pasted = info.pasted.unwrap();
    assert_eq!(
        (pasted.user.as_deref(), pasted.max_tokens),
        (Some("Hi"), Some(4))
    );
}

#[tokio::test]
async fn nothing_is_asked_of_an_endpoint_with_a_template() {
    let server = Replay::start(&[]).await;
    let mut target = at(&format!("{}/run", server.url), Protocol::Http);
    target.template = Some(inferometer::domain::Template {
        body: "{\"q\": {{prompt}}}".to_owned(),
        ..Default::default()
    });
    let (adapter, info) = prepare(&target).await.unwrap();
    assert_eq!(server.asked(), "");
    assert_eq!(path_of(&adapter), "/run");
    assert_eq!(info.facts.protocol, Protocol::Http);
    let info = protocol::detect(&target.url, &target, None).await.unwrap();
    assert_eq!(info.protocol, Protocol::Http);
    assert!(server.asked().starts_with("GET / "), "{}", server.asked());
}
