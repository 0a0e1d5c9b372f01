//! What a person can ask the window to do, once: menus, keys and buttons all speak in these.

/// The three places of the rail.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum View {
    #[default]
    Measure,
    Runs,
    Compare,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    ShowView(View),
    Start,
    Stop,
    SendOne,
    ShowSettings,
    /// Put the focus into the form's address field.
    UseMyEndpoint,
    /// The person has restarted the server, as the cold probe asked.
    ServerRestarted,
    RunAgain,
    SaveRun,
    /// Show the run of the Measure view in Compare.
    CompareThis,
}
