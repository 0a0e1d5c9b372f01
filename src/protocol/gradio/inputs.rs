//! What stands in `data`: the plan's inputs held against the app's own description, defaults, prompts and uploaded files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::info::{Endpoint, Rule, Slot};
use super::template::{Piece, SlotText, Template, Uploads, with_uploads};
use crate::domain::{InputField, InputKind, Issue, Workload, input_file};

/// The inputs of every request, before their files are uploaded.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    /// In the order of `data`, each with the input's name and whether it takes a file; no name is the session's state.
    parts: Vec<(Option<(String, bool)>, Part)>,
    /// Local files to upload, each with the input that named it.
    pub(super) files: BTreeMap<PathBuf, String>,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Part {
    Fixed(Value),
    /// The system prompt, or this where there is none.
    System(Value),
    /// The user prompt, or this where a prompt is no text.
    User(Value),
    /// The user prompt among the fields of a multimodal text.
    UserWith(Map<String, Value>),
}

/// Holds the workload against the endpoint: all issues at once.
pub(super) fn fill(endpoint: &Endpoint, workload: &Workload) -> Result<Filled, Vec<Issue>> {
    let mut filler = Filler {
        endpoint,
        workload,
        files: BTreeMap::new(),
        notes: Vec::new(),
        issues: Vec::new(),
    };
    filler.refuse_unknown_inputs();
    let user = filler.user_input();
    let system = filler.system_input(user);
    let parts: Vec<(Option<(String, bool)>, Part)> = (endpoint.slots.iter())
        .map(|slot| match slot {
            Slot::State => (None, Part::Fixed(Value::Null)),
            Slot::Input(i) => (filler.input(*i), filler.part(*i, system, user)),
        })
        .collect();
    if !filler.issues.is_empty() {
        return Err(filler.issues);
    }
    Ok(Filled {
        parts,
        files: filler.files,
        notes: filler.notes,
    })
}

struct Filler<'a> {
    endpoint: &'a Endpoint,
    workload: &'a Workload,
    files: BTreeMap<PathBuf, String>,
    notes: Vec<String>,
    issues: Vec<Issue>,
}

impl<'a> Filler<'a> {
    fn field(&self, i: usize) -> Option<(&'a InputField, &'a Rule)> {
        let endpoint = self.endpoint;
        Some((endpoint.public.inputs.get(i)?, endpoint.rules.get(i)?))
    }

    /// An input's name, and whether it takes a file.
    fn input(&self, i: usize) -> Option<(String, bool)> {
        let (field, _) = self.field(i)?;
        let takes_file = matches!(field.kind, InputKind::File { .. });
        Some((field.name.clone(), takes_file))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let inputs = &self.endpoint.public.inputs;
        inputs.iter().position(|f| f.name == name)
    }

    fn names(&self) -> String {
        let inputs = &self.endpoint.public.inputs;
        let names: Vec<&str> = inputs.iter().map(|f| f.name.as_str()).collect();
        if names.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("it takes {}", names.join(", "))
        }
    }

    fn issue(&mut self, field: &str, message: String) {
        self.issues.push(Issue::new(field, message));
    }

    fn refuse_unknown_inputs(&mut self) {
        for name in self.workload.inputs.keys() {
            if self.position(name).is_none() {
                let message = format!(
                    "“{}” has no input “{name}”; {}",
                    self.endpoint.public.api_name,
                    self.names()
                );
                self.issue(&format!("workload.inputs.{name}"), message);
            }
        }
    }

    /// The input that a plan names for a prompt.
    fn named(&mut self, field: &str, name: &str) -> Option<usize> {
        let found = self.position(name);
        let takes = found
            .and_then(|i| self.field(i))
            .is_some_and(|(_, rule)| rule.takes_prompt);
        if !takes {
            let why = match found {
                Some(_) => "takes no text".to_owned(),
                None => format!(
                    "is no input of “{}”; {}",
                    self.endpoint.public.api_name,
                    self.names()
                ),
            };
            self.issue(field, format!("“{name}” {why}"));
        }
        found.filter(|_| takes)
    }

    fn user_input(&mut self) -> Option<usize> {
        let chosen = self
            .workload
            .user_input
            .as_deref()
            .filter(|n| !n.is_empty());
        let position = if let Some(name) = chosen {
            self.named("workload.user_input", name)?
        } else {
            let suggested = self.endpoint.public.user_input.as_deref();
            let Some(position) = suggested.and_then(|name| self.position(name)) else {
                self.without_user_input();
                return None;
            };
            position
        };
        let (field, rule) = self.field(position)?;
        let is_set = self.workload.inputs.contains_key(&field.name);
        if !is_set || rule.multimodal {
            return Some(position);
        }
        let has_prompts = !self.workload.users.is_empty() || self.workload.prompts_file.is_some();
        if chosen.is_some() || has_prompts {
            let message = format!(
                "“{}” is set here and also takes the user prompts; remove one of the two, or name another input in workload.user_input",
                field.name
            );
            self.issue(&format!("workload.inputs.{}", field.name), message);
            return None;
        }
        if self.workload.dataset.is_none() {
            self.notes.push(format!(
                "“{}” is set by the plan, so no user prompt is sent and every request is the same",
                field.name
            ));
        }
        None
    }

    fn without_user_input(&mut self) {
        let name = &self.endpoint.public.api_name;
        if self.workload.dataset.is_some() {
            self.notes.push(format!(
                "“{name}” has no input for a user prompt: of the dataset only files and whole payloads are sent"
            ));
        } else if self.workload.users.is_empty() && self.workload.prompts_file.is_none() {
            self.notes.push(format!(
                "“{name}” has no input for a user prompt: every request is the same"
            ));
        } else {
            let message = format!("“{name}” has no text input for these prompts; remove them");
            self.issue("workload.users", message);
        }
    }

    fn system_input(&mut self, user: Option<usize>) -> Option<usize> {
        let chosen = self
            .workload
            .system_input
            .as_deref()
            .filter(|n| !n.is_empty());
        let position = if let Some(name) = chosen {
            self.named("workload.system_input", name)
        } else {
            let suggested = self.endpoint.public.system_input.as_deref();
            let position = suggested.and_then(|name| self.position(name));
            position.filter(|p| Some(*p) != user)
        };
        if chosen.is_some() && position.is_some() && position == user {
            let message = "the system prompt and the user prompt cannot go into the same input";
            self.issue("workload.system_input", message.to_owned());
            return None;
        }
        if self.workload.system.is_empty() {
            return None;
        }
        let Some(position) = position else {
            if chosen.is_none() {
                let message = format!(
                    "“{}” has no input for a system prompt; leave it empty, or name the input in workload.system_input",
                    self.endpoint.public.api_name
                );
                self.issue("workload.system", message);
            }
            return None;
        };
        let (field, _) = self.field(position)?;
        if self.workload.inputs.contains_key(&field.name) {
            let message = format!(
                "“{}” is set here and also takes the system prompt; remove one of the two",
                field.name
            );
            self.issue(&format!("workload.inputs.{}", field.name), message);
        }
        Some(position)
    }

    fn part(&mut self, i: usize, system: Option<usize>, user: Option<usize>) -> Part {
        let Some((field, rule)) = self.field(i) else {
            return Part::Fixed(Value::Null);
        };
        let set = self.workload.inputs.get(&field.name);
        if user == Some(i) {
            if !rule.multimodal {
                return Part::User(field.default.clone().unwrap_or_else(|| json!("")));
            }
            let given = set.map(|v| self.value(field, rule, v)).unwrap_or_default();
            let mut fields = given.as_object().cloned().unwrap_or_default();
            fields.shift_remove("text");
            fields.entry("files").or_insert_with(|| json!([]));
            return Part::UserWith(fields);
        }
        if system == Some(i) {
            return Part::System(field.default.clone().unwrap_or_else(|| json!("")));
        }
        Part::Fixed(match set {
            Some(value) => self.value(field, rule, value),
            None => self.default_of(field),
        })
    }

    fn default_of(&mut self, field: &InputField) -> Value {
        let is_file = matches!(field.kind, InputKind::File { .. });
        if is_file && self.workload.dataset.is_some() {
            // The dataset brings it; where it does not, the app says so.
            return field.default.clone().unwrap_or_default();
        }
        let Some(default) = &field.default else {
            let message = format!(
                "“{}” has no default and no example; set it to {}",
                field.name,
                wanted(&field.kind)
            );
            self.issue(&format!("workload.inputs.{}", field.name), message);
            return Value::Null;
        };
        if !field.has_default {
            let remote = default
                .get("url")
                .or_else(|| default.get("path"))
                .and_then(Value::as_str);
            match remote.filter(|_| matches!(field.kind, InputKind::File { .. })) {
                Some(url) => self.notes.push(format!(
                    "“{}” is not set: the app's example is sent, which the server fetches from {url} by itself",
                    field.name
                )),
                None => self.notes.push(format!(
                    "“{}” is not set: the app's example {} is sent",
                    field.name, default
                )),
            }
        }
        default.clone()
    }

    /// The value as it is sent; an issue when it does not fit.
    fn value(&mut self, field: &InputField, rule: &Rule, given: &Value) -> Value {
        let value = read(&field.kind, given);
        let place = format!("workload.inputs.{}", field.name);
        if let Some(why) = misfit(field, rule, &value) {
            self.issue(&place, format!("“{}” {why}", short(given)));
            return Value::Null;
        }
        let value = match (&field.kind, value) {
            (InputKind::File { .. }, Value::String(path)) => file_of(&path),
            (_, value) => value,
        };
        let mut paths = Vec::new();
        collect_files(&value, &mut paths);
        for path in paths {
            if !Path::new(&path).is_file() {
                let message = format!(
                    "“{path}”, given for the input “{}”, is not a file that can be read",
                    field.name
                );
                self.issue(&place, message);
            }
            let name = field.name.clone();
            self.files.entry(PathBuf::from(path)).or_insert(name);
        }
        value
    }
}

/// A plan file writes JSON as text where TOML has no word for it (`"null"`); the value behind such a text.
fn read(kind: &InputKind, given: &Value) -> Value {
    let Value::String(text) = given else {
        return given.clone();
    };
    let parsed = || serde_json::from_str::<Value>(text).ok();
    let read = match kind {
        // Only what cannot be meant as it stands: a JSON string, with its quotes, and the word for nothing.
        InputKind::Text | InputKind::File { .. } => parsed().filter(|v| {
            v.is_string() || v.is_null() || (v.is_object() && *kind != InputKind::Text)
        }),
        InputKind::Dropdown { choices, .. } if choices.contains(given) => None,
        _ => parsed(),
    };
    read.unwrap_or_else(|| given.clone())
}

/// Why the value cannot be meant; the server would take it and fail, or worse, not fail.
fn misfit(field: &InputField, rule: &Rule, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let fits = match &field.kind {
        InputKind::Text => value.is_string(),
        InputKind::Checkbox => value.is_boolean(),
        InputKind::Number => is_number(value, rule),
        InputKind::Slider { min, max, .. } => {
            let inside = |n: f64| *min <= n && n <= *max;
            is_number(value, rule) && value.as_f64().is_some_and(inside)
        }
        InputKind::Dropdown { choices, multiple } => {
            let one = |v: &Value| rule.any_choice || choices.iter().any(|c| same(c, v));
            match value.as_array() {
                Some(several) if *multiple => several.iter().all(one),
                _ => !multiple && one(value),
            }
        }
        InputKind::File { .. } => value.is_object() || value.is_array() || value.is_string(),
        InputKind::Json => true,
    };
    if fits {
        return None;
    }
    let integer = if rule.integer {
        ", without a fraction"
    } else {
        ""
    };
    Some(format!(
        "does not fit the input “{}”, which takes {}{integer}",
        field.name,
        wanted(&field.kind)
    ))
}

fn is_number(value: &Value, rule: &Rule) -> bool {
    let whole = |n: f64| n.fract() == 0.0;
    value.as_f64().is_some_and(|n| !rule.integer || whole(n))
}

/// `1` and `1.0` are one choice.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a))
}

/// What an input takes, in words.
fn wanted(kind: &InputKind) -> String {
    match kind {
        InputKind::Text => "a text".to_owned(),
        InputKind::Number => "a number".to_owned(),
        InputKind::Slider { min, max, .. } => format!("a number from {min} to {max}"),
        InputKind::Dropdown { choices, multiple } => {
            let some = if *multiple { "a list of" } else { "one of" };
            let shown: Vec<String> = choices.iter().take(12).map(short).collect();
            let more = if choices.len() > shown.len() {
                ", …"
            } else {
                ""
            };
            format!("{some} {}{more}", shown.join(", "))
        }
        InputKind::Checkbox => "true or false".to_owned(),
        InputKind::File { .. } => {
            "a file, as {\"file\": \"path\"}, or an http(s) address".to_owned()
        }
        InputKind::Json => "JSON".to_owned(),
    }
}

/// A value for a message: a text without its quotes, cut.
fn short(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned);
    if text.chars().count() > 60 {
        text.chars().take(60).chain(['…']).collect()
    } else {
        text
    }
}

/// A bare text as a file: an address that the server fetches, or a local path.
pub(super) fn file_of(text: &str) -> Value {
    if text.starts_with("http://") || text.starts_with("https://") {
        json!({"path": text, "url": text, "meta": {"_type": "gradio.FileData"}})
    } else {
        json!({ "file": text })
    }
}

/// Paths of `{"file": "path"}`, wherever they stand in a value.
pub(super) fn collect_files(value: &Value, paths: &mut Vec<String>) {
    if let Some(path) = input_file(value) {
        paths.push(path.to_owned());
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|v| collect_files(v, paths)),
        Value::Object(fields) => fields.values().for_each(|v| collect_files(v, paths)),
        _ => {}
    }
}

impl Filled {
    /// Puts the uploaded files in place of the local ones.
    pub(super) fn template(self, uploads: &Uploads) -> Template {
        let slots = self.parts.into_iter().map(|(input, part)| {
            let (name, takes_file) = input.map_or((None, false), |(name, file)| (Some(name), file));
            SlotText {
                name,
                takes_file,
                pieces: pieces(part, uploads),
            }
        });
        Template {
            slots: slots.collect(),
        }
    }
}

fn pieces(part: Part, uploads: &Uploads) -> Vec<Piece> {
    match part {
        Part::Fixed(mut value) => {
            with_uploads(&mut value, uploads);
            vec![Piece::Text(value.to_string())]
        }
        Part::System(otherwise) => vec![Piece::System {
            otherwise: otherwise.to_string(),
        }],
        Part::User(otherwise) => vec![Piece::User {
            otherwise: otherwise.to_string(),
        }],
        Part::UserWith(fields) => {
            let mut rest = Value::Object(fields);
            with_uploads(&mut rest, uploads);
            let rest = rest.to_string();
            let rest = rest.strip_prefix('{').unwrap_or("}");
            vec![
                Piece::Text("{\"text\":".to_owned()),
                Piece::User {
                    otherwise: "\"\"".to_owned(),
                },
                Piece::Text(format!(",{rest}")),
            ]
        }
    }
}
