//! What *Test connection* shows: the equal curl command, and headers and body without secrets.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT,
};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::mask::{MASK, mask, query_masked};
use super::{HttpCall, shell};
use crate::domain::{HttpVersion, KeyRef, Target};

/// Of a body that is shown.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// The curl command that is equal to an exchange's calls, one after the other. Secrets are shell variables.
pub fn curl_line(target: &Target, origin: &Url, calls: &[HttpCall]) -> String {
    let commands: Vec<String> = calls
        .iter()
        .map(|call| curl_command(target, origin, call))
        .collect();
    commands.join("\n\n")
}

/// The same for a target that could not be asked anything yet: its address alone. `None` where it is no address.
pub fn bare_curl_line(target: &Target) -> Option<String> {
    let url = Url::parse(target.url.trim()).ok().filter(Url::has_host)?;
    let call = HttpCall {
        method: Method::GET,
        path_and_query: url.path().to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    Some(curl_command(target, &url, &call))
}

fn curl_command(target: &Target, origin: &Url, call: &HttpCall) -> String {
    // A call's route begins at the host, whatever path the address was given with.
    let mut url = origin.clone();
    url.set_path("");
    url.set_query(None);
    let mut url = url.as_str().trim_end_matches('/').to_owned();
    url.push_str(&query_masked(&call.path_and_query));
    let mut words = vec!["curl -N".to_owned()];
    if target.http == HttpVersion::Http2 {
        words.push("--http2".to_owned());
    }
    if target.insecure {
        words.push("--insecure".to_owned());
    }
    if let Some(file) = &target.ca_file {
        words.push(format!(
            "--cacert {}",
            shell::quote(&file.to_string_lossy())
        ));
    }
    if let Some(proxy) = &target.proxy {
        words.push(format!("--proxy {}", shell::quote(proxy)));
    }
    let mut line = format!(
        "{} -X {} {}",
        words.join(" "),
        call.method,
        shell::quote(&url)
    );
    for (name, value) in &call.headers {
        if *name != USER_AGENT && *name != ACCEPT_ENCODING {
            // Writing to a String cannot fail.
            write!(line, " \\\n  -H {}", header_word(target, name, value)).ok();
        }
    }
    if !call.body.is_empty() {
        let body = String::from_utf8_lossy(&call.body);
        write!(line, " \\\n  --data-raw {}", shell::quote(&body)).ok();
    }
    line
}

fn header_word(target: &Target, name: &HeaderName, value: &HeaderValue) -> String {
    if !value.is_sensitive() {
        let value = String::from_utf8_lossy(value.as_bytes());
        return shell::quote(&format!("{name}: {value}"));
    }
    let is_bearer = value.as_bytes().starts_with(b"Bearer ");
    if *name == AUTHORIZATION && is_bearer {
        return format!("\"{name}: Bearer ${}\"", key_variable(&target.key));
    }
    let variable = name.as_str().to_ascii_uppercase().replace('-', "_");
    format!("\"{name}: ${variable}\"")
}

/// The variable that stands for the key in a command.
fn key_variable(key: &KeyRef) -> &str {
    match key {
        KeyRef::Env { name } if !name.is_empty() => name,
        _ => "API_KEY",
    }
}

/// A body as it is shown, and whether it was cut.
pub fn shown_body(body: &[u8], secrets: &[&str]) -> (String, bool) {
    // A little more than is shown, so that a secret at the border is still seen whole.
    let more = body.get(..MAX_BODY_BYTES + 4096).unwrap_or(body);
    let mut text = mask(&String::from_utf8_lossy(more), secrets);
    let is_cut = text.len() > MAX_BODY_BYTES || more.len() < body.len();
    if text.len() > MAX_BODY_BYTES {
        let mut at = MAX_BODY_BYTES;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
    }
    (text, is_cut)
}

/// An answer's headers as they are shown.
pub fn shown_headers(headers: &HeaderMap, secrets: &[&str]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = if *name == SET_COOKIE || value.is_sensitive() {
                MASK.to_owned()
            } else {
                mask(&String::from_utf8_lossy(value.as_bytes()), secrets)
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// `401 Unauthorized`.
pub fn status_text(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    match known.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;

    use super::*;

    fn call() -> HttpCall {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_static("Bearer sk-canary");
        key.set_sensitive(true);
        headers.insert(AUTHORIZATION, key.clone());
        headers.insert("x-api-key", key);
        headers.insert(USER_AGENT, HeaderValue::from_static("u"));
        headers.insert("accept", HeaderValue::from_static("text/event-stream"));
        HttpCall {
            method: Method::POST,
            path_and_query: "/v1/chat/completions?api_key=canary&v=1".to_owned(),
            headers,
            body: Bytes::from_static(b"{\"a\":\"it's\"}"),
        }
    }

    #[test]
    fn the_curl_line_names_the_route_once() {
        let target = Target::at("http://h");
        let origin = Url::parse("http://h:8000/v1").unwrap();
        let line = curl_line(&target, &origin, &[call()]);
        assert!(line.contains("http://h:8000/"), "{line}");
        assert!(!line.contains("/v1/v1"), "{line}");
    }

    #[test]
    fn the_curl_line_holds_no_secret() {
        let mut target = Target::at("http://h");
        target.key = KeyRef::Env {
            name: "OPENAI_API_KEY".to_owned(),
        };
        let origin = Url::parse("http://h:8000/").unwrap();
        let line = curl_line(&target, &origin, &[call()]);
        assert_eq!(
            line,
            r#"curl -N -X POST 'http://h:8000/v1/chat/completions?api_key=[REDACTED]&v=1' \
  -H "authorization: Bearer $OPENAI_API_KEY" \
  -H "x-api-key: $X_API_KEY" \
  -H 'accept: text/event-stream' \
  --data-raw '{"a":"it'\''s"}'"#
        );
        let command = crate::protocol::curl::parse_curl(&line).unwrap();
        assert_eq!(command.pasted.key_env.as_deref(), Some("OPENAI_API_KEY"));
    }

    #[test]
    fn a_key_that_the_server_echoes_is_masked_at_the_cut_too() {
        let body = [vec![b'x'; MAX_BODY_BYTES - 3], b"sk-canary".to_vec()].concat();
        let (shown, is_cut) = shown_body(&body, &["sk-canary"]);
        assert!(is_cut && !shown.contains("sk-"));
    }
}
