//! Ollama: lines as its source writes them, and what else can come.

use http::HeaderMap;
use inferometer::domain::{ImageData, Prompt, ServerFacts};
use inferometer::protocol::Adapter as _;
use inferometer::protocol::ollama::{Api, Config, Ollama};
use serde_json::{Value, json};

use super::{Expected, GOOD, body_of, check, from_source, play, prompt, refusal, typed};

fn adapter(api: Api, stream: bool, extra: Value) -> Ollama {
    Ollama::new(Config {
        api,
        path_and_query: api.route().to_owned(),
        headers: HeaderMap::new(),
        model: Some("m".to_owned()),
        stream,
        max_tokens: Some(8),
        extra: serde_json::from_value(extra).unwrap(),
        facts: ServerFacts::default(),
    })
}

fn chat() -> Ollama {
    adapter(Api::Chat, true, json!({}))
}

#[test]
fn bodies_of_both_routes() {
    let messages = json!([
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Say \"hi\""}
    ]);
    let options = json!({"num_predict": 8, "seed": 1});
    let extra = json!({"options": {"seed": 1}, "keep_alive": "5m"});
    let body = body_of(&adapter(Api::Chat, true, extra), &prompt());
    let expected = json!({"model": "m", "stream": true, "messages": messages, "options": options, "keep_alive": "5m"});
    assert_eq!(body, expected);
    let image = ImageData {
        mime: "image/png".into(),
        base64: "aGk=".into(),
    };
    let prompt = Prompt {
        images: [image].into(),
        ..Prompt::of("What?")
    };
    let last = json!({"role": "user", "content": "What?", "images": ["aGk="]});
    assert_eq!(body_of(&chat(), &prompt)["messages"][0], last);
    let body = body_of(&adapter(Api::Generate, false, json!({})), &prompt);
    let options = json!({"num_predict": 8});
    let expected = json!({"model": "m", "stream": false, "prompt": "What?", "images": ["aGk="], "options": options});
    assert_eq!(body, expected);
}

/// The chat stream that the source's documentation shows.
fn documented() -> String {
    let parts = from_source("ollama");
    let part = parts
        .iter()
        .find(|part| part.starts_with("POST /api/chat"))
        .unwrap();
    let lines = part.lines().filter(|line| line.starts_with("{\"model\""));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(text.lines().count(), 2);
    text
}

#[test]
fn the_documented_stream_keeps_the_servers_own_times() {
    let lines = typed("application/x-ndjson");
    let expected = Expected {
        n_chunks: 1,
        answer: "The",
        tokens_out: Some(282),
        ..GOOD
    };
    check(&chat(), &lines, documented(), &expected);
    // The last line may lack its end, and Windows writes CRLF.
    check(&chat(), &lines, documented().trim_end(), &expected);
    check(
        &chat(),
        &lines,
        documented().replace('\n', "\r\n"),
        &expected,
    );
    let exchange = chat().exchange(&prompt(), 0, 0);
    let reply = play(exchange, (200, &lines), documented().as_bytes(), 11);
    assert_eq!(reply.tokens_in, Some(26));
    let times = &reply.server_times.0;
    assert_eq!(times.len(), 4);
    assert_eq!(times["total_duration"], 4_883_583_458);
    assert_eq!(times["load_duration"], 1_334_875);
    assert_eq!(times["prompt_eval_duration"], 342_546_000);
    assert_eq!(times["eval_duration"], 4_535_599_000);
}

fn line(body: &Value) -> String {
    format!("{body}\n")
}

#[test]
fn what_is_left_out_is_not_made_up() {
    let lines = typed("application/x-ndjson");
    let body = [
        line(&json!({"message": {"content": "a"}, "done": false})),
        line(
            &json!({"message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 1}),
        ),
    ];
    let exchange = chat().exchange(&prompt(), 0, 0);
    let reply = play(exchange, (200, &lines), body.concat().as_bytes(), 99);
    assert_eq!((reply.tokens_in, reply.tokens_out), (None, Some(1)));
    assert!(reply.server_times.is_empty());
}

#[test]
fn every_way_that_a_stream_ends() {
    let lines = typed("application/x-ndjson");
    let a = line(&json!({"message": {"role": "assistant", "content": "a"}, "done": false}));
    let one = |outcome, words| Expected {
        outcome,
        n_chunks: 1,
        answer: "a",
        words,
        ..GOOD
    };
    check(
        &chat(),
        &lines,
        &a,
        &one("error_truncated", "1 content event"),
    );
    let error = line(&json!({"error": "an error was encountered while running the model"}));
    let failed = [a.clone(), error].concat();
    check(
        &chat(),
        &lines,
        failed,
        &one("error_in_stream", "while running the model"),
    );
    let broken = [&a, "{\"message\": \n"].concat();
    check(&chat(), &lines, broken, &one("error_bad_json", "not JSON"));
    let cut = [&a, "{\"mess"].concat();
    check(
        &chat(),
        &lines,
        cut,
        &one("error_truncated", "1 content event"),
    );
    let none = |outcome, words| Expected {
        outcome,
        words,
        ..GOOD
    };
    check(&chat(), &lines, "", &none("error_empty", "empty"));
    check(&chat(), &lines, "\n\n", &none("error_empty", "empty"));
    let loaded = line(&json!({"message": {"content": ""}, "done": true, "done_reason": "load"}));
    check(&chat(), &lines, loaded, &none("error_empty", "“load”"));
    let page = none("error_bad_json", "web page");
    check(
        &chat(),
        &typed("text/html"),
        "<html><title>x</title>",
        &page,
    );
}

#[test]
fn thinking_and_calls_are_output() {
    let lines = typed("application/x-ndjson");
    for (api, thinking) in [
        (
            Api::Chat,
            json!({"message": {"content": "", "thinking": "hm"}, "done": false}),
        ),
        (
            Api::Generate,
            json!({"response": "", "thinking": "hm", "done": false}),
        ),
    ] {
        let answer = match api {
            Api::Chat => json!({"message": {"content": "yes", "tool_calls": [{}]}, "done": true}),
            Api::Generate => json!({"response": "yes", "done": true}),
        };
        let mut exchange = adapter(api, true, json!({})).exchange(&prompt(), 0, 0);
        exchange.head(200, &lines, Default::default());
        for (i, body) in [thinking, answer].iter().enumerate() {
            let stamp = inferometer::protocol::Stamp {
                at_ns: i as u64 + 1,
                read_no: i as u64,
            };
            exchange.data(line(body).as_bytes(), stamp);
        }
        assert!(exchange.is_done());
        exchange.end(Ok(()), Default::default());
        let reply = exchange.reply();
        let marks = (
            reply.first_token_ns,
            reply.first_answer_ns,
            reply.last_token_ns,
        );
        assert_eq!(marks, (Some(1), Some(2), Some(2)), "{api:?}");
        assert_eq!(reply.answer, "yes", "{api:?}");
    }
}

#[test]
fn answers_in_one_piece_though_a_stream_was_asked() {
    let body =
        json!({"message": {"content": "Hi"}, "done": true, "eval_count": 2, "eval_duration": 7});
    for stream in [false, true] {
        let adapter = adapter(Api::Chat, stream, json!({}));
        let expected = Expected {
            answer: "Hi",
            tokens_out: Some(2),
            ..GOOD
        };
        let headers = typed("application/json; charset=utf-8");
        check(&adapter, &headers, body.to_string(), &expected);
        let failed = Expected {
            outcome: "error_body",
            words: "no",
            ..GOOD
        };
        check(&adapter, &headers, r#"{"error":"no"}"#, &failed);
        let empty = Expected {
            outcome: "error_empty",
            words: "no message or response",
            ..GOOD
        };
        check(&adapter, &headers, "{}", &empty);
    }
}

#[test]
fn refusals_carry_the_servers_own_words() {
    for (status, message) in [
        (404, "model 'x' not found"),
        (
            503,
            "server busy, please try again.  maximum pending requests exceeded",
        ),
    ] {
        let body = json!({"error": message}).to_string();
        assert_eq!(refusal(&chat(), status, &body).message, message);
    }
}
