//! `detect`: what stands behind an address.

use std::process::ExitCode;

use super::args::DetectArgs;
use super::door::Door;
use super::print::visible;
use super::{exit, print};
use crate::domain::{KeyRef, Target, TargetInfo, is_secret_name, looks_like_secret};
use crate::session::{Command, Event};

pub(super) fn detect(args: &DetectArgs) -> ExitCode {
    if let Some(message) = crate::session::names_no_address(&args.text) {
        return super::fail(&message);
    }
    let mut target = Target::at(&args.text);
    target.insecure = args.insecure;
    if let Some(name) = &args.key_env {
        target.key = KeyRef::Env { name: name.clone() };
    }
    let mut door = match Door::open() {
        Ok(door) => door,
        Err(message) => return super::fail(&message),
    };
    door.send(Command::Detect {
        text: args.text.clone(),
        target: Box::new(target),
    });
    loop {
        match door.next_event() {
            Some(Event::Detected { mut info, .. }) => {
                hide_secrets(&mut info);
                let text = if args.json {
                    format!(
                        "{}\n",
                        serde_json::to_string_pretty(&info).unwrap_or_default()
                    )
                } else {
                    text_of(&info)
                };
                return print::out(&text, exit::OK);
            }
            Some(Event::DetectFailed { message, .. } | Event::Failed { message }) => {
                print::err(&format!("inferometer: {message}"));
                return ExitCode::from(exit::UNREACHABLE);
            }
            Some(_) => {}
            None => return super::fail("the session ended before it answered"),
        }
    }
}

/// A pasted command's secret headers are for the form, not for a terminal's scrollback or a log.
fn hide_secrets(info: &mut TargetInfo) {
    let headers = info.pasted.iter_mut().flat_map(|p| &mut p.headers);
    for (name, value) in headers {
        if is_secret_name(name) || looks_like_secret(value) {
            "[REDACTED]".clone_into(value);
        }
    }
}

fn text_of(info: &TargetInfo) -> String {
    let mut lines = vec![format!(
        "{}  {}  {}",
        info.protocol.id(),
        info.url,
        visible(&info.facts.name)
    )];
    for line in info.evidence.iter().chain(&info.notes) {
        lines.push(format!("  {}", visible(line)));
    }
    for model in &info.models {
        lines.push(format!("  model {}", visible(model)));
    }
    for endpoint in &info.endpoints {
        let inputs: Vec<&str> = endpoint.inputs.iter().map(|i| i.name.as_str()).collect();
        let kind = if endpoint.generator {
            "streams"
        } else {
            "answers at once"
        };
        lines.push(format!(
            "  {} ({kind}): {}",
            visible(&endpoint.api_name),
            visible(&inputs.join(", "))
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
