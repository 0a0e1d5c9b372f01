//! `inferometer` opens the window; `inferometer run|show|demo|serve-demo|detect|plan|schema` does not.

use std::process::ExitCode;

use clap::Parser as _;
use inferometer::cli::{self, args::Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        #[cfg(feature = "gui")]
        Some(cli::args::Command::Demo(ref demo))
            if !demo.no_window && !demo.json && demo.out.is_none() && has_display() =>
        {
            window(inferometer::app::Options {
                demo: true,
                ..Default::default()
            })
        }
        Some(command) => cli::main(command),
        #[cfg(feature = "gui")]
        None => window(inferometer::app::Options {
            open: cli.files,
            ..Default::default()
        }),
        #[cfg(not(feature = "gui"))]
        None => cli::without_window(&cli.files),
    }
}

/// Whether a window could open; elsewhere than on X11 and Wayland there is always a display.
#[cfg(feature = "gui")]
fn has_display() -> bool {
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || named("DISPLAY") || named("WAYLAND_DISPLAY")
}

#[cfg(feature = "gui")]
fn window(options: inferometer::app::Options) -> ExitCode {
    if !has_display() {
        let why = "neither DISPLAY nor WAYLAND_DISPLAY is set";
        return cli::without_display(&why, &options.open);
    }
    let files = options.open.clone();
    match inferometer::app::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::without_display(&format!("{error:#}"), &files),
    }
}
