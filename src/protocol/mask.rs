//! Secrets out of texts: by value where the value is known, and by name in a query.

use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::PrepareError;
use super::headers::target_headers;
use crate::domain::{Failure, Issue, Target, TargetInfo};

/// Stands where a secret stood.
pub const MASK: &str = "[REDACTED]";

/// A secret shorter than this is not looked for: masking it would eat the text.
const MIN_SECRET_BYTES: usize = 4;

/// The secret values of a call's headers, without `Bearer`.
pub fn secrets_in(headers: &HeaderMap) -> Vec<SecretString> {
    headers
        .values()
        .filter(|value| value.is_sensitive())
        .filter_map(|value| value.to_str().ok())
        .map(|value| SecretString::from(value.strip_prefix("Bearer ").unwrap_or(value)))
        .collect()
}

/// Values of query fields that are likely secrets are replaced.
pub(super) fn query_masked(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query.to_owned();
    };
    let fields: Vec<String> = query
        .split('&')
        .map(|field| match field.split_once('=') {
            Some((name, _)) if is_secret_field(name) => format!("{name}={MASK}"),
            _ => field.to_owned(),
        })
        .collect();
    format!("{path}?{}", fields.join("&"))
}

fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "password", "sig", "sign"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Takes every literal form of the secrets out of a text that a server sent.
pub fn mask(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| s.len() >= MIN_SECRET_BYTES) {
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let escaped = serde_json::Value::from(*secret).to_string();
        let escaped = escaped.trim_matches('"');
        for form in [*secret, &encoded, escaped] {
            if text.contains(form) {
                text = text.replace(form, MASK);
            }
        }
    }
    text
}

/// As [`mask`], of secrets that are still wrapped.
pub(super) fn mask_all(text: &str, secrets: &[SecretString]) -> String {
    let secrets: Vec<&str> = secrets.iter().map(|s| s.expose_secret()).collect();
    mask(text, &secrets)
}

/// What a target's calls must not show again.
pub(super) fn secrets_of(target: &Target, key: Option<&SecretString>) -> Vec<SecretString> {
    target_headers(target, key).map_or_else(|_issues| Vec::new(), |headers| secrets_in(&headers))
}

/// A server may echo the key in what it refuses.
pub(super) fn error_masked(error: PrepareError, secrets: &[SecretString]) -> PrepareError {
    match error {
        PrepareError::Unreachable(failure) => PrepareError::Unreachable(Failure {
            message: mask_all(&failure.message, secrets),
            ..failure
        }),
        PrepareError::Refused(issues) => {
            let masked = issues.into_iter().map(|issue| Issue {
                message: mask_all(&issue.message, secrets),
                ..issue
            });
            PrepareError::Refused(masked.collect())
        }
    }
}

/// As [`error_masked`], of what was found out.
pub(super) fn info_masked(mut info: TargetInfo, secrets: &[SecretString]) -> TargetInfo {
    for line in info.evidence.iter_mut().chain(&mut info.notes) {
        *line = mask_all(line, secrets);
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_form() {
        let key = "sk-a/b\"c";
        let text = r#"a sk-a/b"c b sk-a/b\"c c sk%2Da%2Fb%22c"#;
        assert_eq!(mask(text, &[key]), "a [REDACTED] b [REDACTED] c [REDACTED]");
        assert_eq!(mask("abc", &["b"]), "abc", "too short to be a secret");
    }

    #[test]
    fn a_query_keeps_what_is_no_secret() {
        assert_eq!(
            query_masked("/v1?api_key=SECRET&x=1&__sign=jwt"),
            "/v1?api_key=[REDACTED]&x=1&__sign=[REDACTED]"
        );
        assert_eq!(query_masked("/v1"), "/v1");
    }
}
