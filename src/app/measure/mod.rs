//! The right side of the Measure view: what a run shows while it goes and when it has ended.

use crate::domain::RunData;

use super::actions::Action;

/// What the person has switched on in the Measure view.
#[derive(Debug, Default)]
pub struct MeasureUi {}

/// What the view says before anything was measured.
#[derive(Clone, Debug, Default)]
pub struct EmptyModel {}

/// Draws the view into what is left of `ui`.
pub fn measure_ui(
    _ui: &mut egui::Ui,
    _run: Option<&RunData>,
    _empty: &EmptyModel,
    _state: &mut MeasureUi,
    _out: &mut Vec<Action>,
) {
}
