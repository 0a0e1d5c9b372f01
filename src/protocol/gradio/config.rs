//! What `/config` says of an app: version, routes, components and functions. Read from 4.44, 5.50 and 6.31; fields that
//! are missing or of another type are taken as absent, since forks and proxies leave some out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An app's version, as far as it matters: major and minor.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Version {
    /// The event stream is driven by events from 6.11 on; before it looks every 50 ms.
    const EVENT_DRIVEN: Self = Self {
        major: 6,
        minor: 11,
    };

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self {
            major: parts.next()?.parse().ok()?,
            minor: parts.next().and_then(|p| p.parse().ok()).unwrap_or(0),
        })
    }

    pub(super) fn polls(self) -> bool {
        self < Self::EVENT_DRIVEN
    }
}

#[derive(Clone, Debug)]
pub(super) struct AppConfig {
    pub(super) version: Version,
    pub(super) version_text: String,
    /// `sse_v3` since 4.44.
    pub(super) protocol: String,
    /// `/gradio_api` from 5.0 on, empty before.
    pub(super) prefix: String,
    pub(super) space_id: Option<String>,
    pub(super) title: String,
    pub(super) components: BTreeMap<u64, Component>,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug)]
pub(super) struct Component {
    /// Lower case: `textbox`.
    pub(super) kind: String,
    pub(super) props: Map<String, Value>,
    /// State and the like: absent from `/info`, sent as null.
    pub(super) skip_api: bool,
    pub(super) schema: Value,
    pub(super) example: Option<Value>,
}

impl Component {
    pub(super) fn label(&self) -> Option<&str> {
        self.props.get("label")?.as_str()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Visibility {
    Public,
    /// Can be called, but is not listed.
    Undocumented,
    Private,
}

#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) fn_index: u64,
    /// Without a leading slash.
    pub(super) api_name: String,
    pub(super) inputs: Vec<u64>,
    pub(super) outputs: Vec<u64>,
    pub(super) queue: bool,
    pub(super) generator: bool,
    pub(super) visibility: Visibility,
}

impl AppConfig {
    /// `None` when this is not a Gradio app's configuration.
    pub(super) fn parse(config: &Value) -> Option<Self> {
        let version_text = config.get("version")?.as_str()?.to_owned();
        let dependencies = config.get("dependencies")?.as_array()?;
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        let components = config.get("components").and_then(Value::as_array);
        Some(Self {
            version: Version::parse(&version_text)?,
            // The first protocol of 4.0 had no name.
            protocol: text("protocol").unwrap_or("ws").to_owned(),
            prefix: text("api_prefix").map(prefix).unwrap_or_default(),
            space_id: text("space_id").map(ToOwned::to_owned),
            title: text("title").unwrap_or_default().to_owned(),
            components: components
                .into_iter()
                .flatten()
                .filter_map(component)
                .collect(),
            dependencies: dependencies
                .iter()
                .enumerate()
                .filter_map(|(i, d)| dependency(i, d))
                .collect(),
            version_text,
        })
    }

    /// Later messages of a stream are edit lists.
    pub(super) fn sends_edits(&self) -> bool {
        matches!(self.protocol.as_str(), "sse_v2" | "sse_v2.1" | "sse_v3")
    }

    /// Its queue is the one of `queue/join` with a session and one stream.
    pub(super) fn is_supported(&self) -> bool {
        self.sends_edits() || self.protocol == "sse_v1"
    }

    pub(super) fn component(&self, id: u64) -> Option<&Component> {
        self.components.get(&id)
    }

    pub(super) fn dependency(&self, api_name: &str) -> Option<&Dependency> {
        self.dependencies
            .iter()
            .find(|d| d.api_name == api_name && d.visibility != Visibility::Private)
    }
}

/// `/gradio_api` from any of `gradio_api`, `/gradio_api/`.
fn prefix(text: &str) -> String {
    let text = text.trim_matches('/');
    if text.is_empty() {
        String::new()
    } else {
        format!("/{text}")
    }
}

fn component(value: &Value) -> Option<(u64, Component)> {
    let id = value.get("id")?.as_u64()?;
    let kind = value
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let kind = kind.to_lowercase();
    let schema = value
        .get("api_info_as_input")
        .or_else(|| value.get("api_info"));
    Some((
        id,
        Component {
            skip_api: value
                .get("skip_api")
                .and_then(Value::as_bool)
                .unwrap_or(kind == "state"),
            props: value
                .get("props")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            schema: schema.cloned().unwrap_or_default(),
            example: value
                .get("example_inputs")
                .filter(|v| !v.is_null())
                .cloned(),
            kind,
        },
    ))
}

/// `None` for a function without a name: it cannot be asked for.
fn dependency(position: usize, value: &Value) -> Option<Dependency> {
    let api_name = value.get("api_name")?.as_str()?.trim_start_matches('/');
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    let ids = |key: &str| -> Vec<u64> {
        let ids = value.get(key).and_then(Value::as_array);
        ids.into_iter()
            .flatten()
            .map(|id| id.as_u64().unwrap_or(u64::MAX))
            .collect()
    };
    let types = value.get("types");
    let visibility = match value.get("api_visibility").and_then(Value::as_str) {
        Some("undocumented") => Visibility::Undocumented,
        Some("private") => Visibility::Private,
        None if flag("show_api") == Some(false) => Visibility::Undocumented,
        _ => Visibility::Public,
    };
    Some(Dependency {
        fn_index: value
            .get("id")
            .and_then(Value::as_u64)
            .unwrap_or(position as u64),
        api_name: api_name.to_owned(),
        inputs: ids("inputs"),
        outputs: ids("outputs"),
        queue: flag("queue").unwrap_or(true),
        generator: types
            .and_then(|t| t.get("generator"))
            .and_then(Value::as_bool)
            .unwrap_or(false),
        visibility,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_before_6_11_poll() {
        for (text, polls) in [
            ("4.44.1", true),
            ("5.50.0", true),
            ("6.10.9", true),
            ("6.11.0", false),
            ("6.31.0", false),
            ("7.0.0b1", false),
        ] {
            assert_eq!(Version::parse(text).unwrap().polls(), polls, "{text}");
        }
        assert_eq!(Version::parse("dev"), None);
    }

    #[test]
    fn a_bare_config_is_read_and_others_are_not() {
        let config = json!({"version": "4.0.0", "dependencies": [
            {"api_name": "/a"}, {"api_name": false}, {"api_name": "b", "show_api": false, "inputs": [1, "x"]},
            {"id": 9, "api_name": "c", "api_visibility": "private"}, 7
        ]});
        let app = AppConfig::parse(&config).unwrap();
        assert_eq!(app.prefix, "");
        assert_eq!(app.dependencies.len(), 3);
        assert_eq!(app.dependency("a").unwrap().fn_index, 0);
        assert_eq!(app.dependency("b").unwrap().inputs, [1, u64::MAX]);
        assert!(app.dependency("c").is_none());
        assert!(!app.is_supported());
        for other in [
            json!(null),
            json!({}),
            json!({"version": 6, "dependencies": []}),
            json!({"version": "1"}),
            json!([]),
        ] {
            assert!(AppConfig::parse(&other).is_none(), "{other}");
        }
    }
}
