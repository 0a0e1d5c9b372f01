//! What stands right of the form before anything was measured: fringes, two sentences, two buttons, hints and ghosts of
//! the charts to come.

use egui::{
    Align2, Color32, Pos2, Rect, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::app::actions::Action;
use crate::app::icons::{self, MaterialIcon};
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets::{self, Button};

/// What the view says before anything was measured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EmptyModel {
    pub headline: String,
    pub lines: [String; 2],
    pub start: String,
    /// Why Start is off.
    pub reason: Option<String>,
    /// The key that opens files.
    pub open_key: String,
}

impl Default for EmptyModel {
    fn default() -> Self {
        Self {
            headline: "Nothing measured yet".to_owned(),
            lines: [
                "The plan on the left points at a demo server inside this program.".to_owned(),
                "Press Start and watch a whole run, or enter your own endpoint.".to_owned(),
            ],
            start: "Start demo run".to_owned(),
            reason: None,
            open_key: "Ctrl O".to_owned(),
        }
    }
}

/// Height of the parts, from the fringes' top to the ghosts' names.
const FRINGES: f32 = 110.0;
const TEXTS: f32 = 276.0;
const GHOSTS: f32 = 206.0;

/// Draws the card into `area`.
pub(super) fn empty_ui(ui: &mut Ui, area: Rect, model: &EmptyModel, out: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.painter().rect(
        area,
        radius::EMPTY,
        theme.surface,
        theme.hairline(),
        StrokeKind::Inside,
    );
    let has_ghosts = area.height() >= FRINGES + TEXTS + GHOSTS + 40.0;
    let has_fringes = area.height() >= FRINGES + TEXTS + 40.0;
    let mut total = TEXTS;
    total += if has_fringes { FRINGES } else { 0.0 };
    total += if has_ghosts { GHOSTS } else { 0.0 };
    let spare = (area.height() - total).max(0.0);
    let above = if has_ghosts { 0.77 } else { 0.5 };
    let middle = area.center().x.round();
    let mut y = (area.top() + spare * above).round();
    if has_fringes {
        fringes(ui, pos2(middle, y + 48.0));
        y += FRINGES;
    }
    let width = (area.width() - 48.0).min(680.0);
    let column = Rect::from_min_max(
        pos2(middle - width / 2.0, y),
        pos2(middle + width / 2.0, area.bottom()),
    );
    texts(ui, column, model, out);
    y += TEXTS;
    if has_ghosts {
        ghosts(
            ui,
            Rect::from_min_size(pos2(column.left(), y + 34.0), vec2(width, 152.0)),
        );
    }
}

/// Interference fringes with one bright line.
fn fringes(ui: &Ui, center: Pos2) {
    let theme = Theme::of(ui);
    for i in -14_i16..=14 {
        let k = f32::from(i);
        let envelope = (-(k / 7.1).powi(2)).exp();
        let odd = if i % 2 == 0 { 1.0 } else { 0.62 };
        let height = (96.0 * envelope * odd).max(10.0).round();
        let bar = Rect::from_center_size(pos2(center.x + k * 12.0, center.y), vec2(4.0, height));
        let ink = if i == 0 {
            theme.accent
        } else {
            theme.line_strong.gamma_multiply(0.18 + 0.42 * envelope)
        };
        ui.painter().rect_filled(bar, 2.0, ink);
    }
}

fn texts(ui: &mut Ui, column: Rect, model: &EmptyModel, out: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let middle = column.center().x;
    let top = column.top();
    let line = |y: f32, words: &str, kind: Text, ink: Color32| {
        let room = column.width() + 32.0;
        let at = pos2(middle, top + y);
        widgets::elided(
            ui.painter(),
            at,
            Align2::CENTER_CENTER,
            words,
            kind,
            ink,
            room,
        );
    };
    line(34.5, &model.headline, Text::Stat, theme.text);
    line(67.5, &model.lines[0], Text::Lead, theme.secondary);
    line(89.5, &model.lines[1], Text::Lead, theme.secondary);
    let words = format!("{}. {} {}", model.headline, model.lines[0], model.lines[1]);
    let area = Rect::from_min_max(
        pos2(column.left(), top + 20.0),
        pos2(column.right(), top + 102.0),
    );
    let response = ui.interact(area, ui.scope_id().with("empty"), egui::Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, &words));
    buttons(ui, pos2(middle, top + 120.0), model, out);
    ui.painter()
        .hline(column.x_range(), top + 186.5, theme.hairline());
    let pitch = (column.width() + 16.0) / 3.0;
    let open = format!("open them with {}", model.open_key);
    let hints: [(MaterialIcon, &str, [&str; 2]); 3] = [
        (
            icons::MEASURE,
            "What you will see",
            ["Latency as distributions,", "throughput against load"],
        ),
        (
            icons::OPEN,
            "Already have runs?",
            ["Drop run files here, or", &open],
        ),
        (
            icons::CURL,
            "Coming from another tool?",
            ["Paste a curl line into", "the URL field"],
        ),
    ];
    for (i, (icon, heading, lines)) in hints.into_iter().enumerate() {
        let left = (column.left() + pitch * i as f32).round();
        let at = |x: f32, y: f32| pos2(left + x, top + y);
        let painter = ui.painter();
        widgets::icon(painter, at(10.0, 221.0), icon, 20.0, theme.muted);
        let room = pitch - 36.0;
        let from = Align2::LEFT_CENTER;
        widgets::elided(
            painter,
            at(28.0, 220.5),
            from,
            heading,
            Text::Heading,
            theme.text,
            room,
        );
        for (line, y) in lines.into_iter().zip([242.0, 260.0]) {
            widgets::elided(
                painter,
                at(28.0, y),
                from,
                line,
                Text::Label,
                theme.secondary,
                room,
            );
        }
        let area = Rect::from_min_size(at(0.0, 208.0), vec2(pitch - 16.0, 64.0));
        let response = ui.interact(area, ui.scope_id().with(("hint", i)), egui::Sense::hover());
        let words = format!("{heading} {} {}", lines[0], lines[1]);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, &words));
    }
}

fn buttons(ui: &mut Ui, top_middle: Pos2, model: &EmptyModel, out: &mut Vec<Action>) {
    let wide = |words: &str| widgets::text_width(ui.painter(), words, Text::Strong).round() + 44.0;
    let total = wide(&model.start) + 8.0 + wide("Use my endpoint");
    let left = (top_middle.x - total / 2.0).round();
    let area = Rect::from_min_size(pos2(left, top_middle.y), vec2(total + 8.0, 28.0));
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(area).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let start = Button::primary(&model.start).icon(icons::START);
        let mut response = ui.add_enabled(model.reason.is_none(), start);
        if let Some(reason) = &model.reason {
            response = response.on_disabled_hover_text(reason);
        }
        if response.clicked() {
            out.push(Action::Start);
        }
        if ui
            .add(Button::new("Use my endpoint").icon(icons::ENDPOINT))
            .clicked()
        {
            out.push(Action::UseMyEndpoint);
        }
    });
}

/// The four charts to come, as one line each.
fn ghosts(ui: &Ui, area: Rect) {
    let theme = Theme::of(ui);
    let gap = 32.0 / 3.0;
    let width = (area.width() - 3.0 * gap) / 4.0;
    let ink = theme.line_strong.gamma_multiply(0.5);
    let stroke = Stroke::new(1.5, ink);
    let names = ["Distribution", "Over time", "Against load", "Every request"];
    for (i, name) in names.into_iter().enumerate() {
        let left = (area.left() + (width + gap) * i as f32).round();
        let box_ = Rect::from_min_size(pos2(left, area.top()), vec2(width, area.height()));
        let painter = ui.painter();
        painter.hline(box_.x_range(), box_.bottom() + 0.5, theme.hairline());
        let at = pos2(left, box_.bottom() + 11.0);
        widgets::text(
            painter,
            at,
            Align2::LEFT_CENTER,
            name,
            Text::Caption,
            theme.muted,
        );
        let place =
            |x: f32, y: f32| pos2(box_.left() + x * width, box_.bottom() - y * box_.height());
        if i == 3 {
            every_request(ui, ink, &place);
            continue;
        }
        let points: Vec<Pos2> = (0..=120_u16)
            .map(|k| f32::from(k) / 120.0)
            .map(|x| place(x, ghost(i, x)))
            .collect();
        painter.line(points, stroke);
    }
}

/// Height of a ghost's line at `x`, both from 0 to 1.
fn ghost(chart: usize, x: f32) -> f32 {
    match chart {
        0 => {
            let t = (x.max(1e-3) / 0.33).ln();
            (0.95 * (-t * t / 0.42).exp()).max(0.0)
        }
        1 => {
            let wave = 0.03 * (x * 38.0).sin();
            let level = if x < 0.32 {
                0.15
            } else if x < 0.34 {
                0.15 + (x - 0.32) / 0.02 * 0.3
            } else if x < 0.65 {
                0.45
            } else if x < 0.67 {
                0.45 + (x - 0.65) / 0.02 * 0.35
            } else {
                0.80
            };
            level + wave
        }
        _ => {
            if x < 0.62 {
                0.12 + 0.1 * x
            } else {
                0.182 + ((x - 0.62) / 0.38).powf(1.35) * 0.8
            }
        }
    }
}

fn every_request(ui: &Ui, ink: Color32, place: &dyn Fn(f32, f32) -> Pos2) {
    let painter = ui.painter();
    painter.circle_stroke(place(0.03, 0.92), 4.0, Stroke::new(1.5, ink));
    let mut seed = 7_u32;
    for i in 0..40_u8 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f32::from((seed >> 24).to_le_bytes()[0]) / 255.0;
        let x = 0.02 + f32::from(i) / 41.0;
        painter.circle_filled(place(x, 0.13 + 0.4 * noise), 1.75, ink);
    }
}
