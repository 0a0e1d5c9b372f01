//! Pictures of the form with each of its parts open, to be looked at: only where `INFEROMETER_SCREENSHOTS` names a folder.

use egui::vec2;
use inferometer::app::Window;
use inferometer::app::form::{
    EndKind, Form, GoalRow, LengthKind, LengthShape, LoadKind, OutputKind, PromptSource, Section,
    SharingKind, TokenizerKind, VaryRow,
};
use inferometer::app::settings::ThemeChoice;
use inferometer::domain::{GOAL_PRESETS, Over, Protocol};

use super::pictures::wanted;
use super::raster::Screen;
use super::window_with;

/// One picture of the form as `setup` leaves it, in each size and theme.
fn form(name: &str, sections: &[Section], setup: fn(&mut Form)) {
    for (width, height, dark) in [
        (1280.0, 800.0, true),
        (1280.0, 800.0, false),
        (1000.0, 640.0, true),
    ] {
        picture(name, (width, height, dark), sections, setup, &|_, _| {});
    }
}

fn picture(
    name: &str,
    (width, height, dark): (f32, f32, bool),
    sections: &[Section],
    setup: fn(&mut Form),
    then: &dyn Fn(&mut Window, &mut Screen),
) {
    let theme = if dark { "dark" } else { "light" };
    let Some(path) = wanted(&format!("form-{name}-{width}-{theme}")) else {
        return;
    };
    let mut screen = Screen::new(vec2(width, height), dark);
    let mut window = window_with(&screen.ctx, None);
    window.state.settings.theme = if dark {
        ThemeChoice::Dark
    } else {
        ThemeChoice::Light
    };
    window.state.open_sections = sections.iter().copied().collect();
    "http://127.0.0.1:8000/v1".clone_into(&mut window.state.form.target.url);
    setup(&mut window.state.form);
    for _ in 0..3 {
        screen.frame(&mut |ui| window.show(ui));
    }
    then(&mut window, &mut screen);
    for _ in 0..3 {
        screen.frame(&mut |ui| window.show(ui));
    }
    screen.save(&path);
}

#[test]
fn each_kind_of_load() {
    form("iterations", &[Section::Load], |f| {
        f.load.kind = LoadKind::Iterations;
    });
    form("users", &[Section::Load], |f| {
        f.load.kind = LoadKind::Users;
        f.load.length = LengthKind::Duration;
        f.load.users_ramp.curve = Some(inferometer::domain::Curve::Linear);
        "1".clone_into(&mut f.load.users_ramp.from);
    });
    form("rate", &[Section::Load], |f| {
        f.load.kind = LoadKind::Rate;
        "100".clone_into(&mut f.load.max_in_flight);
    });
    form("replay", &[Section::Load], |f| {
        f.load.kind = LoadKind::Replay;
        "/data/azure_llm_2024.csv".clone_into(&mut f.load.trace);
        "2".clone_into(&mut f.load.time_scale);
    });
    form("sweep", &[Section::Load], |f| f.load.kind = LoadKind::Sweep);
    form("sweep-users", &[Section::Load], |f| {
        f.load.kind = LoadKind::Sweep;
        f.load.over = Over::Users;
        f.load.ends = EndKind::Requests;
    });
    form("search", &[Section::Load, Section::Limits], |f| {
        f.load.kind = LoadKind::Search;
    });
    form("wrong", &[Section::Load, Section::Vary], |f| {
        f.load.kind = LoadKind::Rate;
        "5, x".clone_into(&mut f.load.rates);
        "0".clone_into(&mut f.load.max_in_flight);
        f.vary.push(VaryRow {
            field: "workload.max_tokens".to_owned(),
            values: String::new(),
        });
    });
}

#[test]
fn the_other_parts() {
    form("goals", &[Section::Limits], |f| {
        f.goals = GOAL_PRESETS[0].goals().iter().map(GoalRow::of).collect();
        f.limits.stop_when_saturated = true;
    });
    form("synthetic", &[Section::Prompts], |f| {
        f.prompts.source = PromptSource::Synthetic;
        f.prompts.input.shape = LengthShape::Normal;
        f.prompts.sharing = SharingKind::Shared;
        f.prompts.output = OutputKind::Drawn;
        f.prompts.output_length.shape = LengthShape::Uniform;
        f.prompts.tokenizer = TokenizerKind::Hub;
        "owner/model".clone_into(&mut f.prompts.tokenizer_name);
    });
    form("dataset", &[Section::Prompts], |f| {
        f.prompts.source = PromptSource::Dataset;
        "hf:owner/conversations/train.jsonl".clone_into(&mut f.prompts.dataset);
        "4".clone_into(&mut f.prompts.turns);
        "2".clone_into(&mut f.prompts.think);
    });
    form("vary", &[Section::Vary], |f| {
        f.vary = vec![
            VaryRow {
                field: "workload.max_tokens".to_owned(),
                values: "16, 64, 256".to_owned(),
            },
            VaryRow {
                field: "target.model".to_owned(),
                values: "small, large".to_owned(),
            },
        ];
    });
    form("traffic", &[Section::Traffic, Section::Target], |f| {
        f.target.protocol = Protocol::Gradio;
        f.traffic.on = true;
    });
    form("template", &[Section::Target], |f| {
        f.target.protocol = Protocol::Http;
        "m".clone_into(&mut f.target.model);
        f.target.template.is_set = true;
        "/api/generate".clone_into(&mut f.target.template.path);
        "{\n  \"model\": \"{{model}}\",\n  \"prompt\": \"{{prompt}}\"\n}"
            .clone_into(&mut f.target.template.body);
        "/response".clone_into(&mut f.target.template.token);
        "/done".clone_into(&mut f.target.template.done);
    });
    form("all-closed", &[], |f| {
        "chat".clone_into(&mut f.profile);
        f.load.kind = LoadKind::Sweep;
        f.prompts.source = PromptSource::Synthetic;
    });
    let size = (1280.0, 800.0, true);
    picture("menu", size, &[], |_| {}, &|_, screen| {
        screen.click_at(334.0, 67.0);
    });
    picture(
        "template-examples",
        (1280.0, 800.0, false),
        &[Section::Target],
        |f| {
            f.target.protocol = Protocol::Http;
        },
        &|_, screen| {
            screen.click_at(110.0, 260.0);
        },
    );
}
