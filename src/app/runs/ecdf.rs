//! The distribution of the run in the details.

use egui::{Rect, Ui};

use crate::app::state::AppState;
use crate::domain::RunData;

pub(super) fn ecdf_ui(_ui: &mut Ui, _rect: Rect, _run: &RunData, _state: &mut AppState) {}
