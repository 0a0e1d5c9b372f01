//! Every widget once, as on the sheet of components: each is found by its name and does what it says.

use egui::{Rect, Ui, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use inferometer::app::charts::{ChartFrame, ChartUi};
use inferometer::app::icons;
use inferometer::app::theme::{self, Text, Theme};
use inferometer::app::widgets::{
    Banner, Button, Field, Level, Section, Switch, Tile, badge, choice, link, tag, tick, tiles,
};
use inferometer::chart::{self, Chart};
use inferometer::domain::MetricId;

use super::data;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Look {
    Histogram,
    Percentiles,
}

/// What the widgets of the sheet hold.
pub(super) struct Gallery {
    pub starts: u32,
    pub text: String,
    pub error: String,
    pub notes: String,
    pub choice: u8,
    pub look: Look,
    pub ticked: bool,
    pub links: u32,
    pub more: u32,
    chart: Chart,
    chart_ui: ChartUi,
}

impl Gallery {
    pub(super) fn new() -> Self {
        Self {
            starts: 0,
            text: "1, 10, 100".to_owned(),
            error: "1, 10, 1oo".to_owned(),
            notes: "你好，世界\nمرحبا بالعالم".to_owned(),
            choice: 0,
            look: Look::Histogram,
            ticked: true,
            links: 0,
            more: 0,
            chart: chart::ecdf(&data::finished(), MetricId::Ttft),
            chart_ui: ChartUi::default(),
        }
    }

    pub(super) fn show(&mut self, ui: &mut Ui) {
        let theme = Theme::of(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, theme.surface);
        egui::Frame::NONE.inner_margin(16).show(ui, |ui| {
            ui.label(Text::Stat.rich("Inferometer", theme.text));
            ui.horizontal(|ui| self.buttons(ui));
            ui.horizontal(|ui| self.switches(ui));
            ui.horizontal(|ui| {
                badge(ui, Level::Good, "Valid");
                badge(ui, Level::Caution, "Valid, 1 caution");
                badge(ui, Level::Bad, "Invalid");
                tag(ui, "baseline");
                if link(ui, "Open the folder").clicked() {
                    self.links += 1;
                }
            });
            ui.horizontal_top(|ui| self.fields(ui));
            let banner = Banner::new(Level::Caution, "64 users is past saturation")
                .why("In flight and TTFT both rise through the stage.")
                .advice("End the sweep at 32 users.")
                .button("2 more");
            if banner.show(ui).clicked {
                self.more += 1;
            }
            three_tiles(ui);
        });
        let place = Rect::from_min_size(pos2(400.0, 420.0), vec2(440.0, 220.0));
        let mut look = self.look;
        let frame = ChartFrame::new(&self.chart).formula("first token − start");
        frame.show(ui, place, &mut self.chart_ui, &mut None, |ui| {
            let options = [
                (Look::Histogram, "Histogram"),
                (Look::Percentiles, "Percentiles"),
            ];
            Switch::new("Card as", &mut look, &options).show(ui);
        });
    }

    fn buttons(&mut self, ui: &mut Ui) {
        let start = Button::primary("Start")
            .icon(icons::START)
            .key("Ctrl Enter");
        if ui.add(start).clicked() {
            self.starts += 1;
        }
        ui.add(Button::new("Stop").icon(icons::STOP).key("Esc"));
        ui.add(Button::new("Copy").icon(icons::COPY).quiet());
        ui.add(Button::icon_only(icons::MORE, "More"));
        ui.add_enabled(false, Button::primary("Send one").icon(icons::SEND_ONE));
    }

    fn switches(&mut self, ui: &mut Ui) {
        let options = [(Look::Histogram, "Bins"), (Look::Percentiles, "Quantiles")];
        Switch::new("Drawn as", &mut self.look, &options).show(ui);
        tick(ui, &mut self.ticked, "Unique nonce");
    }

    fn fields(&mut self, ui: &mut Ui) {
        ui.vertical(|ui| {
            ui.set_width(172.0);
            Field::new("Users per stage", &mut self.text).show(ui);
            let mut empty = String::new();
            Field::new("Search", &mut empty)
                .hint("Search runs")
                .show(ui);
            let mut locked = "1, 10, 100".to_owned();
            Field::new("Locked", &mut locked).locked(true).show(ui);
        });
        ui.vertical(|ui| {
            ui.set_width(172.0);
            Field::new("Requests", &mut self.error)
                .error(Some("“1oo” is not a number"))
                .show(ui);
            let options = [(0, "OpenAI chat".to_owned()), (1, "Gradio".to_owned())];
            choice(ui, "Protocol", &mut self.choice, &options, 172.0);
            let mut seconds = "6.0".to_owned();
            Field::new("Stop after", &mut seconds)
                .unit("s")
                .inline()
                .show(ui);
        });
        ui.vertical(|ui| {
            ui.set_width(300.0);
            Section::new("Prompts")
                .summary("built in")
                .closed()
                .show(ui, |ui| {
                    Field::new("User prompts", &mut self.notes).rows(3).show(ui);
                });
        });
    }
}

fn three_tiles(ui: &mut Ui) {
    let tile = |label: &str, value: &str, unit: &str| Tile {
        label: label.to_owned(),
        value: value.to_owned(),
        unit: unit.to_owned(),
        note: "p95 375 ms\u{2002}n 183".to_owned(),
        ..Tile::default()
    };
    let verdict = Tile {
        level: Some(Level::Good),
        ..tile("Verdict", "Valid", "")
    };
    tiles(
        ui,
        &[
            tile("TTFT p50", "189", "ms"),
            tile("Output", "1\u{202f}586", "tok/s"),
            verdict,
        ],
    );
}

fn harness() -> Harness<'static, Gallery> {
    let mut harness = Harness::builder()
        .with_size(vec2(860.0, 660.0))
        .with_context_setup(theme::install)
        .allow_missing_glyphs()
        .build_ui_state(|ui, gallery: &mut Gallery| gallery.show(ui), Gallery::new());
    harness.run();
    harness
}

#[test]
fn buttons_ticks_and_links_are_found_by_name_and_work() {
    let mut harness = harness();
    harness.get_by_label("Start").click();
    harness.get_by_label("Unique nonce").click();
    harness.get_by_label("Open the folder").click();
    harness.get_by_label("2 more").click();
    harness.get_by_label("More");
    harness.get_by_label("Send one").click();
    harness.run();
    let state = harness.state();
    assert_eq!((state.starts, state.links, state.more), (1, 1, 1));
    assert!(!state.ticked);
}

#[test]
fn a_switch_says_which_part_is_chosen() {
    let mut harness = harness();
    harness.get_by_label("Quantiles").click();
    harness.run();
    assert_eq!(harness.state().look, Look::Percentiles);
    let toggled = |harness: &Harness<'_, Gallery>, name: &str| {
        harness.get_by_label(name).accesskit_node().toggled()
    };
    let on = Some(egui::accesskit::Toggled::True);
    assert_eq!(toggled(&harness, "Quantiles"), on);
    assert_ne!(toggled(&harness, "Bins"), on);
}

#[test]
fn fields_take_text_and_choices_open_a_list() {
    let mut harness = harness();
    harness.get_by_label("Users per stage").focus();
    harness.run();
    harness.get_by_label("Users per stage").type_text("7");
    harness.run();
    assert!(
        harness.state().text.contains('7'),
        "{}",
        harness.state().text
    );
    harness.get_by_label("“1oo” is not a number");
    harness.get_by_label("Protocol").click();
    harness.run();
    harness.get_by_label("Gradio").click();
    harness.run();
    assert_eq!(harness.state().choice, 1);
    assert!(
        harness.query_by_label("Gradio").is_none(),
        "the list stays open"
    );
}

#[test]
fn a_section_opens_and_a_locked_field_takes_nothing() {
    let mut harness = harness();
    assert!(harness.query_by_label("User prompts").is_none());
    harness.get_by_label("Prompts").click();
    harness.run();
    harness.get_by_label("User prompts");
    harness.get_by_label("Locked").type_text("9");
    harness.run();
    assert_eq!(
        harness.get_by_label("Locked").value().as_deref(),
        Some("1, 10, 100")
    );
}

#[test]
fn a_chart_has_its_table_one_click_away() {
    let mut harness = harness();
    harness.get_by_label("Latency distribution chart: Requests at or below");
    harness
        .get_by_label("Latency distribution as a table")
        .click();
    harness.run();
    assert!(harness.state().chart_ui.table);
    harness.get_by_label("Latency distribution: 5 rows");
}

#[test]
fn words_that_carry_a_judgement_are_words() {
    let harness = harness();
    for name in ["Valid", "Valid, 1 caution", "Invalid", "baseline"] {
        assert!(
            harness.query_all_by_label(name).count() + harness.query_all_by_value(name).count() > 0,
            "{name}"
        );
    }
}
