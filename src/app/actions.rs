//! What a person can ask the window to do, once: menus, the palette, keys and buttons all read [`ACTIONS`].

use egui::{Key, KeyboardShortcut, Modifiers};
use egui_material_icons::MaterialIcon;
use egui_material_icons::icons as i;

use super::settings::ThemeChoice;
use super::state::{AppState, MeasureShows};

/// The three places of the rail.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum View {
    #[default]
    Measure,
    Runs,
    Compare,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    NewPlan,
    Open,
    Save,
    SaveAs,
    SaveRun,
    Quit,
    Undo,
    Redo,
    Filter,
    Start,
    /// Lets what is in flight end; asked again, it aborts.
    Stop,
    SendOne,
    PauseResume,
    /// Fewer users or requests per second in the stage under way.
    LevelDown,
    LevelUp,
    Mark,
    /// Load the plan of the run shown into the form.
    RunAgain,
    /// The person has restarted the server, as the cold probe asked.
    ServerRestarted,
    /// Put the focus into the form's address field.
    UseMyEndpoint,
    ShowView(View),
    ShowTest,
    ShowRun,
    /// Show the run of the Measure view in Compare, its cold requests against its warm ones.
    CompareThis,
    CompareTicked,
    /// The runs of the varied plan that the run shown belongs to, by parameter.
    CompareParameter,
    /// Goals in place of the stages in the table, and back.
    ShowGoals,
    ShowPalette,
    ShowSettings,
    ShowKeys,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    Theme(ThemeChoice),
}

/// The menus of the top bar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Menu {
    File,
    Edit,
    Run,
    View,
    Help,
}

impl Menu {
    pub const ALL: [Self; 5] = [Self::File, Self::Edit, Self::Run, Self::View, Self::Help];

    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::Run => "Run",
            Self::View => "View",
            Self::Help => "Help",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ActionInfo {
    pub action: Action,
    pub text: &'static str,
    pub tooltip: &'static str,
    pub keys: &'static [KeyboardShortcut],
    pub icon: MaterialIcon,
    /// `None`: on a button and in the palette only.
    pub menu: Option<Menu>,
    /// A line stands above it in its menu.
    pub begins_group: bool,
}

const fn cmd(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn cmd_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn row(
    action: Action,
    menu: Option<Menu>,
    text: &'static str,
    tooltip: &'static str,
    keys: &'static [KeyboardShortcut],
    icon: MaterialIcon,
) -> ActionInfo {
    ActionInfo {
        action,
        text,
        tooltip,
        keys,
        icon,
        menu,
        begins_group: false,
    }
}

const fn group(row: ActionInfo) -> ActionInfo {
    ActionInfo {
        begins_group: true,
        ..row
    }
}

const FILE: Option<Menu> = Some(Menu::File);
const EDIT: Option<Menu> = Some(Menu::Edit);
const RUN: Option<Menu> = Some(Menu::Run);
const VIEW: Option<Menu> = Some(Menu::View);
const HELP: Option<Menu> = Some(Menu::Help);

/// Every action, in the order of the menus.
#[rustfmt::skip]
pub const ACTIONS: [ActionInfo; 37] = [
    row(Action::NewPlan, FILE, "New plan", "An empty form; undo brings the old one back", &[cmd(Key::N)], i::ICON_NOTE_ADD),
    row(Action::Open, FILE, "Open…", "Open runs or a plan", &[cmd(Key::O)], i::ICON_FOLDER_OPEN),
    group(row(Action::Save, FILE, "Save plan", "Write the form as a plan file", &[cmd(Key::S)], i::ICON_SAVE)),
    row(Action::SaveAs, FILE, "Save plan as…", "Write the form as another plan file", &[cmd_shift(Key::S)], i::ICON_SAVE_AS),
    row(Action::SaveRun, FILE, "Save a copy of the run…", "Copy the run file that is shown; a name that ends in .zst compresses it", &[], i::ICON_FILE_COPY),
    group(row(Action::Quit, FILE, "Quit", "Close the window", &[cmd(Key::Q)], i::ICON_CLOSE)),
    row(Action::Undo, EDIT, "Undo", "Take back the last change in the form", &[cmd(Key::Z)], i::ICON_UNDO),
    row(Action::Redo, EDIT, "Redo", "Make the change again", &[cmd_shift(Key::Z), cmd(Key::Y)], i::ICON_REDO),
    group(row(Action::Filter, EDIT, "Find runs", "Go to the search field of the library", &[cmd(Key::F)], i::ICON_SEARCH)),
    group(row(Action::ShowSettings, EDIT, "Settings…", "Theme, zoom and folders", &[cmd(Key::Comma)], i::ICON_SETTINGS)),
    row(Action::Start, RUN, "Start", "Run the plan", &[cmd(Key::Enter)], i::ICON_PLAY_ARROW),
    row(Action::Stop, RUN, "Stop", "Let what is in flight end; again: abort", &[plain(Key::Escape), cmd(Key::Period)], i::ICON_STOP),
    group(row(Action::SendOne, RUN, "Send one", "Send one request and show everything that came back", &[cmd(Key::T)], i::ICON_SEND)),
    group(row(Action::PauseResume, RUN, "Pause or resume", "Send nothing until it goes on; what is in flight ends", &[plain(Key::P)], i::ICON_PAUSE)),
    row(Action::LevelUp, RUN, "More load", "More users, or requests per second, in the stage under way", &[plain(Key::Plus), plain(Key::Equals)], i::ICON_ADD),
    row(Action::LevelDown, RUN, "Less load", "Fewer users, or requests per second, in the stage under way", &[plain(Key::Minus)], i::ICON_REMOVE),
    row(Action::Mark, RUN, "Mark this moment…", "A line with your words on the axis of time", &[plain(Key::M)], i::ICON_FLAG),
    group(row(Action::RunAgain, RUN, "Run again", "Load the plan of the run shown into the form", &[], i::ICON_REFRESH)),
    row(Action::ServerRestarted, RUN, "The server is restarted", "Go on with the cold probe", &[], i::ICON_RESTART_ALT),
    row(Action::ShowView(View::Measure), VIEW, "Measure", "Form and live charts", &[cmd(Key::Num1)], i::ICON_SPEED),
    row(Action::ShowView(View::Runs), VIEW, "Runs", "The library of run files", &[cmd(Key::Num2)], i::ICON_TABLE_ROWS),
    row(Action::ShowView(View::Compare), VIEW, "Compare", "Two runs, or cold against warm", &[cmd(Key::Num3)], i::ICON_COMPARE_ARROWS),
    group(row(Action::ShowRun, VIEW, "Show the run", "Charts instead of the test request", &[], i::ICON_SPEED)),
    row(Action::ShowTest, VIEW, "Show the test request", "What the last test request showed", &[], i::ICON_NETWORK_CHECK),
    row(Action::CompareThis, VIEW, "Cold against warm", "Compare the cold requests of the run shown with its warm ones", &[], i::ICON_COMPARE_ARROWS),
    row(Action::CompareParameter, VIEW, "By parameter", "The runs of a varied plan in one table and chart", &[], i::ICON_STACKED_LINE_CHART),
    row(Action::ShowGoals, VIEW, "Goals by stage", "Goals in place of the stages in the table, and back", &[plain(Key::G)], i::ICON_TARGET),
    row(Action::CompareTicked, None, "Compare ticked runs", "Compare the two runs that are ticked", &[], i::ICON_COMPARE_ARROWS),
    group(row(Action::ZoomIn, VIEW, "Larger", "Everything larger", &[cmd(Key::Plus), cmd(Key::Equals)], i::ICON_ZOOM_IN)),
    row(Action::ZoomOut, VIEW, "Smaller", "Everything smaller", &[cmd(Key::Minus)], i::ICON_ZOOM_OUT),
    row(Action::ZoomReset, VIEW, "Actual size", "Zoom of 100 %", &[cmd(Key::Num0)], i::ICON_FIT_SCREEN),
    group(row(Action::Theme(ThemeChoice::System), VIEW, "Theme of the system", "Light or dark as the system says", &[], i::ICON_BRIGHTNESS_AUTO)),
    row(Action::Theme(ThemeChoice::Light), VIEW, "Light theme", "Always light", &[], i::ICON_LIGHT_MODE),
    row(Action::Theme(ThemeChoice::Dark), VIEW, "Dark theme", "Always dark", &[], i::ICON_DARK_MODE),
    row(Action::ShowPalette, HELP, "Command palette…", "Find any action by its name", &[cmd(Key::K)], i::ICON_TERMINAL),
    row(Action::ShowKeys, HELP, "Keys", "All keys on one page", &[plain(Key::F1)], i::ICON_KEYBOARD),
    row(Action::UseMyEndpoint, None, "Use my endpoint", "Go to the address field of the form", &[], i::ICON_LINK),
];

impl Action {
    /// Its row of the table.
    pub fn info(self) -> &'static ActionInfo {
        // Every action has a row; a test holds it. The first is never reached.
        ACTIONS
            .iter()
            .find(|a| a.action == self)
            .unwrap_or(&ACTIONS[0])
    }

    pub fn text(self) -> &'static str {
        self.info().text
    }

    /// Its first key as a hint: `Ctrl Enter`, `Esc`.
    pub fn key_hint(self) -> String {
        self.info()
            .keys
            .first()
            .copied()
            .map(key_text)
            .unwrap_or_default()
    }

    /// Why it cannot be done now; `None` when it can.
    pub fn why_not(self, state: &AppState) -> Option<String> {
        let off = |is_off: bool, why: &str| is_off.then(|| why.to_owned());
        let running = state.is_running();
        match self {
            Self::Undo | Self::Redo if running => off(true, "Locked while running"),
            Self::Undo => off(!state.has_undo(), "Nothing to undo"),
            Self::Redo => off(!state.has_redo(), "Nothing to redo"),
            Self::Save | Self::SaveAs => things_to_fix(state.n_blocking(), "save"),
            Self::Start if state.starting => off(true, "Starting"),
            Self::NewPlan | Self::Start | Self::SendOne | Self::RunAgain if running => {
                off(true, "A run is under way")
            }
            Self::Start => things_to_fix(state.n_blocking(), "start"),
            Self::Stop => off(!running, "Nothing runs"),
            Self::SendOne if state.test.is_pending() => off(true, "A test request is under way"),
            Self::SendOne => things_to_fix(state.form.issues_of_one_request().len(), "send one"),
            Self::SaveRun => {
                let file = state.shown.as_ref().and_then(|r| r.file.as_ref());
                off(file.is_none(), "No run file is shown")
            }
            Self::RunAgain | Self::CompareThis => off(state.shown.is_none(), "No run is shown"),
            Self::ServerRestarted => off(!state.awaits_restart(), "Nothing waits for a restart"),
            Self::ShowTest => off(
                state.test.value().is_none() && !state.test.is_pending(),
                "No test request was sent yet",
            ),
            Self::ShowRun => off(
                state.measure_shows == MeasureShows::Run,
                "The run is shown already",
            ),
            Self::CompareTicked => match state.library.n_ticked() {
                2 => None,
                n if n > 2 && state.library.ticked_group().is_some() => None,
                n => Some(format!("Tick two runs to compare; {n} ticked")),
            },
            Self::CompareParameter => off(
                state.group_at_hand().is_none(),
                "No run of a varied plan is shown or in the library",
            ),
            Self::PauseResume => state.why_not_steer(),
            Self::Mark => state.why_not_mark(),
            Self::LevelDown | Self::LevelUp => state.why_not_level(),
            Self::ShowGoals => off(
                state.run_shown().is_none_or(|r| r.plan().goals.is_empty()),
                "The run shown has no goals",
            ),
            _ => None,
        }
    }
}

fn things_to_fix(n: usize, verb: &str) -> Option<String> {
    match n {
        0 => None,
        1 => Some(format!("Fix 1 thing to {verb}")),
        n => Some(format!("Fix {n} things to {verb}")),
    }
}

/// `Ctrl Shift S`; `Cmd` in place of `Ctrl` on macOS.
pub fn key_text(shortcut: KeyboardShortcut) -> String {
    let modifiers = shortcut.modifiers;
    let mut words = Vec::new();
    if modifiers.command || modifiers.ctrl {
        words.push(if cfg!(target_os = "macos") {
            "Cmd"
        } else {
            "Ctrl"
        });
    }
    if modifiers.shift {
        words.push("Shift");
    }
    words.push(match shortcut.logical_key {
        Key::Escape => "Esc",
        Key::Comma => ",",
        Key::Period => ".",
        Key::Plus => "+",
        Key::Equals => "=",
        Key::Minus => "−",
        key => key.name(),
    });
    words.join(" ")
}

/// Actions whose keys were pressed in this frame; the keys are taken, so that no field sees them.
pub fn pressed(ctx: &egui::Context, state: &AppState) -> Vec<Action> {
    let mut found = Vec::new();
    // Longer chords first: `Ctrl Shift Z` holds `Ctrl Z`.
    let mut rows: Vec<(&KeyboardShortcut, Action)> = ACTIONS
        .iter()
        .flat_map(|a| a.keys.iter().map(|key| (key, a.action)))
        .collect();
    rows.sort_by_key(|(key, _)| !key.modifiers.shift);
    for (key, action) in rows {
        let is_plain = !key.modifiers.any();
        // A letter belongs to the field that is typed in.
        let is_typed = is_plain && key.logical_key != Key::Escape && ctx.text_edit_focused();
        // A plain key belongs to what is open above the window first, and only means Stop while there is a run.
        let is_taken = is_plain && (state.has_overlay() || action.why_not(state).is_some());
        if !is_taken && !is_typed && ctx.input_mut(|input| input.consume_shortcut(key)) {
            found.push(action);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_has_its_own_row_and_no_key_is_given_twice() {
        let mut keys = BTreeSet::new();
        for row in &ACTIONS {
            assert_eq!(row.action.info().text, row.text, "{:?}", row.action);
            assert!(!row.text.ends_with('.') && !row.tooltip.ends_with('.'));
            for key in row.keys {
                assert!(keys.insert(key_text(*key)), "{} twice", key_text(*key));
            }
        }
        let texts: BTreeSet<&str> = ACTIONS.iter().map(|a| a.text).collect();
        assert_eq!(texts.len(), ACTIONS.len());
    }

    #[test]
    fn a_disabled_action_says_why() {
        let mut state = AppState::new(Vec::new());
        state.refresh_plan();
        assert_eq!(
            Action::Start.why_not(&state).as_deref(),
            Some("Fix 1 thing to start")
        );
        assert_eq!(
            Action::Stop.why_not(&state).as_deref(),
            Some("Nothing runs")
        );
    }
}
