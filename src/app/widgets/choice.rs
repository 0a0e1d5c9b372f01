//! A box that opens a list to choose from.

use egui::{
    Align2, Popup, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::{button::focus_ring, paint};
use crate::app::icons;
use crate::app::theme::{Text, Theme, radius, size};

/// Chooses one of `options`, `width` wide; the response is changed when another was taken.
pub fn choice<T: Clone + PartialEq>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    options: &[(T, String)],
    width: f32,
) -> Response {
    let shown = options
        .iter()
        .find(|(option, _)| option == value)
        .map_or("", |(_, words)| words.as_str());
    let mut response = choice_box(ui, name, shown, width);
    let mut taken = None;
    Popup::menu(&response)
        .width(width.max(120.0))
        .gap(2.0)
        .show(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            egui::ScrollArea::vertical()
                .max_height(320.0)
                .show(ui, |ui| {
                    for (option, words) in options {
                        if item(ui, words, option == value).clicked() {
                            taken = Some(option.clone());
                        }
                    }
                });
        });
    if let Some(option) = taken
        && option != *value
    {
        *value = option;
        response.mark_changed();
    }
    response
}

/// The box alone; what it opens is the caller's.
pub fn choice_box(ui: &mut Ui, name: &str, shown: &str, width: f32) -> Response {
    let theme = Theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::hover());
    // By its name, not by its place: what appears above it must not close its list.
    let response = ui.interact(rect, ui.scope_id().with(("choice", name)), Sense::click());
    let enabled = ui.is_enabled();
    let (fill, edge, ink) = if !enabled {
        (
            theme.raised.gamma_multiply(0.5),
            theme.line,
            theme.secondary,
        )
    } else if response.hovered() {
        (theme.field, theme.muted, theme.text)
    } else {
        (theme.field, theme.line_strong, theme.text)
    };
    let painter = ui.painter();
    painter.rect(
        rect,
        radius::CONTROL,
        fill,
        Stroke::new(1.0, edge),
        StrokeKind::Inside,
    );
    focus_ring(ui, &response, rect.shrink(1.0), radius::INNER);
    let at = pos2(rect.left() + 8.0, rect.center().y);
    let room = rect.width() - 8.0 - 24.0;
    paint::elided(
        painter,
        at,
        Align2::LEFT_CENTER,
        shown,
        Text::Body,
        ink,
        room,
    );
    let chevron = pos2(rect.right() - 14.0, rect.center().y);
    paint::icon(painter, chevron, icons::OPENED, 16.0, theme.muted);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, enabled, name);
        info.current_text_value = Some(shown.to_owned());
        info
    });
    response
}

/// One line of a list or menu, 28 high.
pub fn item(ui: &mut Ui, words: &str, chosen: bool) -> Response {
    let theme = Theme::of(ui);
    let width = paint::text_width(ui.painter(), words, Text::Body) + 20.0;
    let wanted = vec2(width.max(ui.available_width()), size::CONTROL);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::click());
    ground(ui, rect, &response, chosen);
    let area = Rect::from_min_max(rect.min + vec2(8.0, 0.0), rect.max);
    paint::text(
        ui.painter(),
        area.left_center(),
        Align2::LEFT_CENTER,
        words,
        Text::Body,
        theme.text,
    );
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::MenuItemRadio, enabled, chosen, words));
    response
}

/// Height of a line with words below it.
const TWO_LINES: f32 = 42.0;

/// A line of a list with what it means below it; `beside` stands behind its title, where there is room.
pub fn item_with_words(
    ui: &mut Ui,
    (title, beside): (&str, &str),
    below: &str,
    chosen: bool,
) -> Response {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), TWO_LINES);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::click());
    ground(ui, rect, &response, chosen);
    let painter = ui.painter();
    let (left, right) = (rect.left() + 8.0, rect.right() - 16.0);
    let from = Align2::LEFT_CENTER;
    let at = pos2(left, rect.top() + 13.5);
    let drawn = paint::text(painter, at, from, title, Text::Strong, theme.text);
    let at = pos2(drawn.right() + 8.0, at.y + 0.5);
    let (kind, room) = (Text::MonoSmall, right - at.x);
    paint::elided(painter, at, from, beside, kind, theme.muted, room);
    let at = pos2(left, rect.top() + 30.0);
    let (kind, room) = (Text::Caption, right - left);
    paint::elided(painter, at, from, below, kind, theme.secondary, room);
    let name = if beside.is_empty() {
        title.to_owned()
    } else {
        format!("{title}: {beside}")
    };
    response.widget_info(|| WidgetInfo::selected(Role::MenuItemRadio, true, chosen, &name));
    response
}

/// What lies under the line that is chosen or pointed at.
fn ground(ui: &Ui, rect: Rect, response: &Response, chosen: bool) {
    let theme = Theme::of(ui);
    let fill = if chosen {
        theme.accent_soft
    } else if response.hovered() || response.has_focus() {
        theme.hover
    } else {
        return;
    };
    ui.painter().rect_filled(rect, radius::CONTROL, fill);
}
