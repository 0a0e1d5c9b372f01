//! Preparation against a stand-in: what is found, what is refused and where, what every request then carries.

use inferometer::domain::{GradioMode, InputKind, Issue, Media, Prompt, Protocol, Workload};
use inferometer::protocol::{PrepareError, gradio};
use serde_json::{Value, json};
use url::Url;

use super::app::{App, control, fixture, pages};
use super::{SERVERS, prompt};

pub(crate) fn issues<T>(result: Result<T, PrepareError>) -> Vec<Issue> {
    match result {
        Err(PrepareError::Refused(issues)) => issues,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[track_caller]
pub(crate) fn has(issues: &[Issue], field: &str, message: &str) {
    let found = issues
        .iter()
        .any(|i| i.field == field && i.message.contains(message));
    assert!(found, "{field} {message}: {issues:?}");
}

pub(crate) fn body(adapter: &inferometer::protocol::SharedAdapter, prompt: &Prompt) -> Value {
    let call = adapter.exchange(prompt, 0, 0).next_call(0).unwrap();
    serde_json::from_slice::<Value>(&call.body).unwrap()["data"].take()
}

pub(crate) fn workload(inputs: &[(&str, Value)]) -> Workload {
    Workload {
        inputs: inputs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
        ..Workload::default()
    }
}

#[tokio::test]
async fn every_version_describes_itself() {
    for (server, version) in SERVERS.iter().zip(["4.44.1", "5.50.0", "6.31.0"]) {
        let app = App::start(pages(server)).await;
        let url = Url::parse(&format!("{}/gradio_api/call/count?x", app.url)).unwrap();
        let info = gradio::describe(&url, &control()).await.unwrap();
        assert_eq!(info.url, app.url);
        assert_eq!(info.protocol, Protocol::Gradio);
        assert_eq!(info.facts.name, format!("gradio {version}"));
        assert_eq!(info.facts.version.as_deref(), Some(version));
        assert_eq!(info.facts.api_name.as_deref(), Some("/count"));
        assert_eq!(info.endpoints.len(), 13, "{server}");
        let polls = info.notes.iter().any(|n| n.contains("50 ms"));
        assert_eq!(polls, *server != "gradio6", "{:?}", info.notes);
        let endpoint = |name: &str| info.endpoints.iter().find(|e| e.api_name == name).unwrap();
        let chat = endpoint("/chat");
        assert!(chat.generator && chat.queue);
        assert_eq!(chat.fn_index, 1);
        let names: Vec<&str> = chat.inputs.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["system", "user", "delay"]);
        assert_eq!(chat.inputs[2].kind, InputKind::Number);
        assert_eq!(
            (chat.inputs[2].default.clone(), chat.inputs[2].has_default),
            (Some(json!(3)), true)
        );
        assert_eq!(
            (chat.inputs[0].default.clone(), chat.inputs[0].has_default),
            (Some(json!("Hello!!")), false)
        );
        assert_eq!(chat.system_input.as_deref(), Some("system"));
        assert_eq!(chat.user_input.as_deref(), Some("user"));
        assert_eq!(chat.outputs, ["Out"]);
        // State is no input that a person sees.
        assert_eq!(endpoint("/count").inputs.len(), 1);
        assert_eq!(
            endpoint("/image_size").inputs[0].kind,
            InputKind::File {
                media: Media::Image
            }
        );
        assert!(!endpoint("/echo_noqueue").queue);
    }
}

#[tokio::test]
async fn a_chat_that_streams_is_chosen_before_the_first() {
    let app = App::start(pages("gradio6")).await;
    let (adapter, info) = app
        .prepare(app.target(""), &Workload::default())
        .await
        .unwrap();
    assert_eq!(adapter.facts().api_name.as_deref(), Some("/chat"));
    assert!(info.notes.iter().any(|n| n.contains("“/chat” was chosen")));
    assert_eq!(adapter.facts().route, "/gradio_api/queue/join");
}

#[tokio::test]
async fn prompts_and_defaults_stand_in_their_places() {
    let app = App::start(pages("gradio6")).await;
    let mut workload = workload(&[("delay", json!("0.01"))]);
    workload.system = "be brief".to_owned();
    let adapter = app.adapter(app.target("chat"), &workload).await;
    let with_system = Prompt {
        system: Some("be\nbrief".into()),
        user: "hi".into(),
        ..Prompt::default()
    };
    assert_eq!(
        body(&adapter, &with_system),
        json!(["be\nbrief", "hi", 0.01])
    );
    let adapter = app.adapter(app.target("/chat"), &Workload::default()).await;
    assert_eq!(
        body(&adapter, &prompt()),
        json!(["Hello!!", "one \"two\"", 3])
    );
    let swapped = Workload {
        user_input: Some("system".to_owned()),
        ..Workload::default()
    };
    let adapter = app.adapter(app.target("/chat"), &swapped).await;
    assert_eq!(
        body(&adapter, &prompt()),
        json!(["one \"two\"", "Hello!!", 3])
    );
    let set = self::workload(&[("text", json!("fixed"))]);
    let (adapter, info) = app.prepare(app.target("/echo"), &set).await.unwrap();
    assert_eq!(body(&adapter, &prompt()), json!(["fixed"]));
    assert!(
        info.notes
            .iter()
            .any(|n| n.contains("every request is the same"))
    );
}

#[tokio::test]
async fn every_issue_is_told_at_once() {
    let app = App::start(pages("gradio6")).await;
    let mut bad = workload(&[
        ("delay", json!("soon")),
        ("user", json!("x")),
        ("nosuch", json!(1)),
    ]);
    bad.users = vec!["a prompt".to_owned()];
    bad.system_input = Some("delay".to_owned());
    let issues = issues(app.prepare(app.target("/chat"), &bad).await);
    has(
        &issues,
        "workload.inputs.delay",
        "“soon” does not fit the input “delay”, which takes a number",
    );
    has(
        &issues,
        "workload.inputs.user",
        "also takes the user prompts",
    );
    has(
        &issues,
        "workload.inputs.nosuch",
        "it takes system, user, delay",
    );
    has(&issues, "workload.system_input", "“delay” takes no text");
    assert_eq!(issues.len(), 4, "{issues:?}");
}

#[tokio::test]
async fn what_an_endpoint_does_not_have_is_refused() {
    let app = App::start(pages("gradio6")).await;
    let none = issues(
        app.prepare(app.target("/nosuch"), &Workload::default())
            .await,
    );
    has(
        &none,
        "target.api_name",
        "no endpoint “/nosuch”; it has /echo, /chat, /count",
    );
    let system = Workload {
        system: "x".to_owned(),
        ..Workload::default()
    };
    let none = issues(app.prepare(app.target("/echo"), &system).await);
    has(&none, "workload.system", "no input for a system prompt");
    let users = Workload {
        users: vec!["x".to_owned()],
        ..Workload::default()
    };
    let none = issues(app.prepare(app.target("/slow"), &users).await);
    has(&none, "workload.users", "no text input");
}

#[tokio::test]
async fn files_are_uploaded_once_and_their_time_is_told() {
    let app = App::start(pages("gradio6")).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tiny.png");
    std::fs::write(&file, b"\x89PNG").unwrap();
    let local = json!({"file": file});
    let (adapter, info) = app
        .prepare(app.target("/image_size"), &workload(&[("img", local)]))
        .await
        .unwrap();
    let sent = json!([{"path": "/srv/tiny.png", "orig_name": "tiny.png", "meta": {"_type": "gradio.FileData"}}]);
    assert_eq!(body(&adapter, &prompt()), sent);
    assert_eq!(body(&adapter, &prompt()), sent);
    assert!(
        info.notes
            .iter()
            .any(|n| n.contains("“tiny.png” was uploaded once") && n.contains(" ms"))
    );
    let is_upload = |head: &&String| head.contains("/gradio_api/upload");
    let n_uploads = app.seen.lock().unwrap().iter().filter(is_upload).count();
    assert_eq!(n_uploads, 1);

    let missing = workload(&[("img", json!({"file": "/no/such.png"}))]);
    has(
        &issues(app.prepare(app.target("/image_size"), &missing).await),
        "workload.inputs.img",
        "“/no/such.png”, given for the input “img”, is not a file",
    );
    let number = workload(&[("img", json!(3))]);
    has(
        &issues(app.prepare(app.target("/image_size"), &number).await),
        "workload.inputs.img",
        "takes a file",
    );
    let mut full = pages("gradio6");
    full.insert(
        "/gradio_api/upload",
        (413, "", "{\"detail\":\"File size exceeded\"}".to_owned()),
    );
    let app = App::start(full).await;
    let large = workload(&[("img", json!({"file": file}))]);
    has(
        &issues(app.prepare(app.target("/image_size"), &large).await),
        "workload.inputs.img",
        "File size exceeded",
    );
    // Not set: the app's own example, which the server fetches; this is said.
    let (_, info) = app
        .prepare(app.target("/image_size"), &Workload::default())
        .await
        .unwrap();
    assert!(
        info.notes
            .iter()
            .any(|n| n.contains("the server fetches from"))
    );
}

#[tokio::test]
async fn every_call_carries_key_cookies_and_headers() {
    let app = App::start(pages("gradio6")).await;
    for mode in [GradioMode::Queue, GradioMode::Call] {
        let mut target = app.target("/echo");
        target.gradio_mode = mode;
        target.headers.insert("X-Mine".to_owned(), "1".to_owned());
        target
            .headers
            .insert("cookie".to_owned(), "login=1".to_owned());
        let adapter = app.adapter(target, &Workload::default()).await;
        let mut exchange = adapter.exchange(&prompt(), 0, 0);
        let post = exchange.next_call(0).unwrap();
        super::feed(&mut *exchange, &super::one("gradio6", "queue_chat_1join"));
        let get = exchange.next_call(0).unwrap();
        let cancel = exchange.cancel_call().unwrap();
        for call in [&post, &get, &cancel] {
            assert_eq!(call.headers["authorization"], "Bearer hf_canary");
            assert_eq!(call.headers["cookie"], "login=1; affinity=7");
            assert_eq!(call.headers["x-mine"], "1");
            assert_eq!(call.headers["accept-encoding"], "identity");
            let shown = format!("{:?}", call.headers);
            assert!(
                !shown.contains("canary") && !shown.contains("affinity"),
                "{shown}"
            );
        }
        assert_eq!(get.method, "GET");
        assert_eq!(post.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_proxied_app_keeps_its_path() {
    let mut app_pages = pages("gradio6");
    let config = app_pages.remove("/config").unwrap();
    app_pages.insert("/proxy/app/config", config);
    app_pages.insert(
        "/proxy/app/gradio_api/info",
        (200, "", fixture("gradio6", "info.json")),
    );
    let app = App::start(app_pages).await;
    for pasted in [
        "/proxy/app",
        "/proxy/app/",
        "/proxy/app/gradio_api/queue/join",
        "/proxy/app/second_page?x=1",
    ] {
        let mut target = app.target("/echo");
        target.url = format!("{}{pasted}", app.url);
        let adapter = app.adapter(target, &Workload::default()).await;
        let call = adapter.exchange(&prompt(), 0, 0).next_call(0).unwrap();
        assert_eq!(
            call.path_and_query, "/proxy/app/gradio_api/queue/join",
            "{pasted}"
        );
    }
}

#[tokio::test]
async fn a_broken_info_is_made_up_for_by_the_config() {
    let mut broken = pages("gradio4");
    broken.insert("/info", (500, "", "Internal Server Error".to_owned()));
    let app = App::start(broken).await;
    let (adapter, info) = app
        .prepare(app.target("/chat"), &Workload::default())
        .await
        .unwrap();
    assert!(info.notes.iter().any(|n| n.contains("/info answered 500")));
    let chat = info
        .endpoints
        .iter()
        .find(|e| e.api_name == "/chat")
        .unwrap();
    let names: Vec<&str> = chat.inputs.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["param_0", "param_1", "param_2"]);
    assert_eq!(chat.inputs[1].label, "Text2");
    assert_eq!(
        body(&adapter, &prompt()),
        json!(["one \"two\"", "Hello!!", 3])
    );
    let count = app
        .adapter(app.target("/count"), &Workload::default())
        .await;
    assert_eq!(body(&count, &prompt()), json!(["one \"two\"", null]));
}

#[tokio::test]
async fn what_is_no_open_gradio_app_is_told_apart() {
    let answers = [
        (
            401,
            "",
            "{\"detail\":{\"error\":\"Not authenticated\",\"auth_message\":null}}",
            "target.headers",
            "Not authenticated",
        ),
        (
            401,
            "",
            "<html>401</html>",
            "target.key",
            "Hugging Face token",
        ),
        (
            302,
            "location: https://elsewhere.example/\r\n",
            "",
            "target.url",
            "“https://elsewhere.example/”",
        ),
        (
            200,
            "",
            "<html>hello</html>",
            "target.url",
            "not with a Gradio app's configuration",
        ),
        (404, "", "", "target.url", "answered 404"),
        (
            200,
            "",
            "{\"version\":\"3.50.2\",\"dependencies\":[]}",
            "target.url",
            "older protocol “ws”",
        ),
    ];
    for (status, extra, body, field, message) in answers {
        let app = App::start([("/config", (status, extra, body.to_owned()))].into()).await;
        has(
            &issues(app.prepare(app.target(""), &Workload::default()).await),
            field,
            message,
        );
    }
    let app =
        App::start([("/config", (503, "", "{\"detail\":\"loading\"}".to_owned()))].into()).await;
    let Err(PrepareError::Unreachable(failure)) =
        app.prepare(app.target(""), &Workload::default()).await
    else {
        panic!("not unreachable");
    };
    assert_eq!(failure.status, Some(503));
    assert!(failure.message.contains("loading"));
    let mut empty = pages("gradio6");
    empty.insert(
        "/gradio_api/info",
        (200, "", "{\"named_endpoints\":{}}".to_owned()),
    );
    let app = App::start(empty).await;
    has(
        &issues(app.prepare(app.target(""), &Workload::default()).await),
        "target.api_name",
        "no public endpoint",
    );
    // What is not listed can still be asked by name.
    app.adapter(app.target("/echo"), &Workload::default()).await;
}
