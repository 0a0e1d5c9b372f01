//! A finding above the numbers: what, why, what to try, and one button.

use egui::{
    Align2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{Button, Level, paint};
use crate::app::theme::{Text, Theme, radius};

pub const BANNER_HEIGHT: f32 = 48.0;

/// `Banner::new(Level::Caution, "64 users is past saturation").why(…).advice(…).button("2 more").show(ui)`.
#[must_use = "call show"]
pub struct Banner<'a> {
    level: Level,
    finding: &'a str,
    why: &'a str,
    advice: &'a str,
    button: Option<&'a str>,
    primary: bool,
}

/// What a person did with a banner.
pub struct BannerResponse {
    pub response: Response,
    pub clicked: bool,
}

impl<'a> Banner<'a> {
    pub fn new(level: Level, finding: &'a str) -> Self {
        Self {
            level,
            finding,
            why: "",
            advice: "",
            button: None,
            primary: false,
        }
    }

    pub fn why(mut self, why: &'a str) -> Self {
        self.why = why;
        self
    }

    pub fn advice(mut self, advice: &'a str) -> Self {
        self.advice = advice;
        self
    }

    pub fn button(mut self, words: &'a str) -> Self {
        self.button = Some(words);
        self
    }

    pub fn primary(mut self) -> Self {
        self.primary = true;
        self
    }

    /// Draws it as wide as its place, 48 high.
    pub fn show(self, ui: &mut Ui) -> BannerResponse {
        let theme = Theme::of(ui);
        let wanted = vec2(ui.available_width(), BANNER_HEIGHT);
        let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
        let color = self.level.color(theme);
        let share = match self.level {
            Level::Bad => theme.fill_error,
            _ => theme.fill_banner,
        };
        let painter = ui.painter();
        painter.rect_filled(rect, radius::CARD, theme.surface);
        let edge = Stroke::new(1.0, color.gamma_multiply(0.35));
        let fill = color.gamma_multiply(share);
        painter.rect(rect, radius::CARD, fill, edge, StrokeKind::Inside);
        let middle = if self.advice.is_empty() {
            rect.center().y
        } else {
            rect.top() + 16.0
        };
        paint::icon(
            painter,
            pos2(rect.left() + 22.0, middle + 1.0),
            self.level.icon(),
            18.0,
            color,
        );
        let clicked = self.button_ui(ui, rect);
        let right = clicked.1 - 12.0;
        let cut = self.words(ui, rect, (middle, right), theme);
        let all = [self.finding, self.why, self.advice];
        let all: Vec<&str> = all.into_iter().filter(|w| !w.is_empty()).collect();
        let all = all.join(". ");
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &all));
        let response = if cut {
            response.on_hover_text(&all)
        } else {
            response
        };
        BannerResponse {
            response,
            clicked: clicked.0,
        }
    }

    fn button_ui(&self, ui: &mut Ui, rect: Rect) -> (bool, f32) {
        let Some(words) = self.button else {
            return (false, rect.right());
        };
        let area = Rect::from_min_max(rect.min, pos2(rect.right() - 12.0, rect.bottom()));
        let layout = egui::Layout::right_to_left(egui::Align::Center);
        ui.scope_builder(UiBuilder::new().max_rect(area).layout(layout), |ui| {
            let button = if self.primary {
                Button::primary(words)
            } else {
                Button::new(words)
            };
            let response = ui.add(button);
            (response.clicked(), response.rect.left())
        })
        .inner
    }

    /// Paints the sentences; says whether one had to be cut.
    fn words(&self, ui: &Ui, rect: Rect, (y, right): (f32, f32), theme: &Theme) -> bool {
        let painter = ui.painter();
        let left = rect.left() + 40.0;
        let room = right - left;
        let (from, kind) = (Align2::LEFT_CENTER, Text::Heading);
        let finding = paint::elided(
            painter,
            pos2(left, y),
            from,
            self.finding,
            kind,
            theme.text,
            room,
        );
        let mut cut = paint::text_width(painter, self.finding, kind) > room;
        if !self.why.is_empty() {
            let at = pos2(finding.right() + 8.0, y);
            let room = right - at.x;
            cut |= paint::text_width(painter, self.why, Text::Body) > room;
            if room > 40.0 {
                paint::elided(
                    painter,
                    at,
                    from,
                    self.why,
                    Text::Body,
                    theme.secondary,
                    room,
                );
            }
        }
        if !self.advice.is_empty() {
            let at = pos2(left, rect.top() + 34.5);
            let color = self.level.color(theme);
            let lead = paint::text(painter, at, from, "What to try", Text::LabelStrong, color);
            let at = pos2(lead.right() + 8.0, at.y);
            let room = right - at.x;
            cut |= paint::text_width(painter, self.advice, Text::Label) > room;
            paint::elided(
                painter,
                at,
                from,
                self.advice,
                Text::Label,
                theme.secondary,
                room,
            );
        }
        cut
    }
}
