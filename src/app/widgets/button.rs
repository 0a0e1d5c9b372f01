//! Buttons, tick boxes and links.

use egui::{
    Align2, CursorIcon, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Widget, WidgetInfo,
    pos2, vec2,
};

use super::paint;
use crate::app::icons::{self, MaterialIcon};
use crate::app::theme::{Text, Theme, radius, size};

const ICON: f32 = 16.0;
const GAP: f32 = 6.0;
const PADDING: f32 = 12.0;
const PADDING_ICON: f32 = 10.0;
const KEY_GAP: f32 = 8.0;

/// A button: icon, words, and the key that does the same.
#[must_use = "add it to a ui"]
pub struct Button<'a> {
    words: &'a str,
    name: Option<&'a str>,
    icon: Option<MaterialIcon>,
    key: Option<&'a str>,
    primary: bool,
    quiet: bool,
    width: Option<f32>,
}

impl<'a> Button<'a> {
    pub fn new(words: &'a str) -> Self {
        Self {
            words,
            name: None,
            icon: None,
            key: None,
            primary: false,
            quiet: false,
            width: None,
        }
    }

    /// The one thing to do on this screen.
    pub fn primary(words: &'a str) -> Self {
        Self {
            primary: true,
            ..Self::new(words)
        }
    }

    /// Only an icon; `name` is what it is called.
    pub fn icon_only(icon: MaterialIcon, name: &'a str) -> Self {
        Self {
            icon: Some(icon),
            name: Some(name),
            quiet: true,
            ..Self::new("")
        }
    }

    pub fn icon(mut self, icon: MaterialIcon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// The key's hint, behind the words.
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// Without ground and edge until the pointer is over it.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The accessible name, where the words alone do not say enough.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }

    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    fn natural_width(&self, ui: &Ui) -> f32 {
        let painter = ui.painter();
        if self.words.is_empty() {
            return size::CONTROL;
        }
        let icon = self.icon.map_or(PADDING, |_| PADDING_ICON + ICON + GAP);
        let key = self.key.map_or(0.0, |key| {
            KEY_GAP + paint::text_width(painter, key, Text::Caption)
        });
        let words = paint::text_width(painter, self.words, Text::Strong);
        (icon + words + key + PADDING).round()
    }

    fn paint(&self, ui: &Ui, response: &Response) {
        let theme = Theme::of(ui);
        let enabled = ui.is_enabled();
        let lit = response.hovered() || response.has_focus();
        let down = response.is_pointer_button_down_on();
        let (fill, edge, ink, key_ink) = if !enabled {
            let fill = if self.quiet { 0.0 } else { 0.5 };
            (
                theme.raised.gamma_multiply(fill),
                if self.quiet {
                    Stroke::NONE
                } else {
                    theme.hairline()
                },
                theme.disabled,
                theme.disabled,
            )
        } else if self.primary {
            let fill = if lit {
                theme.accent_fill.lerp_to_gamma(theme.accent_on, 0.08)
            } else {
                theme.accent_fill
            };
            let hint = theme.accent_on.gamma_multiply(0.85);
            (fill, Stroke::NONE, theme.accent_on, hint)
        } else if self.quiet && !lit {
            (
                theme.raised.gamma_multiply(0.0),
                Stroke::NONE,
                theme.secondary,
                theme.muted,
            )
        } else {
            let fill = if lit { theme.hover } else { theme.raised };
            let edge = if down {
                theme.accent
            } else if lit {
                theme.line_strong
            } else {
                theme.line
            };
            let key_ink = if lit { theme.secondary } else { theme.muted };
            (fill, Stroke::new(1.0, edge), theme.text, key_ink)
        };
        let rect = response.rect;
        let painter = ui.painter();
        painter.rect(rect, radius::CONTROL, fill, edge, StrokeKind::Inside);
        focus_ring(ui, response, rect, radius::CONTROL);
        let slack = ((rect.width() - self.natural_width(ui)) / 2.0).max(0.0);
        let mut x = rect.left() + slack.round();
        let y = rect.center().y;
        if self.words.is_empty() {
            if let Some(icon) = self.icon {
                paint::icon(painter, rect.center(), icon, ICON + 2.0, ink);
            }
            return;
        }
        x += match self.icon {
            Some(icon) => {
                let center = pos2(x + PADDING_ICON + ICON / 2.0, y);
                paint::icon(painter, center, icon, ICON, ink);
                PADDING_ICON + ICON + GAP
            }
            None => PADDING,
        };
        let drawn = paint::text(
            painter,
            pos2(x, y),
            Align2::LEFT_CENTER,
            self.words,
            Text::Strong,
            ink,
        );
        if let Some(key) = self.key {
            let at = pos2(drawn.right() + KEY_GAP, y + 0.5);
            paint::text(
                painter,
                at,
                Align2::LEFT_CENTER,
                key,
                Text::Caption,
                key_ink,
            );
        }
    }
}

/// The edge of what has the keyboard.
pub(crate) fn focus_ring(ui: &Ui, response: &Response, rect: Rect, radius: u8) {
    if response.has_focus() {
        let edge = Stroke::new(1.5, Theme::of(ui).accent);
        ui.painter()
            .rect_stroke(rect.expand(1.0), radius + 1, edge, StrokeKind::Outside);
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let width = self.width.unwrap_or_else(|| self.natural_width(ui));
        let (_, response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::click());
        if ui.is_rect_visible(response.rect) {
            self.paint(ui, &response);
        }
        let name = self.name.unwrap_or(self.words);
        let enabled = ui.is_enabled();
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
        response
    }
}

/// A tick box with its words.
pub fn tick(ui: &mut Ui, on: &mut bool, words: &str) -> Response {
    const BOX: f32 = 16.0;
    let theme = Theme::of(ui);
    let words_width = paint::text_width(ui.painter(), words, Text::Body);
    let gap = if words.is_empty() { 0.0 } else { 8.0 };
    let wanted = vec2(BOX + gap + words_width, 24.0);
    let (rect, mut response) = ui.allocate_exact_size(wanted, Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    let enabled = ui.is_enabled();
    let area = Rect::from_center_size(
        pos2(rect.left() + BOX / 2.0, rect.center().y),
        vec2(BOX, BOX),
    );
    let painter = ui.painter();
    if *on {
        let fill = if enabled {
            theme.accent_fill
        } else {
            theme.disabled
        };
        painter.rect_filled(area, radius::INNER, fill);
        paint::icon(painter, area.center(), icons::TICK, 14.0, theme.accent_on);
    } else {
        let edge = if !enabled {
            theme.line
        } else if response.hovered() {
            theme.muted
        } else {
            theme.line_strong
        };
        painter.rect(
            area,
            radius::INNER,
            theme.field,
            Stroke::new(1.0, edge),
            StrokeKind::Inside,
        );
    }
    focus_ring(ui, &response, area, radius::INNER);
    let ink = if enabled { theme.text } else { theme.disabled };
    let at = pos2(area.right() + gap, rect.center().y);
    paint::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        Text::Body,
        ink,
    );
    let ticked = *on;
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, enabled, ticked, words));
    response
}

/// Words in the accent that can be clicked.
pub fn link(ui: &mut Ui, words: &str) -> Response {
    let theme = Theme::of(ui);
    let width = paint::text_width(ui.painter(), words, Text::Label);
    let (rect, response) = ui.allocate_exact_size(vec2(width.ceil(), 18.0), Sense::click());
    let response = response.on_hover_cursor(CursorIcon::PointingHand);
    let at = pos2(rect.left(), rect.center().y);
    let drawn = paint::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        Text::Label,
        theme.accent,
    );
    if response.hovered() || response.has_focus() {
        let edge = Stroke::new(1.0, theme.accent);
        ui.painter()
            .hline(drawn.x_range(), drawn.bottom() - 1.0, edge);
    }
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Link, enabled, words));
    response
}
