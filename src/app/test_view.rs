//! What one test request showed: what happened, where the time went, the answer as it came, the equal curl line.

use egui::{
    Align2, FontId, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, pos2,
    text::{LayoutJob, TextFormat},
    vec2,
};

use super::actions::Action;
use super::icons;
use super::state::{AppState, Fetch, WindowRequest};
use super::theme::{Text, Theme, radius};
use super::widgets::{self, Button};
use crate::chart::format;
use crate::domain::TestReport;

const MARGIN: f32 = 16.0;
const GAP: f32 = 12.0;

/// Draws the view into what is left of `ui`.
pub fn test_view_ui(ui: &mut Ui, state: &mut AppState) {
    let test = state.test.clone();
    let mut asks = Asks::default();
    egui::Frame::NONE
        .inner_margin(egui::Margin {
            left: 16,
            right: 16,
            top: 12,
            bottom: 0,
        })
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            head_ui(ui, state, &mut asks);
            ScrollArea::vertical()
                .id_salt("test")
                .auto_shrink(false)
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing = vec2(8.0, GAP);
                    match &test {
                        Fetch::Idle => {}
                        Fetch::Failed { message } => failed_ui(ui, message),
                        Fetch::Pending { last: None } => waiting_ui(ui),
                        Fetch::Pending { last: Some(report) } | Fetch::Ready(report) => {
                            report_ui(ui, report, &mut asks);
                        }
                    }
                    ui.add_space(MARGIN);
                });
        });
    for text in asks.copy {
        state.request(WindowRequest::Copy(text));
    }
    for action in asks.actions {
        state.perform(action);
    }
}

#[derive(Default)]
struct Asks {
    copy: Vec<String>,
    actions: Vec<Action>,
}

fn head_ui(ui: &mut Ui, state: &AppState, asks: &mut Asks) {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), 28.0);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    let y = rect.center().y;
    let title = widgets::text(
        ui.painter(),
        pos2(rect.left(), y),
        Align2::LEFT_CENTER,
        "Test connection",
        Text::Title,
        theme.text,
    );
    let words = match &state.test {
        Fetch::Pending { last: None } => "one request, sent now".to_owned(),
        Fetch::Pending { .. } => "refreshing".to_owned(),
        Fetch::Ready(report) => format!("one request, sent {}", report.sent_at),
        Fetch::Idle | Fetch::Failed { .. } => "one request".to_owned(),
    };
    let at = pos2(title.right() + 12.0, y + 0.5);
    widgets::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        Text::Body,
        theme.secondary,
    );
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    widgets::inside(ui, rect, layout, "head", |ui| {
        let why_not = Action::SendOne.why_not(state);
        let button = Button::new("Test again").icon(icons::AGAIN);
        let response = ui.add_enabled(why_not.is_none(), button);
        if response.clicked() {
            asks.actions.push(Action::SendOne);
        }
        response.on_disabled_hover_text(why_not.unwrap_or_default());
        if state.run_shown().is_some() && ui.add(Button::new("Back to the run")).clicked() {
            asks.actions.push(Action::ShowRun);
        }
    });
    ui.add_space(GAP);
}

fn waiting_ui(ui: &mut Ui) {
    let theme = Theme::of(ui);
    ui.label(Text::Body.rich("Waiting for the answer", theme.muted));
}

fn failed_ui(ui: &mut Ui, message: &str) {
    let report = TestReport {
        sent_at: String::new(),
        ok: false,
        headline: "The test request could not be sent".to_owned(),
        lines: vec![message.to_owned()],
        what_to_try: None,
        status: None,
        http: String::new(),
        headers: Vec::new(),
        body: String::new(),
        body_cut: false,
        waterfall: Vec::new(),
        total_ms: 0.0,
        ttft_ms: None,
        curl: String::new(),
        issues: Vec::new(),
        info: None,
    };
    banner_ui(ui, &report);
}

fn report_ui(ui: &mut Ui, report: &TestReport, asks: &mut Asks) {
    banner_ui(ui, report);
    if !report.waterfall.is_empty() {
        waterfall_ui(ui, report);
    }
    if report.status.is_some() || !report.body.is_empty() {
        let note = if report.body_cut {
            "as it came, cut at 64 KiB"
        } else {
            "as it came"
        };
        let job = answer_job(Theme::of(ui), report);
        text_card(ui, "Answer", note, job, asks);
    }
    if !report.curl.is_empty() {
        let theme = Theme::of(ui);
        let job = LayoutJob::simple(report.curl.clone(), mono(), theme.text, f32::INFINITY);
        text_card(
            ui,
            "Try it by hand",
            "the key stays in your shell",
            job,
            asks,
        );
    }
}

fn mono() -> FontId {
    Text::Mono.font()
}

/// What happened, in a tint that says whether it was good.
fn banner_ui(ui: &mut Ui, report: &TestReport) {
    const LINE: f32 = 20.0;
    let theme = Theme::of(ui);
    let (color, icon) = if report.ok {
        (theme.ok, icons::VALID)
    } else {
        (theme.invalid, icons::ERROR)
    };
    let width = ui.available_width();
    let room = width - 44.0 - 16.0;
    let mut galleys = Vec::new();
    let mut lines: Vec<LayoutJob> = report.lines.iter().map(|l| plain(l, theme, room)).collect();
    if let Some(advice) = &report.what_to_try {
        let at = 1.min(lines.len());
        lines.insert(at, advice_job(advice, theme, room));
    }
    let mut height = 34.0;
    for job in lines {
        let galley = ui.painter().layout_job(job);
        height += galley.size().y.max(LINE);
        galleys.push(galley);
    }
    height += 12.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height.round()), Sense::hover());
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
        rect.left_top() + vec2(24.0, 23.0),
        icon,
        20.0,
        color,
    );
    let left = rect.left() + 44.0;
    let title = widgets::text(
        painter,
        pos2(left, rect.top() + 22.0),
        Align2::LEFT_CENTER,
        &report.headline,
        Text::Title,
        theme.text,
    );
    if let Some(status) = &report.status {
        let at = pos2(title.right() + 10.0, rect.top() + 23.0);
        widgets::text(painter, at, Align2::LEFT_CENTER, status, Text::Mono, color);
    }
    let mut y = rect.top() + 40.0;
    for galley in galleys {
        let tall = galley.size().y.max(LINE);
        let at = pos2(
            left,
            y + (LINE - galley.rows.first().map_or(LINE, |r| r.height())) / 2.0,
        );
        painter.galley(at.round(), galley, theme.secondary);
        y += tall;
    }
    let mut name = report.headline.clone();
    for line in report.lines.iter().chain(&report.what_to_try) {
        name.push_str(". ");
        name.push_str(line);
    }
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Alert, true, &name));
}

fn plain(text: &str, theme: &Theme, width: f32) -> LayoutJob {
    LayoutJob::simple(text.to_owned(), Text::Body.font(), theme.secondary, width)
}

fn advice_job(advice: &str, theme: &Theme, width: f32) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width;
    let strong = TextFormat::simple(Text::Heading.font(), theme.text);
    let body = TextFormat::simple(Text::Body.font(), theme.secondary);
    job.append("What to try", 0.0, strong);
    job.append(advice, 8.0, body);
    job
}

/// One bar of the whole time in parts, and each part's length below.
fn waterfall_ui(ui: &mut Ui, report: &TestReport) {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), 96.0);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    super::charts::card(ui, rect);
    let painter = ui.painter();
    let left = rect.left() + 12.0;
    let right = rect.right() - 12.0;
    let at = pos2(left, rect.top() + 20.0);
    widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        "Where the time went",
        Text::Heading,
        theme.text,
    );
    let mut total = format!("{} in all", format::ms(report.total_ms));
    if let Some(ttft) = report.ttft_ms {
        total = format!("first token {}, {total}", format::ms(ttft));
    }
    let at = pos2(right, rect.top() + 21.0);
    widgets::text(
        painter,
        at,
        Align2::RIGHT_CENTER,
        &total,
        Text::Label,
        theme.muted,
    );
    let sum: f64 = report.waterfall.iter().map(|p| p.ms.max(0.0)).sum();
    let n = report.waterfall.len() as f32;
    // Every part is seen, however short; the rest is shared by length.
    const LEAST: f32 = 4.0;
    let room = (right - left - 2.0 * (n - 1.0) - LEAST * n).max(0.0);
    let mut x = left;
    let mut words_x = left;
    for (i, part) in report.waterfall.iter().enumerate() {
        let color = part_color(theme, &part.name, i);
        let share = if sum > 0.0 {
            part.ms.max(0.0) / sum
        } else {
            1.0 / f64::from(n)
        };
        #[expect(clippy::cast_possible_truncation, reason = "a width on the screen")]
        let width = LEAST + room * share as f32;
        let bar = Rect::from_min_max(
            pos2(x.round(), rect.top() + 40.0),
            pos2((x + width).round(), rect.top() + 54.0),
        );
        painter.rect_filled(bar, 2.0, color);
        x += width + 2.0;
        let y = rect.top() + 74.0;
        let swatch = Rect::from_center_size(pos2(words_x + 4.5, y), vec2(9.0, 8.0));
        painter.rect_filled(swatch, 2.0, color);
        let at = pos2(words_x + 14.0, y);
        let name = widgets::text(
            painter,
            at,
            Align2::LEFT_CENTER,
            &part.name,
            Text::Label,
            theme.secondary,
        );
        let at = pos2(name.right() + 6.0, y);
        let value = part_ms(part.ms);
        let value = widgets::text(
            painter,
            at,
            Align2::LEFT_CENTER,
            value,
            Text::LabelStrong,
            theme.text,
        );
        words_x = value.right() + 24.0;
    }
    let parts = report.waterfall.iter();
    let words: Vec<String> = parts
        .map(|p| format!("{} {}", p.name, part_ms(p.ms)))
        .collect();
    let words = format!("Where the time went: {}, {total}", words.join(", "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Figure, true, &words));
}

/// With one decimal up to 100 ms, so that the parts add up.
fn part_ms(ms: f64) -> String {
    if ms < 99.95 {
        format!("{} ms", format::decimals(ms, 1))
    } else {
        format::ms(ms)
    }
}

/// Blue and green for the connection, warm for the server's time.
fn part_color(theme: &Theme, name: &str, i: usize) -> egui::Color32 {
    let [blue, orange, green, pink, sky, yellow] = theme.series;
    match name {
        "DNS" => sky,
        "TCP" | "Submit" => blue,
        "TLS" => green,
        "Wait" => orange,
        "Read" => pink,
        "Send" | "Queue" => yellow,
        _ => theme.side(i),
    }
}

fn answer_job(theme: &Theme, report: &TestReport) -> LayoutJob {
    let mut job = LayoutJob::default();
    let line = |ink| TextFormat {
        line_height: Some(18.0),
        ..TextFormat::simple(mono(), ink)
    };
    if let Some(status) = &report.status {
        let ink = if report.ok { theme.ok } else { theme.invalid };
        job.append(&format!("{} {status}\n", report.http), 0.0, line(ink));
    }
    for (name, value) in &report.headers {
        job.append(&format!("{name}: {value}\n"), 0.0, line(theme.muted));
    }
    if !job.is_empty() && !report.body.is_empty() {
        job.append("\n", 0.0, line(theme.muted));
    }
    job.append(&report.body, 0.0, line(theme.text));
    job
}

/// A card with literal text and a button that copies it.
fn text_card(ui: &mut Ui, title: &str, note: &str, mut job: LayoutJob, asks: &mut Asks) {
    let theme = Theme::of(ui);
    let width = ui.available_width();
    job.wrap.max_width = width - 24.0 - 24.0;
    job.wrap.break_anywhere = true;
    for section in &mut job.sections {
        section.format.line_height = Some(18.0);
    }
    let text = job.text.clone();
    let galley = ui.painter().layout_job(job);
    let height = 40.0 + 24.0 + galley.size().y + 12.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height.round()), Sense::hover());
    super::charts::card(ui, rect);
    let painter = ui.painter();
    let y = rect.top() + 20.0;
    let at = pos2(rect.left() + 12.0, y);
    let head = widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        title,
        Text::Heading,
        theme.text,
    );
    let at = pos2(head.right() + 8.0, y + 0.5);
    widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        note,
        Text::Label,
        theme.muted,
    );
    let field = Rect::from_min_max(
        pos2(rect.left() + 12.0, rect.top() + 40.0),
        rect.max - vec2(12.0, 12.0),
    );
    let edge = Stroke::new(1.0, theme.line);
    painter.rect(
        field,
        radius::CONTROL,
        theme.field,
        edge,
        StrokeKind::Inside,
    );
    painter.galley((field.min + vec2(12.0, 8.0)).round(), galley, theme.text);
    let right = Rect::from_min_max(
        pos2(rect.right() - 120.0, rect.top() + 6.0),
        pos2(rect.right() - 8.0, rect.top() + 34.0),
    );
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    widgets::inside(ui, right, layout, title, |ui| {
        let name = format!("Copy: {title}");
        let button = Button::new("Copy").name(&name).icon(icons::COPY).quiet();
        if ui.add(button).clicked() {
            asks.copy.push(text.clone());
        }
    });
    let name = format!("{title}: {text}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
}
