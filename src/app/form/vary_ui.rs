//! Vary: fields that take several values, one run for each.

use egui::{Popup, PopupCloseBehavior, ScrollArea, Ui};

use super::goals_ui::{REMOVE, remove_ui};
use super::panel::Draw;
use super::parts::{choice_field, error_below, label_above, note};
use super::{Forecast, VaryRow};
use crate::app::icons;
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Button, Field};
use crate::domain::VaryMode;
use crate::session::{PlanField, plan_fields};

pub(super) fn vary_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    if draw.form.vary.is_empty() {
        note(
            ui,
            "One run for each value of a field: a model's name, a length, the users …",
        );
    }
    let mut remove = None;
    for (i, row) in draw.form.vary.iter_mut().enumerate() {
        if row_ui(ui, i, row) {
            remove = Some(i);
        }
        error_below(ui, errors.at(&format!("vary.{i}")));
    }
    if let Some(i) = remove {
        draw.form.vary.remove(i);
    }
    if draw.form.vary.len() > 1 {
        let modes = [
            (VaryMode::Grid, "Every one with every other".to_owned()),
            (VaryMode::OneAtATime, "One field at a time".to_owned()),
        ];
        choice_field(ui, "Values go together", &mut draw.form.vary_mode, &modes);
    }
    error_below(ui, errors.exactly("vary"));
    let add = ui.add(Button::new("Vary a field").icon(icons::ADD));
    if add.clicked() {
        draw.form.vary.push(VaryRow::default());
    }
    if !draw.form.vary.is_empty()
        && let Some(forecast) = draw.state.forecast()
    {
        note(ui, &runs_words(forecast));
    }
}

/// `6 runs one after another, about 9:00`.
pub(super) fn runs_words(forecast: &Forecast) -> String {
    let runs = match forecast.runs {
        1 => "1 run".to_owned(),
        n => format!("{n} runs, one after another"),
    };
    match forecast.time() {
        Some(time) => format!("{runs}, {time}; a run file for each"),
        None => format!("{runs}; a run file for each"),
    }
}

/// One varied field; says whether it is to go.
fn row_ui(ui: &mut Ui, i: usize, row: &mut VaryRow) -> bool {
    let n = i + 1;
    let width = ui.available_width();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        label_above(ui, &format!("Field {n}"));
        let gone = ui
            .horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                field_choice_ui(
                    ui,
                    &format!("Field {n}"),
                    &mut row.field,
                    width - REMOVE - 4.0,
                );
                remove_ui(ui, &format!("Vary field {n} no more"))
            })
            .inner;
        ui.add_space(4.0);
        let name = format!("Values of field {n}");
        Field::new(&name, &mut row.values)
            .bare()
            .mono()
            .hint("values with commas between")
            .show(ui);
        gone
    })
    .inner
}

/// Chooses a field of the plan from a list that can be searched; what is searched may be taken as it stands, for fields
/// whose names the plan does not know, as `workload.inputs.temperature`.
fn field_choice_ui(ui: &mut Ui, name: &str, field: &mut String, width: f32) {
    let shown = if field.is_empty() {
        "choose one"
    } else {
        field.as_str()
    };
    let response = widgets::choice_box(ui, name, shown, width);
    let id = response.id.with("search");
    let mut taken = None;
    let popup = Popup::menu(&response)
        .width(width.max(300.0))
        .gap(2.0)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    popup.show(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.set_width(width.max(300.0));
        let mut query: String = ui.data_mut(|d| d.get_temp(id).unwrap_or_default());
        let search = Field::new("Find a field", &mut query)
            .bare()
            .hint("find a field")
            .show(ui);
        // Before the focus is asked for again: asking takes back that it was lost.
        let entered = search.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        if !entered && ui.memory(|m| m.focused().is_none()) {
            search.request_focus();
        }
        ui.data_mut(|d| d.insert_temp(id, query.clone()));
        let found: Vec<PlanField> = found(&query).collect();
        if entered {
            taken = found.first().map(|f| f.path.clone());
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical().max_height(280.0).show(ui, |ui| {
            for one in &found {
                let item = widgets::item(ui, &one.path, one.path == *field);
                if item.on_hover_text(one.doc).clicked() {
                    taken = Some(one.path.clone());
                }
            }
            let other = query.trim();
            if found.is_empty() && !other.is_empty() {
                let words = format!("Take “{other}” as it stands");
                if widgets::item(ui, &words, false).clicked() || entered {
                    taken = Some(other.to_owned());
                }
            } else if found.is_empty() {
                let theme = Theme::of(ui);
                ui.label(Text::Label.rich("no such field", theme.muted));
            }
        });
    });
    if let Some(path) = taken {
        *field = path;
        ui.data_mut(|d| d.remove_temp::<String>(id));
        Popup::close_id(ui.ctx(), Popup::default_response_id(&response));
    }
}

/// Fields whose path or meaning holds all the words of the query.
fn found(query: &str) -> impl Iterator<Item = PlanField> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let holds = move |f: &PlanField| {
        let text = format!("{} {}", f.path, f.doc).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    plan_fields().into_iter().filter(move |f| holds(f))
}
