//! How any HTTP endpoint is asked, and where its answer holds what is measured.

mod slots;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::{Issue, MAX_PROMPT_BYTES, is_secret_name, looks_like_secret};

pub use slots::{Encoding, Slot, SlotText, SlotValues};

/// How an endpoint is asked that speaks none of the known wires; the table `[target.template]` of a plan, or a file of its
/// own (`--template FILE`). Texts with slots are `path` and `body`: `{{prompt}}`, `{{system}}`, `{{model}}`,
/// `{{max_tokens}}` and `{{messages}}`.
///
/// In a JSON body a slot inside quotes is filled with escaped text; a bare one becomes a whole value: a text with its
/// quotes, a number, a list of `{"role", "content"}` for `{{messages}}`, or `null` for what the plan leaves out.
///
/// A stream of server-sent events, as an OpenAI-compatible server sends it:
///
/// ```toml
/// path = "/v1/chat/completions"
/// body = '{"model": {{model}}, "messages": {{messages}}, "max_tokens": {{max_tokens}}, "stream": true}'
/// framing = "sse"
/// token = "/choices/0/delta/content"
/// reasoning = "/choices/0/delta/reasoning_content"
/// done = "[DONE]"
/// error = "/error"
/// tokens_in = "/usage/prompt_tokens"
/// tokens_out = "/usage/completion_tokens"
/// ```
///
/// One JSON value a line, the last of which says `"done": true`:
///
/// ```toml
/// path = "/api/generate"
/// body = '{"model": "{{model}}", "prompt": "{{prompt}}", "options": {"num_predict": {{max_tokens}}}}'
/// framing = "ndjson"
/// token = "/response"
/// done = "/done"
/// error = "/error"
/// tokens_in = "/prompt_eval_count"
/// tokens_out = "/eval_count"
/// ```
///
/// One answer in one piece, of plain text, for a prompt in the address:
///
/// ```toml
/// method = "GET"
/// path = "/echo?text={{prompt}}"
/// framing = "one-shot"
/// token = ""
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    pub method: TemplateMethod,
    /// From the target's origin where it begins with `/`, else below the target's path; empty is the target's address as it
    /// stands. May hold a query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Of the body; says how slots are escaped: JSON, `application/x-www-form-urlencoded`, or not at all.
    pub content_type: String,
    /// Empty sends none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// The header that carries the key as it is; none sends it as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_header: Option<String>,
    pub framing: Framing,
    /// JSON pointer (RFC 6901) of the text in an event, a line or the one answer; empty takes the whole of it, which then
    /// need not be JSON.
    pub token: String,
    /// Pointer of text that is reasoning, not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What ends a stream: a pointer to something that is neither missing, null, false nor empty, or an event's data as it
    /// stands, as `[DONE]`. None: the stream's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Pointer to something that is neither missing, null, false nor empty when the answer is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Pointer to the count of prompt tokens; the last one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<String>,
    /// Pointer to the count of generated tokens so far; the last one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<String>,
}

impl Default for Template {
    /// A POST of JSON whose answer's events are text as they stand.
    fn default() -> Self {
        Self {
            method: TemplateMethod::Post,
            path: String::new(),
            content_type: "application/json".to_owned(),
            body: String::new(),
            key_header: None,
            framing: Framing::Sse,
            token: String::new(),
            reasoning: None,
            done: None,
            error: None,
            tokens_in: None,
            tokens_out: None,
        }
    }
}

/// The request's method.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TemplateMethod {
    #[default]
    Post,
    Get,
    Put,
    Patch,
}

impl TemplateMethod {
    pub const ALL: [Self; 4] = [Self::Post, Self::Get, Self::Put, Self::Patch];

    /// As in a request line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// What an answer's body is cut into.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Sse,
    /// One JSON value a line.
    Ndjson,
    /// One answer, read to its end.
    OneShot,
}

impl Framing {
    pub const ALL: [Self; 3] = [Self::Sse, Self::Ndjson, Self::OneShot];

    /// As in a plan.
    pub fn id(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::OneShot => "one-shot",
        }
    }

    /// As in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sse => "Events (SSE)",
            Self::Ndjson => "Lines (NDJSON)",
            Self::OneShot => "One answer",
        }
    }
}

/// Where a plan keeps the table.
const AT: &str = "target.template";

impl Template {
    /// How the body's slots are escaped.
    pub fn encoding(&self) -> Encoding {
        let kind = self.content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        if kind.ends_with("/json") || kind.ends_with("+json") {
            Encoding::Json
        } else if kind == "application/x-www-form-urlencoded" {
            Encoding::Percent
        } else {
            Encoding::Plain
        }
    }

    /// The body with its slots found.
    ///
    /// # Errors
    /// What is wrong with a slot.
    pub fn body_slots(&self) -> Result<SlotText, String> {
        SlotText::parse(&self.body, self.encoding())
    }

    /// The path with its slots found.
    ///
    /// # Errors
    /// What is wrong with a slot.
    pub fn path_slots(&self) -> Result<SlotText, String> {
        SlotText::parse(self.path.trim(), Encoding::Percent)
    }

    /// Every issue, each at its field below `target.template`; empty when the template can be used.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: Option<String>| {
            found.extend(message.map(|m| Issue::new(format!("{AT}.{field}"), m)));
        };
        add("path", self.path_issue());
        add("content_type", self.content_type_issue());
        add("body", self.body_issue());
        add("body", self.nothing_asked_issue());
        let key_header = self.key_header.as_deref();
        add("key_header", key_header.and_then(key_header_issue));
        add("token", pointer_issue(&self.token));
        let done = self.done.as_deref().filter(|done| done.starts_with('/'));
        add(
            "done",
            done.and_then(pointer_issue).or_else(|| self.done_issue()),
        );
        for (field, pointer) in [
            ("reasoning", &self.reasoning),
            ("error", &self.error),
            ("tokens_in", &self.tokens_in),
            ("tokens_out", &self.tokens_out),
        ] {
            add(field, pointer.as_deref().and_then(optional_pointer_issue));
        }
        found
    }

    fn path_issue(&self) -> Option<String> {
        let slots = match self.path_slots() {
            Ok(slots) => slots,
            Err(message) => return Some(message),
        };
        let sample = slots.fill(&SlotValues::sample());
        if sample.contains("://") {
            return Some(
                "holds a whole address: write it into target.url, and only its path here"
                    .to_owned(),
            );
        }
        let rooted = format!("/{}", sample.trim_start_matches('/'));
        if rooted.contains('#') || rooted.parse::<http::uri::PathAndQuery>().is_err() {
            return Some(format!(
                "“{}” is no path that a request line can hold: write it as in /v1/generate, spaces as %20",
                self.path
            ));
        }
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_secret = is_secret_name(&percent_decode_str(name).decode_utf8_lossy())
                || looks_like_secret(&percent_decode_str(value).decode_utf8_lossy());
            is_secret.then(|| {
                format!("“{name}” looks like a secret, which a plan never holds: remove it and name the key with target.key")
            })
        })
    }

    fn content_type_issue(&self) -> Option<String> {
        let text = self.content_type.trim();
        let is_type = text
            .split_once('/')
            .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
        (!is_type || http::HeaderValue::from_str(text).is_err())
            .then(|| format!("“{text}” is not a media type: write it as in application/json"))
    }

    fn body_issue(&self) -> Option<String> {
        if self.body.len() > MAX_PROMPT_BYTES {
            let bytes = self.body.len();
            return Some(format!("is {bytes} bytes long; at most {MAX_PROMPT_BYTES}"));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if self.body.split(|c| !is_word(c)).any(looks_like_secret) {
            return Some(
                "holds what looks like a secret, which a plan never holds: remove it and name the key with target.key"
                    .to_owned(),
            );
        }
        let slots = match self.body_slots() {
            Ok(slots) => slots,
            Err(message) => return Some(message),
        };
        if self.encoding() != Encoding::Json || self.body.trim().is_empty() {
            return None;
        }
        let sample = slots.fill(&SlotValues::sample());
        let error = serde_json::from_str::<serde::de::IgnoredAny>(&sample).err()?;
        Some(format!(
            "is not JSON once its slots are filled: {error}; the content type says that it is"
        ))
    }

    /// Path or body changes with the prompt; where they do not, every request is the same.
    pub fn asks_prompt(&self) -> bool {
        self.has_slot(Slot::Prompt) || self.has_slot(Slot::Messages)
    }

    /// A body that was forgotten; one without slots may be meant, and so may a path that is only fetched.
    fn nothing_asked_issue(&self) -> Option<String> {
        let is_forgotten = self.method != TemplateMethod::Get
            && self.body.trim().is_empty()
            && !self.asks_prompt();
        is_forgotten.then(|| {
            "is empty, so that every request would ask for nothing: write what is sent, with {{prompt}} where the prompt goes"
                .to_owned()
        })
    }

    fn done_issue(&self) -> Option<String> {
        let done = self.done.as_deref()?;
        if done.trim().is_empty() {
            return Some(
                "is empty: name what ends the stream, as [DONE] or /done, or leave the field out"
                    .to_owned(),
            );
        }
        (self.framing == Framing::OneShot).then(|| {
            "ends a stream, and one answer is none: leave the field out, or choose sse or ndjson"
                .to_owned()
        })
    }

    /// A slot that the path or the body holds.
    pub fn has_slot(&self, slot: Slot) -> bool {
        [self.path_slots(), self.body_slots()]
            .iter()
            .flatten()
            .any(|text| text.has(slot))
    }
}

fn key_header_issue(name: &str) -> Option<String> {
    if http::HeaderName::from_bytes(name.trim().as_bytes()).is_err() {
        return Some(format!(
            "“{name}” is not a header's name: write it as in x-api-key"
        ));
    }
    None
}

fn optional_pointer_issue(pointer: &str) -> Option<String> {
    if pointer.is_empty() {
        return Some(
            "is empty: write a JSON pointer, as in /usage/total, or leave the field out".to_owned(),
        );
    }
    pointer_issue(pointer)
}

/// RFC 6901: empty, or `/`-led names in which `~` is `~0` and `/` is `~1`.
fn pointer_issue(pointer: &str) -> Option<String> {
    if pointer.is_empty() {
        return None;
    }
    if !pointer.starts_with('/') {
        return Some(format!(
            "“{pointer}” is not a JSON pointer: it begins with “/”, as in /choices/0/text"
        ));
    }
    let is_escaped = |part: &str| part.starts_with('0') || part.starts_with('1');
    let is_good = pointer.split('~').skip(1).all(is_escaped);
    (!is_good).then(|| {
        format!("“{pointer}” is not a JSON pointer: “~” in a name is written ~0, and “/” ~1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Template {
        Template {
            body: r#"{"q": "{{prompt}}", "n": {{max_tokens}}}"#.to_owned(),
            token: "/text".to_owned(),
            ..Template::default()
        }
    }

    #[track_caller]
    fn check(template: &Template, field: &str, words: &str) {
        let issues = template.check();
        let fields: Vec<&str> = issues.iter().map(|i| i.field.as_str()).collect();
        assert_eq!(fields, [format!("target.template.{field}")], "{issues:?}");
        assert!(issues[0].message.contains(words), "{issues:?}");
    }

    #[test]
    fn the_examples_of_the_page_can_be_used() {
        let page = include_str!("template.rs");
        let mut examples = Vec::new();
        for part in page.split("/// ```toml\n").skip(1) {
            let end = part.find("/// ```").unwrap();
            let lines: Vec<&str> = part[..end]
                .lines()
                .map(|l| l.trim_start_matches("///").trim())
                .collect();
            examples.push(toml::from_str::<Template>(&lines.join("\n")).unwrap());
        }
        assert_eq!(examples.len(), 3);
        for example in &examples {
            assert_eq!(example.check(), vec![], "{example:?}");
            let text = toml::to_string(example).unwrap();
            assert_eq!(&toml::from_str::<Template>(&text).unwrap(), example);
        }
        assert!(examples[0].has_slot(Slot::Messages) && !examples[0].has_slot(Slot::Prompt));
        assert!(examples[2].has_slot(Slot::Prompt));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        assert_eq!(good().check(), vec![]);
        let with = |change: fn(&mut Template)| {
            let mut template = good();
            change(&mut template);
            template
        };
        check(
            &with(|t| t.path = "http://h/x".into()),
            "path",
            "target.url",
        );
        check(&with(|t| t.path = "/a b".into()), "path", "“/a b”");
        check(
            &with(|t| t.path = "/a?api_key=x".into()),
            "path",
            "target.key",
        );
        check(&with(|t| t.path = "/{{who}}".into()), "path", "“{{who}}”");
        check(
            &with(|t| t.content_type = "json".into()),
            "content_type",
            "“json”",
        );
        check(
            &with(|t| t.body = "{\"p\": {{prompt}}".into()),
            "body",
            "not JSON",
        );
        check(
            &with(|t| t.body = r#"{"k":"sk-abcdefghijklmnop","p":{{prompt}}}"#.into()),
            "body",
            "target.key",
        );
        check(
            &with(|t| t.key_header = Some("a b".into())),
            "key_header",
            "“a b”",
        );
        check(
            &with(|t| t.token = "text".into()),
            "token",
            "begins with “/”",
        );
        check(&with(|t| t.token = "/a~2".into()), "token", "~0");
        check(
            &with(|t| t.error = Some(String::new())),
            "error",
            "leave the field out",
        );
        check(&with(|t| t.done = Some(" ".into())), "done", "is empty");
        check(&with(|t| t.done = Some("/a~".into())), "done", "~0");
        let one_shot = with(|t| {
            t.framing = Framing::OneShot;
            t.done = Some("[DONE]".into());
        });
        check(&one_shot, "done", "one answer");
    }

    #[test]
    fn a_body_that_was_forgotten_is_told() {
        check(&Template::default(), "body", "ask for nothing");
        let mut template = good();
        template.body = r#"{"model": "{{model}}"}"#.to_owned();
        assert_eq!(template.check(), vec![], "the same each time may be meant");
        assert!(!template.asks_prompt());
        template.body.clear();
        template.path = "/ask?q={{prompt}}".to_owned();
        assert_eq!(template.check(), vec![]);
        assert!(template.asks_prompt());
        template.path = "/health".to_owned();
        template.method = TemplateMethod::Get;
        assert_eq!(template.check(), vec![]);
    }

    #[test]
    fn a_body_that_is_not_json_is_left_alone() {
        let mut template = good();
        template.content_type = "text/plain; charset=utf-8".to_owned();
        template.body = "Q: {{prompt}}".to_owned();
        assert_eq!(template.check(), vec![]);
        assert_eq!(template.encoding(), Encoding::Plain);
        template.content_type = "application/vnd.api+json".to_owned();
        assert_eq!(template.encoding(), Encoding::Json);
    }
}
