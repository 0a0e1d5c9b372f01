//! Every kind of component as an input: how it is described, what it takes and what is sent.

use inferometer::domain::{InputKind, Workload};
use inferometer::protocol::gradio;
use serde_json::{Value, json};
use url::Url;

use super::app::{App, control};
use super::prepare::{body, has, issues, workload};
use super::prompt;

#[tokio::test]
async fn components_become_typed_inputs() {
    let config = json!({"version": "6.31.0", "protocol": "sse_v3", "api_prefix": "/gradio_api", "components": [
        {"id": 1, "type": "slider", "props": {"minimum": 1, "maximum": 8, "step": 1}, "skip_api": false},
        {"id": 2, "type": "dropdown", "props": {"choices": [["A", "a"], ["B", 2]]}},
        {"id": 3, "type": "checkboxgroup", "props": {}},
        {"id": 4, "type": "checkbox", "props": {}},
        {"id": 5, "type": "multimodaltextbox", "props": {}},
        {"id": 6, "type": "state", "props": {}},
        {"id": 7, "type": "dropdown", "props": {"choices": [["A", "a"]], "allow_custom_value": true}},
        {"id": 8, "type": "mystery", "props": {}},
        {"id": 9, "type": "number", "props": {}},
    ], "dependencies": [{"id": 4, "api_name": "all", "inputs": [6, 1, 2, 3, 4, 5, 6, 7, 8, 9], "outputs": [], "types": {"generator": true}}]});
    let parameter = |name: &str, component: &str, schema: Value, example: Value| json!({"parameter_name": name, "label": name, "parameter_has_default": false, "type": schema, "component": component, "example_input": example});
    let info = json!({"named_endpoints": {"/all": {"parameters": [
        parameter("n", "Slider", json!({"type": "number"}), json!(1)),
        parameter("one", "Dropdown", json!({}), json!("a")),
        parameter("many", "Checkboxgroup", json!({"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}), json!([])),
        parameter("on", "Checkbox", json!({"type": "boolean"}), json!(true)),
        parameter("message", "Multimodaltextbox", json!({"type": "object"}), json!({"text": "", "files": []})),
        parameter("free", "Dropdown", json!({"type": "string", "enum": ["a"]}), json!("a")),
        parameter("odd", "Mystery", json!({"type": "object"}), Value::Null),
        parameter("whole", "Number", json!({"type": "integer"}), json!(3)),
    ], "returns": []}}});
    let app = App::start(
        [
            ("/config", (200, "", config.to_string())),
            ("/gradio_api/info", (200, "", info.to_string())),
        ]
        .into(),
    )
    .await;
    let described = gradio::describe(&Url::parse(&app.url).unwrap(), &control())
        .await
        .unwrap();
    let kinds: Vec<InputKind> = described.endpoints[0]
        .inputs
        .iter()
        .map(|i| i.kind.clone())
        .collect();
    let dropdown = |choices: &[Value], multiple| InputKind::Dropdown {
        choices: choices.to_vec(),
        multiple,
    };
    assert_eq!(
        kinds,
        [
            InputKind::Slider {
                min: 1.0,
                max: 8.0,
                step: Some(1.0)
            },
            dropdown(&[json!("a"), json!(2)], false),
            dropdown(&[json!("x"), json!("y")], true),
            InputKind::Checkbox,
            InputKind::Json,
            dropdown(&[json!("a")], false),
            InputKind::Json,
            InputKind::Number,
        ]
    );
    // Without default and example an input must be set.
    has(
        &issues(app.prepare(app.target("/all"), &Workload::default()).await),
        "workload.inputs.odd",
        "no default and no example",
    );
    let bad = workload(&[
        ("n", json!(9)),
        ("one", json!("c")),
        ("many", json!(["x", "z"])),
        ("on", json!("yes")),
        ("whole", json!(1.5)),
        ("odd", json!(1)),
    ]);
    let told = issues(app.prepare(app.target("/all"), &bad).await);
    has(&told, "workload.inputs.n", "a number from 1 to 8");
    has(&told, "workload.inputs.one", "one of a, 2");
    has(&told, "workload.inputs.many", "a list of x, y");
    has(&told, "workload.inputs.on", "true or false");
    has(&told, "workload.inputs.whole", "without a fraction");
    assert_eq!(told.len(), 5, "{told:?}");
    let good = workload(&[
        ("n", json!("2")),
        ("one", json!(2)),
        ("many", json!("[\"y\"]")),
        ("on", json!("false")),
        ("free", json!("other")),
        ("odd", json!("null")),
        ("message", json!({"files": [{"path": "/a"}]})),
        ("whole", json!(2)),
    ]);
    let adapter = app.adapter(app.target("/all"), &good).await;
    let sent = body(&adapter, &prompt());
    let message = json!({"text": "one \"two\"", "files": [{"path": "/a"}]});
    assert_eq!(
        sent,
        json!([null, 2, 2, ["y"], false, message, null, "other", null, 2])
    );
}

#[tokio::test]
async fn a_dataset_brings_files_and_whole_payloads() {
    let app = App::start(super::app::pages("gradio6")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cat.png");
    std::fs::write(&file, "cat").unwrap();
    let workload = Workload {
        dataset: Some(folder.path().display().to_string().parse().unwrap()),
        ..Workload::default()
    };
    let (adapter, _) = app
        .prepare(app.target("/image_size"), &workload)
        .await
        .unwrap();
    let payload = json!({"": {"file": file.display().to_string()}});
    let notes = adapter.bring(vec![payload.clone().into()]).await.unwrap();
    assert!(notes[0].contains("1 files"), "{notes:?}");
    let with = |payload: &Value| inferometer::domain::Prompt {
        payload: Some(payload.clone().into()),
        ..inferometer::domain::Prompt::default()
    };
    let sent = body(&adapter, &with(&payload));
    assert_eq!(sent[0]["path"], "/srv/tiny.png");
    let chat = app.adapter(app.target("/chat"), &workload).await;
    assert_eq!(
        body(&chat, &with(&json!(["s", "u", 1]))),
        json!(["s", "u", 1])
    );
    assert_eq!(body(&chat, &with(&json!({"delay": 9})))[2], 9);
    for bad in [json!(["s"]), json!({"nothing": 1}), json!({"": "x"})] {
        let error = chat.bring(vec![bad.into()]).await.unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
    }
}
