//! The frame around the views: top bar, rail and status bar. Draws a [`ShellModel`] and gives actions back.

use egui::{
    Align2, Color32, Context, Frame, Panel, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2,
};

use super::actions::{Action, View};
use super::icons::{self, MaterialIcon};
use super::measure::model::stage_words;
use super::theme::{Text, Theme, radius, size};
use super::widgets::{self, Button};
use crate::chart::format;
pub(crate) use crate::chart::format::bytes;
use crate::domain::{RunData, RunState};

/// What the frame shows; made from the state by pure functions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShellModel {
    pub view: View,
    pub target: TargetChip,
    pub run: RunButton,
    pub status: Status,
}

/// Who is measured, at the right of the top bar.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TargetChip {
    pub health: ChipHealth,
    pub name: String,
    pub address: String,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChipHealth {
    /// Nothing is known yet.
    #[default]
    Unknown,
    Good,
    Doubtful,
    Bad,
}

impl ChipHealth {
    fn color(self, theme: &Theme) -> Color32 {
        match self {
            Self::Unknown => theme.disabled,
            Self::Good => theme.ok,
            Self::Doubtful => theme.caution,
            Self::Bad => theme.invalid,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Unknown => "not asked yet",
            Self::Good => "answers",
            Self::Doubtful => "doubtful",
            Self::Bad => "does not answer",
        }
    }
}

/// The one button of the top bar.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunButton {
    /// `primary` where Start is the thing to do on this screen; a `reason` turns it off.
    Start {
        primary: bool,
        key: String,
        reason: Option<String>,
    },
    /// `again` after the first press: the next one aborts.
    Stop { again: bool },
}

impl Default for RunButton {
    fn default() -> Self {
        Self::Start {
            primary: true,
            key: "Ctrl Enter".to_owned(),
            reason: None,
        }
    }
}

/// The status bar's parts, in the order in which they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// `Stage 2 of 3`, `Finished`, `Ready`.
    pub headline: String,
    /// Share of the whole run.
    pub progress: Option<f32>,
    /// `184 of 400`.
    pub counts: String,
    /// `1:34 left`.
    pub left: String,
    pub client: Option<(ChipHealth, String)>,
    /// `Writing`, `Saved`, or a sentence without a file.
    pub file_verb: String,
    pub file: String,
    pub file_size: String,
}

impl Status {
    /// What the bar says of a run.
    pub fn of_run(run: &RunData) -> Self {
        let mut status = Self {
            client: Some(client_words(run)),
            file_verb: match (&run.file, run.is_live()) {
                (None, _) => "Not kept in a file".to_owned(),
                (Some(_), true) => "Writing".to_owned(),
                (Some(_), false) => "Saved".to_owned(),
            },
            file: run
                .file
                .as_ref()
                .and_then(|path| path.file_name())
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            file_size: bytes(run.file_bytes),
            ..Self::default()
        };
        match &run.state {
            RunState::Preparing { what } => {
                "Preparing".clone_into(&mut status.headline);
                status.counts.clone_from(what);
            }
            RunState::AwaitingRestart { cycle, of } => {
                "Waiting for you".clone_into(&mut status.headline);
                status.counts = format!("restart {cycle} of {of}");
            }
            RunState::Running(progress)
            | RunState::Paused(progress)
            | RunState::Stopping(progress) => {
                let stopping = matches!(run.state, RunState::Stopping(_));
                status.headline = if stopping {
                    "Stopping".to_owned()
                } else if matches!(run.state, RunState::Paused(_)) {
                    "Paused".to_owned()
                } else {
                    let (place, level) = stage_words(run, progress.stage);
                    // Of a sweep or a search the load is no part of the plan that a person knows.
                    if run.head.plan.stages.iter().any(|s| s.load.unfolds()) {
                        format!("{place}: {level}")
                    } else {
                        place
                    }
                };
                #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
                let share = progress.share.clamp(0.0, 1.0) as f32;
                status.progress = Some(share);
                status.counts = match (stopping, progress.of) {
                    (true, _) => {
                        format!("{} in flight", format::count(f64::from(progress.in_flight)))
                    }
                    (false, Some(of)) => {
                        format!(
                            "{} of {}",
                            format::count(progress.done as f64),
                            format::count(of as f64)
                        )
                    }
                    // Of a stage that was paused nothing is counted on.
                    (false, None) if progress.phase.is_none() => String::new(),
                    (false, None) => format!("{} done", format::count(progress.done as f64)),
                };
                status.left = progress
                    .left_secs
                    .map_or_else(String::new, |secs| format!("{} left", format::clock(secs)));
            }
            RunState::Finished => {
                "Finished".clone_into(&mut status.headline);
                status.counts = ended_words(run);
            }
            RunState::Interrupted => {
                "Interrupted".clone_into(&mut status.headline);
                status.counts = ended_words(run);
            }
        }
        status
    }
}

fn ended_words(run: &RunData) -> String {
    let n_stages = run.plan().stages.len();
    let stages = if n_stages == 1 { "stage" } else { "stages" };
    format!(
        "{n_stages} {stages}, {} requests in {}",
        format::count(run.points.len() as f64),
        format::clock(run.secs())
    )
}

fn client_words(run: &RunData) -> (ChipHealth, String) {
    let health = &run.health;
    let (level, word) = if super::measure::model::is_client_doubted(run) {
        (ChipHealth::Doubtful, "Client starved")
    } else {
        (ChipHealth::Good, "Client healthy")
    };
    let mut parts = Vec::new();
    if let Some(cpu) = health.cpu_percent {
        parts.push(format!("{cpu:.0} % CPU"));
    }
    if let Some(slip) = health.slip_p99_ms {
        parts.push(format!("slip p99 {slip:.1} ms"));
    } else if let Some(tick) = health.tick_p99_ms {
        parts.push(format!("timer late p99 {tick:.1} ms"));
    }
    if parts.is_empty() {
        return (level, word.to_owned());
    }
    (level, format!("{word}: {}", parts.join(", ")))
}

/// A panel at the left, as wide as told, with a hairline at its right.
pub fn side_panel(id: &'static str, width: f32) -> Panel {
    Panel::left(id)
        .exact_size(width)
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE)
}

/// In a narrow window: the button that opens and closes the form. Says whether it was pressed.
pub fn fold_strip(ui: &mut Ui, open: bool) -> bool {
    let theme = Theme::of(ui);
    Panel::top("fold strip")
        .exact_size(40.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE.fill(theme.panel))
        .show(ui, |ui| {
            let rect = ui.max_rect();
            ui.painter()
                .hline(rect.x_range(), rect.bottom() - 0.5, theme.hairline());
            ui.horizontal_centered(|ui| {
                ui.add_space(8.0);
                let (words, icon) = if open {
                    ("Hide the plan", icons::OPENED)
                } else {
                    ("Show the plan", icons::CLOSED)
                };
                ui.add(Button::new(words).icon(icon).quiet()).clicked()
            })
            .inner
        })
        .inner
}

/// Draws bar, rail and status bar; what is left of `ui` is the view's.
pub fn shell_ui(
    ui: &mut Ui,
    model: &ShellModel,
    menus: impl FnOnce(&mut Ui, &mut Vec<Action>),
    out: &mut Vec<Action>,
) {
    let theme = Theme::of(ui);
    let bar = |panel: Panel, height: f32| {
        panel
            .exact_size(height)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::NONE.fill(theme.panel))
    };
    bar(Panel::top("top bar"), size::TOP_BAR).show(ui, |ui| top_bar(ui, model, menus, out));
    bar(Panel::bottom("status bar"), size::STATUS_BAR).show(ui, |ui| status_bar(ui, &model.status));
    bar(Panel::left("rail"), size::RAIL).show(ui, |ui| rail(ui, model.view, out));
}

fn top_bar(
    ui: &mut Ui,
    model: &ShellModel,
    menus: impl FnOnce(&mut Ui, &mut Vec<Action>),
    out: &mut Vec<Action>,
) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    ui.painter()
        .hline(rect.x_range(), rect.bottom() - 0.5, theme.hairline());
    mark(ui, pos2(rect.left() + size::RAIL / 2.0, rect.center().y));
    let left = Rect::from_min_max(pos2(rect.left() + size::RAIL, rect.top()), rect.max);
    ui.scope_builder(
        egui::UiBuilder::new()
            .max_rect(left)
            .layout(egui::Layout::left_to_right(egui::Align::Center)),
        |ui| menus(ui, out),
    );
    let right = Rect::from_min_max(rect.min, pos2(rect.right() - 12.0, rect.bottom()));
    ui.scope_builder(
        egui::UiBuilder::new()
            .max_rect(right)
            .layout(egui::Layout::right_to_left(egui::Align::Center)),
        |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            run_button(ui, &model.run, out);
            ui.add_space(16.0);
            chip(ui, &model.target);
        },
    );
}

/// The mark: interference fringes with one bright line.
fn mark(ui: &Ui, center: egui::Pos2) {
    let theme = Theme::of(ui);
    let heights = [6.0, 12.0, 22.0, 12.0, 6.0];
    let opacity = [0.5, 0.82, 1.0, 0.82, 0.5];
    for (i, (height, opacity)) in heights.into_iter().zip(opacity).enumerate() {
        let x = center.x + (i as f32 - 2.0) * 5.0;
        let bar = Rect::from_center_size(pos2(x, center.y), vec2(2.0, height));
        let ink = if i == 2 {
            theme.accent
        } else {
            theme.secondary.gamma_multiply(opacity)
        };
        ui.painter().rect_filled(bar, 1.0, ink);
    }
}

fn run_button(ui: &mut Ui, run: &RunButton, out: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    match run {
        RunButton::Start {
            primary,
            key,
            reason,
        } => {
            let button = if *primary {
                Button::primary("Start")
            } else {
                Button::new("Start")
            };
            let button = button.icon(icons::START).key(key);
            let response = ui.add_enabled(reason.is_none(), button);
            if response.clicked() {
                out.push(Action::Start);
            }
            if let Some(reason) = reason {
                response.on_disabled_hover_text(reason);
                ui.add_space(12.0);
                let words = ui.label(Text::LabelStrong.rich(reason, theme.invalid));
                let x = words.rect.left() - 13.0;
                ui.painter()
                    .vline(x, words.rect.y_range().expand(2.0), theme.hairline());
                ui.add_space(10.0);
            }
        }
        RunButton::Stop { again } => {
            let words = if *again { "Abort" } else { "Stop" };
            let button = Button::new(words).icon(icons::STOP).key("Esc");
            let response = ui.add(button);
            if response.clicked() {
                out.push(Action::Stop);
            }
            if *again {
                response.on_hover_text("Close what is in flight now");
            }
        }
    }
}

fn chip(ui: &mut Ui, chip: &TargetChip) {
    if chip.name.is_empty() && chip.address.is_empty() {
        return;
    }
    let theme = Theme::of(ui);
    let room = ui.available_width() - 360.0;
    let name_width = widgets::text_width(ui.painter(), &chip.name, Text::Body);
    let address_width = widgets::text_width(ui.painter(), &chip.address, Text::Mono);
    let shown_address = address_width.min((room - name_width - 24.0).max(0.0));
    let shown_address = if shown_address < 60.0 {
        0.0
    } else {
        shown_address
    };
    let gap = if shown_address > 0.0 { 8.0 } else { 0.0 };
    let wanted = vec2(14.0 + name_width + gap + shown_address, size::CONTROL);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    let y = rect.center().y;
    let dot = pos2(rect.left() + 4.0, y - 1.0);
    painter.circle_filled(dot, 3.5, chip.health.color(theme));
    let name = widgets::text(
        painter,
        pos2(rect.left() + 14.0, y),
        Align2::LEFT_CENTER,
        &chip.name,
        Text::Body,
        theme.text,
    );
    if shown_address > 0.0 {
        let at = pos2(name.right() + gap, y + 0.5);
        let kind = Text::Mono;
        widgets::elided(
            painter,
            at,
            Align2::LEFT_CENTER,
            &chip.address,
            kind,
            theme.muted,
            shown_address + 1.0,
        );
    }
    let words = format!("{} {}: {}", chip.name, chip.address, chip.health.words());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    response.on_hover_text(&words);
}

fn rail(ui: &mut Ui, view: View, out: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    ui.painter()
        .vline(rect.right() - 0.5, rect.y_range(), theme.hairline());
    let items = [
        (View::Measure, icons::MEASURE, "Measure"),
        (View::Runs, icons::RUNS, "Runs"),
        (View::Compare, icons::COMPARE, "Compare"),
    ];
    let mut y = rect.top() + 8.0;
    for (of, icon, words) in items {
        let area = Rect::from_min_size(pos2(rect.left() + 4.0, y), vec2(55.0, 52.0));
        if rail_item(ui, area, icon, words, of == view).clicked() {
            out.push(Action::ShowView(of));
        }
        y += 56.0;
    }
    let area = Rect::from_min_size(
        pos2(rect.left() + 4.0, rect.bottom() - 44.0),
        vec2(55.0, 40.0),
    );
    let response = ui.allocate_rect(area, Sense::click());
    let ink = if response.hovered() {
        theme.text
    } else {
        theme.secondary
    };
    let lit = response.hovered() || response.has_focus();
    if lit {
        ui.painter().rect_filled(area, radius::CARD, theme.raised);
    }
    widgets::icon(ui.painter(), area.center(), icons::SETTINGS, 20.0, ink);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Settings"));
    if response.clicked() {
        out.push(Action::ShowSettings);
    }
    response.on_hover_text("Settings");
}

fn rail_item(ui: &mut Ui, area: Rect, icon: MaterialIcon, words: &str, chosen: bool) -> Response {
    let theme = Theme::of(ui);
    let response = ui.allocate_rect(area, Sense::click());
    let painter = ui.painter();
    let lit = response.hovered() || response.has_focus();
    if chosen {
        painter.rect_filled(area, radius::CARD, theme.accent_soft);
    } else if lit {
        painter.rect_filled(area, radius::CARD, theme.raised);
    }
    let (icon_ink, ink, kind) = if chosen {
        (theme.accent, theme.text, Text::CaptionStrong)
    } else if lit {
        (theme.text, theme.text, Text::Caption)
    } else {
        (theme.secondary, theme.secondary, Text::Caption)
    };
    let center = area.center().x;
    widgets::icon(
        painter,
        pos2(center, area.top() + 20.0),
        icon,
        20.0,
        icon_ink,
    );
    let at = pos2(center, area.top() + 40.0);
    widgets::text(painter, at, Align2::CENTER_CENTER, words, kind, ink);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, words));
    response
}

/// Which parts of the status bar have room; dropped from the right: size, file, client words, counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Fits {
    size: bool,
    file: bool,
    client_words: bool,
    counts: bool,
}

fn status_bar(ui: &Ui, status: &Status) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    ui.painter()
        .hline(rect.x_range(), rect.top() + 0.5, theme.hairline());
    let rect = rect.shrink2(vec2(12.0, 0.0));
    let fits = status_fits(ui, status, rect.width());
    let used = status_left(ui, status, fits, rect);
    status_right(ui, status, fits, rect, used);
    let all = [
        status.headline.as_str(),
        &status.counts,
        &status.left,
        status.client.as_ref().map_or("", |(_, words)| words),
        &status.file_verb,
        &status.file,
    ];
    let all: Vec<_> = all.into_iter().filter(|part| !part.is_empty()).collect();
    let words = all.join(", ");
    let response = ui.interact(rect, ui.scope_id().with("status"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &words));
    if !status.file.is_empty() && response.hovered() {
        response.on_hover_text_at_pointer(&status.file);
    }
}

fn status_fits(ui: &Ui, status: &Status, room: f32) -> Fits {
    let wide = |words: &str, kind: Text| {
        if words.is_empty() {
            0.0
        } else {
            widgets::text_width(ui.painter(), words, kind) + 12.0
        }
    };
    let fixed = wide(&status.headline, Text::LabelStrong)
        + status.progress.map_or(0.0, |_| 132.0)
        + wide(&status.left, Text::LabelStrong)
        + status.client.as_ref().map_or(0.0, |_| 36.0);
    let counts = wide(&status.counts, Text::Label);
    let client = status
        .client
        .as_ref()
        .map_or(0.0, |(_, words)| wide(words, Text::Label));
    let file =
        wide(&status.file_verb, Text::Label) + wide(&status.file, Text::MonoSmall).min(140.0);
    let file_size = wide(&status.file_size, Text::Label);
    let enough = |parts: &[f32]| fixed + parts.iter().sum::<f32>() <= room;
    Fits {
        size: enough(&[counts, client, file, file_size]),
        file: enough(&[counts, client, file]),
        client_words: enough(&[counts, client]),
        counts: enough(&[counts]),
    }
}

fn status_left(ui: &Ui, status: &Status, fits: Fits, rect: Rect) -> f32 {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = rect.center().y + 1.0;
    let put = |x: f32, words: &str, kind: Text, ink: Color32| -> f32 {
        if words.is_empty() {
            return x;
        }
        let at = pos2(x, y);
        widgets::text(painter, at, Align2::LEFT_CENTER, words, kind, ink).right() + 12.0
    };
    let mut x = put(rect.left(), &status.headline, Text::LabelStrong, theme.text);
    if let Some(share) = status.progress {
        let area = Rect::from_min_size(pos2(x, (y - 2.5).round()), vec2(120.0, 4.0));
        progress_bar(ui, area, share);
        x = area.right() + 12.0;
    }
    if fits.counts {
        x = put(x, &status.counts, Text::Label, theme.secondary);
    }
    x = put(x, &status.left, Text::LabelStrong, theme.text);
    if let Some((health, words)) = &status.client {
        x += 4.0;
        painter.vline(
            x.round() + 0.5,
            rect.y_range().shrink(6.0),
            theme.hairline(),
        );
        x += 19.0;
        painter.circle_filled(pos2(x, y - 0.5), 3.5, health.color(theme));
        x += 9.0;
        if fits.client_words {
            x = put(x, words, Text::Label, theme.secondary);
        }
    }
    x
}

fn status_right(ui: &Ui, status: &Status, fits: Fits, rect: Rect, used: f32) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = rect.center().y + 1.0;
    let mut x = rect.right();
    if fits.size && !status.file_size.is_empty() && !status.file.is_empty() {
        let at = pos2(x, y);
        let kind = Text::Label;
        let size = &status.file_size;
        x = widgets::text(painter, at, Align2::RIGHT_CENTER, size, kind, theme.muted).left() - 9.0;
    }
    if !fits.file {
        return;
    }
    let verb = widgets::text_width(painter, &status.file_verb, Text::Label);
    if !status.file.is_empty() {
        let room = x - used - verb - 16.0;
        let shown = cut_left(ui, &status.file, room);
        let at = pos2(x, y + 0.5);
        let kind = Text::MonoSmall;
        x = widgets::text(
            painter,
            at,
            Align2::RIGHT_CENTER,
            shown,
            kind,
            theme.secondary,
        )
        .left()
            - 9.0;
    }
    let at = pos2(x, y);
    widgets::text(
        painter,
        at,
        Align2::RIGHT_CENTER,
        &status.file_verb,
        Text::Label,
        theme.muted,
    );
}

/// A file's name keeps its end.
fn cut_left(ui: &Ui, name: &str, room: f32) -> String {
    let letter = widgets::text_width(ui.painter(), "0", Text::MonoSmall).max(1.0);
    let n = name.chars().count();
    let fits = (0..=n)
        .rev()
        .find(|k| *k as f32 * letter <= room)
        .unwrap_or(0);
    if fits >= n {
        return name.to_owned();
    }
    let kept: String = name.chars().skip(n - fits.saturating_sub(1)).collect();
    format!("…{kept}")
}

/// A bar 4 high.
pub fn progress_bar(ui: &Ui, area: Rect, share: f32) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    painter.rect_filled(area, 2.0, theme.raised);
    let share = share.clamp(0.0, 1.0);
    if share > 0.0 {
        let done = Rect::from_min_size(area.min, vec2((area.width() * share).max(4.0), 4.0));
        painter.rect_filled(done, 2.0, theme.accent);
    }
}

/// The window is narrower than everything was drawn for.
pub fn is_narrow(ctx: &Context) -> bool {
    ctx.content_rect().width() < size::NARROW
}
