//! A plan's TOML walked beside the table of fields: what is well formed becomes JSON, all else an issue with its line.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::plan_fields::{Field, Grammar, Kind, PLAN, Rule};
use super::plan_file::LineIssue;
use super::plan_load_fields::LOADS;
use super::plan_names::{closest, find, guess, join, listed};
use crate::domain::{Issue, Plan};

/// A plan by its shape alone.
pub(super) struct Read {
    /// With stand-ins for what has an issue, so that the rest can be checked too; `None` when even that fails.
    pub(super) plan: Option<Plan>,
    pub(super) shape: Vec<LineIssue>,
    pub(super) lines: Lines,
}

pub(super) fn read(text: &str) -> Read {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk {
        text: text.as_bytes(),
        lines: Lines::default(),
        issues: Vec::new(),
        is_broken: !errors.is_empty(),
    };
    let mut syntax: Vec<LineIssue> = errors.iter().map(|e| walk.syntax_issue(e)).collect();
    syntax.dedup_by_key(|i| i.line);
    let mut plan = walk.table("", PLAN, document.get_ref());
    let on_broken_line = |i: &LineIssue| syntax.iter().any(|s| s.line == i.line);
    walk.issues.retain(|i| !on_broken_line(i));
    let mut shape = syntax;
    shape.append(&mut walk.issues);
    if !shape.is_empty() {
        stand_in(&mut plan);
    }
    let plan = match serde_json::from_value(Value::Object(plan)) {
        Ok(plan) => Some(plan),
        Err(e) => {
            if shape.is_empty() {
                shape.push(LineIssue {
                    line: None,
                    field: String::new(),
                    message: e.to_string(),
                });
            }
            None
        }
    };
    Read {
        plan,
        shape,
        lines: walk.lines,
    }
}

/// Fills the places of required fields that have an issue; the plan made so is checked and thrown away.
fn stand_in(plan: &mut Map<String, Value>) {
    plan.entry("schema").or_insert(Value::from(1));
    let target = plan
        .entry("target")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(target) = target.as_object_mut() {
        target
            .entry("url")
            .or_insert_with(|| Value::from("http://127.0.0.1"));
    }
    let stage = serde_json::json!({ "load": { "kind": "closed", "users": 1 }, "requests": 1 });
    let stages = plan
        .entry("stages")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Some(stages) = stages.as_array_mut() {
        if stages.is_empty() {
            stages.push(stage.clone());
        }
        for one in stages {
            if serde_json::from_value::<crate::domain::Stage>(one.clone()).is_err() {
                *one = stage.clone();
            }
        }
    }
}

/// Where each field stands.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, u32>);

impl Lines {
    /// The line of the field, or of what holds it.
    fn of(&self, field: &str) -> Option<u32> {
        let mut field = field;
        loop {
            if let Some(line) = self.0.get(field) {
                return Some(*line);
            }
            field = field.rsplit_once('.')?.0;
        }
    }

    pub(super) fn issue(&self, issue: Issue) -> LineIssue {
        LineIssue {
            line: self.of(&issue.field),
            field: issue.field,
            message: issue.message,
        }
    }
}

pub(super) fn line_at(text: &[u8], offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    let breaks = memchr::memchr_iter(b'\n', before).count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}

/// Goes through the document beside the table of fields; what is wrong is told and left out.
struct Walk<'t> {
    text: &'t [u8],
    lines: Lines,
    issues: Vec<LineIssue>,
    /// Part of the document could not be read, so what is missing may stand there.
    is_broken: bool,
}

impl Walk<'_> {
    fn syntax_issue(&self, error: &toml::de::Error) -> LineIssue {
        let line = error.span().map(|s| line_at(self.text, s.start));
        LineIssue {
            line,
            field: String::new(),
            message: format!("is not TOML: {}", error.message().replace('\n', ", ")),
        }
    }

    fn add(&mut self, field: &str, message: impl Into<String>) {
        let issue = self.lines.issue(Issue::new(field, message));
        self.issues.push(issue);
    }

    fn stands_at(&mut self, path: &str, span: Range<usize>) {
        let line = line_at(self.text, span.start);
        self.lines.0.insert(path.to_owned(), line);
    }

    fn table(&mut self, path: &str, fields: &[Field], table: &DeTable<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in in_order(table) {
            let name: &str = key.get_ref();
            let inner = join(path, name);
            self.stands_at(&inner, key.span());
            let Some(field) = find(fields, name) else {
                self.add(
                    &inner,
                    format!("there is no such field: {}", guess(name, fields)),
                );
                continue;
            };
            if let Some(value) = self.value(&inner, field.kind, value) {
                map.insert(name.to_owned(), value);
            }
        }
        let missing =
            |f: &&Field| f.required && !in_order(table).any(|(k, _)| k.get_ref() == f.name);
        for field in fields.iter().filter(missing).filter(|_| !self.is_broken) {
            let issue = self.lines.issue(Issue::new(
                join(path, field.name),
                format!("is missing: {}", field.doc),
            ));
            self.issues.push(issue);
        }
        map
    }

    fn value(&mut self, path: &str, kind: Kind, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let value = value.get_ref();
        match kind {
            Kind::Text | Kind::Json | Kind::Path => {
                let text = value.as_str();
                self.want(path, text, value, "text in quotes")
                    .map(Value::from)
            }
            Kind::Texts => self.texts(path, value, |_any| Ok(())),
            Kind::Forms(grammar) => self.texts(path, value, grammar),
            Kind::Form(grammar) => self.form(path, value, grammar),
            Kind::Bool => self
                .want(path, value.as_bool(), value, "true or false")
                .map(Value::from),
            Kind::Whole { least, most } => self.whole(path, value, least, most),
            Kind::Number { .. } => self.number(path, value),
            Kind::Choice(choices) => self.choice(path, value, choices),
            Kind::TextMap => {
                let table = self.want(path, value.as_table(), value, "a table")?;
                Some(Value::Object(self.text_map(path, table)))
            }
            Kind::Inputs => {
                let table = self.want(path, value.as_table(), value, "a table")?;
                Some(Value::Object(self.inputs(path, table)))
            }
            Kind::Section(fields) => {
                let table = self.want(path, value.as_table(), value, "a table")?;
                Some(Value::Object(self.table(path, fields, table)))
            }
            Kind::Inline(fields, rule) => {
                let table = self.want(path, value.as_table(), value, "a table")?;
                let before = self.issues.len();
                let map = self.table(path, fields, table);
                match rule {
                    Rule::Key => self.check_key(path, &map),
                    Rule::Load => self.check_load(path, &map),
                }
                (self.issues.len() == before).then_some(Value::Object(map))
            }
            Kind::NoneOr(fields) => self.none_or(path, fields, value),
            Kind::Sections(fields, one_of) => self.sections(path, fields, one_of, value),
        }
    }

    /// The value if it is of the wanted type; else an issue that says what it is.
    fn want<T>(
        &mut self,
        path: &str,
        got: Option<T>,
        value: &DeValue<'_>,
        form: &str,
    ) -> Option<T> {
        if got.is_none() {
            let message = format!("{} is not what belongs here: write {form}", shown(value));
            self.add(path, message);
        }
        got
    }

    /// A text that its grammar takes; a number may stand without quotes.
    fn form(&mut self, path: &str, value: &DeValue<'_>, grammar: Grammar) -> Option<Value> {
        let text = match value {
            DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str()),
            _ => value.as_str(),
        };
        let text = self.want(path, text, value, "text in quotes")?;
        match grammar(text) {
            Ok(()) => Some(Value::from(text)),
            Err(message) => {
                self.add(path, message);
                None
            }
        }
    }

    fn texts(&mut self, path: &str, value: &DeValue<'_>, grammar: Grammar) -> Option<Value> {
        let form = "a list of texts, as in [\"one\", \"two\"]";
        let list = self.want(path, value.as_array(), value, form)?;
        let mut texts = Vec::new();
        for (i, one) in list.iter().enumerate() {
            let inner = join(path, &i.to_string());
            self.stands_at(&inner, one.span());
            let text = one.get_ref().as_str();
            let Some(text) = self.want(&inner, text, one.get_ref(), "text in quotes") else {
                continue;
            };
            match grammar(text) {
                Ok(()) => texts.push(Value::from(text)),
                Err(message) => self.add(&inner, message),
            }
        }
        Some(Value::Array(texts))
    }

    fn whole(&mut self, path: &str, value: &DeValue<'_>, least: u64, most: u64) -> Option<Value> {
        let form = format!("a whole number from {least} to {most}");
        let n = self.want(path, value.as_integer(), value, &form)?;
        let parsed = i128::from_str_radix(n.as_str(), n.radix()).ok();
        let fits = parsed
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| (least..=most).contains(n));
        if fits.is_none() {
            let message = if least == most {
                format!("“{n}” is not known: this program reads {least}")
            } else {
                format!("“{n}” must be {least} to {most}")
            };
            self.add(path, message);
        }
        fits.map(Value::from)
    }

    fn number(&mut self, path: &str, value: &DeValue<'_>) -> Option<Value> {
        let text = match value {
            DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str()),
            DeValue::Float(x) => Some(x.as_str()),
            _ => None,
        };
        let text = self.want(path, text, value, "a number")?;
        let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
        if number.is_none() {
            self.add(path, format!("“{text}” is not a finite number"));
        }
        number.map(Value::from)
    }

    fn choice(&mut self, path: &str, value: &DeValue<'_>, choices: &[&str]) -> Option<Value> {
        let list = listed(choices.iter().copied());
        let form = format!("{list} in quotes");
        let text = self.want(path, value.as_str(), value, &form)?;
        if choices.contains(&text) {
            return Some(Value::from(text));
        }
        let hint = closest(text, choices).map_or_else(
            || format!("write {list}"),
            |c| format!("did you mean “{c}”? There are {list}"),
        );
        self.add(path, format!("“{text}” is not one of the choices: {hint}"));
        None
    }

    fn text_map(&mut self, path: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in in_order(table) {
            let inner = join(path, key.get_ref());
            self.stands_at(&inner, key.span());
            let value = value.get_ref();
            if let Some(text) = self.want(&inner, value.as_str(), value, "text in quotes") {
                map.insert(key.get_ref().to_string(), Value::from(text));
            }
        }
        map
    }

    fn inputs(&mut self, path: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in in_order(table) {
            let inner = join(path, key.get_ref());
            self.stands_at(&inner, key.span());
            match input_value(value.get_ref()) {
                Ok(value) => {
                    map.insert(key.get_ref().to_string(), value);
                }
                Err(message) => self.add(&inner, message),
            }
        }
        map
    }

    fn check_key(&mut self, path: &str, key: &Map<String, Value>) {
        let source = key.get("source").and_then(Value::as_str);
        let name = join(path, "name");
        match (source, key.contains_key("name")) {
            (Some("env"), false) => {
                self.add(
                    &name,
                    "is missing: name the environment variable that holds the key",
                );
            }
            (Some(source), true) if source != "env" => {
                let message = format!("goes with source = “env”, not with “{source}”: remove one");
                self.add(&name, message);
            }
            _ => {}
        }
    }

    /// Each kind of load has its own fields.
    fn check_load(&mut self, path: &str, load: &Map<String, Value>) {
        let kind = load.get("kind").and_then(Value::as_str);
        let Some((kind, must, may)) = LOADS.iter().find(|(k, ..)| kind == Some(*k)) else {
            return;
        };
        for name in must.iter().filter(|name| !load.contains_key(**name)) {
            let field = join(path, name);
            // One that is there and wrong has its issue already.
            if self.issues.iter().all(|i| i.field != field) {
                self.add(
                    &field,
                    format!("is missing: a load of kind “{kind}” needs it"),
                );
            }
        }
        let is_strange = |name: &&String| {
            name.as_str() != "kind"
                && !must.contains(&name.as_str())
                && !may.contains(&name.as_str())
        };
        for name in load.keys().filter(is_strange) {
            let fields = listed(must.iter().chain(may.iter()).copied());
            let message = format!("goes not with a load of kind “{kind}”, which has {fields}");
            self.add(&join(path, name), message);
        }
    }

    fn none_or(&mut self, path: &str, fields: &[Field], value: &DeValue<'_>) -> Option<Value> {
        let names: Vec<&str> = fields.iter().map(|f| f.name).collect();
        let form = format!("“none”, or a table with {}", listed(names.iter().copied()));
        if let Some(word) = value.as_str() {
            let none = (word == "none").then(|| Value::from("none"));
            return self.want(path, none, value, &form);
        }
        let table = self.want(path, value.as_table(), value, &form)?;
        let before = self.issues.len();
        let map = self.table(path, fields, table);
        self.check_one_of(path, &names, table);
        (self.issues.len() == before).then_some(Value::Object(map))
    }

    fn sections(
        &mut self,
        path: &str,
        fields: &[Field],
        one_of: &[&str],
        value: &DeValue<'_>,
    ) -> Option<Value> {
        let form = format!("[[{path}]] sections");
        let list = self.want(path, value.as_array(), value, &form)?;
        let mut sections = Vec::new();
        for (i, one) in list.iter().enumerate() {
            let inner = join(path, &i.to_string());
            self.stands_at(&inner, one.span());
            let table = one.get_ref().as_table();
            if let Some(table) = self.want(&inner, table, one.get_ref(), "a table") {
                let map = self.table(&inner, fields, table);
                self.check_one_of(&inner, one_of, table);
                sections.push(Value::Object(map));
            }
        }
        Some(Value::Array(sections))
    }

    fn check_one_of(&mut self, path: &str, names: &[&str], table: &DeTable<'_>) {
        let is_there = |name: &&&str| in_order(table).any(|(k, _)| k.get_ref() == **name);
        let there: Vec<&str> = names.iter().filter(is_there).copied().collect();
        let list = listed(names.iter().copied());
        match there.as_slice() {
            [_] => {}
            [] if self.is_broken => {}
            [] => self.add(path, format!("has no end: give one of {list}")),
            several => {
                let both = several.join("” and “");
                let message = format!("has “{both}”: give only one of {list}");
                self.add(path, message);
            }
        }
    }
}

/// Entries as they stand in the file.
fn in_order<'a, 't>(
    table: &'a DeTable<'t>,
) -> impl Iterator<
    Item = (
        &'a Spanned<std::borrow::Cow<'t, str>>,
        &'a Spanned<DeValue<'t>>,
    ),
> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}

/// The value in quotes, cut to what fits into a sentence.
fn shown(value: &DeValue<'_>) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(x) => x.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) => return "a list".to_owned(),
        DeValue::Table(_) => return "a table".to_owned(),
    };
    if text.chars().count() > LONGEST {
        let cut: String = text.chars().take(LONGEST).collect();
        return format!("“{cut}…”");
    }
    format!("“{text}”")
}

/// An input as JSON; `{ json = "…" }` is what the text says.
fn input_value(value: &DeValue<'_>) -> Result<Value, String> {
    if let Some(table) = value.as_table()
        && table.len() == 1
        && let Some((key, text)) = table.iter().next()
        && key.get_ref() == "json"
        && let Some(text) = text.get_ref().as_str()
    {
        return serde_json::from_str(text).map_err(|e| format!("“{text}” is not JSON: {e}"));
    }
    json_from_toml(value)
}

pub(super) fn json_from_toml(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
            .map(Value::from)
            .map_err(|_outside| format!("“{n}” is larger than TOML's integers")),
        DeValue::Float(x) => x
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| format!("“{x}” is no number in JSON")),
        DeValue::Boolean(b) => Ok(Value::from(*b)),
        DeValue::Datetime(date) => Err(format!("“{date}” is a date: put it in quotes")),
        DeValue::Array(list) => {
            let values: Result<Vec<Value>, String> =
                list.iter().map(|v| json_from_toml(v.get_ref())).collect();
            Ok(Value::Array(values?))
        }
        DeValue::Table(table) => {
            let mut map = Map::new();
            for (key, value) in in_order(table) {
                map.insert(key.get_ref().to_string(), json_from_toml(value.get_ref())?);
            }
            Ok(Value::Object(map))
        }
    }
}
