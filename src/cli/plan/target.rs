//! The flags of the target.

use std::path::Path;

use super::read::chosen;
use crate::cli::args::TargetArgs;
use crate::domain::{GradioMode, Issue, KeyRef, Protocol, Target};
use crate::session;

pub(super) fn override_target(target: &mut Target, args: &TargetArgs, issues: &mut Vec<Issue>) {
    if let Some(url) = &args.url {
        target.url.clone_from(url);
    }
    let protocols = Protocol::ALL.map(|p| (p.id(), p));
    if let Some(protocol) = chosen("--protocol", args.protocol.as_deref(), &protocols, issues) {
        target.protocol = protocol;
    }
    if let Some(path) = &args.template {
        override_template(target, path, args.protocol.is_some(), issues);
    }
    if args.api_name.is_some() {
        target.api_name.clone_from(&args.api_name);
    }
    let modes = [("queue", GradioMode::Queue), ("call", GradioMode::Call)];
    if let Some(mode) = chosen("--gradio-mode", args.gradio_mode.as_deref(), &modes, issues) {
        target.gradio_mode = mode;
    }
    if args.model.is_some() {
        target.model.clone_from(&args.model);
    }
    for header in &args.headers {
        match header.split_once(':') {
            Some((name, value)) => drop(
                target
                    .headers
                    .insert(name.trim().to_owned(), value.trim().to_owned()),
            ),
            None => issues.push(Issue::new(
                "--header",
                format!("“{header}” has no “:”: write NAME: VALUE"),
            )),
        }
    }
    if let Some(name) = &args.key_env {
        target.key = KeyRef::Env { name: name.clone() };
    }
}

/// A template means the protocol `http`, which a flag may say too.
fn override_template(
    target: &mut Target,
    path: &Path,
    is_protocol_named: bool,
    issues: &mut Vec<Issue>,
) {
    let name = path.display();
    if is_protocol_named && target.protocol != Protocol::Http {
        let id = target.protocol.id();
        let message = format!("goes with --protocol http, not with {id}");
        issues.push(Issue::new("--template", message));
    }
    match session::read_template(path) {
        Ok(template) => {
            target.protocol = Protocol::Http;
            target.template = Some(template);
        }
        Err(found) => issues.extend(
            found
                .into_iter()
                .map(|message| Issue::new("--template", format!("“{name}”: {message}"))),
        ),
    }
}
