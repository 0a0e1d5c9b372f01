//! The right side of the Measure view: what a run shows while it goes and when it has ended.
//!
//! Words and charts are computed by pure functions ([`model`], [`charts`]) and kept until the run's revision or a choice
//! changes; a frame in which neither did computes nothing.

mod cards;
pub mod charts;
mod columns;
mod controls;
mod empty;
mod errors;
pub mod model;
mod parts;
mod tables;

use egui::{Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::actions::Action;
use super::charts::ChartUi;
use super::state::{Controls, LevelField};
use super::theme::size;
use super::widgets::{self, BANNER_HEIGHT};
use crate::chart::Throughput;
use crate::domain::{MetricId, RunData, RunState, StageIdx};
use charts::{ChartChoice, DistributionKind};
pub use empty::EmptyModel;
use model::{ErrorRow, Finding, Head, Scope, StageTable, TableKind};
use widgets::{Table, Tile};

/// Space between the parts.
const GAP: f32 = 12.0;
const BELOW_BANNER: f32 = 8.0;
/// The least height of a chart's card, and in a small window.
const LEAST_CARD: f32 = 196.0;
const LEAST_CARD_SMALL: f32 = 188.0;
/// Below this own width the margins shrink.
const SMALL: f32 = 760.0;
/// From this window width the table of stages has all of its columns.
const WIDE: f32 = 1600.0;
/// Below this own width the charts stand in one column.
const ONE_COLUMN: f32 = 560.0;

/// What the person has switched on in the Measure view, and what was computed for it.
#[derive(Default)]
pub struct MeasureUi {
    pub scope: Scope,
    /// The stage a person clicked in the table.
    pub focus: Option<StageIdx>,
    pub metric: Metric,
    pub distribution: Distribution,
    /// What is drawn over time; what suits the run until a person chooses.
    pub rate: Option<Throughput>,
    /// The load curve by the rate asked for instead of the one achieved; where that would fold back, until a person chooses.
    pub by_asked: Option<bool>,
    pub all_findings: bool,
    pub distribution_ui: ChartUi,
    pub over_time_ui: ChartUi,
    pub load_ui: ChartUi,
    pub requests_ui: ChartUi,
    pub turns_ui: ChartUi,
    /// The table below the charts; what suits the run until a person chooses.
    pub table: Option<TableKind>,
    /// Place of the pointer on the axis of time.
    pub time: Option<f64>,
    words: Cached<WordsKey, Words>,
    charts: charts::ChartCache,
}

/// The metric of distribution, load curve, strip and table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Metric(pub MetricId);

impl Default for Metric {
    fn default() -> Self {
        Self(MetricId::Ttft)
    }
}

/// How the distribution is drawn; a histogram until a person wants another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Distribution(pub DistributionKind);

impl Default for Distribution {
    fn default() -> Self {
        Self(DistributionKind::Histogram)
    }
}

impl MeasureUi {
    /// How often anything was computed; stands still while nothing changes.
    pub fn n_computed(&self) -> u64 {
        self.words.n_computed + self.charts.n_computed()
    }

    /// Ends of all axes of the charts as they were last drawn.
    pub fn shown_ranges(&self) -> Vec<(f64, f64)> {
        self.charts.ranges()
    }

    /// What is drawn over time of that run.
    pub(super) fn rate_of(&self, run: &RunData) -> Throughput {
        let wanted = self.rate.filter(|r| Throughput::of(run).contains(r));
        wanted.unwrap_or_else(|| Throughput::first_of(run))
    }

    /// Whether that run's load curve is over the rate asked.
    pub(super) fn asked_of(&self, run: &RunData) -> bool {
        self.by_asked
            .unwrap_or_else(|| crate::chart::folds_back(run))
    }

    /// The table that is shown of that run.
    fn kind_of(&self, run: &RunData, kinds: &[TableKind]) -> TableKind {
        let is_search = run.head.plan.stages.iter().all(|s| s.load.unfolds());
        let suits = if is_search && kinds.contains(&TableKind::Probes) {
            TableKind::Probes
        } else {
            TableKind::Stages
        };
        self.table.filter(|k| kinds.contains(k)).unwrap_or(suits)
    }

    /// Goals in place of what is shown, and the stages again.
    pub fn toggle_goals(&mut self) {
        self.table = Some(match self.table {
            Some(TableKind::Goals) => TableKind::Stages,
            _ => TableKind::Goals,
        });
    }

    /// Choices that belong to a run fall away with it.
    fn forget_run(&mut self) {
        self.focus = None;
        self.all_findings = false;
        for chart in [
            &mut self.distribution_ui,
            &mut self.over_time_ui,
            &mut self.load_ui,
            &mut self.requests_ui,
            &mut self.turns_ui,
        ] {
            chart.hidden.clear();
            chart.zoom = None;
        }
    }
}

/// A value and what it was computed for.
struct Cached<K, V> {
    held: Option<(K, V)>,
    n_computed: u64,
}

impl<K, V> Default for Cached<K, V> {
    fn default() -> Self {
        Self {
            held: None,
            n_computed: 0,
        }
    }
}

impl<K: PartialEq, V> Cached<K, V> {
    fn get(&mut self, key: K, compute: impl FnOnce() -> V) -> &V {
        let value = match self.held.take() {
            Some((held, value)) if held == key => value,
            _ => {
                self.n_computed += 1;
                compute()
            }
        };
        &self.held.insert((key, value)).1
    }
}

/// Which run, and which state of it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct RunKey {
    id: String,
    revision: u64,
}

impl RunKey {
    fn of(run: &RunData) -> Self {
        Self {
            id: run.head.id.clone(),
            revision: run.revision,
        }
    }
}

#[derive(Clone, PartialEq)]
struct WordsKey {
    run: RunKey,
    metric: MetricId,
    scope: Scope,
    focus: Option<StageIdx>,
    narrow: bool,
    wide: bool,
    table: Option<TableKind>,
    n_notes: usize,
}

/// Everything in the view that is words.
struct Words {
    head: Head,
    findings: Vec<Finding>,
    tiles: Vec<Tile>,
    table: StageTable,
    /// Tables that there are, the one that is shown, and it where it is not the one of stages.
    kinds: Vec<TableKind>,
    kind: TableKind,
    other: Table,
    /// Whether the stage in focus keeps to its goals.
    goals: Option<String>,
    errors: Vec<ErrorRow>,
    focus: Option<StageIdx>,
}

fn words(run: &RunData, notes: &[String], key: &WordsKey, state: &MeasureUi) -> Words {
    let focus = model::focus(run, key.scope, key.focus);
    let kinds = model::tables(run);
    let kind = state.kind_of(run, &kinds);
    let stage = focus.and_then(|f| run.summary.stages.get(f.index()));
    let goals = stage.and_then(|s| {
        let lost = model::lost_words(s).map_or_else(String::new, |lost| format!("; {lost}"));
        Some(format!("{}: {}{lost}", s.label, model::goals_words(s)?))
    });
    Words {
        head: model::head(run),
        findings: model::findings(run, notes),
        tiles: model::tiles(run, focus, key.narrow),
        table: model::stage_table(run, key.metric, model::Room::of((key.narrow, key.wide))),
        other: model::table(run, kind),
        kinds,
        kind,
        goals,
        errors: model::errors(run),
        focus,
    }
}

/// What the view is given besides the run.
pub struct Given<'a> {
    pub run: Option<&'a RunData>,
    /// Shown while there is no run.
    pub empty: &'a EmptyModel,
    /// What the start of the run told of it.
    pub notes: &'a [String],
    pub controls: &'a Controls,
    pub level: &'a mut LevelField,
}

/// Draws the view into what is left of `ui`.
pub fn measure_ui(ui: &mut Ui, given: Given<'_>, state: &mut MeasureUi, out: &mut Vec<Action>) {
    let Given {
        run,
        empty,
        notes,
        controls,
        level,
    } = given;
    let area = ui.available_rect_before_wrap();
    let margin = if area.width() < SMALL { 12.0 } else { 16.0 };
    let Some(run) = run else {
        empty::empty_ui(ui, area.shrink(margin), empty, out);
        return;
    };
    let window = ui.ctx().content_rect().width();
    let narrow = window < size::NARROW;
    let key = WordsKey {
        run: RunKey::of(run),
        metric: state.metric.0,
        scope: state.scope,
        focus: state.focus,
        narrow,
        wide: window >= WIDE,
        table: state.table,
        n_notes: notes.len(),
    };
    let is_other_run = state
        .words
        .held
        .as_ref()
        .is_some_and(|(k, _)| k.run.id != key.run.id);
    if is_other_run {
        state.forget_run();
        ui.ctx().request_repaint();
    }
    // Taken out for the frame, so that the parts can change choices while the words are read.
    let mut cache = std::mem::take(&mut state.words);
    let shown = cache.get(key.clone(), || words(run, notes, &key, state));
    let page = Page {
        run,
        words: shown,
        narrow,
        margin,
    };
    page.show(ui, area, state, (controls, level), out);
    state.words = cache;
}

/// One frame of the view.
struct Page<'a> {
    run: &'a RunData,
    words: &'a Words,
    narrow: bool,
    margin: f32,
}

impl Page<'_> {
    fn show(
        &self,
        ui: &mut Ui,
        area: Rect,
        state: &mut MeasureUi,
        steering: (&Controls, &mut LevelField),
        out: &mut Vec<Action>,
    ) {
        let layout = self.layout(area.size(), state);
        ScrollArea::vertical()
            .id_salt("measure page")
            .auto_shrink(false)
            .show(ui, |ui| {
                let (_, place) = ui.allocate_space(vec2(area.width(), layout.total));
                self.parts(ui, place, &layout, state, steering, out);
            });
    }

    /// Heights of the parts: the charts fill what is left, and never get under their least height.
    fn layout(&self, room: egui::Vec2, state: &MeasureUi) -> Layout {
        let preparing = parts::preparing_words(self.run).is_some();
        let n_banners = if matches!(self.run.state, RunState::AwaitingRestart { .. }) {
            1
        } else {
            let n = self.words.findings.len();
            if state.all_findings { n } else { n.min(1) }
        };
        let banners = n_banners as f32 * (BANNER_HEIGHT + BELOW_BANNER);
        let table = tables::height(self.words, room.x - 2.0 * self.margin);
        let errors = errors::errors_height(&self.words.errors);
        let variation = self.variation_height();
        let above = 12.0 + parts::HEAD + variation + 12.0 + banners;
        let below = GAP + table + 12.0;
        // The errors come below what fills the page.
        let after = if errors > 0.0 { GAP + errors } else { 0.0 };
        let columns = if room.x < ONE_COLUMN { 1.0 } else { 2.0 };
        let rows = 4.0 / columns;
        let width = room.x - 2.0 * self.margin;
        let tiles = widgets::tiles_height(width, self.words.tiles.len());
        let fixed = above + tiles + rows * GAP + below;
        let least = if self.narrow {
            LEAST_CARD_SMALL
        } else {
            LEAST_CARD
        };
        let card = ((room.y - fixed) / rows).floor().max(least);
        let total = if preparing {
            room.y
        } else {
            (fixed + rows * card).max(room.y) + after
        };
        Layout {
            above,
            tiles,
            banners,
            card,
            columns,
            table,
            errors,
            total,
            preparing,
        }
    }

    fn variation_height(&self) -> f32 {
        let is_one = self.words.head.variation.is_some();
        if is_one { parts::VARIATION } else { 0.0 }
    }

    fn parts(
        &self,
        ui: &mut Ui,
        place: Rect,
        layout: &Layout,
        state: &mut MeasureUi,
        steering: (&Controls, &mut LevelField),
        out: &mut Vec<Action>,
    ) {
        let left = place.left() + self.margin;
        let right = place.right() - self.margin;
        let strip = |top: f32, height: f32| {
            Rect::from_min_max(pos2(left, top.round()), pos2(right, (top + height).round()))
        };
        let head = strip(place.top() + 12.0, parts::HEAD);
        let scope = &mut state.scope;
        parts::head_ui(ui, head, &self.words.head, self.run, scope, steering, out);
        let below_head = head.bottom() + self.variation_height();
        if let Some(words) = &self.words.head.variation {
            parts::variation_ui(ui, strip(head.bottom(), parts::VARIATION), words);
        }
        let banners = strip(below_head + 12.0, layout.banners);
        if layout.banners > 0.0 {
            ui.scope_builder(UiBuilder::new().max_rect(banners), |ui| {
                match &self.run.state {
                    RunState::AwaitingRestart { cycle, of } => {
                        parts::restart_ui(ui, (*cycle, *of), out);
                    }
                    _ => parts::findings_ui(ui, &self.words.findings, &mut state.all_findings),
                }
            });
        }
        let mut y = place.top() + layout.above;
        if layout.preparing {
            let (headline, what) = parts::preparing_words(self.run).unwrap_or_default();
            let card = Rect::from_min_max(pos2(left, y), pos2(right, place.bottom() - self.margin));
            parts::preparing_ui(ui, card, (headline, &what));
            return;
        }
        let tiles = strip(y, layout.tiles);
        ui.scope_builder(UiBuilder::new().max_rect(tiles), |ui| {
            widgets::tiles(ui, &self.words.tiles);
        });
        y += layout.tiles + GAP;
        y = self.cards(ui, strip(y, 0.0), layout, state);
        let table = strip(y, layout.table);
        let n = self.run.plan().stages.len();
        let mut cache = std::mem::take(&mut state.charts);
        let turns =
            (self.words.kind == TableKind::Turns).then(|| cache.turns(self.run, self.words.focus));
        ui.scope_builder(UiBuilder::new().max_rect(table), |ui| {
            tables::card_ui(ui, table, self.words, turns, n, state);
        });
        state.charts = cache;
        if layout.errors > 0.0 {
            let area = strip(y + layout.table + GAP, layout.errors);
            ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
                errors::errors_ui(ui, area, &self.words.errors);
            });
        }
        ui.interact(place, ui.scope_id().with("page"), Sense::hover());
    }

    /// The four charts; gives back where the next part begins.
    fn cards(&self, ui: &mut Ui, top: Rect, layout: &Layout, state: &mut MeasureUi) -> f32 {
        let n_columns = layout.columns;
        let width = ((top.width() - GAP * (n_columns - 1.0)) / n_columns).floor();
        let place = |i: u8| {
            let two = n_columns > 1.5;
            let (row, column) = if two { (i / 2, i % 2) } else { (i, 0) };
            let x = top.left() + f32::from(column) * (width + GAP);
            let y = top.top() + f32::from(row) * (layout.card + GAP);
            // The right column ends where everything ends.
            let right = if two && column == 1 {
                top.right()
            } else {
                x + width
            };
            Rect::from_min_max(pos2(x, y), pos2(right, y + layout.card))
        };
        let mut cache = std::mem::take(&mut state.charts);
        let choice = ChartChoice {
            metric: state.metric.0,
            distribution: state.distribution.0,
            rate: state.rate_of(self.run),
            focus: self.words.focus,
            asked: state.asked_of(self.run),
        };
        let shown = cache.get(self.run, &choice);
        let mut time = None;
        for (i, card) in cards::CARDS.into_iter().enumerate() {
            let rect = place(u8::try_from(i).unwrap_or(0));
            card(ui, rect, self.run, &shown, (self.narrow, state), &mut time);
        }
        // Found in this frame, drawn by all charts in the next.
        state.time = time;
        state.charts = cache;
        let rows = 4.0 / n_columns;
        top.top() + rows * (layout.card + GAP)
    }
}

struct Layout {
    /// From the page's top to the tiles.
    above: f32,
    tiles: f32,
    banners: f32,
    card: f32,
    columns: f32,
    table: f32,
    errors: f32,
    total: f32,
    preparing: bool,
}
