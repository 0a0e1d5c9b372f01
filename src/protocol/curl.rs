//! A pasted curl command, taken apart into what the form can hold.

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::{headers, shell};
use crate::domain::Pasted;

/// What a curl command asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CurlCommand {
    pub url: String,
    pub pasted: Pasted,
    /// What could not be taken over, one sentence each.
    pub notes: Vec<String>,
}

/// The text is a curl command rather than an address.
pub fn is_curl(text: &str) -> bool {
    command_words(text).is_some()
}

/// Takes a command apart; `None` when it is no curl command or names no address.
pub fn parse_curl(text: &str) -> Option<CurlCommand> {
    let mut options = Options::default();
    let mut words = command_words(text)?.into_iter();
    while let Some(word) = words.next() {
        options.take(&word, &mut words);
    }
    let mut command = CurlCommand {
        url: options.url?,
        pasted: Pasted {
            insecure: options.insecure,
            ..Pasted::default()
        },
        notes: options.notes,
    };
    for header in options.headers {
        take_header(&header, &mut command);
    }
    if !options.data.is_empty() {
        take_body(&options.data.join("&"), &mut command);
    }
    Some(command)
}

/// The words after `curl`, which may follow a prompt or an assignment.
fn command_words(text: &str) -> Option<Vec<String>> {
    let at = text.find("curl")?;
    let (before, command) = text.split_at_checked(at)?;
    let is_start = before
        .trim_end()
        .ends_with(['$', '%', '#', '>', '(', '=', '!', '`'])
        || before.trim().is_empty();
    let mut words = shell::words(command);
    let name = words.first()?;
    if !is_start || !matches!(name.as_str(), "curl" | "curl.exe") {
        return None;
    }
    words.remove(0);
    Some(words)
}

#[derive(Default)]
struct Options {
    url: Option<String>,
    headers: Vec<String>,
    data: Vec<String>,
    insecure: bool,
    notes: Vec<String>,
}

/// Options with a value that mean nothing to us, by their letter and name.
const WITH_VALUE: [&str; 22] = [
    "-X",
    "--request",
    "-o",
    "--output",
    "-m",
    "--max-time",
    "--connect-timeout",
    "-w",
    "--write-out",
    "-x",
    "--proxy",
    "--cacert",
    "--cert",
    "--key",
    "--resolve",
    "--retry",
    "-e",
    "--referer",
    "-T",
    "--limit-rate",
    "-c",
    "--cookie-jar",
];

impl Options {
    fn take(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) {
        if let Some(long) = word.strip_prefix("--") {
            let (name, own) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            self.take_option(&format!("--{name}"), own, rest);
            return;
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            self.url.get_or_insert_with(|| word.to_owned());
            return;
        };
        // `-sSN`, `-XPOST`, `-H'name: value'`: flags, until a letter takes the rest as its value.
        for (at, letter) in letters.char_indices() {
            let after = letters.get(at + letter.len_utf8()..).unwrap_or_default();
            let own = (!after.is_empty()).then_some(after);
            if self.take_option(&format!("-{letter}"), own, rest) {
                return;
            }
        }
    }

    /// Tells whether the option took a value.
    fn take_option(
        &mut self,
        name: &str,
        own: Option<&str>,
        rest: &mut impl Iterator<Item = String>,
    ) -> bool {
        let mut value = || {
            own.map(str::to_owned)
                .or_else(|| rest.next())
                .unwrap_or_default()
        };
        match name {
            "-H" | "--header" => self.headers.push(value()),
            "-d" | "--data" | "--data-raw" | "--data-ascii" | "--data-binary" | "--json"
            | "--data-urlencode" => {
                let data = value();
                if let Some(file) = data.strip_prefix('@').filter(|_| name != "--data-raw") {
                    self.notes
                        .push(format!("The body is in the file “{file}”; paste its text"));
                } else {
                    self.data.push(data);
                }
            }
            "--url" => self.url = Some(value()),
            "-u" | "--user" => {
                let basic = base64(value().as_bytes());
                self.headers.push(format!("Authorization: Basic {basic}"));
            }
            "--oauth2-bearer" => self
                .headers
                .push(format!("Authorization: Bearer {}", value())),
            "-A" | "--user-agent" => self.headers.push(format!("User-Agent: {}", value())),
            "-b" | "--cookie" => self.headers.push(format!("Cookie: {}", value())),
            "-F" | "--form" => {
                value();
                self.notes
                    .push("A form upload (-F) cannot be taken over".to_owned());
            }
            "-k" | "--insecure" => {
                self.insecure = true;
                return false;
            }
            _ if WITH_VALUE.contains(&name) => {
                value();
            }
            _ => return false,
        }
        true
    }
}

/// Headers that every request carries anyway.
const OUR_HEADERS: [&str; 6] = [
    "content-type",
    "accept",
    "accept-encoding",
    "content-length",
    "host",
    "connection",
];

fn take_header(header: &str, command: &mut CurlCommand) {
    let Some((name, value)) = header.split_once(':') else {
        return;
    };
    let (name, value) = (name.trim(), value.trim());
    let lower = name.to_ascii_lowercase();
    if OUR_HEADERS.contains(&lower.as_str()) {
        return;
    }
    let scheme = value
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    if lower == "authorization" && scheme.is_some() {
        let key = value.get(7..).unwrap_or_default().trim();
        match variable_name(key) {
            Some(name) => command.pasted.key_env = Some(name.to_owned()),
            None if !key.is_empty() => command.pasted.key = Some(key.to_owned()),
            None => {}
        }
        return;
    }
    if variable_name(value).is_some() {
        command.notes.push(format!(
            "The header “{name}” takes a shell variable, which is not read; type its value"
        ));
    } else if HeaderName::try_from(name).is_ok_and(|name| headers::is_secret_header(&name)) {
        command.notes.push(format!(
            "The header “{name}” looks like a secret; a plan that is saved holds it"
        ));
    }
    command
        .pasted
        .headers
        .push((name.to_owned(), value.to_owned()));
}

/// `$NAME`, `${NAME}` or Windows' `%NAME%`, and nothing else.
fn variable_name(text: &str) -> Option<&str> {
    let name = match text.strip_prefix('$') {
        Some(name) => name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
            .unwrap_or(name),
        None => text.strip_prefix('%')?.strip_suffix('%')?,
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some(name)
}

fn take_body(text: &str, command: &mut CurlCommand) {
    let Ok(Value::Object(mut body)) = serde_json::from_str(text) else {
        command
            .notes
            .push("The body is not a JSON object and was left out".to_owned());
        return;
    };
    let pasted = &mut command.pasted;
    if let Some(Value::Array(data)) = body.get("data") {
        pasted.gradio_data = Some(data.clone());
        return;
    }
    let text_of = |value: &Value| value.as_str().map(str::to_owned);
    pasted.model = take_as(&mut body, "model", text_of);
    pasted.stream = take_as(&mut body, "stream", Value::as_bool);
    pasted.max_tokens = take_limit(&mut body);
    let conversation = ["messages", "input"]
        .iter()
        .find_map(|name| take_as(&mut body, name, system_and_user));
    if let Some((system, user)) = conversation {
        pasted.system = system;
        pasted.user = Some(user);
    } else {
        // Of `/completions` and Ollama, the Responses API, and TGI.
        pasted.user = ["prompt", "input", "inputs"]
            .iter()
            .find_map(|name| take_as(&mut body, name, text_of));
        pasted.system = take_as(&mut body, "system", text_of);
    }
    if body.get("stream_options") == Some(&json!({"include_usage": true})) {
        body.shift_remove("stream_options");
    }
    if !body.is_empty() {
        pasted.extra_body = serde_json::to_string_pretty(&body).ok();
    }
}

/// The most tokens of an answer, by any of the names that the wires have for it.
fn take_limit(body: &mut Map<String, Value>) -> Option<u32> {
    let count = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let plain = ["max_tokens", "max_output_tokens"]
        .iter()
        .find_map(|name| take_as(body, name, count));
    let nested = [("parameters", "max_new_tokens"), ("options", "num_predict")];
    plain.or_else(|| {
        nested.iter().find_map(|(outer, name)| {
            let inner = body.get_mut(*outer)?.as_object_mut()?;
            let taken = take_as(inner, name, count)?;
            if inner.is_empty() {
                body.shift_remove(*outer);
            }
            Some(taken)
        })
    })
}

/// Takes a field out of the body when it is what the form can hold; else it stays for the extra body.
fn take_as<T>(
    body: &mut Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = read(body.get(name)?)?;
    body.shift_remove(name);
    Some(value)
}

/// One user message of plain text, after at most one system message.
fn system_and_user(messages: &Value) -> Option<(Option<String>, String)> {
    let text = |message: &Value, role: &str| {
        let is_role = message.get("role")?.as_str()? == role;
        is_role.then_some(message.get("content")?.as_str()?.to_owned())
    };
    match messages.as_array()?.as_slice() {
        [user] => Some((None, text(user, "user")?)),
        [system, user] => Some((Some(text(system, "system")?), text(user, "user")?)),
        _ => None,
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let index = (bits >> (18 - 6 * i)) & 63;
            let letter = ALPHABET.get(index as usize).filter(|_| i <= group.len());
            text.push(letter.map_or('=', |&letter| char::from(letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_from_an_api_page() {
        let text = r#"$ curl https://api.example.com/v1/chat/completions \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H 'X-Team: a' \
  -d '{
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "It'\''s"}],
    "max_tokens": 32, "stream": true, "temperature": 0,
    "stream_options": {"include_usage": true}
  }' | jq ."#;
        let command = parse_curl(text).unwrap();
        assert_eq!(command.url, "https://api.example.com/v1/chat/completions");
        let pasted = command.pasted;
        assert_eq!(pasted.key_env.as_deref(), Some("OPENAI_API_KEY"));
        assert_eq!(pasted.headers, [("X-Team".to_owned(), "a".to_owned())]);
        assert_eq!(pasted.model.as_deref(), Some("m"));
        assert_eq!(pasted.system.as_deref(), Some("Be brief"));
        assert_eq!(pasted.user.as_deref(), Some("It's"));
        assert_eq!((pasted.max_tokens, pasted.stream), (Some(32), Some(true)));
        let extra: Value = serde_json::from_str(&pasted.extra_body.unwrap()).unwrap();
        assert_eq!(extra, json!({"temperature": 0}));
        assert!(command.notes.is_empty());
    }

    #[test]
    fn a_command_from_a_gradio_page() {
        let text = r#"curl -X POST http://127.0.0.1:7860/gradio_api/call/predict -s -H "Content-Type: application/json" -d '{
  "data": ["Hello!!", 3]}' \
  | awk -F'"' '{ print $4}'  \
  | read EVENT_ID; curl -N http://127.0.0.1:7860/gradio_api/call/predict/$EVENT_ID"#;
        let command = parse_curl(text).unwrap();
        assert_eq!(command.url, "http://127.0.0.1:7860/gradio_api/call/predict");
        assert_eq!(
            command.pasted.gradio_data,
            Some(vec![json!("Hello!!"), json!(3)])
        );
    }

    #[test]
    fn short_flags_may_be_joined() {
        let text = r#"curl -sSkXPOST -H'a: b' --url=http://h/v1 -u me:pass --json $'{"prompt":"a\\nb"}' --max-time 5"#;
        let command = parse_curl(text).unwrap();
        assert_eq!(command.url, "http://h/v1");
        assert!(command.pasted.insecure);
        assert_eq!(command.pasted.user.as_deref(), Some("a\nb"));
        assert_eq!(
            command.pasted.headers,
            [
                ("a".to_owned(), "b".to_owned()),
                ("Authorization".to_owned(), "Basic bWU6cGFzcw==".to_owned())
            ]
        );
        assert_eq!(command.notes.len(), 1, "the secret is told");
    }

    #[test]
    fn messages_that_the_form_cannot_hold_stay_in_the_extra_body() {
        let text = r#"curl http://h/v1 -d '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}'"#;
        let pasted = parse_curl(text).unwrap().pasted;
        assert_eq!(pasted.user, None);
        assert!(pasted.extra_body.unwrap().contains("assistant"));
    }

    #[test]
    fn bodies_of_every_wire() {
        let check = |body: &str, system: Option<&str>, rest: Option<Value>| {
            let text = format!("curl http://h/x -d '{body}'");
            let pasted = parse_curl(&text).unwrap().pasted;
            assert_eq!(pasted.user.as_deref(), Some("Hi"), "{body}");
            assert_eq!(pasted.system.as_deref(), system, "{body}");
            assert_eq!(pasted.max_tokens, Some(8), "{body}");
            let extra = pasted.extra_body.map(|t| serde_json::from_str(&t).unwrap());
            assert_eq!(extra, rest, "{body}");
        };
        check(
            r#"{"inputs":"Hi","parameters":{"max_new_tokens":8}}"#,
            None,
            None,
        );
        check(
            r#"{"inputs":"Hi","parameters":{"max_new_tokens":8,"details":true}}"#,
            None,
            Some(json!({"parameters": {"details": true}})),
        );
        check(
            r#"{"model":"m","prompt":"Hi","system":"S","options":{"num_predict":8,"seed":1}}"#,
            Some("S"),
            Some(json!({"options": {"seed": 1}})),
        );
        check(
            r#"{"messages":[{"role":"user","content":"Hi"}],"options":{"num_predict":8}}"#,
            None,
            None,
        );
        check(r#"{"input":"Hi","max_output_tokens":8}"#, None, None);
        check(
            r#"{"input":[{"role":"system","content":"S"},{"role":"user","content":"Hi"}],"max_output_tokens":8}"#,
            Some("S"),
            None,
        );
    }

    #[test]
    fn a_literal_key_is_not_written_with_the_rest() {
        let command = parse_curl("curl http://h -H 'authorization: bearer sk-canary'").unwrap();
        assert_eq!(command.pasted.key.as_deref(), Some("sk-canary"));
        let json = serde_json::to_string(&command.pasted).unwrap();
        assert!(!json.contains("canary"));
    }

    #[test]
    fn what_is_no_curl_command() {
        for text in [
            "http://curl.example.com",
            "owner/curl",
            "curl",
            "curly http://h",
            "use curl http://h",
        ] {
            assert!(parse_curl(text).is_none(), "{text}");
        }
        assert!(is_curl("curl"));
        assert_eq!(parse_curl("curl h -d @f.json").unwrap().notes.len(), 1);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>()) {
            parse_curl(&format!("curl {text}"));
        }

        #[test]
        fn base64_is_as_long_as_it_says(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(base64(&bytes).len(), bytes.len().div_ceil(3) * 4);
        }
    }
}
