//! The command palette: every action and preset by name.

use egui::{Align2, Context, Id, Key, Modal, Modifiers, ScrollArea, Ui, vec2};

use super::actions::{ACTIONS, Action, key_text};
use super::state::AppState;
use super::theme::{Text, Theme, radius, size};
use super::widgets::Field;

/// The open palette.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Palette {
    pub query: String,
    pub chosen: usize,
}

/// What a row of the palette does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    Action(Action),
    /// Fill the form with that preset (index into [`AppState::presets`]).
    Preset(usize),
}

/// A row of the palette.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub entry: Entry,
    pub text: String,
    pub key: String,
    pub why_not: Option<String>,
}

impl Palette {
    /// The rows that match the query: those that begin with it first, then those that hold its letters in order.
    pub fn rows(&self, state: &AppState) -> Vec<Row> {
        let mut rows: Vec<(u32, Row)> = Vec::new();
        for info in ACTIONS.iter().filter(|a| a.action != Action::ShowPalette) {
            if let Some(rank) = rank(&self.query, info.text) {
                let row = Row {
                    entry: Entry::Action(info.action),
                    text: info.text.to_owned(),
                    key: info.keys.first().copied().map(key_text).unwrap_or_default(),
                    why_not: info.action.why_not(state),
                };
                rows.push((rank, row));
            }
        }
        for (i, preset) in state.presets.iter().enumerate() {
            let text = format!("Profile: {}", preset.title);
            if let Some(rank) = rank(&self.query, &text) {
                let why_not = state.is_locked().then(|| "A run is under way".to_owned());
                let row = Row {
                    entry: Entry::Preset(i),
                    text,
                    key: String::new(),
                    why_not,
                };
                rows.push((rank, row));
            }
        }
        rows.sort_by_key(|(rank, row)| (*rank, row.why_not.is_some()));
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// 0: begins with it; 1: a word begins with it; 2: holds it; 3: holds its letters in order.
fn rank(query: &str, text: &str) -> Option<u32> {
    let query = query.trim().to_lowercase();
    let text = text.to_lowercase();
    if text.starts_with(&query) {
        return Some(0);
    }
    if text.split(' ').any(|word| word.starts_with(&query)) {
        return Some(1);
    }
    if text.contains(&query) {
        return Some(2);
    }
    let mut letters = text.chars();
    let in_order = query
        .chars()
        .filter(|c| !c.is_whitespace())
        .all(|c| letters.any(|l| l == c));
    in_order.then_some(3)
}

impl AppState {
    /// Does what a palette row says and closes the palette; a disabled row changes nothing.
    pub fn run_entry(&mut self, row: &Row) {
        if row.why_not.is_some() {
            return;
        }
        self.palette = None;
        match row.entry {
            Entry::Action(action) => self.perform(action),
            Entry::Preset(i) => self.load_preset(i),
        }
    }
}

const WIDTH: f32 = 520.0;

/// Draws the palette, if it is open.
pub fn palette_ui(ctx: &Context, state: &mut AppState) {
    let Some(mut palette) = state.palette.clone() else {
        return;
    };
    let mut frame = super::dialogs::frame(ctx);
    frame.inner_margin = egui::Margin::same(8);
    let id = Id::unique("palette");
    let area = Modal::default_area(id).anchor(Align2::CENTER_TOP, vec2(0.0, 80.0));
    let rows = palette.rows(state);
    let mut run = None;
    let response = Modal::new(id).frame(frame).area(area).show(ctx, |ui| {
        ui.set_width(WIDTH);
        ui.spacing_mut().item_spacing.y = 4.0;
        run = palette_body(ui, &mut palette, &rows);
    });
    if let Some(i) = run
        && let Some(row) = rows.get(i)
        && row.why_not.is_none()
    {
        state.run_entry(row);
    } else if response.should_close() {
        state.palette = None;
    } else {
        state.palette = Some(palette);
    }
}

/// The field and the rows; gives the row to run.
fn palette_body(ui: &mut Ui, palette: &mut Palette, rows: &[Row]) -> Option<usize> {
    let (up, down, enter) = ui.input_mut(|i| {
        (
            i.consume_key(Modifiers::NONE, Key::ArrowUp),
            i.consume_key(Modifiers::NONE, Key::ArrowDown),
            i.key_pressed(Key::Enter),
        )
    });
    let field = Field::new("Find an action", &mut palette.query).bare();
    let response = field.hint("Find an action").show(ui);
    if response.changed() {
        palette.chosen = 0;
    }
    response.request_focus();
    let last = rows.len().saturating_sub(1);
    if down {
        palette.chosen = (palette.chosen + 1).min(last);
    }
    if up {
        palette.chosen = palette.chosen.saturating_sub(1);
    }
    palette.chosen = palette.chosen.min(last);
    let mut run = enter.then_some(palette.chosen);
    ui.spacing_mut().scroll.floating_allocated_width = 8.0;
    ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let theme = Theme::of(ui);
        if rows.is_empty() {
            ui.add_space(4.0);
            let words = format!("Nothing is called “{}”", palette.query.trim());
            ui.label(Text::Body.rich(words, theme.muted));
        }
        for (i, row) in rows.iter().enumerate() {
            let place = egui::Rect::from_min_size(
                ui.cursor().min,
                vec2(ui.available_width(), size::CONTROL),
            );
            if i == palette.chosen {
                ui.painter()
                    .rect_filled(place, radius::CONTROL, theme.accent_soft);
                if up || down {
                    ui.scroll_to_rect(place, None);
                }
            }
            let hint = row.why_not.as_deref().unwrap_or(&row.key);
            let response = super::menu::row_ui(ui, &row.text, hint, row.why_not.is_none());
            if response.clicked() {
                run = Some(i);
            }
        }
    });
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_come_before_letters_in_order() {
        assert_eq!(rank("sta", "Start"), Some(0));
        assert_eq!(rank("run", "Save a copy of the run…"), Some(1));
        assert_eq!(rank("gai", "Run again"), Some(2));
        assert_eq!(rank("sar", "Save a copy of the run…"), Some(3));
        assert_eq!(rank("zzz", "Start"), None);
    }

    #[test]
    fn an_empty_query_lists_everything_that_can_be_done_first() {
        let state = AppState::new(Vec::new());
        let rows = Palette::default().rows(&state);
        assert_eq!(rows.len(), ACTIONS.len() - 1);
        let first_off = rows.iter().position(|r| r.why_not.is_some()).unwrap();
        assert!(rows[first_off..].iter().all(|r| r.why_not.is_some()));
    }
}
