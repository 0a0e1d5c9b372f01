//! Vary: fields that take several values, one run for each.

use egui::{Popup, PopupCloseBehavior, ScrollArea, Sense, Ui, UiBuilder, vec2};

use super::goals_ui::{REMOVE, remove_ui};
use super::panel::Draw;
use super::parts::{choice_field, error_below, label_above, note};
use super::vary_fields::{FieldChoice, choices, found};
use super::{Forecast, VaryRow};
use crate::app::icons;
use crate::app::widgets::{self, Button, Field};
use crate::domain::{Plan, VaryMode};

pub(super) fn vary_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    if draw.form.vary.is_empty() {
        note(
            ui,
            "One run for each value of a field: a model's name, a length, the users …",
        );
    }
    let mut remove = None;
    let plan = outline(draw);
    for (i, row) in draw.form.vary.iter_mut().enumerate() {
        if row_ui(ui, i, row, &plan) {
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

/// What the form says of the plan, while there may be something to fix elsewhere.
fn outline(draw: &Draw<'_>) -> Plan {
    let mut plan = Plan::simple(draw.form.target.url.trim());
    plan.target.protocol = draw.protocol();
    plan.workload.turns = draw.form.prompts.turns.trim().parse().unwrap_or(1);
    if let Ok(stages) = draw.form.load.stages() {
        plan.stages = stages;
    }
    plan
}

/// `6 runs one after another, about 9:00`.
pub(super) fn runs_words(forecast: &Forecast) -> String {
    let runs = match forecast.runs {
        1 => "1 run".to_owned(),
        n => format!("{n} runs, one after another"),
    };
    match forecast.time() {
        Some(time) => format!("{runs}, {time}; a run file for each"),
        // Stages that end by requests take as long as the server needs for them.
        None => format!("{runs}; a run file for each. Send one request to tell how long"),
    }
}

/// One varied field; says whether it is to go.
fn row_ui(ui: &mut Ui, i: usize, row: &mut VaryRow, plan: &Plan) -> bool {
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
                    plan,
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

/// The list's height, whatever it holds: it does not jump while a person types.
const LIST: f32 = 300.0;

/// Chooses a field of the plan from a list that can be searched; what is searched may be taken as it stands, for fields
/// whose names the plan does not know, as `workload.inputs.temperature`.
fn field_choice_ui(ui: &mut Ui, name: &str, field: &mut String, width: f32, plan: &Plan) {
    let shown = if field.is_empty() {
        "choose one"
    } else {
        field.as_str()
    };
    let response = widgets::choice_box(ui, name, shown, width);
    let id = response.id.with("search");
    let mut taken = None;
    let popup = Popup::menu(&response)
        .width(width.max(340.0))
        .gap(2.0)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    popup.show(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.set_width(width.max(340.0));
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
        taken = list_ui(ui, &query, entered, field, &choices(plan));
    });
    if let Some(path) = taken {
        *field = path;
        ui.data_mut(|d| d.remove_temp::<String>(id));
        Popup::close_id(ui.ctx(), Popup::default_response_id(&response));
    }
}

/// What the query finds; the path that was taken.
fn list_ui(
    ui: &mut Ui,
    query: &str,
    entered: bool,
    field: &str,
    all: &[FieldChoice],
) -> Option<String> {
    let found = found(query, all);
    let mut taken = found.first().filter(|_| entered).map(|f| f.path.clone());
    ui.spacing_mut().item_spacing.y = 0.0;
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), LIST), Sense::hover());
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for one in &found {
                let words = (one.title.as_str(), one.path.as_str());
                let item = widgets::item_with_words(ui, words, one.doc, one.path == field);
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
            }
        });
    });
    taken
}
