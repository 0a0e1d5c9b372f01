//! The menus of the top bar, read from the Action table.

use egui::{Align2, Popup, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::actions::{ACTIONS, Action, ActionInfo, Menu, key_text};
use super::state::AppState;
use super::theme::{Text, Theme, radius, size};
use super::widgets;

const WIDTH: f32 = 248.0;

/// File, Edit, Run, View, Help. What was chosen goes into `out`; a recent file into `open`.
pub fn menu_ui(
    ui: &mut Ui,
    state: &AppState,
    out: &mut Vec<Action>,
    open: &mut Vec<std::path::PathBuf>,
) {
    ui.spacing_mut().item_spacing.x = 0.0;
    // The first word stands at x = 72, with 20 between the words.
    ui.add_space(-2.0);
    for menu in Menu::ALL {
        let title = title_ui(ui, menu.title());
        Popup::menu(&title).width(WIDTH).gap(4.0).show(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.set_width(WIDTH);
            for info in ACTIONS.iter().filter(|a| a.menu == Some(menu)) {
                if info.begins_group {
                    line_ui(ui);
                }
                if item_ui(ui, info, info.action.why_not(state)).clicked() {
                    out.push(info.action);
                }
            }
            if menu == Menu::File {
                recent_ui(ui, state, open);
            }
        });
    }
}

fn recent_ui(ui: &mut Ui, state: &AppState, open: &mut Vec<std::path::PathBuf>) {
    if state.settings.recent.is_empty() {
        return;
    }
    line_ui(ui);
    let theme = Theme::of(ui);
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        ui.add_space(10.0);
        ui.label(Text::Caption.rich("Recent", theme.muted));
    });
    for path in &state.settings.recent {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let response = row_ui(ui, &name, "", true);
        if response.on_hover_text(path.display().to_string()).clicked() {
            open.push(path.clone());
        }
    }
}

fn title_ui(ui: &mut Ui, words: &str) -> Response {
    let theme = Theme::of(ui);
    let width = widgets::text_width(ui.painter(), words, Text::Body).round() + 20.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::click());
    let open = Popup::is_id_open(ui.ctx(), Popup::default_response_id(&response));
    if open || response.hovered() || response.has_focus() {
        ui.painter()
            .rect_filled(rect, radius::CONTROL, theme.raised);
    }
    let ink = if open { theme.text } else { theme.secondary };
    let center = rect.center();
    widgets::text(
        ui.painter(),
        center,
        Align2::CENTER_CENTER,
        words,
        Text::Body,
        ink,
    );
    response.widget_info(|| WidgetInfo::labeled(Role::MenuItem, true, words));
    response
}

pub(crate) fn line_ui(ui: &mut Ui) {
    let theme = Theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 9.0), Sense::hover());
    ui.painter()
        .hline(rect.x_range(), rect.center().y, theme.hairline());
}

fn item_ui(ui: &mut Ui, info: &ActionInfo, why_not: Option<String>) -> Response {
    let key = info.keys.first().copied().map(key_text).unwrap_or_default();
    let response = row_ui(ui, info.text, &key, why_not.is_none());
    match why_not {
        Some(why) => response.on_disabled_hover_text(why),
        None => response.on_hover_text(info.tooltip),
    }
}

/// A line of a menu of which one may be chosen already.
pub(crate) fn chosen_row_ui(ui: &mut Ui, words: &str, chosen: bool) -> Response {
    let response = row_ui(ui, words, "", true);
    if chosen {
        let theme = Theme::of(ui);
        let at = pos2(response.rect.right() - 16.0, response.rect.center().y);
        widgets::icon(ui.painter(), at, super::icons::TICK, 16.0, theme.accent);
    }
    response
}

/// A line of a menu: words at the left, the key at the right.
pub(crate) fn row_ui(ui: &mut Ui, words: &str, key: &str, enabled: bool) -> Response {
    ui.add_enabled_ui(enabled, |ui| {
        let theme = Theme::of(ui);
        let wanted = vec2(ui.available_width(), size::CONTROL);
        let (rect, response) = ui.allocate_exact_size(wanted, Sense::click());
        let lit = enabled && (response.hovered() || response.has_focus());
        if lit {
            ui.painter().rect_filled(rect, radius::CONTROL, theme.hover);
        }
        let (ink, key_ink) = match (enabled, lit) {
            (false, _) => (theme.disabled, theme.disabled),
            (true, true) => (theme.text, theme.secondary),
            (true, false) => (theme.text, theme.muted),
        };
        let y = rect.center().y;
        let painter = ui.painter();
        let key_width = if key.is_empty() {
            0.0
        } else {
            let at = pos2(rect.right() - 10.0, y + 0.5);
            let drawn = widgets::text(
                painter,
                at,
                Align2::RIGHT_CENTER,
                key,
                Text::Caption,
                key_ink,
            );
            drawn.width() + 12.0
        };
        let room = rect.width() - 20.0 - key_width;
        let at = pos2(rect.left() + 10.0, y);
        widgets::elided(
            painter,
            at,
            Align2::LEFT_CENTER,
            words,
            Text::Body,
            ink,
            room,
        );
        response.widget_info(|| WidgetInfo::labeled(Role::MenuItem, enabled, words));
        response
    })
    .inner
}
