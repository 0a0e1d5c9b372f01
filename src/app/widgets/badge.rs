//! Small words on a ground: badges that judge, tags that name.

use egui::{
    Align2, Color32, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::paint;
use crate::app::icons::{self, MaterialIcon};
use crate::app::theme::{Text, Theme, radius};

/// What a word means for the numbers beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    Good,
    Caution,
    Bad,
    /// Neither good nor bad.
    Plain,
}

impl Level {
    pub fn color(self, theme: &Theme) -> Color32 {
        match self {
            Self::Good => theme.ok,
            Self::Caution => theme.caution,
            Self::Bad => theme.invalid,
            Self::Plain => theme.secondary,
        }
    }

    pub fn icon(self) -> MaterialIcon {
        match self {
            Self::Good => icons::VALID,
            Self::Caution => icons::CAUTION,
            Self::Bad => icons::INVALID,
            Self::Plain => icons::INTERRUPTED,
        }
    }
}

/// A judgement: icon and word on a tint, 22 high.
pub fn badge(ui: &mut Ui, level: Level, words: &str) -> Response {
    let theme = Theme::of(ui);
    let color = level.color(theme);
    let width = paint::text_width(ui.painter(), words, Text::LabelStrong);
    let wanted = vec2((width + 32.0).round(), 22.0);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, radius::CONTROL, theme.surface);
    let edge = Stroke::new(1.0, color.gamma_multiply(0.30));
    let fill = color.gamma_multiply(0.13);
    painter.rect(rect, radius::CONTROL, fill, edge, StrokeKind::Inside);
    let y = rect.center().y;
    let icon_at = pos2(rect.left() + 14.0, y);
    paint::icon(painter, icon_at, level.icon(), 14.0, color);
    let at = pos2(rect.left() + 24.0, y);
    paint::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        words,
        Text::LabelStrong,
        color,
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}

/// A name that a person gave, 18 high.
pub fn tag(ui: &mut Ui, words: &str) -> Response {
    let theme = Theme::of(ui);
    let width = paint::text_width(ui.painter(), words, Text::Caption);
    let wanted = vec2((width + 12.0).round(), 18.0);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, radius::CONTROL, theme.raised);
    let ink = theme.secondary;
    paint::text(
        painter,
        rect.center(),
        Align2::CENTER_CENTER,
        words,
        Text::Caption,
        ink,
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}
