//! `detect`: what stands behind an address.

use std::process::ExitCode;

use super::args::DetectArgs;
use super::exit;
use super::run::Door;
use crate::domain::{KeyRef, Target};
use crate::session::{Command, Event};

pub(super) fn detect(args: &DetectArgs) -> ExitCode {
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
            Some(Event::Detected { info, .. }) => {
                if args.json {
                    println!(
                        "{}",
                        serde_json::to_string_pretty(&info).unwrap_or_default()
                    );
                } else {
                    print_info(&info);
                }
                return ExitCode::SUCCESS;
            }
            Some(Event::DetectFailed { message, .. } | Event::Failed { message }) => {
                eprintln!("inferometer: {message}");
                return ExitCode::from(exit::UNREACHABLE);
            }
            Some(_) => {}
            None => return super::fail("the session ended before it answered"),
        }
    }
}

fn print_info(info: &crate::domain::TargetInfo) {
    println!("{}  {}  {}", info.protocol.id(), info.url, info.facts.name);
    for line in info.evidence.iter().chain(&info.notes) {
        println!("  {}", super::summary::visible(line));
    }
    for model in &info.models {
        println!("  model {}", super::summary::visible(model));
    }
    for endpoint in &info.endpoints {
        let inputs: Vec<&str> = endpoint.inputs.iter().map(|i| i.name.as_str()).collect();
        let kind = if endpoint.generator {
            "streams"
        } else {
            "answers at once"
        };
        println!(
            "  {} ({kind}): {}",
            endpoint.api_name,
            super::summary::visible(&inputs.join(", "))
        );
    }
}
