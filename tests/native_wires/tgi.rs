//! TGI: streams as its source writes them, and what else can come.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use inferometer::domain::{ImageData, Prompt, ServerFacts};
use inferometer::protocol::Adapter as _;
use inferometer::protocol::tgi::{Config, Tgi};
use serde_json::json;

use super::{Expected, GOOD, body_of, check, from_source, outcome, play, prompt, refusal, typed};

fn adapter(stream: bool, extra: serde_json::Value) -> Tgi {
    Tgi::new(Config {
        path_and_query: "/generate_stream".to_owned(),
        headers: HeaderMap::new(),
        stream,
        max_tokens: Some(3),
        extra: serde_json::from_value(extra).unwrap(),
        facts: ServerFacts::default(),
    })
}

#[test]
fn a_conversation_goes_as_one_text() {
    let body = body_of(&adapter(true, json!({})), &prompt());
    let text = "Be brief\n\nOne?\n\nTwo.\n\nSay \"hi\"";
    let parameters = json!({"details": true, "max_new_tokens": 3});
    assert_eq!(body, json!({"inputs": text, "parameters": parameters}));
    let extra = json!({"parameters": {"do_sample": false, "details": null}});
    let image = ImageData {
        mime: "image/png".into(),
        base64: "aGk=".into(),
    };
    let prompt = Prompt {
        images: [image].into(),
        output_tokens: Some(9),
        ..Prompt::of("What?")
    };
    let body = body_of(&adapter(true, extra), &prompt);
    let parameters = json!({"max_new_tokens": 9, "do_sample": false});
    let inputs = "![](data:image/png;base64,aGk=)What?";
    assert_eq!(body, json!({"inputs": inputs, "parameters": parameters}));
}

/// The stream that the source's documentation shows.
fn documented() -> String {
    let parts = from_source("tgi");
    let part = parts
        .iter()
        .find(|part| part.starts_with("POST /generate_stream"))
        .unwrap();
    let events = part
        .lines()
        .filter(|line| line.starts_with("data: {\"index\""));
    let text: String = events.flat_map(|line| [line, "\n\n"]).collect();
    assert_eq!(text.matches("data: ").count(), 3);
    text
}

#[test]
fn the_documented_stream_ends_with_its_text() {
    let three = Expected {
        n_chunks: 3,
        answer: "\nDeep learning",
        tokens_out: Some(3),
        ..GOOD
    };
    let (adapter, sse) = (adapter(true, json!({})), typed("text/event-stream"));
    check(&adapter, &sse, documented(), &three);
    // Older servers write no space, and all of them write keep-alives.
    let older = documented().replace("data: ", ":\n\ndata:");
    check(&adapter, &sse, older, &three);
    let exchange = adapter.exchange(&prompt(), 0, 0);
    let reply = play(exchange, (200, &sse), documented().as_bytes(), 9);
    assert_eq!(reply.tokens_in, Some(6));
    assert!(reply.server_times.is_empty(), "a stream tells none");
}

#[test]
fn every_way_that_a_stream_ends() {
    let (adapter, sse) = (adapter(true, json!({})), typed("text/event-stream"));
    let token = |text: &str, special: bool| {
        let token = json!({"id": 1, "text": text, "special": special});
        json!({"index": 1, "token": token, "generated_text": null, "details": null})
    };
    let event = |body: serde_json::Value| format!("data: {body}\n\n");
    let end =
        json!({"token": {"text": "</s>", "special": true}, "generated_text": "a", "details": null});
    let one = |outcome, words| Expected {
        outcome,
        n_chunks: 1,
        answer: "a",
        words,
        ..GOOD
    };
    let a = event(token("a", false));
    let whole = [a.clone(), event(end)].concat();
    check(&adapter, &sse, whole, &one("ok_done", ""));
    check(
        &adapter,
        &sse,
        &a,
        &one("error_truncated", "1 content event"),
    );
    let error = json!({"error": "Request failed during generation: x", "error_type": "generation"});
    let failed = [a.clone(), event(error)].concat();
    check(
        &adapter,
        &sse,
        failed,
        &one("error_in_stream", "during generation: x"),
    );
    let broken = [a, "data: {\"index\"\n\n".to_owned()].concat();
    check(&adapter, &sse, broken, &one("error_bad_json", "not JSON"));
    let empty = Expected {
        outcome: "error_empty",
        ..GOOD
    };
    check(&adapter, &sse, "", &empty);
    let page = Expected {
        outcome: "error_bad_json",
        words: "web page",
        ..GOOD
    };
    check(&adapter, &typed("text/html"), "<!doctype html>", &page);
}

#[test]
fn one_shot_answers_tell_the_servers_own_times() {
    let adapter = adapter(false, json!({}));
    let mut headers = typed("application/json");
    for (name, value) in [
        ("x-compute-time", "0.25"),
        ("x-total-time", "250"),
        ("x-queue-time", "4"),
        ("x-inference-time", "246"),
        ("x-time-per-token", "-1"),
        ("x-validation-time", "soon"),
        ("x-prompt-tokens", "6"),
        ("x-generated-tokens", "3"),
    ] {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static(value));
    }
    let body = json!({"generated_text": "Hi", "details": {"generated_tokens": 3, "prefill": []}});
    let exchange = adapter.exchange(&prompt(), 0, 0);
    let reply = play(exchange, (200, &headers), body.to_string().as_bytes(), 4);
    assert_eq!((outcome(&reply), reply.answer.as_str()), ("ok_done", "Hi"));
    assert_eq!((reply.tokens_in, reply.tokens_out), (Some(6), Some(3)));
    assert_eq!(reply.first_token_ns, None);
    let ns = |ms| u64::try_from(Duration::from_millis(ms).as_nanos()).unwrap();
    let told: Vec<(&str, u64)> = reply
        .server_times
        .0
        .iter()
        .map(|(name, ns)| (name.as_str(), *ns))
        .collect();
    let expected = [
        ("x-compute-time", ns(250)),
        ("x-inference-time", ns(246)),
        ("x-queue-time", ns(4)),
        ("x-total-time", ns(250)),
    ];
    assert_eq!(told, expected, "only what is a time");

    let json = typed("application/json");
    let listed = Expected {
        answer: "Hi",
        ..GOOD
    };
    check(&adapter, &json, r#"[{"generated_text":"Hi"}]"#, &listed);
    let error = Expected {
        outcome: "error_body",
        words: "Incomplete generation",
        ..GOOD
    };
    let body = r#"{"error":"Incomplete generation","error_type":"incomplete_generation"}"#;
    check(&adapter, &json, body, &error);
    let empty = Expected {
        outcome: "error_empty",
        words: "generated_text",
        ..GOOD
    };
    check(&adapter, &json, "{}", &empty);
}

#[test]
fn refusals_carry_the_servers_own_words() {
    for (status, message) in [
        (422, "Input validation error: `inputs` cannot be empty"),
        (429, "Model is overloaded"),
        (424, "Request failed during generation: CUDA OOM"),
    ] {
        let body = json!({"error": message, "error_type": "x"}).to_string();
        let failure = refusal(&adapter(true, json!({})), status, &body);
        assert_eq!(failure.message, message);
    }
}
