//! The app that the demo server pretends to be: its components, endpoints and their description.

use serde_json::{Value, json};

/// The endpoints, at their `fn_index`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::demo) enum Endpoint {
    /// Streams; takes a state.
    Chat,
    /// Answers at once with what it got.
    Echo,
    /// Says how many bytes an uploaded image has.
    ImageSize,
    /// Always raises.
    Fail,
}

const NAMES: [(&str, Endpoint); 4] = [
    ("chat", Endpoint::Chat),
    ("echo", Endpoint::Echo),
    ("image_size", Endpoint::ImageSize),
    ("fail", Endpoint::Fail),
];

pub(super) fn by_index(index: u64) -> Option<Endpoint> {
    NAMES
        .get(usize::try_from(index).ok()?)
        .map(|(_, endpoint)| *endpoint)
}

pub(super) fn by_name(name: &str) -> Option<Endpoint> {
    NAMES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, endpoint)| *endpoint)
}

/// The page's theme: something to load.
pub(super) const THEME: &[u8] = b":root { --body-background-fill: white; }\n";

/// `/config`, with what a client reads of it.
pub(super) fn config() -> Value {
    let textbox = |id: u64, label: &str, value: &str| json!({"id": id, "type": "textbox", "props": {"label": label, "value": value}});
    let dependency = |id: u64, inputs: &[u64], outputs: &[u64], generator: bool| {
        json!({"id": id, "api_name": NAMES[usize::try_from(id).unwrap_or(0)].0, "inputs": inputs, "outputs": outputs, "queue": true,
               "batch": false, "types": {"generator": generator, "cancel": false}, "api_visibility": "public",
               "connection": "sse", "cancels": []})
    };
    json!({
        "version": "6.31.0", "api_prefix": super::PREFIX, "protocol": "sse_v3", "app_id": 1, "root": "", "space_id": null,
        "enable_queue": true, "show_error": true, "connect_heartbeat": false, "max_file_size": null, "username": null,
        "title": "Inferometer demo",
        "components": [
            textbox(1, "Message", ""),
            textbox(2, "System prompt", "You are brief."),
            {"id": 3, "type": "slider", "props": {"label": "Max new tokens", "minimum": 1, "maximum": 512, "step": 1, "value": 32}},
            {"id": 4, "type": "dropdown", "props": {"label": "Style", "choices": [["plain", "plain"], ["formal", "formal"]], "value": "plain"}},
            {"id": 5, "type": "checkbox", "props": {"label": "Shout", "value": false}},
            {"id": 6, "type": "state", "props": {"value": 0}},
            textbox(7, "Answer", ""),
            {"id": 8, "type": "image", "props": {"label": "Image"}},
        ],
        "dependencies": [
            dependency(0, &[1, 2, 3, 4, 5, 6], &[7, 6], true),
            dependency(1, &[1], &[7], false),
            dependency(2, &[8], &[7], false),
            dependency(3, &[1], &[7], false),
        ],
    })
}

/// `/info`: states are left out, as Gradio does.
pub(super) fn info() -> Value {
    let text = |label: &str, name: &str, default: Option<&str>| {
        json!({"label": label, "parameter_name": name, "parameter_has_default": default.is_some(), "parameter_default": default,
               "type": {"type": "string"}, "python_type": {"type": "str", "description": ""}, "component": "Textbox",
               "example_input": "Hello!!"})
    };
    let answer = json!([{"label": "Answer", "type": {"type": "string"}, "python_type": {"type": "str"}, "component": "Textbox"}]);
    let message = || text("Message", "message", None);
    let image = json!({"label": "Image", "parameter_name": "image", "parameter_has_default": false, "parameter_default": null,
        "type": {"title": "ImageData", "type": "object", "properties": {"path": {"type": "string"}}}, "component": "Image",
        "python_type": {"type": "dict", "description": ""}, "example_input": null});
    json!({"unnamed_endpoints": {}, "named_endpoints": {
        "/chat": {"returns": answer, "api_visibility": "public", "parameters": [
            message(),
            text("System prompt", "system_prompt", Some("You are brief.")),
            {"label": "Max new tokens", "parameter_name": "max_tokens", "parameter_has_default": true, "parameter_default": 32,
             "type": {"type": "number", "description": "numeric value between 1 and 512"}, "component": "Slider",
             "python_type": {"type": "float", "description": ""}, "example_input": 1},
            {"label": "Style", "parameter_name": "style", "parameter_has_default": true, "parameter_default": "plain",
             "type": {"enum": ["plain", "formal"], "title": "Dropdown", "type": "string"}, "component": "Dropdown",
             "python_type": {"type": "Literal['plain', 'formal']", "description": ""}, "example_input": "plain"},
            {"label": "Shout", "parameter_name": "shout", "parameter_has_default": true, "parameter_default": false,
             "type": {"type": "boolean"}, "component": "Checkbox", "python_type": {"type": "bool"}, "example_input": true},
        ]},
        "/echo": {"returns": answer, "api_visibility": "public", "parameters": [message()]},
        "/image_size": {"returns": answer, "api_visibility": "public", "parameters": [image]},
        "/fail": {"returns": answer, "api_visibility": "public", "parameters": [message()]},
    }})
}
