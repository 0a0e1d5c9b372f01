//! Goals, prompts by length, conversations, varied fields, mixed traffic, templates, profiles and dropped files.

use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use inferometer::app::form::{PromptSource, Section};
use inferometer::app::state::PlanHome;
use inferometer::domain::{
    Framing, GOAL_PRESETS, MixedTraffic, Plan, Protocol, Template, TemplateMethod, VaryMode,
};
use inferometer::session::{Command, Event};

use super::Bench;

fn text<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[test]
fn goals_are_rows_with_a_metric_a_share_and_a_limit() {
    let mut bench = Bench::open();
    bench.click("Add a goal");
    assert_eq!(text(&bench.plan().goals), ["ttft.p95:500ms"]);
    bench.click("Add a goal");
    bench.choose("Metric of goal 2", "Total time");
    bench.type_into("Share of goal 2", "99.9");
    bench.type_into("Limit of goal 2", "1.5s");
    bench.choose("Metric of goal 1", "Decode rate");
    bench.type_into("Limit of goal 1", "10");
    assert_eq!(
        text(&bench.plan().goals),
        ["decode_rate.p95:10", "e2e.p99.9:1500ms"]
    );
    bench.type_into("Limit of goal 2", "fast");
    assert!(bench.says("“fast” is no limit: write milliseconds"));
    bench.type_into("Share of goal 2", "100");
    assert!(bench.says("“100” is no share"));
    bench.click("Remove goal 2");
    assert_eq!(text(&bench.plan().goals), ["decode_rate.p95:10"]);
    bench.click("Stop when saturated");
    assert!(bench.plan().limits.stop_when_saturated);
}

#[test]
fn common_goals_come_from_a_menu() {
    let mut bench = Bench::open();
    bench.click("Common goals");
    bench.click(GOAL_PRESETS[1].label);
    assert_eq!(bench.plan().goals, GOAL_PRESETS[1].goals());
}

#[test]
fn synthetic_prompts_are_made_to_a_length() {
    let mut bench = Bench::open();
    bench.choose("User prompts", "Made to a length");
    assert_eq!(
        bench.plan().workload.input_tokens.unwrap().to_string(),
        "200"
    );
    bench.0.get_all_by_label("Normal").next().unwrap().click();
    bench.run();
    bench.type_into("Mean input tokens", "500");
    assert!(bench.says("the least, the mean and the most must rise"));
    bench.type_into("Most input tokens", "900");
    bench.type_into("Deviation input tokens", "50");
    let length = bench.plan().workload.input_tokens.unwrap();
    assert_eq!(length.to_string(), "normal:500,50,180,900");
    bench.type_into("Least input tokens", "few");
    assert!(bench.says("The least “few” is not a whole number of tokens"));
    bench.0.get_all_by_label("Fixed").next().unwrap().click();
    bench.run();
    bench.type_into("Number of input tokens", "uniform:100..300");
    let length = bench.plan().workload.input_tokens.unwrap();
    assert_eq!(
        length.to_string(),
        "uniform:100..300",
        "the plan's own words are taken apart"
    );
    bench.choose("Prompts share", "Their beginning");
    bench.type_into("Of each", "12.5");
    assert_eq!(bench.plan().workload.sharing.to_string(), "shared:0.125");
    bench.type_into("Of each", "100");
    assert!(bench.says("“100” is no share"));
}

#[test]
fn answers_are_as_long_as_they_are_drawn() {
    let mut bench = Bench::open();
    bench.click("Drawn for each");
    bench.run();
    bench.0.get_by_label("Uniform").click();
    bench.run();
    bench.type_into("Least output tokens", "10");
    bench.type_into("Most output tokens", "20");
    bench.click("Answer up to the limit");
    let workload = bench.plan().workload;
    assert_eq!(
        workload.output_tokens.unwrap().to_string(),
        "uniform:10..20"
    );
    assert!(workload.ignore_eos && workload.max_tokens.is_none());
}

#[test]
fn a_dataset_conversations_and_a_tokenizer_are_named() {
    let mut bench = Bench::open();
    bench.choose("User prompts", "From a dataset");
    assert!(bench.says("Choose a file or a folder, or name one on the Hub"));
    bench.type_into("Dataset", "hf:owner");
    assert!(bench.says("“hf:owner” names no dataset's file"));
    bench.type_into("Dataset", "hf:owner/name/train.jsonl");
    bench.click("Cut prompts to a length");
    bench.type_into("Number of input tokens", "64");
    bench.type_into("Turns", "4");
    bench.type_into("Think time", "1.5");
    bench.choose("Tokens are counted by", "A model on the Hub");
    assert!(bench.says("Name a model on the Hub"));
    bench.type_into("Model on the Hub", "owner/model");
    let workload = bench.plan().workload;
    assert_eq!(
        workload.dataset.unwrap().to_string(),
        "hf:owner/name/train.jsonl"
    );
    assert_eq!(workload.input_tokens.unwrap().to_string(), "64");
    assert_eq!(workload.tokenizer.unwrap().to_string(), "hf:owner/model");
    assert_eq!(workload.turns, 4);
    assert!((workload.think_secs - 1.5).abs() < 1e-9);
    bench.type_into("Turns", "0");
    assert!(bench.says("“0” must be 1 to 1000"));
}

#[test]
fn varied_fields_are_found_by_search_and_counted_beforehand() {
    let mut bench = Bench::open();
    bench.click("Vary a field");
    assert!(bench.says("Choose the field that takes several values"));
    bench.click("Field 1");
    bench.0.get_by_label("Find a field").type_text("max_tok");
    bench.run();
    bench.click("Most tokens of an answer: workload.max_tokens");
    bench.type_into("Values of field 1", "16, 64, 256");
    let plan = bench.plan();
    assert_eq!(text(&plan.vary), ["workload.max_tokens=16,64,256"]);
    assert!(bench.says("3 runs, one after another; a run file for each. Send one request"));
    assert!(bench.says("3 runs, 360 requests"), "at the foot");
    bench.type_into("Values of field 1", "16, many");
    assert!(bench.says("“many”"), "the value does not fit the field");
    assert!(bench.is_disabled("Start"));
    bench.type_into("Values of field 1", "16, 64, 256");
    bench.click("Vary a field");
    bench.click("Field 2");
    bench.0.get_by_label("Find a field").type_text("seed");
    bench.run();
    bench.press(Modifiers::NONE, Key::Enter);
    bench.type_into("Values of field 2", "1, 2");
    assert!(bench.says("6 runs, one after another"));
    bench.choose("Values go together", "One field at a time");
    assert_eq!(bench.plan().vary_mode, VaryMode::OneAtATime);
    assert!(bench.says("5 runs, one after another"));
    bench.click("Vary field 1 no more");
    assert_eq!(text(&bench.plan().vary), ["seed=1,2"]);
}

#[test]
fn a_field_of_a_name_of_its_own_can_be_varied() {
    let mut bench = Bench::open();
    bench.choose("Protocol", "Gradio");
    bench.click("Vary a field");
    bench.click("Field 1");
    let other = "workload.inputs.temperature";
    bench.0.get_by_label("Find a field").type_text(other);
    bench.run();
    bench.click("Take “workload.inputs.temperature” as it stands");
    bench.type_into("Values of field 1", "0.1, 0.9");
    let vary = bench.plan().vary;
    assert_eq!(text(&vary), ["workload.inputs.temperature=0.1,0.9"]);
    bench.choose("Protocol", "OpenAI chat");
    assert!(bench.says("is of Gradio apps, and the target speaks openai-chat"));
    assert!(bench.is_disabled("Start"));
}

#[test]
fn mixed_traffic_is_there_for_gradio_alone() {
    let mut bench = Bench::open();
    assert!(!bench.shows("Mixed traffic"));
    bench.choose("Protocol", "Gradio");
    bench.click("Other visitors meanwhile");
    assert_eq!(bench.plan().mixed_traffic, Some(MixedTraffic::default()));
    bench.type_into("Visitors that upload", "3");
    bench.type_into("Size of a file", "1.5");
    bench.type_into("Pause between two", "20");
    let traffic = bench.plan().mixed_traffic.unwrap();
    assert_eq!(
        (traffic.uploads, traffic.file_bytes, traffic.pause_ms),
        (3, 1500, 20)
    );
    for label in [
        "Visitors that upload",
        "Visitors that load pages",
        "Visitors that download",
    ] {
        bench.type_into(label, "0");
    }
    assert!(bench.says("has no visitors"));
    bench.type_into("Visitors that upload", "1");
    bench.choose("Protocol", "OpenAI chat");
    assert!(
        bench.shows("Mixed traffic"),
        "what a plan has can be taken away"
    );
}

#[test]
fn any_endpoint_is_described_by_a_template() {
    let mut bench = Bench::open();
    bench.choose("Protocol", "Any HTTP");
    assert!(!bench.is_disabled("Examples"));
    bench.click("Examples");
    bench.click("Text, as lines");
    assert!(bench.says("the template has the slot {{model}}"));
    bench.type_into("Model", "tiny");
    bench.choose("Method", "PUT");
    bench.type_into("Path", "/generate");
    bench.type_into("Text of the answer at", "/text");
    bench.click("More of the template");
    bench.type_into("Answer tokens at", "tokens");
    assert!(bench.says("“tokens” is not a JSON pointer"));
    bench.type_into("Answer tokens at", "/tokens");
    let template = bench.plan().target.template.unwrap();
    assert_eq!(
        (template.method, template.framing),
        (TemplateMethod::Put, Framing::Ndjson)
    );
    assert_eq!(
        (template.path.as_str(), template.token.as_str()),
        ("/generate", "/text")
    );
    assert_eq!(template.tokens_out.as_deref(), Some("/tokens"));
    bench.type_into("Body", "{\"q\": {{prompt}");
    assert!(bench.says("is not JSON once its slots are filled"));
}

#[test]
fn a_templates_file_is_dropped_read_and_taken() {
    let mut bench = Bench::open();
    bench.commands();
    bench
        .state()
        .open_paths(vec!["/tmp/mine.template.toml".into()]);
    assert!(matches!(&bench.commands()[..], [Command::OpenTemplate(_)]));
    let template = Template {
        path: "/ask".to_owned(),
        body: "{\"q\": {{prompt}}}".to_owned(),
        token: "/a".to_owned(),
        ..Template::default()
    };
    bench.apply(Event::TemplateOpened {
        path: "/tmp/mine.template.toml".into(),
        template: Box::new(template.clone()),
    });
    let target = bench.plan().target;
    assert_eq!(target.protocol, Protocol::Http);
    assert_eq!(target.template, Some(template));
}

#[test]
fn dropped_files_land_where_they_belong() {
    let mut bench = Bench::open();
    bench.state().open_paths(vec!["/tmp/tokenizer.json".into()]);
    bench.run();
    let tokenizer = bench.plan().workload.tokenizer.unwrap();
    assert_eq!(tokenizer.to_string(), "/tmp/tokenizer.json");

    bench.state().open_paths(vec!["/tmp/chats.jsonl".into()]);
    bench.run();
    assert!(bench.shows("What is “chats.jsonl”?"));
    bench.click("Prompts: send what it holds");
    assert_eq!(
        bench.plan().workload.dataset.unwrap().to_string(),
        "/tmp/chats.jsonl"
    );
    assert!(bench.state().dialog.is_none());

    bench.click("Replay");
    bench.state().open_paths(vec!["/tmp/azure.csv".into()]);
    bench.run();
    assert!(bench.state().dialog.is_none(), "the open field takes it");
    assert_eq!(bench.plan().stages[0].load.label(), "replay of azure.csv");

    bench.commands();
    bench.state().open_paths(vec!["/tmp/renamed.jsonl".into()]);
    bench.run();
    bench.click("A run: show what was measured");
    let sent = bench.commands();
    let opens = |c: &Command| matches!(c, Command::OpenRuns(_));
    assert!(sent.iter().any(opens), "{sent:?}");
}

/// What the form's choice of a profile shows.
fn profile(bench: &Bench) -> String {
    let node = bench
        .0
        .get_by_role_and_label(egui::accesskit::Role::ComboBox, "Profile");
    node.accesskit_node().value().unwrap_or_default()
}

#[test]
fn a_profile_fills_the_form_and_keeps_the_server() {
    let mut bench = Bench::open();
    bench.type_into("URL", "http://127.0.0.1:9000/v1");
    bench.type_into("Model", "mine");
    bench.type_into("Headers, one Name: value per line", "x-a: 1");
    bench.choose("Profile", "Chat, short");
    let plan = bench.plan();
    assert_eq!(plan.profile, "chat");
    assert_eq!(plan.target.url, "http://127.0.0.1:9000/v1");
    assert_eq!(plan.target.model.as_deref(), Some("mine"));
    assert_eq!(plan.target.headers["x-a"], "1");
    assert_eq!(plan.stages, Plan::simple("").stages, "the profile's load");
    assert_eq!(bench.state().plan_home, PlanHome::BuiltIn("chat"));
    assert_eq!(profile(&bench), "Chat, short");
    bench.type_into("URL", "http://127.0.0.1:9001/v1");
    assert_eq!(
        profile(&bench),
        "Chat, short",
        "another server is no other profile"
    );
    bench.type_into("Seed", "20");
    assert_eq!(profile(&bench), "Chat, short, changed");
    assert_eq!(bench.plan().profile, "chat", "it began as that");
    bench.type_into("Seed", "1");
    assert_eq!(profile(&bench), "Chat, short");
    bench.0.run_steps(8);
    bench.state().load_preset(0);
    bench.0.run_steps(8);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(bench.plan().profile, "chat", "a profile can be taken back");
}

#[test]
fn rows_are_undone_as_fields_are() {
    let mut bench = Bench::open();
    bench.0.run_steps(8);
    bench.click("Add a goal");
    bench.0.run_steps(8);
    bench.click("Vary a field");
    bench.0.run_steps(8);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert!(bench.state().form.vary.is_empty());
    assert_eq!(bench.state().form.goals.len(), 1);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert!(bench.state().form.goals.is_empty());
    bench.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    assert_eq!(bench.state().form.goals.len(), 1);
}

#[test]
fn closed_sections_say_what_they_hold() {
    let mut bench = Bench::open();
    let form = &mut bench.state().form;
    form.prompts.source = PromptSource::Synthetic;
    "3".clone_into(&mut form.prompts.turns);
    form.goals = vec![inferometer::app::form::GoalRow::default()];
    form.limits.stop_when_saturated = true;
    let said = |form: &inferometer::app::form::Form, section| form.summary(section);
    assert_eq!(said(form, Section::Prompts), "made, 200 in, 3 turns");
    assert_eq!(
        said(form, Section::Limits),
        "p95 TTFT ≤ 500 ms, until saturated"
    );
    assert_eq!(said(form, Section::Vary), "nothing");
    assert_eq!(said(form, Section::Traffic), "none");
}
