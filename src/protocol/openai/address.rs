//! Where the routes of an OpenAI-compatible server are, for an address of any shape.

use url::Url;

use super::Api;

/// What an address says, before anything is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Scheme, host and port.
    pub origin: Url,
    /// Paths under which `/models` and the routes may be, likeliest first; never empty, without a trailing slash.
    pub bases: Vec<String>,
    /// Of an address that is a full route.
    pub api: Option<Api>,
    /// Kept on every call, as Azure's `api-version`.
    pub query: Option<String>,
}

/// Pages and probes that people copy from a browser instead of the API's address.
const OTHER_PAGES: [&str; 6] = [
    "/models",
    "/docs",
    "/health",
    "/metrics",
    "/version",
    "/openapi.json",
];

impl Address {
    pub fn of(url: &Url) -> Self {
        let path = url.path().trim_end_matches('/');
        let (path, api) = [Api::Chat, Api::Completions, Api::Responses]
            .into_iter()
            .find_map(|api| Some((path.strip_suffix(api.route())?, Some(api))))
            .unwrap_or((path, None));
        let page = OTHER_PAGES.iter().find_map(|page| path.strip_suffix(page));
        let base = page.unwrap_or(path).to_owned();
        let bases = if api.is_some() {
            vec![base]
        } else if base.split('/').any(is_version) {
            let below = format!("{base}/v1");
            if base.rsplit('/').next().is_some_and(is_version) {
                vec![base]
            } else {
                vec![base, below]
            }
        } else {
            vec![format!("{base}/v1"), base]
        };
        Self {
            origin: origin_of(url),
            bases,
            api,
            query: query_of(url),
        }
    }

    /// For a server whose routes are `routes` below one base: the base, and the route that the address ends in.
    pub(in crate::protocol) fn below<'r>(url: &Url, routes: &[&'r str]) -> (Self, Option<&'r str>) {
        let path = url.path().trim_end_matches('/');
        let route = routes.iter().find(|route| path.ends_with(**route)).copied();
        let base = route.and_then(|route| path.strip_suffix(route));
        let address = Self {
            origin: origin_of(url),
            bases: vec![base.unwrap_or(path).to_owned()],
            api: None,
            query: query_of(url),
        };
        (address, route)
    }

    /// A path as it is shown and stored: values of a query are left out, for one may be a key.
    pub(in crate::protocol) fn shown(&self, path: &str) -> String {
        let Some(query) = &self.query else {
            return path.to_owned();
        };
        let names: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| format!("{name}=…"))
            .collect();
        format!("{path}?{}", names.join("&"))
    }

    /// The path and query of a route under a base.
    pub fn path_and_query(&self, base: &str, route: &str) -> String {
        match &self.query {
            Some(query) => format!("{base}{route}?{query}"),
            None => format!("{base}{route}"),
        }
    }

    /// The whole address of a route under a base.
    pub fn url(&self, base: &str, route: &str) -> Url {
        let mut url = self.origin.clone();
        url.set_path(&format!("{base}{route}"));
        url.set_query(self.query.as_deref());
        url
    }

    /// The likeliest base, when nothing that was asked told.
    pub fn default_base(&self) -> &str {
        self.bases.first().map_or("", String::as_str)
    }
}

fn origin_of(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    origin
}

fn query_of(url: &Url) -> Option<String> {
    let query = url.query().filter(|query| !query.is_empty());
    query.map(str::to_owned)
}

/// `v1`, `v1beta`.
fn is_version(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next() == Some('v') && chars.next().is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, bases: &[&str], api: Option<Api>) {
        let address = Address::of(&Url::parse(url).unwrap());
        assert_eq!(address.bases, bases, "{url}");
        assert_eq!(address.api, api, "{url}");
    }

    #[test]
    fn any_shape_of_address_is_understood() {
        check("http://h:8000", &["/v1", ""], None);
        check("http://h:8000/", &["/v1", ""], None);
        check("http://h:8000/v1", &["/v1"], None);
        check("http://h:8000/v1/", &["/v1"], None);
        check("http://h/v1/models", &["/v1"], None);
        check("http://h/docs", &["/v1", ""], None);
        check("http://h/v1/chat/completions", &["/v1"], Some(Api::Chat));
        check("http://h/v1/completions/", &["/v1"], Some(Api::Completions));
        check("http://h/v1/responses", &["/v1"], Some(Api::Responses));
        check("http://h/chat/completions", &[""], Some(Api::Chat));
        check("https://h/openai/v1", &["/openai/v1"], None);
        check("https://h/api/llm", &["/api/llm/v1", "/api/llm"], None);
        check(
            "https://h/v1beta/openai/",
            &["/v1beta/openai", "/v1beta/openai/v1"],
            None,
        );
    }

    #[test]
    fn the_query_stays_on_every_route() {
        let url = "https://h/openai/deployments/d/chat/completions?api-version=2024-10-21#x";
        let address = Address::of(&Url::parse(url).unwrap());
        assert_eq!(
            address.path_and_query(address.default_base(), "/chat/completions"),
            "/openai/deployments/d/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(address.origin.as_str(), "https://h/");
        assert_eq!(
            address.url("/v1", "/models").as_str(),
            "https://h/v1/models?api-version=2024-10-21"
        );
    }
}
