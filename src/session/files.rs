//! Commands about files: run files, plans, the library, settings. Each on a worker, so that a slow disk holds nothing up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::message::{Command, Event, SaveWhat};
use crate::domain::Plan;
use crate::store;

/// Does what the command asks and says what came of it. `busy` is the file of the run under way: it is not touched.
pub(super) async fn take(command: Command, busy: Option<PathBuf>) -> Vec<Event> {
    let done = tokio::task::spawn_blocking(move || perform(command, busy.as_deref())).await;
    done.unwrap_or_else(|error| vec![failed(format!("a file could not be worked on: {error}"))])
}

fn failed(message: impl Into<String>) -> Event {
    Event::Failed {
        message: message.into(),
    }
}

fn perform(command: Command, busy: Option<&Path>) -> Vec<Event> {
    match command {
        Command::OpenRuns(paths) => paths.iter().map(|path| open_run(path)).collect(),
        Command::Restore => vec![restore()],
        Command::ListRuns => vec![library()],
        Command::Annotate {
            path,
            label,
            tags,
            notes,
        } => {
            if busy == Some(path.as_path()) {
                return vec![failed(
                    "the run is still being written: change its label when it has ended",
                )];
            }
            match store::annotate(&path, label.as_deref(), tags.as_deref(), notes.as_deref()) {
                Ok(()) => vec![library()],
                Err(error) => vec![failed(format!(
                    "the run file could not be changed: {error} (“{}”)",
                    path.display()
                ))],
            }
        }
        Command::DeleteRun { path } => {
            if busy == Some(path.as_path()) {
                return vec![failed(
                    "the run is still being written: stop it before it is deleted",
                )];
            }
            match std::fs::remove_file(&path) {
                Ok(()) => vec![library()],
                Err(error) => vec![failed(format!(
                    "the run file could not be deleted: {error} (“{}”)",
                    path.display()
                ))],
            }
        }
        Command::OpenPlan(path) => vec![open_plan(path)],
        Command::OpenTemplate(path) => vec![open_template(path)],
        Command::Save { what, path } => vec![save(what, path)],
        Command::Autosave { plan, settings } => autosave(&plan, &settings)
            .err()
            .map(failed)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn open_run(path: &Path) -> Event {
    match store::open_run(path) {
        Ok(run) => Event::RunOpened {
            run: Arc::new(run),
            entry: Box::new(store::read_entry(path)),
        },
        Err(error) => Event::RunNotOpened {
            path: path.to_owned(),
            message: format!("“{}” was not opened: {error}", path.display()),
        },
    }
}

fn library() -> Event {
    match store::Places::find() {
        Ok(places) => {
            let folder = places.runs();
            match store::list_runs(&folder) {
                Ok(entries) => Event::Library { entries, folder },
                Err(error) => failed(format!(
                    "the runs' folder cannot be read: {error} (“{}”)",
                    folder.display()
                )),
            }
        }
        Err(error) => failed(error.to_string()),
    }
}

fn open_plan(path: PathBuf) -> Event {
    match super::door::read_plan(&path) {
        Ok(plan) => Event::PlanOpened {
            path,
            plan: Box::new(plan),
        },
        Err(issues) => {
            let first = issues.first().cloned().unwrap_or_default();
            let more = if issues.len() > 1 {
                format!(" (and {} more issues)", issues.len() - 1)
            } else {
                String::new()
            };
            failed(format!(
                "the plan “{}” was not opened: {first}{more}",
                path.display()
            ))
        }
    }
}

fn open_template(path: PathBuf) -> Event {
    match super::door::read_template(&path) {
        Ok(template) => Event::TemplateOpened {
            path,
            template: Box::new(template),
        },
        Err(issues) => {
            let first = issues.first().cloned().unwrap_or_default();
            failed(format!(
                "the template “{}” was not taken: {first}",
                path.display()
            ))
        }
    }
}

fn save(what: SaveWhat, path: PathBuf) -> Event {
    let written = match what {
        SaveWhat::Plan(plan) => store::write_plan(&path, &plan).map_err(|e| e.to_string()),
        SaveWhat::Run { from } => store::save_run(&from, &path).map_err(|e| e.to_string()),
    };
    match written {
        Ok(()) => Event::Saved { path },
        Err(message) => failed(format!(
            "“{}” was not written: {message}; choose another place",
            path.display()
        )),
    }
}

fn autosave(plan: &Plan, settings: &serde_json::Value) -> Result<(), String> {
    let places = store::Places::find().map_err(|e| e.to_string())?;
    let kept = places
        .write_autosave(plan)
        .and_then(|()| match settings.as_object() {
            Some(settings) => places.write_settings(settings),
            None => Ok(()),
        });
    kept.map_err(|e| format!("the form could not be kept for next time: {e}"))
}

/// The last form and the settings, as [`Event::Restored`].
fn restore() -> Event {
    let places = store::Places::find().ok();
    let plan = places
        .as_ref()
        .and_then(store::Places::read_autosave)
        .map(Box::new);
    let settings = places
        .map(|places| places.read_settings())
        .unwrap_or_default();
    Event::Restored {
        plan,
        settings: settings.into(),
    }
}
