//! A part of the form that opens and closes.

use egui::{
    Align2, Response, Role, Sense, Ui, WidgetInfo, collapsing_header::CollapsingState, pos2, vec2,
};

use super::{button::focus_ring, paint};
use crate::app::icons;
use crate::app::theme::{Text, Theme, radius, size};

const HEADER: f32 = 36.0;

/// A section: hairline, chevron, heading, and a summary when closed.
#[must_use = "call show"]
pub struct Section<'a> {
    title: &'a str,
    summary: &'a str,
    error: bool,
    open: bool,
}

impl<'a> Section<'a> {
    pub fn new(title: &'a str) -> Self {
        Self {
            title,
            summary: "",
            error: false,
            open: true,
        }
    }

    /// One line that stands at the right when it is closed.
    pub fn summary(mut self, summary: &'a str) -> Self {
        self.summary = summary;
        self
    }

    /// Something inside has to be fixed.
    pub fn error(mut self, error: bool) -> Self {
        self.error = error;
        self
    }

    /// Closed until a person opens it.
    pub fn closed(mut self) -> Self {
        self.open = false;
        self
    }

    /// Draws it as wide as its place and remembers itself whether it is open; the contents stand 16 from both sides.
    pub fn show(self, ui: &mut Ui, contents: impl FnOnce(&mut Ui)) -> Response {
        let id = ui.make_persistent_id(("section", self.title));
        let mut state = CollapsingState::load_with_default_open(ui.ctx(), id, self.open);
        let mut open = state.is_open();
        let header = self.show_open(ui, &mut open, contents);
        state.set_open(open);
        state.store(ui.ctx());
        header
    }

    /// As [`Self::show`]; the caller knows whether it is open.
    pub fn show_open(
        self,
        ui: &mut Ui,
        open: &mut bool,
        contents: impl FnOnce(&mut Ui),
    ) -> Response {
        let header = self.header_ui(ui, *open);
        if header.clicked() {
            *open = !*open;
        }
        if *open {
            egui::Frame::NONE
                .inner_margin(egui::Margin {
                    left: 16,
                    right: 16,
                    top: 0,
                    bottom: 10,
                })
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing = vec2(8.0, 10.0);
                    ui.set_width(ui.available_width());
                    contents(ui);
                });
        }
        header
    }

    fn header_ui(&self, ui: &mut Ui, open: bool) -> Response {
        let theme = Theme::of(ui);
        let wanted = vec2(ui.available_width(), HEADER);
        let (rect, response) = ui.allocate_exact_size(wanted, Sense::click());
        let painter = ui.painter();
        painter.hline(rect.x_range(), rect.top() + 0.5, theme.hairline());
        let y = rect.center().y + 0.5;
        let chevron = if open { icons::OPENED } else { icons::CLOSED };
        let ink = if response.hovered() {
            theme.text
        } else {
            theme.muted
        };
        let left = rect.left() + size::FORM_MARGIN;
        paint::icon(painter, pos2(left + 2.0, y), chevron, 18.0, ink);
        let title = paint::text(
            painter,
            pos2(left + 16.0, y),
            Align2::LEFT_CENTER,
            self.title,
            Text::Heading,
            theme.text,
        );
        let mut used = title.right() + 8.0;
        if self.error {
            let at = pos2(used + 7.0, y);
            paint::icon(painter, at, icons::ERROR, 14.0, theme.invalid);
            used += 22.0;
        }
        let right = rect.right() - size::FORM_MARGIN;
        let mut shown = 0.0;
        if !open && !self.summary.is_empty() {
            shown = right - used - 4.0;
            let at = pos2(right, y);
            paint::elided(
                painter,
                at,
                Align2::RIGHT_CENTER,
                self.summary,
                Text::Label,
                theme.muted,
                shown,
            );
        }
        focus_ring(ui, &response, rect.shrink(2.0), radius::CONTROL);
        let enabled = ui.is_enabled();
        let title = self.title;
        response
            .widget_info(|| WidgetInfo::selected(Role::DisclosureTriangle, enabled, open, title));
        let whole = paint::text_width(ui.painter(), self.summary, Text::Label);
        if shown > 0.0 && whole > shown {
            return response.on_hover_text(self.summary);
        }
        response
    }
}

/// A heading inside a section or dialog.
pub fn sub_heading(ui: &mut Ui, words: &str) -> Response {
    let theme = Theme::of(ui);
    ui.label(Text::Heading.rich(words, theme.text))
}
