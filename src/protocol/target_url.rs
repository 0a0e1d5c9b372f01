//! What a person types as an address, as a URL: with or without a scheme, a Space's name or its page.

use std::net::IpAddr;

use url::{Host, Url};

use crate::domain::Issue;

/// The URL that a text means, or what to do about it.
///
/// Without a scheme it is `http` for this machine, private networks and anything with a port, else `https`.
pub fn target_url(text: &str) -> Result<Url, Issue> {
    let text = text
        .trim()
        .trim_matches(|c| matches!(c, '"' | '\'' | '<' | '>' | '“' | '”'))
        .trim();
    let issue = |message: String| Issue::new("target.url", message);
    if text.is_empty() {
        return Err(issue(
            "No address is given; type one, as http://127.0.0.1:8000 or owner/name of a Space"
                .to_owned(),
        ));
    }
    if let Some((owner, name)) = space_name(text) {
        return space_url(owner, name).ok_or_else(|| not_an_address(text, "not a Space's name"));
    }
    let url = match text.split_once("://") {
        Some(_) => Url::parse(text),
        None => parse_without_scheme(text),
    }
    .map_err(|error| not_an_address(text, &error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(not_an_address(text, "only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(issue(
            "The address holds a user name or password; remove it and send it as a header"
                .to_owned(),
        ));
    }
    if let Some(url) = url_of_space_page(&url) {
        return Ok(url);
    }
    Ok(url)
}

fn not_an_address(text: &str, why: &str) -> Issue {
    Issue::new(
        "target.url",
        format!(
            "“{text}” is not an address ({why}); write http://host:port, or owner/name of a Space"
        ),
    )
}

fn parse_without_scheme(text: &str) -> Result<Url, url::ParseError> {
    let text = text.trim_start_matches('/');
    let url = Url::parse(&format!("http://{text}"))?;
    let has_port =
        url.port().is_some() || text.split('/').next().is_some_and(|h| h.ends_with(":80"));
    if has_port || is_near(&url) {
        return Ok(url);
    }
    Url::parse(&format!("https://{text}"))
}

/// This machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// This machine, a private network, or a name without a dot.
fn is_near(url: &Url) -> bool {
    if is_loopback(url) {
        return true;
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            matches!(
                name.rsplit_once('.'),
                None | Some((_, "local" | "internal"))
            )
        }
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
        None => false,
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// `owner/name` and nothing else. An owner holds no dot, which tells it from a host.
fn space_name(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("spaces/").unwrap_or(text);
    let (owner, name) = text.split_once('/')?;
    let is_word = |word: &str, more: &[char]| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    let is_space = is_word(owner, &['-', '_']) && is_word(name, &['-', '_', '.']);
    (is_space && owner != "localhost").then_some((owner, name))
}

/// `https://owner-name.hf.space/`.
fn space_url(owner: &str, name: &str) -> Option<Url> {
    let host: String = format!("{owner}-{name}")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    Url::parse(&format!("https://{}.hf.space/", host.trim_matches('-'))).ok()
}

fn url_of_space_page(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    if !matches!(host, "huggingface.co" | "www.huggingface.co" | "hf.co") {
        return None;
    }
    let mut segments = url.path_segments()?;
    if segments.next()? != "spaces" {
        return None;
    }
    space_url(
        segments.next()?,
        segments.next().filter(|name| !name.is_empty())?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(target_url(text).unwrap().as_str(), expected, "{text}");
    }

    #[test]
    fn addresses_of_any_shape() {
        check(" http://h:8000/v1 ", "http://h:8000/v1");
        check(
            "\"https://api.example.com/v1\"",
            "https://api.example.com/v1",
        );
        check("localhost:8000", "http://localhost:8000/");
        check("localhost/v1", "http://localhost/v1");
        check("127.0.0.1", "http://127.0.0.1/");
        check("[::1]:8000/v1", "http://[::1]:8000/v1");
        check("192.168.1.7/v1/models", "http://192.168.1.7/v1/models");
        check("gpu-box:8000", "http://gpu-box:8000/");
        check("gpu-box", "http://gpu-box/");
        check("api.example.com/v1", "https://api.example.com/v1");
        check("api.example.com:9000", "http://api.example.com:9000/");
        check("example.com:80", "http://example.com/");
    }

    #[test]
    fn spaces_by_name_and_page() {
        check("owner/name", "https://owner-name.hf.space/");
        check(
            "HuggingFaceH4/zephyr.chat_v1",
            "https://huggingfaceh4-zephyr-chat-v1.hf.space/",
        );
        check("spaces/owner/name", "https://owner-name.hf.space/");
        check(
            "https://huggingface.co/spaces/Owner/my_app",
            "https://owner-my-app.hf.space/",
        );
        check(
            "huggingface.co/spaces/owner/name/tree/main",
            "https://owner-name.hf.space/",
        );
        check(
            "https://huggingface.co/owner/name",
            "https://huggingface.co/owner/name",
        );
    }

    #[test]
    fn what_is_no_address_says_so() {
        for text in [
            "",
            "  ",
            "ftp://h/",
            "http://",
            "a b",
            "http://h:99999",
            "https://u:p@h/v1",
        ] {
            let issue = target_url(text).unwrap_err();
            assert_eq!(issue.field, "target.url", "{text}");
            assert!(!issue.message.contains("u:p"), "{}", issue.message);
        }
    }
}
