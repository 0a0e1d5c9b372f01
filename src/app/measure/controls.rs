//! What a person may do to the run under way, in its head: pause, another level, a mark.

use egui::{Id, Response, Ui};

use crate::app::actions::Action;
use crate::app::icons;
use crate::app::state::{Controls, LevelField};
use crate::app::widgets::{Button, Field};
use crate::chart::format;
use crate::domain::Over;

const FIELD: f32 = 92.0;

/// Draws them from right to left, the last one first.
pub(super) fn controls_ui(
    ui: &mut Ui,
    controls: &Controls,
    level: &mut LevelField,
    narrow: bool,
    out: &mut Vec<Action>,
) {
    let mark = Action::Mark;
    let key = mark.key_hint();
    let button = if narrow {
        Button::icon_only(icons::FLAG, "Mark this moment")
    } else {
        Button::new("Mark").icon(icons::FLAG).key(&key)
    };
    let response = ui.add_enabled(controls.why_not_mark.is_none(), button);
    let response = why(response, mark, controls.why_not_mark.as_deref());
    if response.clicked() {
        out.push(mark);
    }
    if let Some((value, over)) = controls.level {
        level_ui(ui, controls, (value, over), level, out);
    }
    let pause = Action::PauseResume;
    let (words, icon) = if controls.is_paused {
        ("Resume", icons::START)
    } else {
        ("Pause", icons::PAUSE)
    };
    let key = pause.key_hint();
    let button = match (narrow, controls.is_paused) {
        (true, _) => Button::icon_only(icon, words),
        (false, true) => Button::primary(words).icon(icon).key(&key),
        (false, false) => Button::new(words).icon(icon).key(&key),
    };
    let response = ui.add_enabled(controls.why_not_pause.is_none(), button);
    let response = why(response, pause, controls.why_not_pause.as_deref());
    if response.clicked() {
        out.push(pause);
    }
}

fn why(response: Response, action: Action, why_not: Option<&str>) -> Response {
    let info = action.info();
    let tip = format!("{} ({})", info.tooltip, action.key_hint());
    response
        .on_hover_text(tip)
        .on_disabled_hover_text(why_not.unwrap_or_default())
}

/// − level +; from right to left.
fn level_ui(
    ui: &mut Ui,
    controls: &Controls,
    (value, over): (f64, Over),
    level: &mut LevelField,
    out: &mut Vec<Action>,
) {
    let can = controls.why_not_level.is_none();
    let spacing = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, 4.0);
    let mut step = |ui: &mut Ui, icon, name, action: Action| {
        let response = ui.add_enabled(can, Button::icon_only(icon, name));
        let response = why(response, action, controls.why_not_level.as_deref());
        if response.clicked() {
            out.push(action);
        }
    };
    step(ui, icons::ADD, "More load", Action::LevelUp);
    if !level.is_typed {
        level.text = format::number(value);
    }
    let response = Field::new("Level", &mut level.text)
        .bare()
        .unit(over.unit())
        .locked(!can)
        .width(FIELD)
        .id(Id::unique("level"))
        .show(ui);
    level.is_typed = response.has_focus();
    if response.lost_focus() {
        level.is_typed = true;
        level.is_entered = true;
        ui.ctx().request_repaint();
    }
    if let Some(words) = &controls.why_not_level {
        response.on_hover_text(words);
    }
    step(ui, icons::REMOVE, "Less load", Action::LevelDown);
    ui.spacing_mut().item_spacing.x = spacing;
}
