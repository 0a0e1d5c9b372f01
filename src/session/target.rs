//! From a plan's target to the measured client's route.

use std::time::Duration;

use url::Url;

use crate::domain::{HttpVersion, Issue, Target, TargetInfo};
use crate::transport::{self, Connector, Route};

/// The connector to the prepared target's origin.
///
/// # Errors
/// An issue at the field that makes it impossible.
pub(super) fn connector(target: &Target, info: &TargetInfo) -> Result<Connector, Issue> {
    let at = |field: &str, message: String| Issue::new(field, message);
    let url = Url::parse(&info.url)
        .map_err(|e| at("target.url", format!("“{}” is not a URL: {e}", info.url)))?;
    let timeout = Duration::try_from_secs_f64(target.timeouts.connect_secs).map_err(|e| {
        at(
            "target.timeouts.connect_secs",
            format!("“{}” is not a time: {e}", target.timeouts.connect_secs),
        )
    })?;
    let mut route = Route::from_url(&url, timeout).map_err(|e| at("target.url", e.message))?;
    route.http = match target.http {
        HttpVersion::Http1 => transport::HttpVersion::Http1,
        HttpVersion::Http2 => transport::HttpVersion::Http2,
    };
    route.proxy = match target
        .proxy
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        None => None,
        Some(text) => Some(
            Url::parse(text)
                .map_err(|e| at("target.proxy", format!("“{text}” is not a URL: {e}")))?,
        ),
    };
    route.ca_file.clone_from(&target.ca_file);
    route.insecure = target.insecure;
    Connector::new(route).map_err(|e| at("target", e.message))
}
