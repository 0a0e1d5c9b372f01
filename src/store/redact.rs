//! Keeps keys out of whatever is written: first every known secret by its value (plain, percent-encoded, base64), then what
//! looks like one by its pattern.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::line::Line;
use crate::domain::{CautionId, DatasetRef, TokenizerRef, Vary, is_secret_name, looks_like_secret};

const MARK: &str = "[REDACTED]";
/// A shorter value is not taken for a secret by its value: it would blot out ordinary words.
const LEAST_CHARS: usize = 4;
/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Takes secrets out of texts and lines.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    forms: Vec<Form>,
}

/// One way in which a secret may stand in a text. Never shown.
#[derive(Clone)]
struct Form {
    in_text: Finder<'static>,
    /// As it stands within a JSON string.
    in_json: Finder<'static>,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form(…)")
    }
}

impl Redactor {
    /// Knows these secrets; without any it goes by patterns alone.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut texts: Vec<String> = secrets
            .into_iter()
            .map(str::trim)
            .filter(|s| s.chars().count() >= LEAST_CHARS)
            .flat_map(forms_of)
            .collect();
        texts.sort_by_key(|t| std::cmp::Reverse(t.len()));
        texts.dedup();
        let form = |text: String| Form {
            in_json: Finder::new(json_escaped(&text).as_bytes()).into_owned(),
            in_text: Finder::new(text.as_bytes()).into_owned(),
        };
        Self {
            forms: texts.into_iter().map(form).collect(),
        }
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut spans = pattern_spans(text);
        for form in &self.forms {
            let len = form.in_text.needle().len();
            let hits = form.in_text.find_iter(text.as_bytes());
            spans.extend(hits.map(|at| at..at + len));
        }
        without(text, spans)
    }

    /// Appends the line as JSON, without secrets. Costs one search of the bytes for each form where there is nothing to hide.
    ///
    /// # Errors
    /// None that a line of ours can have.
    pub(super) fn write_line(
        &self,
        line: &mut Line,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        let has_patterns = match line {
            Line::Request(record) => {
                self.hide_in_texts(record);
                false
            }
            Line::Sample(_) => false,
            Line::Run(_) | Line::Stage(_) | Line::Mark(_) | Line::Beside(_) | Line::End(_) => true,
        };
        let start = out.len();
        line.write_to(out)?;
        let written = out.get(start..).unwrap_or_default();
        let has_value = self.forms.iter().any(|f| f.in_json.find(written).is_some());
        if has_patterns || has_value {
            let mut value: Value = serde_json::from_slice(written)?;
            self.hide_in_value(At::Top, &mut value);
            out.truncate(start);
            serde_json::to_writer(&mut *out, &value)?;
            out.push(b'\n');
        }
        Ok(())
    }

    /// Patterns in the texts of a record that come from outside; values are searched in the whole line.
    fn hide_in_texts(&self, record: &mut crate::domain::RequestRecord) {
        let hide = |text: &mut String| {
            if let Cow::Owned(clean) = self.text(text) {
                *text = clean;
            }
        };
        if let crate::domain::Outcome::Failed(failure) = &mut record.outcome {
            hide(&mut failure.message);
        }
        for facts in [&mut record.prompt, &mut record.answer] {
            if let Some(text) = facts.as_mut().and_then(|f| f.text.as_mut()) {
                hide(text);
            }
        }
    }

    /// A text with a grammar that the mark would break is hidden as a whole, in a form that its grammar takes: the file must
    /// open.
    fn hide_in_form(&self, key: &str, text: &mut String) {
        let Cow::Owned(clean) = self.text(text) else {
            return;
        };
        let is_good = match key {
            "vary" => clean.parse::<Vary>().is_ok(),
            "tokenizer" => clean.parse::<TokenizerRef>().is_ok(),
            _ => clean.parse::<DatasetRef>().is_ok(),
        };
        *text = match key {
            _ if is_good => clean,
            "vary" => format!("redacted={MARK}"),
            _ => MARK.to_owned(),
        };
    }

    fn hide_in_value(&self, at: At<'_>, value: &mut Value) {
        match value {
            Value::String(text) => {
                if matches!(at, At::Ours(key) if is_word_of_ours(key, text)) {
                    return;
                }
                if let At::Ours(key @ ("dataset" | "tokenizer" | "vary")) = at {
                    return self.hide_in_form(key, text);
                }
                if at.key().is_some_and(is_secret_name) && !text.is_empty() {
                    MARK.clone_into(text);
                } else if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|v| self.hide_in_value(at, v)),
            Value::Object(map) => {
                let is_foreign = matches!(at, At::Foreign(_) | At::Ours("inputs" | "headers"));
                for (key, inner) in map.iter_mut() {
                    let at = if is_foreign {
                        At::Foreign(key)
                    } else {
                        At::Ours(key)
                    };
                    self.hide_in_value(at, inner);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Where a value stands in a line.
#[derive(Clone, Copy)]
enum At<'k> {
    Top,
    /// Under a field of the format.
    Ours(&'k str),
    /// Under a name that the person or the server gave.
    Foreign(&'k str),
}

impl<'k> At<'k> {
    fn key(self) -> Option<&'k str> {
        match self {
            Self::Top => None,
            Self::Ours(key) | Self::Foreign(key) => Some(key),
        }
    }
}

/// A field whose value is one of a few words, which no key may blot out: the file would not open any more.
fn is_word_of_ours(key: &str, text: &str) -> bool {
    const WORDS: [&str; 35] = [
        "arrival",
        "connections",
        "ended",
        "framing",
        "goal",
        "goals",
        "gradio_mode",
        "hash",
        "how",
        "http",
        "input_tokens",
        "kind",
        "method",
        "mode",
        "order",
        "outcome",
        "output_tokens",
        "over",
        "phase",
        "protocol",
        "ramp",
        "sharing",
        "source",
        "stamps",
        "started",
        "state",
        "token_source",
        "tool",
        "type",
        "unit",
        "vary_mode",
        "verdict",
        "warmup",
        "when_full",
        "why",
    ];
    let is_short = text.len() <= 40 && !looks_like_secret(text);
    if key == "id" {
        return serde_json::from_value::<CautionId>(Value::from(text)).is_ok();
    }
    WORDS.contains(&key) && is_short
}

/// The secret as it is, percent-encoded, and in base64 at each of the three places where it may begin.
fn forms_of(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, UNRESERVED).to_string(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
    ];
    for offset in 0..3 {
        let middle = base64_middle(secret.as_bytes(), offset);
        if middle.len() >= 8 {
            forms.push(middle.replace('+', "-").replace('/', "_"));
            forms.push(middle);
        }
    }
    forms
}

/// The characters of base64 (RFC 4648) that depend on the bytes alone when `offset` others stand before them.
fn base64_middle(bytes: &[u8], offset: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded: Vec<u8> = std::iter::repeat_n(0, offset)
        .chain(bytes.iter().copied())
        .collect();
    let n_bits = padded.len() * 8;
    let bit = |i: usize| {
        let byte = padded.get(i / 8).copied().unwrap_or(0);
        usize::from(byte >> (7 - i % 8) & 1)
    };
    let first = (offset * 8).div_ceil(6);
    let digits =
        (first..n_bits / 6).map(|digit| (0..6).fold(0, |v, i| v << 1 | bit(digit * 6 + i)));
    digits
        .filter_map(|d| ALPHABET.get(d).map(|b| char::from(*b)))
        .collect()
}

fn json_escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

fn without(text: &str, mut spans: Vec<Range<usize>>) -> Cow<'_, str> {
    spans.retain(|s| text.get(s.clone()).is_some_and(|t| t != MARK));
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_by_key(|s| s.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        if span.start >= at {
            out.push_str(text.get(at..span.start).unwrap_or_default());
            out.push_str(MARK);
        }
        at = at.max(span.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

/// What looks like a secret.
fn pattern_spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let lower = text.to_ascii_lowercase();
    user_infos(text, &mut spans);
    headers(text, &lower, &mut spans);
    bearers(text, &lower, &mut spans);
    parameters(text, &mut spans);
    tokens(text, &mut spans);
    spans
}

/// Length of the run of characters that satisfy `is` from `at` on.
fn run(text: &str, at: usize, is: impl Fn(char) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find(|c| !is(c)).unwrap_or(rest.len())
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=')
}

/// `user:password` of an address.
fn user_infos(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let n = run(text, start, |c| {
            !c.is_whitespace() && !matches!(c, '/' | '?' | '#' | '"' | '<' | '>')
        });
        let authority = text.get(start..start + n).unwrap_or_default();
        if let Some(end) = authority.rfind('@') {
            spans.push(start..start + end);
        }
    }
}

/// The value of `name: value` where the name is one that holds secrets.
fn headers(text: &str, lower: &str, spans: &mut Vec<Range<usize>>) {
    for (colon, _) in text.match_indices(':') {
        let before = text
            .get(..colon)
            .unwrap_or_default()
            .trim_end_matches(['"', '\'']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let start = before.rfind(|c| !is_name(c)).map_or(0, |i| {
            i + before
                .get(i..)
                .and_then(|t| t.chars().next())
                .map_or(1, char::len_utf8)
        });
        let name = lower.get(start..before.len()).unwrap_or_default();
        // Words that are also plain English end a clause with a colon: only the long names count here.
        if !is_secret_name(name) || matches!(name, "key" | "auth" | "sig" | "signature" | "token") {
            continue;
        }
        let after = colon + 1;
        let mut value = after + run(text, after, |c| matches!(c, ' ' | '\t' | '"' | '\''));
        for scheme in ["bearer ", "basic "] {
            if lower.get(value..).is_some_and(|t| t.starts_with(scheme)) {
                value += scheme.len();
            }
        }
        let is_cookie = name.ends_with("cookie");
        let n = run(text, value, |c| match c {
            '"' | '\'' | '\r' | '\n' => false,
            c => is_cookie || !c.is_whitespace(),
        });
        if n > 0 {
            spans.push(value..value + n);
        }
    }
}

/// What follows `Bearer` or `Basic`, unless it is plainly a word.
fn bearers(text: &str, lower: &str, spans: &mut Vec<Range<usize>>) {
    for scheme in ["bearer ", "basic "] {
        for (at, _) in lower.match_indices(scheme) {
            let start = at + scheme.len();
            let n = run(text, start, is_token);
            let value = text.get(start..start + n).unwrap_or_default();
            let is_word = n <= 14 && value.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
            if !is_word {
                spans.push(start..start + n);
            }
        }
    }
}

/// Values of query parameters with such names.
fn parameters(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices(['?', '&']) {
        let start = at + 1;
        let n = run(text, start, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
        });
        let value = start + n + 1;
        let name = text.get(start..start + n).unwrap_or_default();
        if !is_secret_name(name) || !text.get(start + n..).is_some_and(|t| t.starts_with('=')) {
            continue;
        }
        let n = run(text, value, |c| {
            !c.is_whitespace() && !matches!(c, '&' | '#' | '"' | '\'' | '<' | '>' | ')' | ';')
        });
        spans.push(value..value + n);
    }
}

/// Keys by the prefixes that their makers gave them.
fn tokens(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let n = run(text, at, is_part);
        let word = text.get(at..at + n).unwrap_or_default();
        if looks_like_secret(word) {
            spans.push(at..at + n);
        }
        let next = text.get(at + n..).and_then(|t| t.chars().next());
        at += n + next.map_or(1, char::len_utf8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cases() {
        let text = include_str!("../../tests/data/vectors/redaction.json");
        let cases: Value = serde_json::from_str(text).unwrap();
        for case in cases["cases"].as_array().unwrap() {
            let (input, expected) = (case["in"].as_str().unwrap(), case["out"].as_str().unwrap());
            let clean = Redactor::default().text(input).into_owned();
            assert_eq!(clean, expected, "{input}");
            assert_eq!(Redactor::default().text(&clean), clean, "twice is once");
        }
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = "kä/n+a \"r\\y=1";
        let redactor = Redactor::new([secret]);
        let hidden = |text: String| {
            let clean = redactor.text(&text).into_owned();
            assert!(clean.contains(MARK), "{text}: {clean}");
        };
        hidden(format!("the key {secret} is wrong"));
        hidden(format!("see {}", utf8_percent_encode(secret, UNRESERVED)));
        for user in ["", "u:", "me:"] {
            let basic = base64_middle(format!("{user}{secret}!!").as_bytes(), 0);
            hidden(format!("sent {basic}"));
        }
        assert_eq!(base64_middle(b"Man", 0), "TWFu");
        assert_eq!(redactor.text("nothing here"), "nothing here");
    }

    fn written(redactor: &Redactor, mut line: Line) -> (String, Option<Line>) {
        let mut out = Vec::new();
        redactor.write_line(&mut line, &mut out).unwrap();
        let read = Line::parse(&out).unwrap();
        (String::from_utf8(out).unwrap(), read)
    }

    #[test]
    fn a_key_like_a_word_of_a_plan_breaks_no_file() {
        let mut plan = crate::domain::Plan::simple("http://127.0.0.1:8000/v1");
        plan.goals = vec!["ttft.p95:500ms".parse().unwrap()];
        plan.workload.input_tokens = Some("normal:200,10,180,220".parse().unwrap());
        plan.workload.sharing = "shared:0.5".parse().unwrap();
        plan.workload.dataset = Some("hf:owner/secretset/a.jsonl".parse().unwrap());
        plan.workload.tokenizer = Some("hf:owner/secretset".parse().unwrap());
        plan.vary = vec!["secretset=1,2".parse().unwrap()];
        plan.stages[0].load = crate::domain::Load::open(5.0);
        let head = serde_json::json!({
            "type": "run", "schema": 1, "id": "a", "tool": "t", "started": "s",
            "started_unix_ns": 0, "label": "secretset", "tags": [], "plan": plan,
            "environment": crate::domain::Environment::default(),
        });
        let head: crate::domain::RunHead = serde_json::from_value(head).unwrap();
        let redactor = Redactor::new([
            "ttft",
            "normal",
            "shared",
            "poisson",
            "queue",
            "open",
            "secretset",
            "=1,2",
        ]);
        let (text, read) = written(&redactor, Line::Run(Box::new(head.clone())));
        assert!(!text.contains("secretset"), "{text}");
        let Some(Line::Run(read)) = read else {
            panic!("{text}")
        };
        assert_eq!(read.plan.goals, head.plan.goals);
        assert_eq!(read.plan.stages, head.plan.stages);
        assert_eq!(
            read.plan.workload.input_tokens,
            head.plan.workload.input_tokens
        );
    }

    #[test]
    fn marks_and_visitors_errors_hold_no_key() {
        let key = "sk-canary-7f3a91c2e5d84b60";
        let mark = crate::domain::Mark {
            at_ns: 1,
            text: format!("switched to {key}"),
        };
        let beside = crate::domain::BesideRecord {
            kind: crate::domain::BesideKind::Upload,
            stage: crate::domain::StageIdx(0),
            visitor: 0,
            start_ns: 1,
            end_ns: 2,
            bytes: 3,
            error: Some("refused plainsecret".to_owned()),
        };
        let redactor = Redactor::new(["plainsecret"]);
        for line in [Line::Mark(mark), Line::Beside(Box::new(beside))] {
            let (text, read) = written(&redactor, line);
            assert!(
                !text.contains(key) && !text.contains("plainsecret"),
                "{text}"
            );
            assert!(text.contains(MARK) && read.is_some(), "{text}");
        }
    }

    #[test]
    fn words_stay() {
        let redactor = Redactor::new(["abc", ""]);
        for text in [
            "Missing Bearer token.",
            "abc",
            "the key: a story",
            "max_tokens=5&n=2",
            "https://host/a@b",
            "task-token-less",
        ] {
            assert_eq!(redactor.text(text), text);
        }
    }
}
