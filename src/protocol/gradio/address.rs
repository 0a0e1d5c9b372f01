//! The base address of a Gradio app in whatever a person pastes: a page, a route of any version, a proxied app.

use url::Url;

/// Where an app lives, and the endpoint that the pasted route names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Ends with `/`, without query or fragment.
    pub base: Url,
    /// Without a leading slash.
    pub api_name: Option<String>,
}

/// Routes of 4.x and later that a pasted address may end in, and whether an endpoint's name follows.
const ROUTES: [(&[&str], bool); 14] = [
    (&["call", "v2"], true),
    (&["call"], true),
    (&["run"], true),
    (&["api"], true),
    (&["queue", "join"], false),
    (&["queue", "data"], false),
    (&["queue", "status"], false),
    (&["monitoring", "summary"], false),
    (&["config"], false),
    (&["info"], false),
    (&["upload"], false),
    (&["openapi.json"], false),
    (&["docs"], false),
    (&["monitoring"], false),
];

/// The segment before every route from 5.0 on.
const PREFIX: &str = "gradio_api";

/// Cuts the route off an address. What is left is where `/config` is.
pub fn resolve(url: &Url) -> Address {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let segments: Vec<String> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|s| !s.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let (n_base, api_name) = split(&segments);
    let path: String = segments
        .iter()
        .take(n_base)
        .flat_map(|s| [s.as_str(), "/"])
        .collect();
    base.set_path(&format!("/{path}"));
    Address { base, api_name }
}

/// How many leading segments are the app's own path, and the endpoint named after them.
fn split(segments: &[String]) -> (usize, Option<String>) {
    if let Some(at) = segments.iter().position(|s| s == PREFIX) {
        let tail = segments.get(at + 1..).unwrap_or_default();
        let api_name = ROUTES.iter().find_map(|(route, named)| {
            let rest = tail.strip_prefix_of(route)?;
            if *named { name_of(rest) } else { None }
        });
        return (at, api_name);
    }
    // Without the prefix a route is only known by the address ending in it.
    for (route, named) in ROUTES {
        for at in 0..segments.len() {
            let Some(rest) = segments
                .get(at..)
                .and_then(|tail| tail.strip_prefix_of(route))
            else {
                continue;
            };
            let name = name_of(rest).filter(|name| named && !name.contains('/'));
            if name.is_some() {
                return (at, name);
            }
            if !named && rest.is_empty() {
                return (at, None);
            }
        }
    }
    (segments.len(), None)
}

/// The endpoint's name in `NAME` or `NAME/EVENT_ID`.
fn name_of(rest: &[String]) -> Option<String> {
    let is_event = |s: &String| s.len() == 32 && s.bytes().all(|b| b.is_ascii_hexdigit());
    let named = match rest.split_last() {
        Some((last, before)) if !before.is_empty() && (is_event(last) || last.starts_with('$')) => {
            before
        }
        _ => rest,
    };
    (!named.is_empty()).then(|| named.join("/"))
}

trait StripPrefix {
    fn strip_prefix_of(&self, route: &[&str]) -> Option<&[String]>;
}

impl StripPrefix for [String] {
    fn strip_prefix_of(&self, route: &[&str]) -> Option<&[String]> {
        let (head, rest) = self.split_at_checked(route.len())?;
        head.iter().zip(route).all(|(a, b)| a == b).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, base: &str, api_name: Option<&str>) {
        let found = resolve(&Url::parse(url).unwrap());
        assert_eq!(found.base.as_str(), base);
        assert_eq!(found.api_name.as_deref(), api_name);
    }

    #[test]
    fn every_shape_leads_to_the_base() {
        check("http://127.0.0.1:7860", "http://127.0.0.1:7860/", None);
        check("https://a-b.hf.space/", "https://a-b.hf.space/", None);
        check(
            "https://a-b.hf.space/?view=api#x",
            "https://a-b.hf.space/",
            None,
        );
        check("https://h/x//y///", "https://h/x/y/", None);
        check(
            "https://h/gradio_api/call/predict",
            "https://h/",
            Some("predict"),
        );
        check(
            "https://h/gradio_api/call/predict/",
            "https://h/",
            Some("predict"),
        );
        check(
            "https://h/gradio_api/call/v2/chat",
            "https://h/",
            Some("chat"),
        );
        check("https://h/gradio_api/run/a_1", "https://h/", Some("a_1"));
        check(
            "https://h/gradio_api/queue/join?__theme=dark",
            "https://h/",
            None,
        );
        check(
            "https://h/gradio_api/queue/data?session_hash=x",
            "https://h/",
            None,
        );
        check(
            "https://h/gradio_api/call/chat/22f832270ed94372b75d9fe91942806a",
            "https://h/",
            Some("chat"),
        );
        check(
            "https://h/gradio_api/call/chat/$EVENT_ID",
            "https://h/",
            Some("chat"),
        );
        check(
            "https://h/proxy/7860/gradio_api/call/x",
            "https://h/proxy/7860/",
            Some("x"),
        );
        check("https://h/gradio_api", "https://h/", None);
        check("https://h/gradio_api/info", "https://h/", None);
        check("http://h/call/chat", "http://h/", Some("chat"));
        check("http://h/sub/call/chat", "http://h/sub/", Some("chat"));
        check("http://h/api/predict", "http://h/", Some("predict"));
        check("http://h/queue/join", "http://h/", None);
        check("http://h/config", "http://h/", None);
        check("http://h/api/v1/demo", "http://h/api/v1/demo/", None);
        check("http://h/call", "http://h/call/", None);
        check(
            "http://h/api/v1/apps/demo/",
            "http://h/api/v1/apps/demo/",
            None,
        );
    }
}
