//! The endpoints of an app, from `/info` (what a caller gives and gets) and `/config` (ranges, choices, the places of
//! State, which `/info` leaves out).

use serde_json::Value;

use super::config::{AppConfig, Component, Dependency, Visibility};
use crate::domain::{GradioEndpoint, InputField, InputKind, Media};

/// One endpoint, with what the form does not show.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) public: GradioEndpoint,
    /// One for each of `public.inputs`.
    pub(super) rules: Vec<Rule>,
    /// What goes where in `data`.
    pub(super) slots: Vec<Slot>,
    pub(super) outputs: Vec<OutputKind>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Slot {
    /// The position of an input in `public.inputs`.
    Input(usize),
    /// Sent as null: the session's own value is taken.
    State,
}

/// What a value of an input may be, beyond its kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Rule {
    /// A dropdown that takes other values than its choices.
    pub(super) any_choice: bool,
    pub(super) integer: bool,
    /// A text with files: `{"text": …, "files": […]}`.
    pub(super) multimodal: bool,
    /// A person types text into it, so a prompt may go there.
    pub(super) takes_prompt: bool,
}

/// How an output is looked at for content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OutputKind {
    State,
    /// A list of messages, of which the last one grows.
    Chatbot,
    /// An image, sound, video or file: no text, though it may be a string.
    Media,
    Other,
}

/// The endpoints that a person may choose: those of `/info`, or of `/config` where an app's `/info` is broken.
pub(super) fn endpoints(config: &AppConfig, info: Option<&Value>) -> Vec<Endpoint> {
    let named = info.and_then(|i| i.get("named_endpoints")?.as_object());
    let Some(named) = named else {
        let public = |d: &&Dependency| d.visibility == Visibility::Public;
        let listed = config.dependencies.iter().filter(public);
        return listed.map(|d| endpoint(config, d, None)).collect();
    };
    named
        .iter()
        .filter_map(|(name, told)| {
            let dependency = config.dependency(name.trim_start_matches('/'))?;
            Some(endpoint(config, dependency, Some(told)))
        })
        .collect()
}

/// One endpoint, from its entry of `/info` when there is one.
pub(super) fn endpoint(
    config: &AppConfig,
    dependency: &Dependency,
    told: Option<&Value>,
) -> Endpoint {
    let list = |key: &str| told.and_then(|t| t.get(key)?.as_array());
    let inputs: Vec<Option<&Component>> = dependency
        .inputs
        .iter()
        .map(|id| config.component(*id))
        .collect();
    let is_state = |c: Option<&Component>| c.is_some_and(|c| c.skip_api);
    let given: Vec<Option<&Component>> = inputs.iter().copied().filter(|c| !is_state(*c)).collect();
    let parameters: Vec<Parameter> = match list("parameters") {
        // An unknown shape of `/config`: what `/info` lists is then all that is sent.
        Some(told) => told
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let component = given.get(i).copied().flatten();
                parameter(i, p, component.filter(|_| given.len() == told.len()))
            })
            .collect(),
        None => given
            .iter()
            .enumerate()
            .map(|(i, c)| parameter(i, &Value::Null, *c))
            .collect(),
    };
    let slots = if given.len() == parameters.len() {
        let mut next = 0..;
        let slot = |c: Option<&Component>| match (is_state(c), &mut next) {
            (true, _) => Slot::State,
            (false, next) => Slot::Input(next.next().unwrap_or_default()),
        };
        inputs.iter().copied().map(slot).collect()
    } else {
        (0..parameters.len()).map(Slot::Input).collect()
    };
    let output = |id: &u64| config.component(*id).map_or(OutputKind::Other, output_kind);
    let (fields, rules): (Vec<InputField>, Vec<Rule>) =
        parameters.into_iter().map(|p| (p.field, p.rule)).unzip();
    let (system_input, user_input) = super::mapping::suggest(&fields, &rules);
    Endpoint {
        public: GradioEndpoint {
            api_name: format!("/{}", dependency.api_name),
            fn_index: dependency.fn_index,
            generator: dependency.generator,
            queue: dependency.queue,
            inputs: fields,
            outputs: output_labels(config, dependency, list("returns")),
            system_input,
            user_input,
        },
        rules,
        slots,
        outputs: dependency.outputs.iter().map(output).collect(),
    }
}

fn output_labels(
    config: &AppConfig,
    dependency: &Dependency,
    told: Option<&Vec<Value>>,
) -> Vec<String> {
    if let Some(told) = told {
        let label = |r: &Value| {
            r.get("label")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        return told.iter().map(label).collect();
    }
    let components = dependency
        .outputs
        .iter()
        .filter_map(|id| config.component(*id));
    components
        .filter(|c| !c.skip_api)
        .map(|c| c.label().unwrap_or_default().to_owned())
        .collect()
}

fn output_kind(component: &Component) -> OutputKind {
    match component.kind.as_str() {
        _ if component.skip_api => OutputKind::State,
        "chatbot" => OutputKind::Chatbot,
        "image" | "imageeditor" | "imageslider" | "annotatedimage" | "gallery" | "audio"
        | "video" | "file" | "downloadbutton" | "model3d" | "plot" => OutputKind::Media,
        _ => OutputKind::Other,
    }
}

struct Parameter {
    field: InputField,
    rule: Rule,
}

/// `told` is null where only the component is known.
fn parameter(position: usize, told: &Value, component: Option<&Component>) -> Parameter {
    let text = |key: &str| {
        told.get(key)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    };
    let name = match text("parameter_name") {
        Some(name) => name.to_owned(),
        None => format!("param_{position}"),
    };
    let label = text("label")
        .or_else(|| component?.label())
        .unwrap_or(&name);
    let schema = told
        .get("type")
        .filter(|t| t.is_object())
        .or_else(|| Some(&component?.schema))
        .unwrap_or(&Value::Null);
    let widget = text("component").map(str::to_lowercase);
    let widget = widget
        .or_else(|| Some(component?.kind.clone()))
        .unwrap_or_default();
    let prop = |key: &str| {
        component
            .and_then(|c| c.props.get(key))
            .filter(|v| !v.is_null())
    };
    let (default, has_default) = default_of(told, component);
    let kind = kind(&widget, schema, &prop);
    let is_hidden_text = prop("type").and_then(Value::as_str) == Some("password");
    let multimodal = widget == "multimodaltextbox";
    Parameter {
        rule: Rule {
            any_choice: prop("allow_custom_value").and_then(Value::as_bool) == Some(true),
            integer: types_of(schema).contains(&"integer"),
            multimodal,
            takes_prompt: multimodal || (kind == InputKind::Text && !is_hidden_text),
        },
        field: InputField {
            label: label.to_owned(),
            name,
            kind,
            default,
            has_default,
        },
    }
}

/// `parameter_default`, else `example_input`, else none; and whether it is the app's own.
fn default_of(told: &Value, component: Option<&Component>) -> (Option<Value>, bool) {
    let own = match told.get("parameter_has_default").and_then(Value::as_bool) {
        Some(true) => Some(told.get("parameter_default").cloned().unwrap_or_default()),
        Some(false) => None,
        None => component
            .and_then(|c| c.props.get("value"))
            .filter(|v| !v.is_null())
            .cloned(),
    };
    if own.is_some() {
        return (own, true);
    }
    let example = told.get("example_input").filter(|v| !v.is_null()).cloned();
    (example.or_else(|| component?.example.clone()), false)
}

fn kind<'a>(widget: &str, schema: &Value, prop: &impl Fn(&str) -> Option<&'a Value>) -> InputKind {
    let number = |key: &str| prop(key).and_then(Value::as_f64);
    match widget {
        "slider" => match (number("minimum"), number("maximum")) {
            (Some(min), Some(max)) if min <= max => InputKind::Slider {
                min,
                max,
                step: number("step").filter(|s| *s > 0.0),
            },
            _ => InputKind::Number,
        },
        "dropdown" | "radio" | "checkboxgroup" => match choices(schema, prop) {
            Some(choices) => InputKind::Dropdown {
                choices,
                multiple: widget == "checkboxgroup"
                    || types_of(schema).contains(&"array")
                    || prop("multiselect").and_then(Value::as_bool) == Some(true),
            },
            None => by_schema(schema),
        },
        "image" => InputKind::File {
            media: Media::Image,
        },
        "audio" => InputKind::File {
            media: Media::Audio,
        },
        "video" => InputKind::File {
            media: Media::Video,
        },
        "file" | "uploadbutton" | "model3d" => InputKind::File { media: Media::Any },
        "multimodaltextbox" | "dataframe" | "json" | "chatbot" | "imageeditor" => InputKind::Json,
        _ => by_schema(schema),
    }
}

/// `enum` of the schema or of its items, else the values of the component's `[label, value]` pairs.
fn choices<'a>(schema: &Value, prop: &impl Fn(&str) -> Option<&'a Value>) -> Option<Vec<Value>> {
    let listed = schema
        .get("enum")
        .or_else(|| schema.get("items")?.get("enum"))
        .and_then(Value::as_array);
    if let Some(listed) = listed {
        return Some(listed.clone());
    }
    let pairs = prop("choices")?.as_array()?;
    let value = |choice: &Value| match choice.as_array().map(Vec::as_slice) {
        Some([_, value, ..]) => value.clone(),
        _ => choice.clone(),
    };
    Some(pairs.iter().map(value).collect())
}

/// For components that we do not know by name.
fn by_schema(schema: &Value) -> InputKind {
    let types = types_of(schema);
    let is = |wanted: &[&str]| !types.is_empty() && types.iter().all(|t| wanted.contains(t));
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return InputKind::Dropdown {
            choices: choices.clone(),
            multiple: false,
        };
    }
    if is(&["string"]) {
        return InputKind::Text;
    }
    if is(&["number", "integer"]) {
        return InputKind::Number;
    }
    if is(&["boolean"]) {
        return InputKind::Checkbox;
    }
    let title = schema.get("title").and_then(Value::as_str);
    match title {
        Some("FileData") => InputKind::File { media: Media::Any },
        Some("ImageData") => InputKind::File {
            media: Media::Image,
        },
        _ => InputKind::Json,
    }
}

/// The types that a schema allows, without null.
fn types_of(schema: &Value) -> Vec<&str> {
    let mut types = Vec::new();
    match schema.get("type") {
        Some(Value::String(one)) => types.push(one.as_str()),
        Some(Value::Array(several)) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for key in ["anyOf", "oneOf"] {
        let branches = schema.get(key).and_then(Value::as_array);
        for branch in branches.into_iter().flatten() {
            types.extend(branch.get("type").and_then(Value::as_str));
        }
    }
    types.retain(|t| *t != "null");
    types
}
