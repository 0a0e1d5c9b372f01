//! Sentences above a view: what failed, what was saved. Each stays until it is dismissed.

use egui::{Align2, Rect, Sense, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2};

use super::icons;
use super::state::{AppState, Banner, BannerKind};
use super::theme::{Text, Theme, radius};
use super::widgets::{self, Button};

const MARGIN: f32 = 16.0;

/// Draws the banners, and takes away those that were dismissed.
pub fn banners_ui(ui: &mut Ui, state: &mut AppState) {
    let mut dismissed = None;
    for (i, banner) in state.banners.iter().enumerate() {
        let answer = banner_ui(ui, i, banner);
        if answer != Answer::Stay {
            dismissed = Some((i, answer));
        }
    }
    if let Some((i, answer)) = dismissed {
        let banner = state.banners.remove(i);
        if let (Answer::Do, Some(action)) = (answer, banner.action) {
            state.perform(action);
        }
    }
}

/// What was done with a banner.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Answer {
    Stay,
    Dismiss,
    /// Its action was asked for.
    Do,
}

fn banner_ui(ui: &mut Ui, i: usize, banner: &Banner) -> Answer {
    let theme = Theme::of(ui);
    let (color, icon, word) = match banner.kind {
        BannerKind::Failed => (theme.invalid, icons::ERROR, "Failed"),
        BannerKind::Info => (theme.ok, icons::VALID, "Done"),
    };
    let width = ui.available_width() - 2.0 * MARGIN;
    let galley = ui.painter().layout(
        banner.text.clone(),
        Text::Body.font(),
        theme.text,
        width - 84.0,
    );
    let height = (galley.size().y + 16.0).max(40.0).round();
    let (outer, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), height + 8.0), Sense::hover());
    let rect = Rect::from_min_size(outer.min + vec2(MARGIN, 8.0), vec2(width, height));
    let painter = ui.painter();
    painter.rect_filled(rect, radius::CARD, theme.surface);
    painter.rect(
        rect,
        radius::CARD,
        color.gamma_multiply(theme.fill_error),
        Stroke::new(1.0, color.gamma_multiply(0.35)),
        StrokeKind::Inside,
    );
    widgets::icon(
        painter,
        pos2(rect.left() + 22.0, rect.center().y),
        icon,
        18.0,
        color,
    );
    let at =
        Align2::LEFT_CENTER.anchor_size(pos2(rect.left() + 42.0, rect.center().y), galley.size());
    painter.galley(at.min.round(), galley, theme.text);
    let name = format!("{word}: {}", banner.text);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Alert, true, &name));
    let area = Rect::from_min_max(rect.min, rect.max - vec2(8.0, 0.0));
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    let builder = UiBuilder::new()
        .max_rect(area)
        .layout(layout)
        .id_salt(("banner", i));
    ui.scope_builder(builder, |ui| {
        let close = Button::icon_only(icons::CLOSE, "Dismiss");
        if ui.add(close).clicked() {
            return Answer::Dismiss;
        }
        if let Some(action) = banner.action
            && ui.add(Button::new(action.text())).clicked()
        {
            return Answer::Do;
        }
        Answer::Stay
    })
    .inner
}
