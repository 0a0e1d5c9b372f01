//! Any endpoint by a template: what is sent, and how events, lines and whole answers are found to mean what they do.

use http::HeaderMap;
use inferometer::domain::{
    Framing, KeyRef, Prompt, Protocol, Target, Template, TemplateMethod, Workload,
};
use inferometer::protocol::any_http::prepare;
use inferometer::protocol::{PrepareError, SharedAdapter, test_request};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::{Expected, GOOD, body_of, check, outcome, play, prompt, refusal, typed};
use crate::openai_wires::prepare::issue_fields;

fn target(template: Template) -> Target {
    Target {
        protocol: Protocol::Http,
        model: Some("m/1".to_owned()),
        template: Some(template),
        ..Target::at("http://127.0.0.1:9/base?v=1")
    }
}

fn adapter(template: Template) -> SharedAdapter {
    prepare(&target(template), &Workload::default(), None)
        .unwrap()
        .0
}

/// A template from a table as a plan holds it, with a body where it says none.
fn template(table: &str) -> Template {
    let mut template: Template = toml::from_str(table).unwrap();
    if template.body.is_empty() && template.method != TemplateMethod::Get {
        "{\"q\": {{prompt}}}".clone_into(&mut template.body);
    }
    assert_eq!(template.check(), vec![], "{table}");
    template
}

#[test]
fn what_is_sent_is_what_the_template_says() {
    let table = r#"
        method = "PUT"
        path = "run/{{model}}?q={{prompt}}"
        body = '{"p": "{{prompt}}", "s": {{system}}, "n": {{max_tokens}}, "all": {{messages}}}'
        key_header = "x-api-key"
    "#;
    let workload = Workload {
        extra_body: r#"{"n": null, "seed": 1}"#.to_owned(),
        max_tokens: Some(8),
        ..Workload::default()
    };
    let mut target = target(template(table));
    target.key = KeyRef::Session;
    let key = SecretString::from("canary-key");
    let (adapter, info) = prepare(&target, &workload, Some(&key)).unwrap();
    assert_eq!(info.facts.protocol, Protocol::Http);
    let call = adapter.exchange(&prompt(), 0, 0).next_call(0).unwrap();
    assert_eq!(call.method, http::Method::PUT);
    assert_eq!(call.path_and_query, "/base/run/m%2F1?q=Say%20%22hi%22");
    assert_eq!(call.headers["x-api-key"], "canary-key");
    assert!(!call.headers.contains_key("authorization"));
    assert!(
        !format!("{call:?}").contains("canary"),
        "a secret is marked"
    );
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let messages = json!([
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Say \"hi\""}
    ]);
    let expected = json!({"p": "Say \"hi\"", "s": "Be brief", "all": messages, "seed": 1});
    assert_eq!(body, expected);
    let origin = Url::parse("http://127.0.0.1:9/").unwrap();
    let line = test_request::curl_line(&target, &origin, &[call]);
    assert!(
        line.contains("-X PUT") && line.contains("$X_API_KEY"),
        "{line}"
    );
    assert!(!line.contains("canary"), "{line}");
}

#[test]
fn what_has_no_slot_is_noted() {
    let workload = Workload {
        system: "Be brief".to_owned(),
        max_tokens: Some(8),
        ..Workload::default()
    };
    let notes = |body: &str| {
        let table = format!("body = '{body}'");
        let prepared = prepare(&target(template(&table)), &workload, None);
        prepared.unwrap().1.notes
    };
    let told = notes(r#"{"q": {{prompt}}}"#);
    for (note, field) in told
        .iter()
        .zip(["workload.system", "workload.max_tokens", "target.model"])
    {
        assert!(
            note.starts_with(&format!("`{field}` is not sent")),
            "{note}"
        );
    }
    assert_eq!(told.len(), 3);
    let all = r#"{"q": {{messages}}, "n": {{max_tokens}}, "m": {{model}}}"#;
    assert_eq!(notes(all), Vec::<String>::new());
    let same = notes(r#"{"n": {{max_tokens}}, "m": {{model}}, "s": {{system}}}"#);
    assert!(
        same.len() == 1 && same[0].starts_with("Every request is the same"),
        "{same:?}"
    );
}

#[test]
fn a_get_has_neither_body_nor_its_type() {
    let adapter = adapter(template(
        "method = \"GET\"\nframing = \"one-shot\"\npath = \"/echo?{{prompt}}\"",
    ));
    let call = adapter
        .exchange(&Prompt::of("x"), 0, 0)
        .next_call(0)
        .unwrap();
    assert_eq!(
        (call.method.as_str(), call.path_and_query.as_str()),
        ("GET", "/echo?x")
    );
    assert!(call.body.is_empty() && !call.headers.contains_key("content-type"));
    let adapter = self::adapter(template(
        "body = \"{{prompt}}\"\ncontent_type = \"text/plain\"",
    ));
    let call = adapter
        .exchange(&Prompt::of("a\nb"), 0, 0)
        .next_call(0)
        .unwrap();
    assert_eq!(
        call.path_and_query, "/base?v=1",
        "the target's address as it stands"
    );
    assert_eq!(
        (&call.body[..], &call.headers["content-type"]),
        (&b"a\nb"[..], &"text/plain".parse().unwrap())
    );
}

const EVENTS: &str = r#"
    body = '{"prompt": {{prompt}}, "max": {{max_tokens}}}'
    framing = "sse"
    token = "/delta/text"
    reasoning = "/delta/thought"
    done = "[DONE]"
    error = "/error"
    tokens_in = "/usage/in"
    tokens_out = "/usage/out"
"#;

#[test]
fn events_are_read_by_pointers() {
    let adapter = adapter(template(EVENTS));
    let body = body_of(&*adapter, &prompt());
    assert_eq!(body, json!({"prompt": "Say \"hi\"", "max": null}));
    let event = |body: Value| format!("data: {body}\n\n");
    let thought = event(json!({"delta": {"thought": "hm"}}));
    let text =
        |text: &str, n: u64| event(json!({"delta": {"text": text}, "usage": {"in": 4, "out": n}}));
    let stream = [
        event(json!({"id": 1})),
        thought,
        text("a", 2),
        text("b", 5),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    // Whatever the content type says: the template knows better.
    for headers in [
        HeaderMap::new(),
        typed("application/json"),
        typed("text/event-stream"),
    ] {
        let expected = Expected {
            n_chunks: 3,
            answer: "ab",
            tokens_out: Some(5),
            ..GOOD
        };
        check(&*adapter, &headers, &stream, &expected);
    }
    let none = HeaderMap::new();
    let reply = play(
        adapter.exchange(&prompt(), 0, 0),
        (200, &none),
        stream.as_bytes(),
        6,
    );
    assert_eq!(reply.tokens_in, Some(4));
    assert_eq!(reply.chunk_tokens, None, "the thought told no count");

    let a = text("a", 1);
    let one = |outcome, words| Expected {
        outcome,
        n_chunks: 1,
        answer: "a",
        words,
        ..GOOD
    };
    check(&*adapter, &none, &a, &one("error_truncated", "done marker"));
    let error = event(json!({"error": {"message": "no slot"}}));
    check(
        &*adapter,
        &none,
        [a.clone(), error].concat(),
        &one("error_in_stream", "no slot"),
    );
    let named = "event: error\ndata: {\"message\":\"overloaded\"}\n\n";
    check(
        &*adapter,
        &none,
        [&a, named].concat(),
        &one("error_in_stream", "overloaded"),
    );
    let broken = [a, "data: {\n\n".to_owned()].concat();
    check(&*adapter, &none, broken, &one("error_bad_json", "not JSON"));
    let empty = Expected {
        outcome: "error_empty",
        ..GOOD
    };
    check(&*adapter, &none, "", &empty);
    check(&*adapter, &none, "data: [DONE]\n\n", &empty);
    let refused = refusal(&*adapter, 429, r#"{"message":"slow down"}"#);
    assert_eq!(refused.message, "slow down");
}

#[test]
fn counts_with_every_event_are_tokens_of_each() {
    let adapter = adapter(template(EVENTS));
    let event = |n: u64| {
        format!(
            "data: {}\n\n",
            json!({"delta": {"text": "a"}, "usage": {"out": n}})
        )
    };
    let body = [event(1), event(4), event(6), "data: [DONE]\n\n".to_owned()].concat();
    let headers = HeaderMap::new();
    let reply = play(
        adapter.exchange(&prompt(), 0, 0),
        (200, &headers),
        body.as_bytes(),
        99,
    );
    assert_eq!(reply.chunk_tokens, Some(vec![1, 3, 2]));
}

#[test]
fn lines_end_by_a_pointer_or_with_the_body() {
    let by_pointer =
        "framing = \"ndjson\"\ntoken = \"/response\"\ndone = \"/done\"\nerror = \"/error\"";
    let adapter = adapter(template(by_pointer));
    let lines = concat!(
        "{\"response\":\"a\",\"done\":false}\n",
        "{\"response\":\"b\",\"done\":null}\n",
        "{\"response\":\"\",\"done\":true}\n",
        "{\"response\":\"late\"}\n"
    );
    let expected = Expected {
        n_chunks: 2,
        answer: "ab",
        ..GOOD
    };
    check(&*adapter, &typed("text/plain"), lines, &expected);
    let by_body = self::adapter(template("framing = \"ndjson\"\ntoken = \"/response\""));
    let lines = "{\"response\":\"a\"}\n{\"response\":7}";
    let expected = Expected {
        outcome: "ok_no_done",
        n_chunks: 2,
        answer: "a7",
        ..GOOD
    };
    check(&*by_body, &HeaderMap::new(), lines, &expected);
    let nothing = Expected {
        outcome: "error_truncated",
        ..GOOD
    };
    check(&*by_body, &HeaderMap::new(), "{\"other\":1}\n", &nothing);
}

#[test]
fn text_that_is_no_json_is_taken_whole() {
    let adapter = adapter(template("framing = \"sse\"\ntoken = \"\"\ndone = \"END\""));
    let stream = "data: Hello\n\ndata:  \"you\"\n\ndata: END\n\n";
    let expected = Expected {
        n_chunks: 2,
        answer: "Hello \"you\"",
        ..GOOD
    };
    check(&*adapter, &HeaderMap::new(), stream, &expected);
}

#[test]
fn whole_answers_are_read_at_their_end() {
    let table = "framing = \"one-shot\"\ntoken = \"/choices/0/text\"\nerror = \"/error\"\ntokens_out = \"/n\"";
    let adapter = adapter(template(table));
    let json = typed("text/event-stream");
    let expected = Expected {
        answer: "Hi",
        tokens_out: Some(2),
        ..GOOD
    };
    check(
        &*adapter,
        &json,
        r#"{"choices":[{"text":"Hi"}],"n":2}"#,
        &expected,
    );
    for (body, outcome, words) in [
        (r#"{"error":"boom"}"#, "error_body", "boom"),
        (r#"{"choices":[]}"#, "error_empty", "“/choices/0/text”"),
        ("oops", "error_bad_json", "not JSON"),
        ("", "error_empty", "empty"),
    ] {
        let expected = Expected {
            outcome,
            words,
            ..GOOD
        };
        check(&*adapter, &json, body, &expected);
    }
}

#[test]
fn what_does_not_fit_is_told_at_its_field() {
    let refused = |target: &Target, extra: &str| {
        let workload = Workload {
            extra_body: extra.to_owned(),
            ..Workload::default()
        };
        let error: PrepareError = prepare(target, &workload, None).err().unwrap();
        issue_fields(&error)
    };
    let plain = target(template(
        "body = \"{{prompt}}\"\ncontent_type = \"text/plain\"",
    ));
    assert_eq!(refused(&plain, "{\"a\":1}"), ["workload.extra_body"]);
    let mut none = plain.clone();
    none.template = None;
    assert_eq!(refused(&none, ""), ["target.template"]);
    let mut nameless = target(template("path = \"/{{model}}\""));
    nameless.model = None;
    assert_eq!(refused(&nameless, ""), ["target.model"]);
    let bad = target(Template {
        token: "text".to_owned(),
        framing: Framing::Ndjson,
        body: "{{messages}}".to_owned(),
        ..Template::default()
    });
    assert_eq!(refused(&bad, ""), ["target.template.token"]);
}

#[test]
fn no_bytes_make_it_panic() {
    use proptest::prelude::*;
    let tables = [
        EVENTS,
        "framing = \"ndjson\"\ntoken = \"\"",
        "framing = \"one-shot\"\ntoken = \"/a\"",
    ];
    let adapters: Vec<SharedAdapter> = tables.iter().map(|t| adapter(template(t))).collect();
    let pieces = prop_oneof![
        any::<Vec<u8>>(),
        prop::sample::select(vec![
            &b"data: {\"delta\":{\"text\":\"x\"},\"usage\":{\"out\":18446744073709551615}}\n\n"[..],
            b"{\"a\":\"x\"}\n",
            b"data: [DONE]\n\n",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    let bodies = prop::collection::vec(pieces, 0..12);
    proptest!(|(body in bodies, status in 100_u16..600)| {
        for adapter in &adapters {
            let exchange = adapter.exchange(&prompt(), 0, 0);
            let reply = play(exchange, (status, &HeaderMap::new()), &body.concat(), 3);
            prop_assert!(!outcome(&reply).is_empty());
        }
    });
}
